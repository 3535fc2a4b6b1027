"""Cells have one volume and know symmetry; the nearest label is the nearest one."""

from __future__ import annotations

import numpy as np
import pytest

from napari_orient.crystal.rotations import (
    beam_operator,
    from_axis_angle,
    laue_operators,
    misorientation_angle,
    multiply,
    random_orientations,
    rotate,
)
from napari_orient.learning.coverage import (
    _upright,
    label_coverage,
    nearest_label,
    zone_points,
)

GROUPS = ["-3m", "m-3m", "2/m"]


def equivalents(q: np.ndarray, group: str) -> np.ndarray:
    operators = laue_operators(group)
    return multiply(operators[np.random.default_rng(0).integers(len(operators), size=len(q))], q)


@pytest.mark.parametrize("group", GROUPS)
def test_random_labels_fill_all_cells_evenly(group: str) -> None:
    q = random_orientations(12_000, 3)
    found = label_coverage(q, group, 15)
    cells = 8 * np.pi**2 / np.radians(15) ** 3 / len(laue_operators(group))
    assert found.counts.size == pytest.approx(cells, rel=0.15)
    assert found.labels == 12_000
    assert found.share == pytest.approx(found.expected_share, abs=0.01)
    mean = found.counts.mean()
    assert found.counts.std() / mean < np.hypot(mean**-0.5, 0.25)
    assert found.counts.sum(axis=0).std() / found.counts.sum(axis=0).mean() < 0.05
    assert found.direction_counts.sum() == 12_000


@pytest.mark.parametrize("group", GROUPS)
def test_equivalents_are_in_one_cell(group: str) -> None:
    q = random_orientations(2000, 3)
    first, second = (label_coverage(one, group) for one in (q, equivalents(q, group)))
    np.testing.assert_array_equal(first.counts, second.counts)
    np.testing.assert_allclose(
        zone_points(q, group), zone_points(equivalents(q, group), group), atol=1e-6
    )


def test_cells_are_by_direction_and_by_angle() -> None:
    q = random_orientations(1, 8)[0]
    turns = from_axis_angle(np.tile([0.0, 0.0, 1.0], (36, 1)), np.arange(36) * 10.0)
    found = label_coverage(multiply(q, np.asarray(turns)), "-3m", 10)
    assert (found.direction_counts > 0).sum() == 1  # turning about the beam keeps the direction
    assert (found.counts.max(axis=0) == 1).all()
    np.testing.assert_allclose(
        rotate(_upright(found.directions), [0.0, 0.0, 1.0]), found.directions, atol=1e-12
    )


def test_part_of_the_zone() -> None:
    q = random_orientations(20_000, 3)
    beam = rotate(q, np.array([0.0, 0.0, 1.0]))
    near = np.abs(beam[:, 2]) > np.cos(np.radians(60))  # c within 60 degrees of the beam: half
    found = label_coverage(q[near], "-3m", 15)
    tilt = np.degrees(np.arccos(np.abs(found.directions[:, 2])))
    assert (found.counts[tilt < 50] > 0).all()
    assert (found.counts[tilt > 70] == 0).all()
    assert 0.5 < found.share < 0.65  # the cells across the border are filled in part
    assert found.holds(q[near]).all()
    assert not found.holds(q[np.abs(beam[:, 2]) < np.cos(np.radians(84))]).any()


@pytest.mark.parametrize("group", GROUPS)
@pytest.mark.parametrize("modulo_beam", [False, True])
def test_the_nearest_label_is_the_nearest(group: str, modulo_beam: bool) -> None:
    train, test = random_orientations(150, 1), random_orientations(40, 2)
    expected = np.array([
        misorientation_angle(one[None], train, group, modulo_beam=modulo_beam).min()
        for one in test
    ])  # fmt: skip
    found = nearest_label(equivalents(test, group), train, group, modulo_beam=modulo_beam)
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_a_known_label_is_at_0() -> None:
    q = random_orientations(50, 1)
    assert nearest_label(-q[:5], q, "m-3m").max() < 1e-5
    turned = multiply(q[:5], beam_operator())
    assert nearest_label(turned, q, "m-3m", modulo_beam=True).max() < 1e-5
    assert len(nearest_label(np.empty((0, 4)), q, "m-3m")) == 0


def test_nonsense_is_refused() -> None:
    with pytest.raises(ValueError, match="no training label"):
        nearest_label(random_orientations(3, 1), np.empty((0, 4)), "-3m")
    with pytest.raises(ValueError, match="1 to 60 degrees"):
        label_coverage(random_orientations(3, 1), "-3m", 0.1)
    with pytest.raises(ValueError, match="no point group"):
        label_coverage(random_orientations(3, 1), None)
