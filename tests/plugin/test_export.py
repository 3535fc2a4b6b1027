"""The export dialog: what will be lost is said before, the report after; nothing over a file."""

from __future__ import annotations

import numpy as np
import pytest
from keys import choose_data
from map_examples import small_map
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QMessageBox

from napari_orient.data.maps import OrientationMap
from napari_orient.data.vendors.open import open_map

__all__ = ["small_map"]  # a fixture

pytestmark = pytest.mark.gui


@pytest.fixture
def dialog(small_map, tmp_path, qtbot):
    from napari_orient.plugin.load.export import ExportDialog

    made = ExportDialog(small_map)
    qtbot.addWidget(made)
    made.path.setText(str(tmp_path / "out.ang"))
    made.show()
    qtbot.waitUntil(lambda: bool(made.said.text()), timeout=5000)
    return made


def export(dialog, qtbot):
    QTest.mouseClick(dialog.export, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: bool(dialog.result_text.text()), timeout=10_000)
    qtbot.waitUntil(lambda: not dialog.bar.is_running, timeout=10_000)


def test_a_map_is_exported_in_its_own_axes(dialog, qtbot, tmp_path, small_map):
    assert (dialog.frame.currentData(), dialog.crystal.currentData()) == ("map", "a")
    assert "no column for grain" in dialog.said.text()
    assert "numbered from 1: 0 as 1, 1 as 2" in dialog.said.text()
    QTest.keyClick(dialog.mtex, Qt.Key.Key_Space)
    assert dialog.mtex.isChecked()
    export(dialog, qtbot)
    assert "out.ang is written" in dialog.result_text.text()
    assert "napari-orient and orix: 24 points, 22 indexed" in dialog.result_text.text()
    assert (tmp_path / "out_mtex.m").exists()
    again = open_map(tmp_path / "out.ang")
    np.testing.assert_array_equal(again.indexed, small_map.indexed)
    assert again.properties["CI"][1, 1] == pytest.approx(small_map.properties["CI"][1, 1], abs=1e-3)


def test_the_format_leads_the_other_fields(dialog, qtbot, tmp_path):
    choose_data(dialog.format, "ctf")
    assert dialog.path.text().endswith("out.ctf")
    choose_data(dialog.frame, "vendor")
    assert dialog.crystal.currentData() == "a"
    choose_data(dialog.frame, "y up")
    choose_data(dialog.crystal, "a*")
    qtbot.waitUntil(lambda: "no column for CI, grain" in dialog.said.text(), timeout=5000)
    export(dialog, qtbot)
    assert "x right, y up" in dialog.result_text.text()
    assert open_map(tmp_path / "out.ctf").crystal_axes == "a*"
    choose_data(dialog.format, "h5")
    qtbot.waitUntil(lambda: dialog.said.text() == "Nothing is lost.", timeout=5000)
    assert not dialog.frame.isEnabled()
    assert not dialog.mtex.isEnabled()
    assert dialog.path.text().endswith("out.h5")
    assert dialog.choice.frame == "map"


def test_a_file_is_replaced_only_if_the_user_agrees(dialog, qtbot, tmp_path, monkeypatch):
    (tmp_path / "out.ang").write_text("mine")
    asked = []

    def answer(*arguments):
        asked.append(arguments[2])
        return QMessageBox.StandardButton.No

    monkeypatch.setattr(QMessageBox, "question", answer)
    QTest.mouseClick(dialog.export, Qt.MouseButton.LeftButton)
    assert asked == ["out.ang is there already. Replace it?"]
    assert (tmp_path / "out.ang").read_text() == "mine"


def test_errors_are_said_in_the_dialog(dialog, qtbot, tmp_path, notes, idle):
    dialog.path.setText(str(tmp_path / "gone" / "out.ang"))
    export(dialog, qtbot)
    assert "Nothing was written" in dialog.result_text.text()
    assert "Make the folder first" in dialog.result_text.text()
    idle()
    assert dialog.export.isEnabled()


def test_a_phase_without_symmetry_is_refused_before(small_map, qtbot):
    from orix.crystal_map import Phase

    from napari_orient.plugin.load.export import ExportDialog

    odd = OrientationMap(small_map.quaternions, {0: Phase("odd")})
    dialog = ExportDialog(odd)
    qtbot.addWidget(dialog)
    dialog.show()
    qtbot.waitUntil(lambda: "no point group" in dialog.said.text(), timeout=5000)
    assert not dialog.export.isEnabled()
    assert not dialog.crystal.isVisible()
    choose_data(dialog.format, "h5")
    qtbot.waitUntil(lambda: dialog.export.isEnabled(), timeout=5000)


def test_a_volume_asks_for_its_section(small_map, qtbot, tmp_path):
    from napari_orient.plugin.load.export import ExportDialog

    pile = OrientationMap(
        np.stack([small_map.quaternions] * 3), small_map.phases, step=(2.0, 0.5, 0.5)
    )
    dialog = ExportDialog(pile)
    qtbot.addWidget(dialog)
    dialog.path.setText(str(tmp_path / "out.ang"))
    dialog.show()
    assert dialog.section.isVisible()
    dialog.section.setFocus()
    QTest.keyClick(dialog.section, Qt.Key.Key_Up)
    qtbot.waitUntil(lambda: "only section 1 of 3, at z = 2 um" in dialog.said.text(), timeout=5000)
    export(dialog, qtbot)
    assert open_map(tmp_path / "out.ang").shape == (4, 6)


def test_the_dialog_is_modal_over_the_window(viewer, small_map, qtbot, tmp_path):
    """As the Load dock shows it; the lines of losses fit, and Escape ends it."""
    from qtpy.QtCore import QTimer
    from qtpy.QtWidgets import QApplication

    from napari_orient.plugin.load.export import ExportDialog, show_export

    seen = []

    def look():
        dialog = QApplication.activeModalWidget()
        if not isinstance(dialog, ExportDialog) or not dialog.said.text():
            QTimer.singleShot(50, look)
            return
        seen.append(dialog.said.heightForWidth(dialog.said.width()) <= dialog.said.height())
        QTest.keyClick(dialog, Qt.Key.Key_Escape)

    QTimer.singleShot(50, look)
    show_export(small_map)
    assert seen == [True]


def test_a_file_is_proposed_that_keeps_everything_and_can_be_on_any_system(small_map, qtbot):
    from dataclasses import replace

    from napari_orient.plugin.load.export import ExportDialog

    known = {"task": "index", "settings": {}}
    made = ExportDialog(replace(small_map, source="indexed: overlap", provenance=known))
    qtbot.addWidget(made)
    assert made.format.currentData() == "h5"
    assert made.path.text().endswith("/indexed-overlap-exported.h5")
    plain = ExportDialog(replace(small_map, source='odd?"name" <1>|2*.ang'))
    qtbot.addWidget(plain)
    assert plain.format.currentData() == "ang"
    assert plain.path.text().endswith("/odd-name-1-2-exported.ang")
