"""The session tells each change once, and compares big objects by identity."""

from __future__ import annotations

import numpy as np
import pytest

from napari_orient.data.scan import Scan
from napari_orient.diffraction.overlay import Overlay
from napari_orient.diffraction.virtual import Disk, VirtualDetector
from napari_orient.session import Session


@pytest.fixture
def detectors():
    return tuple(
        VirtualDetector(name=f"d{i}", shapes=(Disk(centre=(i, i), radius=2),)) for i in range(3)
    )


def test_a_new_scan_is_told_and_the_same_one_is_not():
    session, heard = Session(), []
    session.events.scan.connect(heard.append)
    scan = Scan(np.ones((2, 3, 4, 5)))
    session.scan = scan
    session.scan = scan
    session.scan = Scan(np.ones((2, 3, 4, 5)))
    assert len(heard) == 2
    assert heard[0] is scan


def test_region_masks_are_compared_by_identity_not_by_pixels():
    session, heard = Session(), []
    session.events.region.connect(heard.append)
    session.region = np.ones((2, 3), bool)
    session.region = np.ones((2, 3), bool)
    session.region = None
    assert len(heard) == 3


def test_replace_detector_keeps_the_others_and_is_told(detectors):
    session, heard = Session(detectors=detectors), []
    session.events.detectors.connect(heard.append)
    moved = detectors[1].model_copy(update={"name": "moved"})
    session.replace_detector(1, moved)
    assert [d.name for d in session.detectors] == ["d0", "moved", "d2"]
    assert len(heard) == 1


def test_wrong_types_are_refused():
    session = Session()
    with pytest.raises(ValueError, match="detectors"):
        session.detectors = ("not a detector",)


def test_an_overlay_is_told_each_time_and_the_ruler_when_it_moves():
    session, heard = Session(), []
    session.events.overlays.connect(heard.append)
    session.events.ruler.connect(heard.append)
    nothing = Overlay((), np.zeros((0, 2)), np.zeros(0), ())
    again = Overlay((), np.zeros((0, 2)), np.zeros(0), ())
    session.draw("index", nothing)
    session.draw("index", again)
    session.draw("compare", nothing)
    session.draw("index", None)
    session.draw("index", None)
    session.ruler = ((1.0, 2.0),)
    session.ruler = ((1.0, 2.0),)
    assert heard == [
        {"index": nothing},
        {"index": again},
        {"index": again, "compare": nothing},
        {"compare": nothing},
        ((1.0, 2.0),),
    ]
    with pytest.raises(ValueError, match="overlays"):
        session.overlays = "rings"
