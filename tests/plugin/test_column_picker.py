"""The column picker: what names say is shown, what is open is said, the answer opens the file."""

from __future__ import annotations

import numpy as np
import pytest
from keys import choose_data
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest

from napari_orient.data.vendors.open import open_map
from napari_orient.data.vendors.text_maps import guess_columns, read_text_table

pytestmark = pytest.mark.gui


def write(path, header, delimiter=","):
    y, x = np.indices((4, 5)).reshape(2, -1)
    angles = np.random.default_rng(1).uniform((0, 0, 0), (360, 180, 360), (20, 3))
    table = np.column_stack([x * 0.5, y * 0.5, angles, 1 + x // 3, np.arange(20)])
    np.savetxt(path, table, "%.6g", delimiter, header=header, comments="")
    return path


@pytest.fixture
def show(qtbot):
    from napari_orient.plugin.load.column_picker import ColumnPicker

    made = []

    def shown(path):
        table = read_text_table(path)
        made.append(ColumnPicker(table, guess_columns(table)))
        qtbot.addWidget(made[-1])
        made[-1].show()
        qtbot.waitUntil(lambda: bool(made[-1].check.text()), timeout=5000)
        return made[-1]

    return shown


def test_names_leave_only_the_phases_open(show, tmp_path, qtbot):
    path = write(tmp_path / "a.csv", "x (nm),y (nm),Euler1,Euler2,Euler3,Phase,BC")
    dialog = show(path)
    assert dialog.columns == ("x", "y", "phi1", "Phi", "phi2", "phase", "BC")
    assert dialog.unit.currentData() == "nm"
    assert "4 × 5 points, step 0.5 nm, 100 % of the grid filled" in dialog.check.text()
    assert "still open: which crystal is phase 1, 2" in dialog.check.text()
    assert not dialog.open.isEnabled()
    assert not dialog.quaternions.isVisible()
    first, second = dialog.phases.lines
    choose_data(first.box, "LiNiO2")
    choose_data(second.box, "cell")
    assert second.cell.isVisible()
    QTest.keyClicks(second.cell, "3.5 3.5 3.5 90 90 90")
    qtbot.waitUntil(dialog.open.isEnabled, timeout=5000)
    QTest.mouseClick(dialog.open, Qt.MouseButton.LeftButton)
    assert dialog.result() == 1
    made = open_map(path, columns=dialog.chosen)
    assert made.unit == "nm"
    assert [p.point_group.laue.name for p in made.phases.values()] == ["-3m", "m-3m"]
    np.testing.assert_array_equal(made.properties["BC"].ravel(), np.arange(20))


def test_a_file_without_names(show, tmp_path, qtbot):
    path = write(tmp_path / "a.txt", "", " ")
    dialog = show(path)
    assert "which columns are the orientations" in dialog.check.text()
    for box, role in zip(dialog.roles, ("x", "y", "phi1", "Phi", "phi2"), strict=False):
        choose_data(box, role)
    assert dialog.angle_unit.isVisible()
    assert dialog.angle_unit.currentData() == "degrees"
    choose_data(dialog.roles[6], "property")
    (only,) = dialog.phases.lines
    choose_data(only.box, "Ni")
    choose_data(dialog.frame, "y up")
    qtbot.waitUntil(dialog.open.isEnabled, timeout=5000)
    made = open_map(path, columns=dialog.chosen)
    assert made.frame == (0, 1, 0, 0)
    assert set(made.properties) == {"column 7"}
    # a column of many numbers is no phase
    choose_data(dialog.roles[6], "phase")
    assert "19 different numbers" in dialog.phases._too_many.text()
    qtbot.waitUntil(lambda: not dialog.open.isEnabled(), timeout=5000)
    choose_data(dialog.roles[6], "")
    choose_data(dialog.roles[0], "y")
    qtbot.waitUntil(lambda: "two columns is y" in dialog.check.text(), timeout=5000)


def test_not_indexed_is_a_choice(show, tmp_path, qtbot):
    path = write(tmp_path / "a.csv", "x,y,phi1,Phi,phi2,phase,BC")
    dialog = show(path)
    first, second = dialog.phases.lines
    choose_data(first.box, "Ni")
    choose_data(second.box, "none")
    qtbot.waitUntil(dialog.open.isEnabled, timeout=5000)
    assert dialog.chosen.not_indexed == (-1, 0, 2)
    assert open_map(path, columns=dialog.chosen).indexed.sum() == 12


def test_a_crystal_from_a_cif_file(show, tmp_path, qtbot, monkeypatch):
    from qtpy.QtWidgets import QFileDialog

    from napari_orient.crystal.phases import resource

    dialog = show(write(tmp_path / "a.csv", "x,y,phi1,Phi,phi2,,BC"))
    (only,) = dialog.phases.lines
    choose_data(only.box, "cif")  # through all entries before it: none opens a dialog
    assert only.phase is None
    (tmp_path / "bad.cif").write_text("dear diary")
    for path, words in ((tmp_path / "bad.cif", "bad.cif"), (resource("LiNiO2.cif"), "LiNiO2: -3m")):
        answer = (str(path), "")
        monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_, given=answer: given)
        QTest.mouseClick(only.browse, Qt.MouseButton.LeftButton)
        assert words in only.said.text()
    qtbot.waitUntil(dialog.open.isEnabled, timeout=5000)
    assert dialog.chosen.phases[0].space_group == 166
