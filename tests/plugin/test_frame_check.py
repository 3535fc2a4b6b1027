"""The check of a map's axes, driven in the window."""

from __future__ import annotations

import numpy as np
import pytest
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest

from napari_orient.data.vendors.open import open_map
from napari_orient.plugin.load.frame_words import shape_words
from napari_orient.plugin.sessions import get_session


@pytest.fixture
def dock(open_dock):
    return open_dock("Load")


@pytest.fixture
def check(dock, idle):
    def checked():
        QTest.mouseClick(dock.frame.check, Qt.MouseButton.LeftButton)
        idle()
        return dock.frame._dialog

    return checked


def choose(dialog, row):
    item = dialog.table.item(row, 0)
    place = dialog.table.visualItemRect(item).center()
    QTest.mouseClick(dialog.table.viewport(), Qt.MouseButton.LeftButton, pos=place)


def test_the_axes_that_the_twins_speak_for_are_used(viewer, dock, check, shared_data, idle):
    path = shared_data / "mg_twins" / "twins.ctf"
    (layer,) = viewer.open(str(path), plugin="napari-orient")
    idle()
    assert dock.frame.frame.currentData() == "y up"
    dock.frame.frame.setFocus()
    QTest.keyClick(dock.frame.frame, Qt.Key.Key_Up)
    idle()
    before = layer.metadata["map"]
    dialog = check()
    rows = dialog.rows
    assert len(rows) == 16
    assert {rows[0].frame, rows[1].frame} == {"y up", "x left, y down"}
    assert rows[0].group == rows[1].group != rows[2].group
    assert dialog.table.rowSpan(0, 2) == 2
    assert rows[0].cells[2] == "83 %"
    assert rows[0].cells[4] == "1758 of 1845"
    assert "The first group fits: 83 % of 630 px" in dialog.verdict.text()
    assert not dialog.use.isEnabled()
    now = next(i for i, row in enumerate(rows) if row.current)
    assert (rows[now].frame, rows[now].crystal_axes) == ("as is", "a*")
    assert dialog.table.item(now, 0).font().bold()
    choose(dialog, now)
    assert not dialog.use.isEnabled()
    assert "with these axes now" in dialog.why_not.text()
    assert layer.metadata["map"] is before  # nothing is applied without a click
    choose(dialog, [row.frame for row in rows].index("y up"))
    assert dialog.use.isEnabled()
    QTest.mouseClick(dialog.use, Qt.MouseButton.LeftButton)
    idle()
    changed = get_session(viewer).orientation_map
    assert changed is layer.metadata["map"] is not before
    wanted = open_map(path)
    np.testing.assert_allclose(changed.quaternions, wanted.quaternions, atol=1e-12)
    assert changed.frame_note.endswith(
        "Chosen by the user; twin traces within 10°: 83 % of 630 px."
    )
    assert dock.frame._dialog is None


def test_another_law_and_maps_without_an_answer(viewer, dock, check, shared_data, idle):
    viewer.open(str(shared_data / "mg_twins" / "twins.ctf"), plugin="napari-orient")
    idle()
    dialog = check()
    assert dialog.law.count() == 4
    assert not dialog.reference.isEnabled()  # no other map is open
    dialog.law.setFocus()
    QTest.keyClick(dialog.law, Qt.Key.Key_Down)
    idle()
    assert "{10-11}" in dialog.verdict.text()
    assert "Nothing can be said" in dialog.verdict.text()
    viewer.open(str(shared_data / "astar_acom" / "ACOM.ang"), plugin="napari-orient")
    idle()
    assert dock.frame._dialog is None  # it spoke of another map
    assert "Not enough twins" in check().verdict.text()
    dock.frame._dialog.reject()
    viewer.layers.clear()


def test_a_reference_map_tells_half_a_turn_apart(viewer, dock, check, shared_data, idle):
    path = shared_data / "mg_twins" / "twins.ctf"
    (reference,) = viewer.open(str(path), plugin="napari-orient")
    (layer,) = viewer.open(str(path), plugin="napari-orient")
    idle()
    viewer.layers.selection.active = layer
    places = dock.frame.frame
    places.setCurrentIndex(places.findData("x left, y down"))
    places.activated.emit(places.currentIndex())
    idle()
    dialog = check()
    assert dialog.rows[0].group == dialog.rows[1].group
    dialog.reference.setFocus()
    QTest.keyClick(dialog.reference, Qt.Key.Key_Down)
    idle()
    best, second = dialog.rows[:2]
    assert (best.frame, *best.cells[4:]) == ("y up", "0, 0", "as it is")
    assert best.group != second.group
    assert not dialog.table.horizontalScrollBar().isVisible()
    turned = next(i for i, row in enumerate(dialog.rows) if row.cells[5] != "as it is")
    choose(dialog, turned)
    assert dialog.use.isEnabled()
    assert "open the file again" in dialog.why_not.text()
    choose(dialog, 0)
    assert dialog.why_not.text() == ""
    QTest.mouseClick(dialog.use, Qt.MouseButton.LeftButton)
    idle()
    changed = layer.metadata["map"]
    np.testing.assert_allclose(
        changed.quaternions, reference.metadata["map"].quaternions, atol=1e-12
    )
    assert "median misorientation to twins: 0.00°" in changed.frame_note


def test_a_grid_that_was_written_flipped_is_turned_back(viewer, dock, check, shared_data, idle):
    """Its picture, and the layers of its properties, then lie on the reference."""
    from napari_orient.analysis.turns import TURNS
    from napari_orient.data.vendors.reframe import in_frame, turn_grid
    from napari_orient.plugin.maps.layers import show_property
    from napari_orient.plugin.scan_layers import describe_map_layer

    path = shared_data / "mg_twins" / "twins.ctf"
    (reference,) = viewer.open(str(path), plugin="napari-orient")
    right = reference.metadata["map"]
    clockwise = next(turn for turn in TURNS if turn.words == "turned by 90° clockwise")
    wrong = turn_grid(
        in_frame(right, "x up, y left", "a*"), **clockwise._asdict(), words="written wrongly"
    )
    data, settings, _ = describe_map_layer(wrong, "wrong")
    layer = viewer.add_image(data, **settings)
    band, phase = (show_property(viewer, wrong, name) for name in ("BC", "phase"))
    viewer.layers.selection.active = layer
    dialog = check()
    dialog.reference.setFocus()
    QTest.keyClick(dialog.reference, Qt.Key.Key_Down)
    idle()
    best = dialog.rows[0]
    assert (best.frame, *best.cells[4:]) == ("y up", "0, 0", "turned by 90° anticlockwise")
    choose(dialog, 0)
    QTest.mouseClick(dialog.use, Qt.MouseButton.LeftButton)
    idle()
    changed = layer.metadata["map"]
    assert changed.shape == right.shape
    np.testing.assert_allclose(changed.quaternions, right.quaternions, atol=1e-12)
    np.testing.assert_array_equal(layer.data, reference.data)
    np.testing.assert_array_equal(band.data, right.properties["BC"])
    np.testing.assert_array_equal(phase.data > 0, right.indexed)
    assert get_session(viewer).orientation_map is changed
    assert "median misorientation to twins: 0.00°" in changed.frame_note
    assert "The grid of the file is turned by 90° anticlockwise" in changed.frame_note


def test_all_axes_can_be_read(viewer, dock, check, shared_data, idle):
    viewer.open(str(shared_data / "mg_twins" / "twins.ctf"), plugin="napari-orient")
    idle()
    lists = dock.frame.frame
    words = [lists.itemText(i) for i in range(lists.count())]
    assert len(set(words)) == 8
    width = max(lists.fontMetrics().horizontalAdvance(text) for text in words)
    assert lists.width() > width + 20
    assert dock.frame.check.width() > dock.frame.check.sizeHint().width() - 1
    dialog = check()
    table = dialog.table
    assert not table.horizontalScrollBar().isVisible()
    dialog.reject()
    assert dock.frame._dialog is None


def test_how_a_map_lies_on_the_open_scan(viewer, dock, check, shared_data, idle, scan):
    get_session(viewer).scan = scan  # 6 x 8 positions
    viewer.open(str(shared_data / "mg_twins" / "twins.ctf"), plugin="napari-orient")
    idle()
    said = check().shapes.text()
    assert said.startswith("The map has 137 × 167 points, the open scan 6 × 8")
    assert "no flip" in said
    dock.frame._dialog.reject()
    assert shape_words((6, 8), (6, 8, 4, 4)) == ""
    assert "turned by 90° clockwise" in shape_words((8, 6), (6, 8, 4, 4))
