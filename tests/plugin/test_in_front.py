"""Behind another tab a dock does nothing: Qt moves it off the screen and calls it visible."""

from __future__ import annotations

from typing import Any

import pytest
from map_examples import show, small_map  # noqa: F401  a fixture

from napari_orient.plugin.calibrate import dock as calibrate
from napari_orient.plugin.calibrate import overlay as overlays
from napari_orient.plugin.scan_layers import describe_scan_layer
from napari_orient.plugin.sessions import get_session

pytestmark = pytest.mark.gui

PLUGIN = "napari-orient"


@pytest.fixture
def tabs(viewer: Any, qtbot: Any) -> Any:
    """Open docks as tabs of one place; the last is in front."""

    def opener(*names: str) -> list[Any]:
        made = []
        for name in names:
            frame, dock = viewer.window.add_plugin_dock_widget(PLUGIN, name, tabify=bool(made))
            made.append(dock)
        frame.raise_()
        qtbot.waitUntil(lambda: all(dock.isVisible() for dock in made))
        qtbot.waitUntil(lambda: [dock.in_front for dock in made].index(True) == len(made) - 1)
        return made

    return opener


def bring(dock: Any, qtbot: Any) -> None:
    dock.parent().raise_()
    qtbot.waitUntil(lambda: dock.in_front)


def open_scan(viewer: Any, scan: Any, idle: Any) -> None:
    data, settings, _ = describe_scan_layer(scan)
    viewer.add_image(data, **settings)
    idle()


def test_a_dock_knows_whether_it_is_seen(tabs, viewer, qtbot):
    first, second = tabs("Load", "Desk")
    assert first.isVisible()  # as Qt sees it
    bring(first, qtbot)
    assert not second.in_front
    viewer.window.remove_dock_widget(first)
    assert not first.in_front
    qtbot.waitUntil(lambda: second.in_front)
    second.parent().hide()
    assert not second.in_front
    second.parent().show()
    assert second.in_front


def test_tabs_have_the_plain_names(tabs, viewer):
    from qtpy.QtWidgets import QTabBar

    tabs("Pattern", "Orientation map", "Index")
    bars = viewer.window._qt_window.findChildren(QTabBar)
    titles = [[bar.tabText(i) for i in range(bar.count())] for bar in bars]
    assert ["Pattern", "Orientation map", "Index"] in titles
    # napari finds its docks by the whole name, and opens none twice
    assert f"Index ({PLUGIN})" in viewer.window.dock_widgets
    count = len(viewer.window.dock_widgets)
    viewer.window.add_plugin_dock_widget(PLUGIN, "Index")
    assert len(viewer.window.dock_widgets) == count


def test_a_pattern_behind_does_not_follow_the_mouse(tabs, viewer, scan, idle, qtbot):
    open_scan(viewer, scan, idle)
    session = get_session(viewer)
    pattern, other = tabs("Pattern", "Desk")
    asked: list[Any] = []
    pattern._live.request = asked.append
    session.cursor = (1, 2)
    assert not asked
    bring(pattern, qtbot)
    assert [at for _, at in asked] == [(1, 2)]
    bring(other, qtbot)
    asked.clear()
    pattern.source.setCurrentText("Mean of the region")
    assert not asked
    assert not pattern.jobs.is_running
    bring(pattern, qtbot)
    assert pattern.jobs.is_running
    idle()
    pattern.source.setCurrentText("At the cursor")
    asked.clear()
    session.cursor = (2, 2)
    assert [at for _, at in asked] == [(2, 2)]


def test_calibrate_behind_neither_draws_nor_reads(tabs, viewer, scan, idle, qtbot):
    open_scan(viewer, scan, idle)
    session = get_session(viewer)
    dock, other = tabs("Calibrate", "Desk")
    bring(dock, qtbot)
    qtbot.waitUntil(lambda: dock.bench.pattern is not None)
    dock.shown.setCurrentText(overlays.AXES)
    qtbot.waitUntil(lambda: calibrate.OVERLAY in session.overlays)
    bring(other, qtbot)
    qtbot.waitUntil(lambda: calibrate.OVERLAY not in session.overlays)
    session.cursor = (4, 5)
    dock._on_canvas_clicked()
    assert dock._live.is_idle
    dock.source.setCurrentText("Mean of the region")
    assert not dock.reading.is_running
    dock.source.setCurrentText("At a click on the scan")
    bring(dock, qtbot)
    qtbot.waitUntil(lambda: dock.bench.at == (4, 5))
    qtbot.waitUntil(lambda: calibrate.OVERLAY in session.overlays)


def test_a_map_behind_gives_up_the_choice_of_a_point(tabs, viewer, small_map, qtbot):  # noqa: F811
    show(viewer, small_map)
    dock, other = tabs("Orientation map", "Desk")
    bring(dock, qtbot)
    dock.colours.pick.setChecked(True)
    bring(other, qtbot)
    assert not dock.colours.pick.isChecked()
    assert dock._on_click not in viewer.mouse_drag_callbacks
