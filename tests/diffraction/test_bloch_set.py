"""Is the cached Bloch-wave set in the package's frame, and is it physics? Facts with no margin."""

from __future__ import annotations

import importlib.util
import sys
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from napari_orient.crystal.phases import get_phase
from napari_orient.crystal.rotations import to_matrix
from napari_orient.data.scan import electron_wavelength
from napari_orient.diffraction.simulate import reflections, spots

if TYPE_CHECKING:
    from types import ModuleType

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
CRYSTALS = ("LiNiO2", "Au")


@cache
def bloch() -> ModuleType:
    """The script that makes the set and reads it; abTEM is not imported for reading."""
    spec = importlib.util.spec_from_file_location("benchmarks_bloch", BENCHMARKS / "bloch.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look themselves up
    spec.loader.exec_module(module)
    return module


@cache
def cached_set(crystal: str) -> Any:
    return bloch().load(bloch().DATA / f"bloch_{crystal}.npz")


def test_matrices_are_the_packages() -> None:
    quaternions = cached_set("Au").quaternions[:20]
    np.testing.assert_allclose(bloch().matrices(quaternions), to_matrix(quaternions), atol=1e-12)


@pytest.mark.parametrize("crystal", CRYSTALS)
def test_orientations_are_those_of_the_seed_and_near_their_zones(crystal: str) -> None:
    truth = cached_set(crystal)
    quaternions, group, names = bloch().orientations(crystal)
    np.testing.assert_array_equal(truth.quaternions, quaternions)
    np.testing.assert_array_equal(truth.group, np.array(names)[group])
    assert (truth.group == "random").sum() == 500
    for name, zone in bloch().ZONES[crystal].items():
        beam = to_matrix(truth.quaternions[truth.group == name])[:, :, 2]
        angle = np.degrees(np.arccos(beam @ (np.array(zone) / np.linalg.norm(zone))))
        assert len(angle) == 100
        assert angle.max() <= 5.0
        # uniform in the cap: half of them beyond 5 / sqrt(2) degrees
        assert np.median(angle) == pytest.approx(5 / np.sqrt(2), abs=0.6)


@pytest.mark.parametrize("crystal", CRYSTALS)
def test_intensities_are_shares_of_the_incident_beam(crystal: str) -> None:
    truth = cached_set(crystal)
    sums = np.add.reduceat(truth.intensity, truth.starts[:-1], axis=0)
    assert truth.intensity.min() >= 0
    assert sums.max() < 1.003  # float16
    assert np.median(sums) > 0.9
    direct = (truth.hkl == 0).all(axis=1)
    assert direct.sum() == len(truth)
    assert np.abs(truth.xy[direct]).max() == 0
    beam = truth.intensity[direct].mean(axis=0)
    # scattered once, the ring's mean would grow as the thickness: 7.5 times from 20 to 150 nm
    lost = 1 - beam
    assert lost[0] < 0.15
    assert lost[1] > 2 * lost[0]
    assert lost[-1] < 3 * lost[1]
    assert truth.thickness_nm.tolist() == [2, 20, 50, 100, 150]


@pytest.mark.parametrize("crystal", CRYSTALS)
def test_thin_crystals_scatter_once(crystal: str) -> None:
    """At 2 nm: |F|^2 times the mean of sinc^2(pi s t), at the places where the package has g."""
    truth = cached_set(crystal)
    known = reflections(
        get_phase(crystal), 1.85, min_intensity=0, debye_waller=truth.meta["debye_waller"]
    )
    number = {tuple(h): i for i, h in enumerate(known.hkl.tolist())}
    wavelength, tilt = electron_wavelength(300.0), np.radians(truth.meta["precession_deg"])
    swing = tilt * np.cos(np.linspace(0, 2 * np.pi, 101)[:-1])
    gap = total = 0.0
    for i in range(0, len(truth), 40):
        own = slice(truth.starts[i], truth.starts[i + 1])
        seen = [(j, number[tuple(h)]) for j, h in enumerate(truth.hkl[own].tolist())
                if tuple(h) in number]  # fmt: skip
        spot, reflection = np.array(seen).T
        x, y, z = (known.g[reflection] @ to_matrix(truth.quaternions[i])).T
        np.testing.assert_allclose(truth.xy[own][spot], np.stack([x, y], 1), atol=2e-4)
        s = 1 / wavelength - np.sqrt(1 / wavelength**2 - x**2 - y**2) - z
        s = s[:, None] + np.hypot(x, y)[:, None] * swing
        once = known.intensity[reflection] * (np.sinc(20 * s) ** 2).mean(axis=1)
        many = truth.intensity[own][spot, 0]
        gap += np.abs(many / many.sum() - once / once.sum()).sum()
        total += 1
    assert gap / total < (0.05 if crystal == "LiNiO2" else 0.1)


@pytest.mark.parametrize("crystal", CRYSTALS)
def test_ewald_sphere_curves_to_the_packages_side(crystal: str) -> None:
    """At 20 nm kinematical spots are like the true orientation, not like its half turn."""
    truth = cached_set(crystal)
    some = np.flatnonzero(truth.group == "random")[::10]
    known = reflections(get_phase(crystal), 1.85)
    half = truth.quaternions[some][:, [3, 2, 1, 0]] * [-1, 1, -1, 1]  # q times (0, 0, 0, 1)
    likeness = np.zeros((2, len(some)))
    for turned, quaternions in enumerate((truth.quaternions[some], half)):
        drawn = spots(known, quaternions, thickness_nm=20, precession_deg=0.6, min_intensity=0)
        for k, i in enumerate(some):
            xy, intensity, _ = drawn.pattern(k)
            own = slice(truth.starts[i] + 1, truth.starts[i + 1])
            distance = np.linalg.norm(truth.xy[own][:, None] - xy[None], axis=2)
            weights = np.sqrt(truth.intensity[own, 1])[:, None] * np.sqrt(intensity)
            shared = np.where(distance < 0.02, weights, 0).sum()
            likeness[turned, k] = shared / np.sqrt(truth.intensity[own, 1].sum() * intensity.sum())
    assert likeness[0].mean() > 0.75
    assert (likeness[0] > likeness[1]).mean() > 0.95


def test_files_are_small() -> None:
    sizes = [(bloch().DATA / f"bloch_{crystal}.npz").stat().st_size for crystal in CRYSTALS]
    assert sum(sizes) < 2e6
