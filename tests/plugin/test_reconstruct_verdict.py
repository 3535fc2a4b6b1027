"""Is the result representative? Judged from the Reconstruct dock, shown, and saved as a page."""

from __future__ import annotations

import csv
import re
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("napari")
pytestmark = pytest.mark.gui

from calibrate_examples import click  # noqa: E402
from map_examples import show  # noqa: E402
from qtpy.QtWidgets import QFileDialog  # noqa: E402

from napari_orient.jobs import run  # noqa: E402
from napari_orient.plugin.layers import kind_of  # noqa: E402
from napari_orient.plugin.reconstruct import dock as dock_module  # noqa: E402
from napari_orient.plugin.reconstruct import run_panel  # noqa: E402
from napari_orient.plugin.reconstruct.judging import Judged, Line, judging, save_page  # noqa: E402
from napari_orient.plugin.reconstruct.representative_panel import RepresentativePanel  # noqa: E402
from napari_orient.plugin.reconstruct.verdict_page import (  # noqa: E402
    AMBER,
    GREEN,
    RED,
    Pictures,
    headline,
    table,
)
from napari_orient.reconstruction.config import ReconstructConfig  # noqa: E402
from napari_orient.reconstruction.representative import page as page_module  # noqa: E402
from napari_orient.samples import polycrystal_map  # noqa: E402

QUICK = {
    "window": 5, "evaluations": 4, "levels": 1, "scales": 1, "threads": 1, "precision": "float32",
}  # fmt: skip
LONG = 60_000  # ms


@pytest.fixture(scope="module")
def steel():
    return polycrystal_map((64, 64), 300, "Ni", seed=3, step=0.5, unit="um")


@pytest.fixture(autouse=True)
def quick(tmp_path, monkeypatch):
    """Work in a thread, and draw one figure instead of all: each takes a second."""
    monkeypatch.setenv("NAPARI_ORIENT_DATA", str(tmp_path / "data"))
    monkeypatch.setattr(run_panel, "ASIDE", False)
    monkeypatch.setattr(dock_module, "SETTLED", 20)
    draw = page_module.figures_of
    monkeypatch.setattr(page_module, "figures_of", lambda one: [next(iter(draw(one)))])


@pytest.fixture
def dock(viewer, open_dock, steel, qtbot):
    show(viewer, steel, "steel")
    widget = open_dock("Reconstruct")
    qtbot.waitUntil(lambda: widget.outlook is not None, timeout=LONG)
    return widget


def make(dock, qtbot, size, **changes):
    """Run a reconstruction to its end."""
    dock.form.set_config(ReconstructConfig(size=size, **{**QUICK, **changes}))
    dock.form.changed.emit()
    qtbot.waitUntil(lambda: dock.outlook is not None and dock._live.is_idle, timeout=LONG)
    click(dock.panel.start_button)
    qtbot.waitUntil(lambda: dock.panel.result is not None, timeout=LONG)
    qtbot.waitUntil(lambda: not dock.bar.is_running, timeout=LONG)


def judged(dock, qtbot):
    qtbot.waitUntil(lambda: not dock.judge.bar.is_running, timeout=LONG)
    return dock.judge.page.judged


# --- what stands behind ---------------------------------------------------------------------------


def test_equal_materials_and_others_are_told_apart_with_their_page(steel, tmp_path, monkeypatch):
    monkeypatch.undo()  # all figures, in a process of its own
    alike = polycrystal_map((64, 64), 300, "Ni", seed=8, step=0.5, unit="um")
    found = run(judging([steel], alike, aside=True))
    assert found.representative
    assert found.word == "Representative"
    titles = [one.title for one in found.figures]
    for title in ("Sections", "Grains and boundaries", "Pole figures", "Correlations"):
        assert title in titles
    assert all(p.ndim == 3 and p.dtype == np.uint8 for f in found.figures for p in f.pictures)
    assert {line.differs for line in found.lines} == {False, None}
    made = save_page(found, tmp_path / "alike.html")
    assert [one.name for one in made] == ["alike.html", "alike.pdf", "alike.csv"]
    assert "Is it representative?" in made[0].read_text(encoding="utf-8")
    assert made[1].read_bytes().startswith(b"%PDF")
    rows = [line for line in made[2].read_text(encoding="utf-8").splitlines() if line[0] != "#"]
    names = [row["row"] for row in csv.DictReader(rows)]
    assert names == [line.cells[0] for line in found.lines]


def test_larger_grains_are_said_to_be_larger(steel):
    coarse = polycrystal_map((64, 64), 60, "Ni", seed=8, step=0.5, unit="um")
    found = run(judging([steel], coarse, aside=False))
    assert found.representative is False
    size = next(line for line in found.lines if line.cells[0] == "grain size")
    assert size.differs
    assert "larger" in size.cells[-1]
    assert RED in headline(found)


def test_another_crystal_is_refused_in_words(steel):
    other = polycrystal_map((32, 32), 40, "LiNiO2", seed=8, step=0.5, unit="um")
    with pytest.raises(ValueError, match="no crystal in common") as error:
        run(judging([steel], other, aside=False))
    assert str(error.value)[0].isupper()


def test_a_page_is_written_under_the_name_that_was_typed(tmp_path):
    found = Judged(True, "Representative", "", (), (), (), {".html": b"h", ".pdf": b"p"})
    assert [p.name for p in save_page(found, tmp_path / "one.PDF")] == ["one.pdf"]
    assert (tmp_path / "one.pdf").read_bytes() == b"p"
    made = save_page(found, tmp_path / "run 0.5")
    assert [p.name for p in made] == ["run 0.5.html", "run 0.5.pdf"]


def test_the_table_says_each_row_in_its_colour():
    cells = ("grain size", "2 µm", "3 µm", "+1 µm (+0.5 to +1.5)", "< 0.001", "50 % larger")
    text = table([Line(cells, "mean", True), Line(("a", "", "", "", "", "as is"), "m", None)])
    for word in ("grain size", "2 µm", "3 µm", "+0.5 to +1.5", "p &lt; 0.001"):
        assert word in text
    assert f'color:{RED}">50 % larger' in text
    assert "(p = )" not in text
    fine = Judged(True, "Representative", "a < b", (), (), (), {})
    assert GREEN in headline(fine)
    assert "a &lt; b" in headline(fine)
    assert AMBER in headline(replace(fine, representative=None))


def test_pictures_take_the_width_and_keep_their_shape(qtbot):
    wide = Pictures([np.zeros((100, 400, 4), np.uint8)])
    qtbot.addWidget(wide)
    (place,) = wide.places(800)
    assert (place.width(), place.height()) == (800, 200)
    assert wide.heightForWidth(400) == 100
    small = Pictures([np.full((300, 300, 4), n, np.uint8) for n in (0, 90, 255)])
    qtbot.addWidget(small)
    assert [p.top() for p in small.places(1000)] == [0, 0, 0]
    lefts = [p.left() for p in small.places(400)]
    assert lefts == [0, 0, 0]
    tops = [p.top() for p in small.places(400)]
    assert tops[0] < tops[1] < tops[2]


# --- in the window --------------------------------------------------------------------------------


def test_a_map_is_judged_when_asked_and_its_page_is_saved(
    viewer, dock, qtbot, tmp_path, monkeypatch
):
    assert not dock.representative_button.isEnabled()
    make(dock, qtbot, (48, 48), evaluations=15)
    assert not dock.judge.after.isChecked()  # a map without grains of one orientation
    assert judged(dock, qtbot) is None
    click(dock.representative_button)
    assert dock.judge.bar.isVisible()
    assert not dock.representative_button.isVisible()
    found = judged(dock, qtbot)
    assert dock.tabs.tabText(dock.tabs.currentIndex()) == "Is it representative?"
    page = dock.judge.page
    assert page.isVisible()
    assert found.word in page.said.text()
    for line in found.lines:
        assert line.cells[0] in page.table.text()
    (pictures,) = page.figures
    pictures.repaint()
    seen = pictures.grab().toImage()
    inks = {seen.pixel(x, y) for x in range(0, seen.width(), 9) for y in range(0, seen.height(), 9)}
    assert len(inks) > 20  # a section in colours
    path = tmp_path / "verdict.html"
    asked = []

    def answer(parent, title, start, kinds):
        asked.append(start)
        return str(path), ""

    monkeypatch.setattr(QFileDialog, "getSaveFileName", answer)
    click(page.save_button)
    assert asked[0].endswith("steel reconstructed judged.html")
    assert all(path.with_suffix(one).exists() for one in (".html", ".pdf", ".csv"))
    assert str(tmp_path) in page.saved.text()
    path = tmp_path / "missing" / "verdict.html"
    click(page.save_button)
    assert "does not exist" in page.saved.text()
    dock.tabs.setCurrentIndex(1)
    click(dock.representative_button)  # it is there already
    assert not dock.judge.bar.is_running
    assert dock.tabs.currentIndex() == 2
    layer = next(x for x in viewer.layers if kind_of(x) == "ipf" and "reconstructed" in x.name)
    viewer.layers.remove(layer)
    assert page.judged is None
    assert not dock.representative_button.isEnabled()


def test_a_volume_with_grains_is_judged_by_itself(qtbot):
    panel = RepresentativePanel()
    qtbot.addWidget(panel)

    def begin(size, grains):
        config = ReconstructConfig(size=size, consolidate=grains)
        panel.begin(SimpleNamespace(config=config))
        return panel.after.isChecked()

    assert [begin((8, 8), True), begin((8, 8, 8), False), begin((8, 8, 8), True)] == [0, 0, 1]
    panel.after.click()
    assert not begin((8, 8, 8), True)  # the user's choice stays


def test_too_few_grains_are_said_after_the_run(dock, qtbot):
    dock.tabs.setCurrentIndex(1)
    click(dock.judge.after)
    assert dock.judge.after.isChecked()
    dock.tabs.setCurrentIndex(0)
    make(dock, qtbot, (12, 12, 12))
    assert dock.tabs.currentIndex() == 1
    found = judged(dock, qtbot)
    said = dock.judge.said.text()
    if found is None:  # not one whole grain
        assert "It cannot be judged" in said
    else:
        assert found.representative is not True
        assert found.word in said
    assert dock.tabs.currentIndex() == 1  # nobody asked for the page
    click(dock.judge.after)
    make(dock, qtbot, (12, 12, 12))
    assert not dock.judge.bar.is_running
    assert dock.judge.page.judged is None
    assert dock.judge.said.text() == ""


def test_a_comparison_can_be_stopped(dock, qtbot):
    make(dock, qtbot, (32, 32))
    click(dock.representative_button)
    click(dock.judge.bar._cancel)
    assert judged(dock, qtbot) is None
    assert dock.representative_button.isVisible()
    assert dock.judge.said.text() == ""
    assert dock.tabs.currentIndex() == 1


def test_what_goes_wrong_is_said(dock, qtbot, monkeypatch):
    from napari_orient.reconstruction.representative import verdict

    make(dock, qtbot, (32, 32))

    def refused(*_):
        yield from ()
        raise ValueError("nothing of the result is indexed.")

    monkeypatch.setattr(verdict, "represent", refused)
    click(dock.representative_button)
    assert judged(dock, qtbot) is None
    assert re.search("cannot be judged. Nothing of the result is indexed", dock.judge.said.text())

    def broken(*_):
        yield from ()
        raise FloatingPointError("no number")

    monkeypatch.setattr(verdict, "represent", broken)
    with qtbot.captureExceptions():
        click(dock.representative_button)
        assert judged(dock, qtbot) is None
    assert "ended early" in dock.judge.said.text()
    assert dock.representative_button.isVisible()
