"""Two crystals in one pattern."""

from dataclasses import replace

import numpy as np
import pytest

from napari_orient.crystal.phases import get_phase
from napari_orient.crystal.rotations import (
    beam_operator,
    misorientation_angle,
    multiply,
    random_orientations,
)
from napari_orient.data.scan import Calibration, Descan, Quantity
from napari_orient.diffraction.matching import judge
from napari_orient.diffraction.matching.config import IndexConfig
from napari_orient.diffraction.matching.likeness import without_spots
from napari_orient.diffraction.matching.matcher import build_matcher
from napari_orient.diffraction.matching.polar import prepare
from napari_orient.diffraction.matching.refine import refine
from napari_orient.diffraction.simulate import pattern_images, reflections, spots
from napari_orient.jobs import run

SHAPE, PIXEL, RADIUS, N = (96, 96), 0.03, 0.08, 100


def quantity(value, unit):
    return Quantity(value=value, unit=unit, source="simulated")


def matcher_of(*phases):
    calibration = Calibration(
        pixel_size=quantity((PIXEL, PIXEL), "1/angstrom"),
        centre=quantity((48.0, 48.0), "px"),
        voltage=quantity(300.0, "kV"),
        precession=quantity(0.6, "deg"),
        convergence=quantity(1.6, "mrad"),
    )
    return run(build_matcher(calibration, SHAPE, IndexConfig(phases=phases, spacing_deg=2.0)))


@pytest.fixture(scope="module")
def matcher():
    return matcher_of("Au")


def expected(quaternions, counts, power=0.5, thickness=30.0):
    source = spots(
        reflections(get_phase("Au"), 2.1), quaternions, 300.0, thickness_nm=thickness,
        precession_deg=0.6,
    )  # fmt: skip
    return pattern_images(
        source, SHAPE, PIXEL, radius=RADIUS, spot_counts=counts, direct_counts=4e4,
        background_counts=1e4, power=power,
    )  # fmt: skip


def right(found, quaternions):
    away = misorientation_angle(
        found.quaternions[:, 0], quaternions, get_phase("Au").point_group, modulo_beam=True
    )
    return away < 3


@pytest.mark.parametrize(("share", "gain"), [(0.6, 0.1), (0.7, 0.03)])
def test_the_larger_of_two_crystals_is_indexed(matcher, share, gain, monkeypatch):
    first, second = random_orientations(N, seed=1), random_orientations(N, seed=2)
    counts = expected(first, 1e4 * share) + expected(second, 1e4 * (1 - share))
    patterns = np.random.default_rng(0).poisson(counts)
    found = matcher.match(patterns)
    good = right(found, first)
    both = good & (found.share < 100)
    assert both.mean() > 0.5
    assert abs(np.median(found.share[both]) - 100 * share) < 4
    monkeypatch.setattr(judge, "separate", lambda found, *_, **__: (found, np.ones(N)))
    alone = right(matcher.match(patterns), first)
    assert good.mean() > alone.mean() + gain
    assert good.mean() > 0.85
    assert found.indexed[both].all()  # each crystal explains but a part of the spots


@pytest.mark.parametrize("phases", [("Au", "Al"), ("Al", "Au")])
def test_the_pair_that_explains_most_decides_the_phase(phases):
    """Al has nearly the lattice of Au: pairs of both phases explain such patterns."""
    first, second = random_orientations(40, seed=1), random_orientations(40, seed=2)
    patterns = np.random.default_rng(0).poisson(expected(first, 6e3) + expected(second, 4e3))
    found = matcher_of(*phases).match(patterns)
    assert (found.share < 100).mean() > 0.5
    assert (found.phase_id[:, 0] == phases.index("Au")).mean() > 0.85


def test_one_crystal_has_all_of_its_pattern(matcher):
    crystal = random_orientations(N, seed=3)
    found = matcher.match(np.random.default_rng(0).poisson(expected(crystal, 1e4)))
    assert (right(found, crystal) | (found.ambiguous > 0)).mean() > 0.95
    assert (found.share == 100).mean() > 0.97
    assert ((found.share > 50) & (found.share <= 100)).all()


@pytest.mark.parametrize(("power", "thickness"), [(1.0, 5.0), (0.25, 120.0)])
def test_one_crystal_that_the_model_does_not_fit_is_no_pair(matcher, power, thickness):
    """Too thin or too thick: a second orientation explains some of what is left."""
    crystal = random_orientations(N, seed=6)
    found = matcher.match(
        np.random.default_rng(0).poisson(expected(crystal, 2e4, power, thickness))
    )
    assert np.median(found.q) < 90  # it does not fit well
    assert (found.share == 100).mean() > 0.95


def test_margins_are_those_of_the_crystal_on_the_map(matcher):
    first, second = random_orientations(N, seed=1), random_orientations(N, seed=2)
    patterns = np.random.default_rng(0).poisson(expected(first, 6e3) + expected(second, 4e3))
    found = matcher.match(patterns)
    changed = (found.share < 100) & (found.score[:, 0] < found.score[:, 1])
    assert changed.sum() > 5  # the smaller crystal has the higher score
    best = found.quaternions[changed, 0]
    prepared = prepare(patterns[changed], matcher.grid)
    turned = multiply(best, beam_operator())[:, None]
    again = refine(
        prepared, matcher.grid, matcher.models, turned, np.zeros((len(best), 1), np.int32),
        spacing_deg=2.0,
    )  # fmt: skip
    worse = 100 * (1 - again.score[:, 0] / found.score[changed, 0])
    # the best of the half turns about the beam and about a zone axis
    assert (found.beam_margin[changed] <= np.maximum(worse, 0) + 0.3).all()
    assert np.median(np.abs(found.beam_margin[changed] - worse)) < 0.5


def test_the_drift_of_the_beam_is_followed(matcher):
    positions = np.argwhere(np.ones((5, 8)))
    shifts = positions - (2, 4)
    first, second = random_orientations(40, seed=1), random_orientations(40, seed=2)
    second[:20] = first[:20]  # where there is nothing to separate
    patterns = np.random.default_rng(0).poisson(expected(first, 6e3) + expected(second, 4e3))
    rolled = np.stack([np.roll(p, s, (0, 1)) for p, s in zip(patterns, shifts, strict=True)])
    drift = Descan(ky=(1.0, 0.0), kx=(0.0, 1.0), origin=(2, 4), source="simulated")
    grid = replace(matcher.grid, calibration=matcher.calibration.set(descan=drift))
    found, still = replace(matcher, grid=grid).match(rolled, positions), matcher.match(patterns)
    two = still.share < 100
    assert two.sum() > 10
    assert ((found.share < 100) == two).mean() > 0.9
    assert right(found, still.quaternions[:, 0])[two].mean() > 0.8  # their edges differ


def test_spots_are_taken_out_down_to_the_background(matcher):
    crystal = random_orientations(4, seed=5)
    prepared = prepare(expected(crystal, 1e4), matcher.grid)
    left = without_spots(
        prepared, matcher.grid, matcher.models, crystal, np.array([0, 0, 0, -1], np.int32)
    )
    assert (left.images <= prepared.images).all()
    before, after = ((array.images[:3] ** 2).sum(axis=(1, 2)) for array in (prepared, left))
    assert (after < 0.25 * before).all()
    np.testing.assert_array_equal(left.images[3], prepared.images[3])
