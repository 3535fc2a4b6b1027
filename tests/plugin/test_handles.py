from __future__ import annotations

import pytest

from napari_orient.diffraction.detectors import Annulus, Disk, Rectangle, VirtualDetector
from napari_orient.plugin.pattern import handles
from napari_orient.plugin.pattern.handles import Grip


def detector(*shapes):
    return VirtualDetector(name="d", shapes=shapes)


RING = Annulus(centre=(20, 30), inner=5, outer=10)
BOX = Rectangle(centre=(20, 30), size=(10, 20))


@pytest.mark.parametrize(
    ("shape", "at", "part"),
    [
        (Disk(centre=(20, 30), radius=8), (20, 30), "inside"),
        (Disk(centre=(20, 30), radius=8), (20, 38.5), "radius"),
        (Disk(centre=(20, 30), radius=8), (20, 40), None),
        (Disk(centre=(20, 30), radius=1), (20, 30), "inside"),
        (RING, (20, 30), None),
        (RING, (20, 37.5), "inside"),
        (RING, (15, 30), "inner"),
        (RING, (10, 30), "outer"),
        (BOX, (20, 30), "inside"),
        (BOX, (25, 40), "corner"),
        (BOX, (20, 43), None),
    ],
)
def test_grip_under_the_mouse(shape, at, part):
    grip = handles.find(detector(shape), at, reach=1.0)
    assert (grip.part if grip else None) == part


def test_active_detector_comes_first_and_the_last_shape_on_top():
    one = detector(Disk(centre=(5, 5), radius=4))
    two = detector(Disk(centre=(6, 6), radius=4), Disk(centre=(6, 6), radius=3))
    assert handles.find_any((one, two), 0, (5.5, 5.5), 0.1) == (0, Grip(0, "inside"))
    assert handles.find_any((one, two), 1, (5.5, 5.5), 0.1) == (1, Grip(1, "inside"))
    assert handles.find_any((one, two), 0, (50, 50), 0.1) is None


def test_drags():
    disk = detector(Disk(centre=(20, 30), radius=8))
    moved = handles.drag(disk, Grip(0, "inside"), (20, 30), (23, 28))
    assert moved.shapes == (Disk(centre=(23, 28), radius=8),)
    wider = handles.drag(disk, Grip(0, "radius"), (20, 38.5), (20, 41))
    assert wider.shapes[0].radius == pytest.approx(10.5)
    inner = handles.drag(detector(RING), Grip(0, "inner"), (20, 35), (20, 60))
    assert inner.shapes[0].inner == pytest.approx(9.5)  # stops at the outer radius
    assert inner.shapes[0].outer == 10
    side = handles.drag(detector(BOX), Grip(0, "corner", (0, 1)), (20, 40), (22, 44))
    assert side.shapes[0] == Rectangle(centre=(20, 32), size=(10, 24))  # the left side stays


def test_union_moves_as_one_or_shape_by_shape():
    two = detector(Disk(centre=(5, 5), radius=1), Disk(centre=(9, 9), radius=1))
    together = handles.drag(two, Grip(1, "inside"), (9, 9), (10, 9), all_shapes=True)
    assert [s.centre for s in together.shapes] == [(6, 5), (10, 9)]
    alone = handles.drag(two, Grip(1, "inside"), (9, 9), (10, 9))
    assert [s.centre for s in alone.shapes] == [(5, 5), (10, 9)]


def test_grow_never_inverts():
    for shape in (Disk(centre=(0, 0), radius=1), RING, BOX):
        shrunk = detector(shape)
        for _ in range(50):
            shrunk = handles.grow(shrunk, -1)
        assert shrunk.mask((64, 64)).sum() >= 0
        assert handles.reach_of(handles.grow(shrunk, 3).shapes[0]) > handles.reach_of(
            shrunk.shapes[0]
        )
