"""Labels are those of the map's pixels that pass; what cannot be learned from is said clearly."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from napari_orient.crystal.phases import get_phase
from napari_orient.crystal.rotations import random_orientations
from napari_orient.data.maps import OrientationMap
from napari_orient.data.scan import Calibration, Quantity, Scan
from napari_orient.learning.labels import (
    ASTAR_Q,
    ASTAR_R,
    check_grid,
    filter_labels,
    find_phase,
    label_patterns,
)

SHAPE = (6, 8)
QUALITY = np.arange(48.0).reshape(SHAPE)


def scan_of(shape: tuple[int, int] = SHAPE, step: float | None = None) -> Scan:
    known = Calibration(step=None if step is None else Quantity(value=step, unit="nm"))
    return Scan(np.zeros((*shape, 4, 4), np.uint8), known)


def map_of(**fields: Any) -> OrientationMap:
    """LiNiO2, but two points of gold and one not indexed."""
    phase_id = np.zeros(SHAPE, np.int32)
    phase_id[5, 6:] = 3
    phase_id[0, 0] = -1
    usual: dict[str, Any] = {
        "phase_id": phase_id,
        "properties": {"Q": QUALITY, "R": QUALITY[::-1].copy()},
        "step": (2.0, 2.0),
        "unit": "nm",
    }
    q = random_orientations(48, 4).reshape(*SHAPE, 4)
    return OrientationMap(q, {0: get_phase("LiNiO2"), 3: get_phase("Au")}, **{**usual, **fields})


def test_labels_are_those_of_the_pixels_that_pass() -> None:
    scan, labels_map = scan_of(), map_of()
    labels = label_patterns(scan, labels_map, "LiNiO2", min_q=ASTAR_Q, min_r=ASTAR_R)
    expected = (QUALITY >= 20) & (QUALITY[::-1] >= 15) & (labels_map.phase_id == 0)
    np.testing.assert_array_equal(labels.kept, expected)
    y, x = labels.positions.T
    np.testing.assert_array_equal(labels.rows, y * SHAPE[1] + x)
    np.testing.assert_array_equal(labels.quaternions, labels_map.quaternions[y, x])
    assert len(labels) == expected.sum()
    assert labels.fraction == pytest.approx(expected.mean())
    assert labels.group == get_phase("LiNiO2").point_group
    assert labels.of_phase.sum() == 45
    assert not labels.notes


def test_each_filter_says_what_it_took() -> None:
    found = filter_labels(map_of(), 0, min_q=20, min_r=15)
    counts = {reason: n for reason, n in found.removed.items() if n}
    assert counts == {
        "not indexed": 1,
        "of another phase": 2,
        "with Q below 20": 19,
        "with R below 15": 13,
    }
    assert sum(counts.values()) + found.kept.sum() == 48
    assert str(found).startswith("13 of 48 patterns (left out: 1 not indexed, 2 of another phase")


def test_no_filter_asks_for_no_property() -> None:
    done = np.ones(SHAPE, bool)
    done[2] = False
    labels = label_patterns(scan_of(), map_of(properties={}, done=done), "LiNiO2")
    assert len(labels) == 45 - 8


def test_what_is_undefined_passes_no_filter() -> None:
    quality = QUALITY.copy()
    quality[1, 2], quality[3, 4] = np.nan, -1  # ASTAR's "undefined"
    found = filter_labels(map_of(properties={"Q": quality, "R": quality}), 0, min_q=1, min_r=-2)
    assert not found.kept[1, 2]
    assert not found.kept[3, 4]
    assert found.kept.sum() == 45 - 2


def test_orientations_that_are_no_numbers_are_left_out() -> None:
    bad = map_of()
    bad.quaternions[4, 4] = np.nan
    found = filter_labels(bad, 0)
    assert not found.kept[4, 4]
    assert found.removed["without a valid orientation"] == 1


def test_phases_by_name() -> None:
    found = map_of()
    assert find_phase(found, "Au") == 3
    assert find_phase(found, "linio 2") == 0
    only = map_of(phase_id=np.full(SHAPE, 3))
    assert find_phase(only) == 3


def test_doubts_are_said() -> None:
    doubtful = map_of(provenance={"exploratory": "the pixel size is typed"})
    first, second = label_patterns(scan_of(step=5.0), doubtful, "Au").notes
    assert "the pixel size is typed" in first
    assert "2 x 2 nm in the map, 5 x 5 nm in the scan" in second
    assert not label_patterns(scan_of(step=2.0), map_of(), "Au").notes


def test_another_size_is_refused() -> None:
    with pytest.raises(ValueError, match="has 6 x 8 points, the scan 40 x 30 positions"):
        label_patterns(scan_of((40, 30)), map_of(), "Au")
    volume = OrientationMap(random_orientations(8, 1).reshape(2, 2, 2, 4), {0: get_phase("Au")},
                            step=(1.0, 1.0, 1.0))  # fmt: skip
    with pytest.raises(ValueError, match="volume"):
        check_grid(scan_of(), volume)


@pytest.mark.parametrize(
    ("name", "fields", "words"),
    [
        ("Ni", {}, "no phase 'Ni', but LiNiO2, Au"),
        ("", {}, "several phases, LiNiO2, Au"),
        ("", {"done": np.zeros(SHAPE, bool)}, "no indexed point"),
        ("", {"phase_id": np.full(SHAPE, -1)}, "no indexed point"),
    ],
)
def test_another_phase_is_refused(name: str, fields: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        label_patterns(scan_of(), map_of(**fields), name)


def test_a_phase_without_symmetry_is_refused() -> None:
    from orix.crystal_map import Phase

    plain = OrientationMap(random_orientations(48, 4).reshape(*SHAPE, 4), {0: Phase("stuff")})
    with pytest.raises(ValueError, match="stuff has no symmetry"):
        label_patterns(scan_of(), plain)


def test_nothing_left_says_what_took_it() -> None:
    words = "No pattern is left of 48: 1 not indexed, 46 of another phase, 1 with Q below 47"
    phase_id = np.zeros(SHAPE, np.int32)
    phase_id[5, 6], phase_id[0, 0] = 3, -1
    with pytest.raises(ValueError, match=words):
        label_patterns(scan_of(), map_of(phase_id=phase_id), "Au", min_q=47)


@pytest.mark.parametrize(("limits", "words"), [({"min_q": 5}, "no Q"), ({"min_r": 5}, "no R")])
def test_filters_need_their_property(limits: dict[str, float], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        label_patterns(scan_of(), map_of(properties={}), "Au", **limits)
