"""Splits meet the shares, are the same by seed, and tear no grain and no block asunder."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.ndimage import distance_transform_cdt

from napari_orient.crystal.rotations import (
    beam_operator,
    from_axis_angle,
    laue_operators,
    multiply,
    random_orientations,
)
from napari_orient.data.scan import Scan
from napari_orient.learning.labels import label_patterns
from napari_orient.learning.splits import label_grains, split, split_labels
from napari_orient.samples import polycrystal_map

MAP = polycrystal_map((120, 130), 260, "LiNiO2", seed=2)
GROUP = MAP.phases[0].point_group
KEPT = np.random.default_rng(1).random(MAP.shape) < 0.5
GRAINS = {"quaternions": MAP.quaternions, "group": GROUP, "known": MAP.indexed}
SHARES = (0.6, 0.2, 0.2)


@pytest.mark.parametrize("kind", ["random", "blocks", "grains"])
def test_shares_are_met(kind: Any) -> None:
    made = split(KEPT, kind, SHARES, 3, **GRAINS)
    assert made.part.dtype == np.int8
    assert (made.part[~KEPT] == -1).all()
    if kind != "blocks":  # these have margins
        assert (made.part[KEPT] >= 0).all()
    np.testing.assert_allclose(made.shares, SHARES, atol=0.02)
    assert not made.notes
    np.testing.assert_array_equal(made.mask("validation"), made.part == 1)
    again, other = split(KEPT, kind, SHARES, 3, **GRAINS), split(KEPT, kind, SHARES, 4, **GRAINS)
    np.testing.assert_array_equal(made.part, again.part)
    assert (made.part != other.part).any()


def test_grains_stay_whole() -> None:
    made = split(KEPT, "grains", SHARES, 0, **GRAINS)
    grain = MAP.properties["grain"]
    for number in np.unique(grain):
        assert len(np.unique(made.part[KEPT & (grain == number)])) <= 1
    assert made.groups is not None
    assert 230 < sum(made.groups) <= 260
    assert min(made.groups) > 25
    assert f"{made.groups[2]} grains" in str(made)


def test_each_part_has_grains_of_all_sizes() -> None:
    sizes = np.bincount(MAP.properties["grain"][KEPT], minlength=260)
    largest = np.argsort(-sizes)[:40]
    held = np.zeros(3)
    for seed in range(5):
        made = split(KEPT, "grains", SHARES, seed, **GRAINS)
        for number in largest:
            held[made.part[KEPT & (MAP.properties["grain"] == number)][0]] += 1 / 200
    np.testing.assert_allclose(held, SHARES, atol=0.1)


def bicrystal(turn: np.ndarray) -> np.ndarray:
    """Orientations (12, 30, 4): left one crystal, right the same, turned on the lab side."""
    q = np.tile(random_orientations(1, 5)[0], (12, 30, 1))
    q[:, 15:] = multiply(q[:, 15:], turn)
    return q


@pytest.mark.parametrize(
    ("turn", "grains"),
    [
        (from_axis_angle([1.0, 2.0, 0.5], 4.0), 1),
        (from_axis_angle([1.0, 2.0, 0.5], 7.0), 2),
        (beam_operator(), 1),  # labels confuse these
    ],
)
def test_what_is_a_grain(turn: np.ndarray, grains: int) -> None:
    known = np.ones((12, 30), bool)
    found = label_grains(bicrystal(np.asarray(turn)), known, GROUP)
    assert len(np.unique(found)) == grains


def test_a_symmetrical_equivalent_is_the_same_grain() -> None:
    q = bicrystal(np.array([1.0, 0.0, 0.0, 0.0]))
    some = np.random.default_rng(2).integers(0, 6, (12, 30))
    q = multiply(laue_operators(GROUP)[some], q)
    assert len(np.unique(label_grains(q, np.ones((12, 30), bool), GROUP))) == 1


def test_lines_and_specks_do_not_cut_a_grain() -> None:
    q = bicrystal(np.array([1.0, 0.0, 0.0, 0.0]))
    known = np.ones((12, 30), bool)
    known[:, 9] = False  # a filter, or a scratch
    q[3:5, 20:23] = random_orientations(1, 9)[0]  # a wrong label
    found = label_grains(q, known, GROUP)
    assert len(np.unique(found[known])) == 1


def test_a_filter_does_not_cut_a_grain() -> None:
    kept = np.ones((30, 30), bool)
    kept[:, 10:16] = False
    kept[14:20] = False
    q = np.tile(random_orientations(1, 5)[0], (30, 30, 1))
    q[25:, 25:] = random_orientations(1, 6)[0]
    q[25:, :5] = random_orientations(1, 7)[0]
    made = split(kept, "grains", SHARES, 0, quaternions=q, group=GROUP, known=np.ones_like(kept))
    assert made.groups == (1, 1, 1)
    assert len(np.unique(made.part[kept & (q == q[0, 0]).all(-1)])) == 1
    assert made.part[0, 0] == 0 or made.notes
    assert "Asked for were 60%, 20%, 20%" in made.notes[0]


def test_blocks_keep_their_distance() -> None:
    made = split(KEPT, "blocks", SHARES, 1, margin=3)
    for number in range(3):
        own = made.part == number
        others = KEPT & (made.part >= 0) & ~own
        away = distance_transform_cdt(~own, "chessboard")
        assert away[others].min() > 3
    assert made.groups is not None
    assert sum(made.groups) > 60


def test_a_random_split_has_neighbours_in_both_parts() -> None:
    made = split(KEPT, "random", SHARES, 1)
    away = distance_transform_cdt(~made.mask("train"), "chessboard")
    assert np.mean(away[made.mask("test")] == 1) > 0.8


def test_split_of_labels() -> None:
    scan = Scan(np.zeros((*MAP.shape, 1, 1), np.uint8))
    labels = label_patterns(scan, MAP)
    made = split_labels(labels, "grains", SHARES, 5)
    assert sum(made.counts) == MAP.phase_id.size
    np.testing.assert_allclose(made.shares, SHARES, atol=0.02)


def test_a_part_may_be_empty() -> None:
    for kind in ("random", "blocks", "grains"):
        made = split(KEPT, kind, (0.8, 0.2, 0.0), 0, **GRAINS)  # type: ignore[arg-type]
        assert made.counts[2] == 0
        np.testing.assert_allclose(made.shares, (0.8, 0.2, 0), atol=0.02)


@pytest.mark.parametrize(
    ("kept", "kind", "fields", "words"),
    [
        (np.zeros((9, 9), bool), "random", {}, "no labelled pattern"),
        (np.eye(9) > 0, "grains", {}, "point group are needed"),
        (np.arange(4).reshape(2, 2) < 2, "random", {}, "2 patterns are too few"),
        (np.ones((9, 9), bool), "blocks", {"block": 20}, "1 blocks only"),
        (
            np.ones((9, 9), bool),
            "grains",
            {"quaternions": np.tile([1.0, 0, 0, 0], (9, 9, 1)), "group": GROUP},
            "1 grains only, too few to be split",
        ),
    ],
)
def test_nonsense_is_refused(kept: Any, kind: Any, fields: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        split(kept, kind, SHARES, 0, **fields)
