"""The desk is saved and comes back; figures and pictures are written from the window."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import dask.array
import numpy as np
import pytest
import tifffile
from map_examples import show, small_map  # noqa: F401  a fixture
from qtpy.QtCore import Qt

from napari_orient.crystal.figure import Print
from napari_orient.diffraction.detectors import Disk, VirtualDetector
from napari_orient.diffraction.overlay import Overlay
from napari_orient.plugin.desk import dock as desk
from napari_orient.plugin.desk import session as desk_session
from napari_orient.plugin.desk.questions import MissingFiles
from napari_orient.plugin.desk.session import get_session_reader, open_session
from napari_orient.plugin.figure.dialog import FigureDialog
from napari_orient.plugin.figure.pattern import pattern_figure
from napari_orient.plugin.figure.view import picture_of_view
from napari_orient.plugin.figure.words import words_of
from napari_orient.plugin.layers import KEY, kind_of
from napari_orient.plugin.maps.layers import show_property
from napari_orient.plugin.sessions import get_session

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.gui


@pytest.fixture
def yes(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Says yes to every question, and notes it."""
    asked: list[str] = []

    def consent(title: str, text: str) -> bool:
        asked.append(text)
        return True

    monkeypatch.setattr(desk_session, "consent", consent)
    monkeypatch.setattr(desk, "consent", consent)
    return asked


@pytest.fixture
def furnished(viewer: Any, open_dock: Any, scan_file: Path, small_map: Any, idle: Any) -> Any:  # noqa: F811
    """A window with a scan from a file, its detector's image, a map, shapes, and three docks."""
    viewer.open(str(scan_file), plugin="napari-orient")
    session = get_session(viewer)
    pattern = open_dock("Pattern")
    open_dock("Virtual detectors")
    pattern.colours.setCurrentText("viridis")
    pattern.scaling.setCurrentText("sqrt")
    session.cursor = (2, 3)
    spot = VirtualDetector(name="Spot", shapes=(Disk(centre=(6, 19), radius=2),), colour="gold")
    session.detectors = (spot,)
    pattern.region.draw()
    pattern.region.layer().add_rectangles(np.array([[1, 1], [3, 4]]))
    pattern.region.take()
    idle()
    show(viewer, small_map).visible = False
    show_property(viewer, small_map, "CI").visible = False
    for layer in viewer.layers:  # the map lies on another grid and hid them
        layer.visible = kind_of(layer) in ("navigator", "virtual", "region")
    return open_dock("Desk")


def state_of(layer: Any) -> dict[str, Any]:
    return {
        "name": layer.name, "visible": layer.visible, "opacity": layer.opacity,
        "blending": layer.blending, "scale": tuple(layer.scale), "place": tuple(layer.translate),
        "units": tuple(map(str, layer.units)), "note": layer.metadata.get(KEY),
        "gamma": getattr(layer, "gamma", None),
        "limits": tuple(getattr(layer, "contrast_limits", ())),
        "colours": getattr(getattr(layer, "colormap", None), "name", None),
    }  # fmt: skip


def test_a_desk_comes_back(
    viewer: Any, furnished: Any, tmp_path: Path, yes: list[str], notes: list[str], idle: Any,
    qtbot: Any,
) -> None:  # fmt: skip
    session = get_session(viewer)
    session.draw("index", Overlay((), np.array([[6.0, 19.0]]), np.ones(1), ()))
    layer = next(x for x in viewer.layers if kind_of(x) == "virtual")
    layer.gamma, layer.opacity, layer.blending = 0.7, 0.8, "additive"
    viewer.layers.move(0, 2)
    viewer.scene.camera.zoom *= 1.3
    calibration, region = session.scan.calibration, session.region
    before = [state_of(x) for x in viewer.layers]
    picture = viewer.screenshot(canvas_only=True, flash=False).astype(float)
    furnished.save_to(tmp_path / "desk")
    idle()
    assert "desk.orient" in furnished.last.text()
    assert not any("not kept" in said for said in notes)  # spots are the docks' to draw again
    viewer.layers.clear()
    session.detectors = ()
    idle()
    assert open_session(viewer, tmp_path / "desk.orient")
    assert not any("not understood" in said for said in notes)
    assert session.overlays == {}
    qtbot.wait(500)
    idle()
    assert [state_of(x) for x in viewer.layers] == before
    assert session.scan.calibration == calibration
    assert session.cursor == (2, 3)
    assert np.array_equal(session.region, region)
    assert session.detectors[0].shapes[0].centre == (6, 19)
    assert len({id(x.metadata["map"]) for x in viewer.layers if "map" in x.metadata}) == 1
    pattern = viewer.window.dock_widgets["Pattern (napari-orient)"]
    assert pattern.colours.currentText() == "viridis"
    assert pattern.scaling.currentText() == "sqrt"
    again = viewer.screenshot(canvas_only=True, flash=False).astype(float)
    assert np.abs(again - picture).mean() < 0.5
    # what came back lives: the image follows its detector
    (layer,) = (x for x in viewer.layers if kind_of(x) == "virtual")
    old = layer.data.copy()
    session.replace_detector(0, session.detectors[0].moved(10, -7))
    qtbot.waitUntil(lambda: not np.array_equal(layer.data, old), timeout=5000)
    assert sum(kind_of(x) == "virtual" for x in viewer.layers) == 1


def test_ctrl_s_saves_again(viewer: Any, furnished: Any, tmp_path: Path, qtbot: Any, idle: Any):
    path = tmp_path / "again.orient"
    furnished.save_to(path)
    idle()
    first = path.stat().st_mtime_ns
    viewer.window._qt_window.activateWindow()
    furnished.save.setFocus()
    qtbot.keyClick(furnished.save, Qt.Key.Key_S, Qt.KeyboardModifier.ControlModifier)
    idle()
    assert path.stat().st_mtime_ns > first


def test_other_layers_are_kept_and_lazy_ones_named(
    viewer: Any, open_dock: Any, tmp_path: Path, notes: list[str], idle: Any, yes: list[str]
) -> None:
    dock = open_dock("Desk")
    viewer.add_points([[1.0, 2], [3, 4]], features={"a": [1, 2], "b": ["x", "y"]}, symbol="cross")
    viewer.add_labels(np.arange(12).reshape(3, 4), name="labels")
    viewer.add_shapes([np.array([[0, 0], [2, 3]])], shape_type="line", edge_color="red")
    viewer.add_vectors(np.ones((2, 2, 2)))
    viewer.add_image(dask.array.zeros((9, 9)), name="lazy")
    points = viewer.layers[0]
    dock.save_to(tmp_path / "x.orient")
    idle()
    assert any("'lazy'" in note and "save it by itself" in note for note in notes)
    assert open_session(viewer, tmp_path / "x.orient")
    names = ["Points", "labels", "Shapes", "Vectors"]
    assert [x.name for x in viewer.layers] == names
    assert yes == ["x.orient takes the place of the 5 layers of this window. Go on?"]
    found = viewer.layers["Points"]
    assert np.array_equal(found.data, points.data)
    assert found.features.equals(points.features)
    assert str(found.symbol[0]) == "cross"
    assert np.allclose(viewer.layers["Shapes"].edge_color, [[1, 0, 0, 1]])
    assert np.array_equal(viewer.layers["labels"].data, np.arange(12).reshape(3, 4))


def test_a_moved_scan_is_asked_for(
    viewer: Any, furnished: Any, scan_file: Path, tmp_path: Path, yes: list[str], idle: Any,
    qtbot: Any, monkeypatch: pytest.MonkeyPatch, notes: list[str],
) -> None:  # fmt: skip
    path = tmp_path / "x.orient"
    furnished.save_to(path)
    idle()
    values = get_session(viewer).scan.pattern(1, 1)
    viewer.layers.clear()
    new = tmp_path / "far" / "away.h5"
    new.parent.mkdir()
    scan_file.rename(new)
    dialog = MissingFiles(path, [str(scan_file)])
    qtbot.addWidget(dialog)
    ok = dialog.buttons.button(dialog.buttons.StandardButton.Ok)
    assert ok.text() == "Open without it"
    dialog.take(str(scan_file), str(new))
    assert ok.text() == "Open"
    assert "✓" in dialog.list.item(0).text()
    monkeypatch.setattr(desk_session, "ask_for_files", lambda *_: dialog.chosen)
    assert open_session(viewer, path)
    idle()
    assert np.array_equal(get_session(viewer).scan.pattern(1, 1), values)
    # and without it: pictures stay, the rest comes
    monkeypatch.setattr(desk_session, "ask_for_files", lambda *_: {})
    assert open_session(viewer, path)
    idle()
    assert get_session(viewer).scan is None
    assert kind_of(viewer.layers[0]) == "lost navigator"
    assert get_session(viewer).orientation_map is not None
    assert any("small.h5 is missing" in note for note in notes)


@pytest.mark.parametrize("kind", ["text", "cut", "newer", "absent"])
def test_bad_sessions_leave_the_desk(
    kind: str, viewer: Any, open_dock: Any, tmp_path: Path, notes: list[str], idle: Any
) -> None:
    import h5py

    dock = open_dock("Desk")
    viewer.add_image(np.random.default_rng(0).random((80, 80)), name="mine")
    path = tmp_path / "bad.orient"
    dock.save_to(path)
    idle()
    notes.clear()
    if kind == "text":
        path.write_text("dear diary")
    elif kind == "cut":
        path.write_bytes(path.read_bytes()[:-3000])
    elif kind == "absent":
        path.unlink()
    else:
        with h5py.File(path, "a") as file:
            file.attrs["version"] = 99
    dock.open_from(path)
    said = {
        "text": "is no session", "cut": "is truncated", "newer": "pip install -U",
        "absent": "does not exist",
    }  # fmt: skip
    assert len(notes) == 1
    assert notes[0].startswith("bad.orient ")
    assert said[kind] in notes[0]
    assert [x.name for x in viewer.layers] == ["mine"]


def test_a_folder_that_is_gone_is_told_once(
    viewer: Any, open_dock: Any, tmp_path: Path, notes: list[str], idle: Any
) -> None:
    dock = open_dock("Desk")
    dock.save_to(tmp_path / "gone" / "x.orient")
    idle()
    assert len(notes) == 1
    assert "folder that does not exist. Make the folder first." in notes[0]
    assert "Not saved yet" in dock.last.text()


def test_reader_takes_sessions_alone() -> None:
    assert get_session_reader("a/b.orient") is not None
    assert get_session_reader("a/b.h5") is None
    assert get_session_reader(["a.orient", "b.orient"]) is None


def test_tiffs_have_values_and_step(
    viewer: Any, furnished: Any, tmp_path: Path, yes: list[str], idle: Any
) -> None:
    layer = next(x for x in viewer.layers if kind_of(x) == "virtual")
    furnished.save_tiffs_to(tmp_path)
    idle()
    with tifffile.TiffFile(tmp_path / "Spot.tif") as file:
        page = file.pages[0]
        assert page.dtype == np.float32
        assert np.array_equal(page.asarray(), layer.data)
        numerator, denominator = page.tags["XResolution"].value
        assert denominator / numerator == pytest.approx(2.0)  # nm
        assert file.imagej_metadata["unit"] == "nm"
    furnished.save_tiffs_to(tmp_path)
    assert any("Spot.tif" in text and "replace?" in text for text in yes)


def test_figure_of_the_view_and_its_data(
    viewer: Any, furnished: Any, tmp_path: Path, idle: Any, qtbot: Any
) -> None:
    import h5py

    from napari_orient.data.maps import load_map

    dialog = FigureDialog(viewer, furnished.session, furnished)
    assert dialog.picture.image.shape == (6, 8, 4)
    assert dialog.picture.step == (2.0, 2.0)
    assert "disk of radius 2 px at (ky, kx) = (6.0, 19.0) px" in " ".join(dialog.picture.notes)
    pattern = viewer.window.dock_widgets["Pattern (napari-orient)"]
    pattern.source.setCurrentText("At the cursor")
    qtbot.waitUntil(lambda: "Scan y 2, x 3" in pattern.view._caption, timeout=5000)
    dialog.what.setCurrentText("The pattern")
    dialog.refresh()
    assert dialog.picture.unit == "1/Å"
    assert dialog.picture.step == (0.05, 0.05)
    assert "Scan y 2, x 3" in dialog.picture.notes[0]
    assert np.array_equal(dialog.chosen.shown[0].array, furnished.session.scan.pattern(2, 3))
    for layer in viewer.layers:
        layer.visible = kind_of(layer) in ("ipf", "property")
    dialog.what.setCurrentText("The whole picture")
    dialog.refresh()
    assert [bar.label for bar in dialog.picture.bars] == ["CI"]
    assert dialog.picture.keys == ()  # the property hides the colours: their key would mislead
    viewer.layers[-1].visible = False
    dialog.refresh()
    choice = dialog.chosen
    assert [key.title for key in choice.picture.keys] == ["Ni, IPF-Z", "Ti, IPF-Z"]
    # the window also has a scan in nm: napari's world has the smallest unit
    assert (choice.picture.unit, choice.picture.step) == ("nm", pytest.approx((500, 500)))
    furnished.save_figure_to(tmp_path / "fig.pdf", choice._replace(how=Print(dpi=100)))
    idle()
    with h5py.File(tmp_path / "fig_data.h5") as file:
        assert next(file[k].attrs["name"] for k in file) == "printed"
        assert np.array_equal(file["0"][()], choice.picture.image)
    maps = [p for p in tmp_path.glob("fig_*.h5") if p.name != "fig_data.h5"]
    found = load_map(maps[0])
    assert np.array_equal(found.quaternions, viewer.layers[-1].metadata["map"].quaternions)
    dialog.deleteLater()


def test_a_figure_says_that_colours_are_mixed(viewer: Any, small_map: Any) -> None:  # noqa: F811
    layer = show(viewer, small_map)
    layer.opacity = 1.0
    assert not any("differ from the key" in words for words in words_of([layer]))
    layer.opacity = 0.6
    assert "IPF-Z is mixed with what lies below it (opacity 60%): colours differ" in " ".join(
        words_of([layer])
    )


def test_view_is_composed_from_the_data(viewer: Any) -> None:
    fine = np.arange(12, dtype=np.float32).reshape(3, 4)
    settings = {"units": ("nm", "nm"), "contrast_limits": (0, 11)}
    viewer.add_image(fine, scale=(2, 3), **settings)
    top = np.full((1, 1), 11, np.float32)
    viewer.add_image(top, scale=(2, 6), translate=(2, 4.5), opacity=0.5, **settings)
    picture, shown = picture_of_view(viewer)
    assert picture.step == (2, 3)
    assert picture.image.shape == (3, 4, 4)
    grey = np.rint(fine / 11 * 255)
    grey[1, 1:3] = np.rint((fine[1, 1:3] / 11 + 1) / 2 * 255)
    assert np.abs(picture.image[..., 0].astype(float) - grey).max() <= 1
    assert len(shown) == 2
    viewer.layers[1].opacity = 1.0
    viewer.layers[1].scale, viewer.layers[1].translate = (20, 30), (2, 4.5)
    _, shown = picture_of_view(viewer)
    assert [x.name for x in shown] == ["top"] or len(shown) == 1
    for layer in viewer.layers:
        layer.visible = False
    with pytest.raises(ValueError, match="No picture is visible"):
        picture_of_view(viewer)


def test_pattern_figure_marks_its_detectors() -> None:
    pattern = np.random.default_rng(0).poisson(5, (32, 24)).astype(float)
    spot = VirtualDetector(name="Spot", shapes=(Disk(centre=(10, 12), radius=3),), colour="gold")
    picture = pattern_figure(pattern, None, (spot,), title="Pattern")
    assert picture.unit == "px"
    assert picture.image.shape == (32, 24, 4)
    radii = np.hypot(*(picture.marks[0].points - (10, 12)).T)
    assert np.allclose(radii, 3)
    assert any("disk of radius 3 px" in note for note in picture.notes)
