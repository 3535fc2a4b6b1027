"""A simulated polycrystal: grains, mixtures and electrons are as stated, and the truth is true."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from napari_orient.config import ConfigError
from napari_orient.crystal.phases import get_phase
from napari_orient.crystal.rotations import rotate
from napari_orient.data.reciprocal import scan_to_pattern, to_pattern
from napari_orient.data.scan import electron_wavelength
from napari_orient.diffraction.grains import (
    AMORPHOUS,
    VACUUM,
    grain_weights,
    orientations_near,
    sow_grains,
    zone_axis,
)
from napari_orient.diffraction.microscope import Microscope, scan_calibration
from napari_orient.diffraction.polycrystal import PolycrystalConfig, simulate_scan
from napari_orient.diffraction.simulate import pattern_images, reflections, spots
from napari_orient.jobs import Event, Progress, run

AXES = ("[10-10]", "[1-100]", "[0001]")
SMALL: dict[str, Any] = {
    "shape": (6, 20), "grains": 5, "pattern_shape": (64, 72), "pixel_size": 0.035,
    "near_axes": AXES, "near_share": 0.6,
}  # fmt: skip


def test_four_indices_are_directions() -> None:
    """[10-10] is a* turned into the basal plane by half of 60 degrees from a, [11-20] is a + b."""
    phase = get_phase("LiNiO2")
    half, root = 0.5, np.sqrt(0.75)
    np.testing.assert_allclose(zone_axis(phase, "[10-10]"), [root, half, 0], atol=1e-9)
    np.testing.assert_allclose(zone_axis(phase, "[1-100]"), [root, -half, 0], atol=1e-9)
    np.testing.assert_allclose(zone_axis(phase, "[2-1-10]"), [1, 0, 0], atol=1e-9)
    np.testing.assert_allclose(zone_axis(phase, "[0001]"), [0, 0, 1], atol=1e-9)
    np.testing.assert_allclose(zone_axis(phase, "[1 0 0]"), [1, 0, 0], atol=1e-9)
    np.testing.assert_allclose(zone_axis(get_phase("Au"), "<011>"), [0, half**0.5, half**0.5])


@pytest.mark.parametrize("indices", ["[1010]", "[12]", "[000]", "[x]"])
def test_what_is_no_direction(indices: str) -> None:
    with pytest.raises(ValueError, match=r"indices"):
        zone_axis(get_phase("LiNiO2"), indices)


def test_near_orientations_fill_the_cap_evenly() -> None:
    """On a cap cos(angle) is uniform; the angle about the beam is uniform as well."""
    axis = np.array([0.6, 0.0, 0.8])
    q = orientations_near(axis, 10.0, 20000, np.random.default_rng(0))
    beam = np.asarray(rotate(q, np.array([0.0, 0.0, 1.0])))
    height = beam @ axis
    low = np.cos(np.radians(10))
    assert height.min() >= low - 1e-12
    assert height.mean() == pytest.approx((1 + low) / 2, abs=2e-4)
    x = np.asarray(rotate(q, np.array([1.0, 0.0, 0.0])))
    side = np.cross([0.0, 1.0, 0.0], axis)
    angle = np.arctan2(x @ [0.0, 1.0, 0.0], x @ side)
    for order in (1, 2, 3):
        assert abs(np.exp(1j * order * angle).mean()) < 0.02


def test_shares_of_the_grains_are_kept() -> None:
    config = PolycrystalConfig(
        grains=200, phases=("LiNiO2", "NiO"), phase_shares=(3, 1), vacuum_share=0.1,
        amorphous_share=0.05, near_axes=AXES, near_share=0.6, near_deg=5,
    )  # fmt: skip
    phases = [get_phase(name) for name in config.phases]
    with pytest.raises(ValueError, match=r"\[10-10\].* which NiO"):
        sow_grains(config, phases)
    config = config.model_copy(update={"near_axes": ("[001]", "[110]")})
    grains = sow_grains(config, phases)
    assert [(grains.phase == kind).sum() for kind in (VACUUM, AMORPHOUS)] == [20, 10]
    crystals = grains.phase[grains.phase >= 0]
    assert (crystals == 0).mean() == pytest.approx(0.75, abs=0.06)
    assert [(grains.axis == i).sum() for i in (-1, 0, 1)] == [80, 60, 60]
    beam = np.asarray(rotate(grains.quaternions, np.array([0.0, 0.0, 1.0])))
    for number, phase in enumerate(phases):
        for i, name in enumerate(config.near_axes):
            own = (grains.phase == number) & (grains.axis == i)
            away = np.degrees(np.arccos(np.clip(beam[own] @ zone_axis(phase, name), -1, 1)))
            assert own.sum() > 5
            assert away.max() <= 5
    assert grains.thickness.mean() == pytest.approx(30, rel=0.05)
    assert grains.thickness.std() / grains.thickness.mean() == pytest.approx(0.2, abs=0.04)


def test_two_grains_change_linearly_over_the_boundary() -> None:
    points = np.array([[2.0, 4.0], [2.0, 12.0]])  # the boundary stands at column 8, between pixels
    grain, weight = grain_weights(points, (4, 16), 4.0)
    np.testing.assert_array_equal(grain[..., 0], [[0] * 8 + [1] * 8] * 4)
    first = np.where(grain[..., 0] == 0, weight[..., 0], weight[..., 1])
    expected = np.clip(0.5 + (8 - (np.arange(16) + 0.5)) / 4, 0, 1)
    np.testing.assert_allclose(first, np.tile(expected, (4, 1)), atol=1e-12)
    sharp = grain_weights(points, (4, 16), 0.0)[1]
    np.testing.assert_array_equal(sharp[..., 0], 1)


def test_shares_add_up_where_three_grains_meet() -> None:
    points = np.random.default_rng(2).random((40, 2)) * 60
    grain, weight = grain_weights(points, (60, 60), 3.0)
    np.testing.assert_allclose(weight.sum(-1), 1, atol=1e-12)
    assert weight.min() >= 0
    assert ((weight > 0).sum(-1) == 3).any()
    assert (np.sort(grain, -1)[..., 1:] > np.sort(grain, -1)[..., :-1]).all()


def test_a_scan_its_calibration_and_its_truth(tmp_path: Path) -> None:
    config = PolycrystalConfig(**SMALL, rotation_deg=12.0, mirrored=True, step_nm=3)
    events: list[Event] = []
    scan, truth = run(simulate_scan(config, tmp_path / "scan.npy"), events.append)
    assert scan.shape == (6, 20, 64, 72)
    assert scan.dtype == np.uint16
    assert isinstance(scan.data, np.memmap)
    known = scan.calibration
    assert known.convergence is not None
    assert (known.convergence.number, known.rotation.number, known.flip.number) == (1.6, 12, 1)
    assert all(isinstance(event, Progress) and event.total == 6 for event in events)
    assert truth.step == (3, 3)
    assert truth.shape == (6, 20)
    grain, mixed = truth.properties["grain"], truth.properties["mixed"]
    assert set(np.unique(truth.properties["axis"])) <= {-1, 0, 1, 2}
    assert (mixed[truth.properties["neighbour"] < 0] == 1).all()
    assert (mixed[truth.properties["neighbour"] >= 0] < 1).all()
    assert (grain != truth.properties["neighbour"]).all()
    again = run(simulate_scan(config))[0]
    np.testing.assert_array_equal(again.data, scan.data)
    other = run(simulate_scan(config.model_copy(update={"seed": 1})))[0]
    assert (other.data != scan.data).mean() > 0.3


def test_stopped_leaves_nothing(tmp_path: Path) -> None:
    job = simulate_scan(PolycrystalConfig(**SMALL), tmp_path / "scan.npy")
    next(job)
    job.close()
    assert list(tmp_path.iterdir()) == []


def test_spots_of_the_truth_lie_on_bright_disks() -> None:
    """Truth, calibration and ``simulate`` say where light is: turned, mirrored, drifting."""
    config = PolycrystalConfig(
        shape=(4, 20), grains=2, boundary_px=0, pattern_shape=(96, 96), pixel_size=0.03,
        rotation_deg=25.0, mirrored=True, ellipse=(1.06, 40.0), descan=(0.1, 0.3, -0.2, 0.25),
        background_share=0.0, near_axes=("[10-10]",), near_share=1.0, near_deg=1,
        dose=1e7, dtype="float32",
    )  # fmt: skip
    scan, truth = run(simulate_scan(config))
    source = reflections(truth.phases[0], 1.2)
    for y, x in ((0, 0), (3, 19)):
        found = spots(source, truth.quaternions[y, x], precession_deg=0.6, thickness_nm=30)
        xy, intensity, _ = found.pattern(0)
        strong = (intensity > 0.02) & (np.hypot(*xy.T) > 0.3)
        at = (np.full(strong.sum(), y), np.full(strong.sum(), x))
        v, u = scan_to_pattern(scan.calibration, xy[strong, 1], xy[strong, 0])
        rows, columns = to_pattern(scan.calibration, v, u, at=at)
        assert strong.sum() >= 2
        for row, column in zip(rows, columns, strict=True):
            ky, kx = np.indices((96, 96))
            near = np.hypot(ky - row, kx - column) < 4
            light = scan.data[y, x] * near
            assert light.sum() > 2e4
            middle = np.array([(light * ky).sum(), (light * kx).sum()]) / light.sum()
            np.testing.assert_allclose(middle, (row, column), atol=0.15)


def expected(**changes: Any) -> tuple[torch.Tensor, PolycrystalConfig, np.ndarray]:
    """Expected counts of a row that runs from the first of two grains to the second."""
    config = PolycrystalConfig(**{**SMALL, "grains": 2, "boundary_px": 8.0} | changes)
    phases = [get_phase(name) for name in config.phases]
    grains = sow_grains(config, phases)
    sources = [reflections(phase, 0.8) for phase in phases]
    calibration = scan_calibration(config)
    microscope = Microscope(config, calibration, sources, grains, "cpu")
    share = np.linspace(0, 1, 5)
    weight = np.stack([share, 1 - share], axis=-1)
    return microscope.expected(0, np.tile([0, 1], (5, 1)), weight), config, share


def test_a_single_crystal_is_that_of_the_kinematical_simulation() -> None:
    """Optics, dose and thickness by another path: one pattern after the other, in numpy."""
    config = PolycrystalConfig(
        shape=(3, 2), grains=1, pattern_shape=(64, 72), pixel_size=0.035, near_axes=("[0001]",),
        near_share=1.0, near_deg=2, blur_px=0.0, dose=1e8, precession_deg=0.9, voltage_kv=200,
        convergence_mrad=3.0, thickness_spread=0.3, debye_waller={"Ni": 0.4, "O": 0.7}, power=0.6,
        background_share=0.3, background_width=0.5, spot_share=0.04, dtype="float32", max_g=1.2,
    )  # fmt: skip
    scan = run(simulate_scan(config))[0]
    phase = get_phase("LiNiO2")
    grains = sow_grains(config, [phase])
    drawn = spots(
        reflections(phase, 1.2, debye_waller={"Ni": 0.4, "O": 0.7}), grains.quaternions, 200.0,
        thickness_nm=grains.thickness[0], precession_deg=0.9,
    )  # fmt: skip
    scattered = 0.04 * float((drawn.intensity.astype(float) ** 0.6).sum())
    image = pattern_images(
        drawn, (64, 72), 0.035, radius=3e-3 / electron_wavelength(200), spot_counts=0.04 * 1e8,
        direct_counts=(0.7 - scattered) * 1e8, background_counts=0.3e8, background_width=0.5,
        power=0.6, dtype=np.float64,
    )[0]  # fmt: skip
    assert 0.01 < scattered < 0.6
    off = scan.data - image
    sigma = np.sqrt(image + (2e-4 * image.max()) ** 2)  # disks have edges of their own
    assert np.abs(off / sigma).max() < 6
    beyond = image < 1e-3 * image.max()  # there it is counting statistics alone
    assert (off[:, :, beyond] ** 2 / image[beyond]).mean() == pytest.approx(1, abs=0.1)
    first, last = off[0][:, beyond], off[2][:, beyond]  # rows have noise of their own
    assert abs(np.corrcoef(first.ravel(), last.ravel())[0, 1]) < 0.1


def test_every_pattern_has_the_dose() -> None:
    images, config, _ = expected(dose=5000.0)
    np.testing.assert_allclose(images.sum((1, 2)), config.dose, rtol=2e-3)


def test_crystals_do_not_take_the_whole_beam() -> None:
    images, config, _ = expected(spot_share=1.0, background_share=0.0, blur_px=0.0)
    np.testing.assert_allclose(images.sum((1, 2)), config.dose, rtol=2e-3)
    ky, kx = np.indices(config.pattern_shape)
    beam = torch.tensor(np.hypot(ky - 32, kx - 36) < 4)
    assert float((images * beam).sum((1, 2)).min()) >= 0.0999 * config.dose


def test_mixed_patterns_are_weighted_sums() -> None:
    images, _, share = expected()
    for image, part in zip(images, share, strict=True):
        torch.testing.assert_close(
            image, images[-1] * part + images[0] * (1 - part), rtol=1e-4, atol=0.05
        )


def test_vacuum_and_amorphous_material() -> None:
    empty, config, _ = expected(vacuum_share=1.0, blur_px=0.0)
    ky, kx = np.indices(config.pattern_shape)
    distance = np.hypot(ky - 32, kx - 36)
    assert float(empty[:, torch.tensor(distance > 4)].max()) == 0
    glass, config, _ = expected(amorphous_share=1.0)
    np.testing.assert_allclose(glass.sum((1, 2)), config.dose, rtol=2e-3)
    ring = np.abs(distance * config.pixel_size - config.halo_g) < 0.03
    inner = np.abs(distance * config.pixel_size - config.halo_g / 2) < 0.03
    assert float(glass[2][torch.tensor(ring)].mean()) > 1.2 * float(
        glass[2][torch.tensor(inner)].mean()
    )
    truth = run(simulate_scan(PolycrystalConfig(**SMALL | {"amorphous_share": 1.0})))[1]
    assert not truth.indexed.any()


def test_cameras_saturate() -> None:
    scan = run(simulate_scan(PolycrystalConfig(**SMALL | {"dtype": "uint8", "dose": 1e6})))[0]
    assert scan.data.max() == 255
    assert scan.data.dtype == np.uint8


def test_a_yaml_file_states_the_experiment(tmp_path: Path) -> None:
    config = PolycrystalConfig(**SMALL, ellipse=(1.02, 30), debye_waller={"Ni": 0.3})
    config.to_yaml(tmp_path / "experiment.yaml")
    assert PolycrystalConfig.from_yaml(tmp_path / "experiment.yaml") == config


@pytest.mark.parametrize("name", ["linio2", "au"])
def test_the_benchmarks_are_what_they_claim(name: str) -> None:
    path = Path(__file__).parents[2] / "benchmarks" / f"matching_{name}.yaml"
    config = PolycrystalConfig.from_yaml(path)
    assert (config.near_share, config.near_deg, config.boundary_px) == (0.5, 5, 2)
    assert (config.voltage_kv, config.precession_deg) == (300, 0.6)
    grains = sow_grains(config, [get_phase(phase) for phase in config.phases])
    nearest, weight = grain_weights(grains.points, config.shape, config.boundary_px)
    assert len(np.unique(nearest[..., 0])) >= 250
    assert 0.15 < (weight.max(-1) < 1).mean() < 0.3


@pytest.mark.parametrize(
    ("values", "words"),
    [({"phase_shares": (1, 2)}, "one number for each"), ({"phase_shares": (-1,)}, "not negative"),
     ({"near_share": 0.5}, "name the zone axes"), ({"ellipse": (0.9, 0)}, "at least 1"),
     ({"vacuum_share": 0.6, "amorphous_share": 0.6}, "more than all"), ({"colour": 1}, "colour")],
)  # fmt: skip
def test_nonsense_is_refused(values: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        PolycrystalConfig.checked(values)
