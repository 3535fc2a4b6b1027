"""Samples: seeded, exact, cached, and stopped or failing without leftovers."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from napari_orient import samples
from napari_orient.files import UnreadableFile
from napari_orient.jobs import Event, Progress, run
from napari_orient.samples import (
    cache_folder,
    known_reflection,
    polycrystal_map,
    real_ebsd_map,
    sped_scan,
)

if TYPE_CHECKING:
    from pathlib import Path

    from napari_orient.data.maps import OrientationMap
    from napari_orient.data.scan import Scan


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> tuple[Scan, OrientationMap, list[Event]]:
    events: list[Event] = []
    folder = tmp_path_factory.mktemp("cache")
    scan, orientations = run(sped_scan("small", folder=folder), events.append)
    return scan, orientations, events


def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = dataclasses.replace(samples._RECIPES["small"], scan_shape=(6, 5), grains=3)
    monkeypatch.setitem(samples._RECIPES, "small", recipe)


def test_polycrystal_is_seeded_and_has_the_grains() -> None:
    one, two = polycrystal_map(seed=4), polycrystal_map(seed=4)
    other = polycrystal_map(seed=5)
    np.testing.assert_array_equal(one.quaternions, two.quaternions)
    assert not np.allclose(one.quaternions, other.quaternions)
    grain = one.properties["grain"]
    assert 55 <= len(np.unique(grain)) <= 60
    np.testing.assert_allclose(np.linalg.norm(one.quaternions, axis=-1), 1, atol=1e-12)
    for number in np.unique(grain):
        assert len(np.unique(one.quaternions[grain == number], axis=0)) == 1
    assert (one.shape, one.step, one.unit, one.phases[0].name) == ((128, 128), (1, 1), "um", "Ni")


def test_orientations_are_uniform_over_rotations() -> None:
    """The angle w of a uniform rotation has the density (1 - cos w) / pi: mean pi/2 + 2/pi."""
    q = np.unique(polycrystal_map((300, 300), 4000).quaternions.reshape(-1, 4), axis=0)
    angle = 2 * np.arccos(np.abs(q[:, 0]))
    assert angle.mean() == pytest.approx(np.pi / 2 + 2 / np.pi, abs=0.04)
    assert np.abs(q.mean(axis=0)).max() < 0.04


def test_periodic_map_fits_itself() -> None:
    wrapped = polycrystal_map((60, 80), 40, periodic=True, seed=2).properties["grain"]
    plain = polycrystal_map((60, 80), 40, seed=2).properties["grain"]
    seam = (wrapped[0] != wrapped[-1]).mean() + (wrapped[:, 0] != wrapped[:, -1]).mean()
    inside = (np.diff(wrapped, axis=0) != 0).mean() + (np.diff(wrapped, axis=1) != 0).mean()
    assert seam < 2 * inside
    assert (plain[0] != plain[-1]).mean() > 0.7


@pytest.mark.parametrize("bad", [{"grains": 0}, {"shape": (0, 5)}, {"phase": "kryptonite"}])
def test_polycrystal_refuses_nonsense(bad: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"positive|kryptonite"):
        polycrystal_map(**bad)


def test_small_scan_and_its_calibration(small: Any) -> None:
    scan, orientations, events = small
    assert scan.shape == (64, 64, 128, 128)
    assert scan.dtype == np.uint8
    assert isinstance(scan.data, np.memmap)
    assert orientations.shape == scan.scan_shape
    assert orientations.unit == "nm"
    known = scan.calibration
    assert known.step.pair == orientations.step == (5.0, 5.0)
    assert known.voltage.number == 300
    assert known.pixel_size.pair == (0.02, 0.02)
    assert known.precession.number == 0.6
    assert known.convergence.number == pytest.approx(1.6, rel=1e-3)
    assert known.centre.pair == (64, 64)
    sources = {q.source for q in (known.step, known.voltage, known.pixel_size, known.centre)}
    assert sources == {"simulated"}
    assert scan.phase == "LiNiO2"
    assert 20 <= len(np.unique(orientations.properties["grain"])) <= 24
    assert all(isinstance(event, Progress) and event.total == 64 for event in events)
    assert len(events) >= 1


def test_patterns_look_like_diffraction(small: Any) -> None:
    scan = small[0]
    mean = scan.data[::4, ::4].mean(axis=(0, 1))
    ky, kx = np.indices(mean.shape)
    distance = np.hypot(ky - 64, kx - 64)
    assert mean[distance < 2].min() == 255  # the direct beam saturates the 8-bit camera
    ring = [mean[(distance > r) & (distance < r + 8)].mean() for r in (6, 20, 50)]
    assert ring[0] > ring[2]  # the background falls off
    background = scan.data[10, 10][distance > 10]
    assert 0 < np.median(scan.data[::4, ::4][..., (distance > 8) & (distance < 10)]) < 10
    assert np.percentile(background, 25) == 0  # few electrons: counts, no offset
    one, neighbour = scan.data[3, 3].astype(int), scan.data[3, 4].astype(int)
    assert (one != neighbour).mean() > 0.1  # noise of its own


def test_a_detector_on_a_reflection_lights_up_its_grain(small: Any) -> None:
    scan, orientations, _ = small
    grains = orientations.properties["grain"]
    for number in (None, 3, 12):
        spot = known_reflection(orientations, number)
        ky, kx = np.indices(scan.pattern_shape)
        mask = np.hypot(ky - spot.ky, kx - spot.kx) <= 4
        image = scan.data[:, :, mask].sum(axis=-1, dtype=np.int64)
        own = image[grains == spot.grain]
        others = np.array([image[grains == g].mean() for g in np.unique(grains) if g != spot.grain])
        assert own.mean() > 10 * np.median(others)
        assert (others > own.mean() / 2).sum() <= 4
        # the centre is right: moved by its own diameter, the detector loses the spot
        offset = np.array([spot.ky, spot.kx])
        pattern = scan.data[grains == spot.grain].mean(axis=0)
        near = mask & (pattern > pattern[mask].max() / 2)
        found = np.array([ky[near].mean(), kx[near].mean()])
        np.testing.assert_allclose(found, offset, atol=0.5)


def test_known_reflection_obeys_bragg(small: Any) -> None:
    _scan, orientations, _ = small
    from napari_orient.crystal.phases import get_phase

    spot = known_reflection(orientations)
    lattice = get_phase("LiNiO2").structure.lattice
    length = np.hypot(spot.ky - 64, spot.kx - 64) * 0.02
    assert length == pytest.approx(lattice.rnorm(spot.hkl), rel=0.01)  # z is small
    with pytest.raises(ValueError, match="no grain 999"):
        known_reflection(orientations, 999)


def test_second_opening_is_instant_and_the_same(small: Any) -> None:
    scan, orientations, _ = small
    from pathlib import Path

    events: list[Event] = []
    again, same = run(sped_scan("small", folder=Path(scan.source).parent), events.append)
    assert events == []
    assert again.source == scan.source
    np.testing.assert_array_equal(again.data[5, 6], scan.data[5, 6])
    np.testing.assert_array_equal(same.quaternions, orientations.quaternions)


def test_seed_decides_and_damage_is_repaired(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny(monkeypatch)
    monkeypatch.setenv("NAPARI_ORIENT_CACHE", str(tmp_path / "deep" / "cache"))
    assert cache_folder() == tmp_path / "deep" / "cache"
    first, _ = run(sped_scan("small", seed=1))
    second, _ = run(sped_scan("small", seed=2))
    pixels = np.array(first.data)
    assert first.source != second.source
    assert (pixels != second.data).any()
    (path,) = [p for p in cache_folder().iterdir() if str(p) == first.source]
    del first
    path.write_bytes(path.read_bytes()[:5000])
    repaired, _ = run(sped_scan("small", seed=1))
    np.testing.assert_array_equal(repaired.data, pixels)


def test_stopped_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tiny(monkeypatch)
    job = sped_scan("small", folder=tmp_path)
    assert isinstance(next(job), Progress)
    job.close()
    assert list(tmp_path.iterdir()) == []


def test_full_disk_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tiny(monkeypatch)

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np.lib.format, "write_array_header_1_0", full)
    with pytest.raises(UnreadableFile, match=r"No space left.*NAPARI_ORIENT_CACHE.*GB"):
        run(sped_scan("small", folder=tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_folder_that_is_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tiny(monkeypatch)
    (tmp_path / "taken").write_text("x")
    with pytest.raises(UnreadableFile, match="taken"):
        run(sped_scan("small", folder=tmp_path / "taken"))


def test_unknown_size() -> None:
    with pytest.raises(ValueError, match="small, large"):
        run(sped_scan("huge"))  # type: ignore[arg-type]


def test_real_map_needs_a_download_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import orix.data._data
    import pooch

    monkeypatch.setattr(orix.data._data._fetcher, "path", tmp_path)
    with pytest.raises(ConnectionError, match="allow its download"):
        real_ebsd_map(allow_download=False)

    def offline(*_args: Any, **_options: Any) -> Any:
        raise OSError("Temporary failure in name resolution")

    monkeypatch.setattr(pooch, "HTTPDownloader", lambda **_: offline)
    with pytest.raises(ConnectionError, match=r"cannot be downloaded.*internet connection"):
        real_ebsd_map(allow_download=True)


def test_real_map_arrives_as_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    import orix.data

    stand_in = polycrystal_map((7, 9), 4, "Fe", step=0.5)
    monkeypatch.setattr(
        orix.data, "sdss_ferrite_austenite", lambda allow_download: stand_in.to_orix()
    )
    got = real_ebsd_map(allow_download=True)
    assert (got.shape, got.step, got.unit) == ((7, 9), (0.5, 0.5), "um")
    np.testing.assert_allclose(got.quaternions, stand_in.quaternions, atol=1e-12)
    assert got.phases[0].point_group.name == "m-3m"
    assert "not verified" in got.frame_note


@pytest.mark.slow
def test_large_scan(tmp_path: Path) -> None:
    scan, orientations = run(sped_scan("large", folder=tmp_path))
    assert scan.shape == (200, 200, 128, 128)
    assert len(np.unique(orientations.properties["grain"])) > 50
