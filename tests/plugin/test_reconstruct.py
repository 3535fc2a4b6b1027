"""The Reconstruct dock in a real window, driven by the mouse; and what stands behind it."""

from __future__ import annotations

import errno
import multiprocessing
import time
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("napari")
pytestmark = pytest.mark.gui

from calibrate_examples import click  # noqa: E402
from map_examples import show, small_map  # noqa: E402
from qtpy.QtCore import QObject, Qt  # noqa: E402
from qtpy.QtTest import QTest  # noqa: E402
from qtpy.QtWidgets import QMessageBox  # noqa: E402

from napari_orient.crystal.colors import colour_image  # noqa: E402
from napari_orient.crystal.rotations import (  # noqa: E402
    misorientation_angle,
    random_orientations,
)
from napari_orient.jobs import Progress  # noqa: E402
from napari_orient.plugin.layers import kind_of  # noqa: E402
from napari_orient.plugin.maps.layers import scheme_of  # noqa: E402
from napari_orient.plugin.reconstruct import dock as dock_module  # noqa: E402
from napari_orient.plugin.reconstruct import engine, run_panel  # noqa: E402
from napari_orient.plugin.reconstruct.course import Course, list_of_fields  # noqa: E402
from napari_orient.plugin.reconstruct.engine import new_reins  # noqa: E402
from napari_orient.plugin.reconstruct.form import ReconstructForm  # noqa: E402
from napari_orient.plugin.reconstruct.outlook import look_at, outlook  # noqa: E402
from napari_orient.plugin.reconstruct.places import Place, runs_folder, unfinished  # noqa: E402
from napari_orient.plugin.reconstruct.presets import filled, quality_of  # noqa: E402
from napari_orient.plugin.reconstruct.pulse import Pulse  # noqa: E402
from napari_orient.plugin.reconstruct.references import Wanted, cut_out  # noqa: E402
from napari_orient.plugin.reconstruct.snapshots import Snapshots, packed  # noqa: E402
from napari_orient.reconstruction import reconstruct  # noqa: E402
from napari_orient.reconstruction.checkpoint import load_state  # noqa: E402
from napari_orient.reconstruction.config import ReconstructConfig  # noqa: E402
from napari_orient.samples import polycrystal_map  # noqa: E402

__all__ = ["small_map"]  # a fixture
QUICK = {
    "window": 7, "evaluations": 12, "levels": 1, "scales": 1, "threads": 1,
    "precision": "float32", "plateau": 0.0,
}  # fmt: skip
LONG = 20_000  # ms


@pytest.fixture(scope="module")
def steel():
    return polycrystal_map((48, 56), 90, "Ni", seed=3, step=0.5, unit="um")


@pytest.fixture(autouse=True)
def own_data(tmp_path, monkeypatch):
    """Runs are kept here, and computed in a thread: a process takes seconds to start."""
    monkeypatch.setenv("NAPARI_ORIENT_DATA", str(tmp_path / "data"))
    monkeypatch.setattr(run_panel, "ASIDE", False)
    monkeypatch.setattr(dock_module, "SETTLED", 20)


@pytest.fixture
def dock(viewer, open_dock, steel, qtbot):
    show(viewer, steel, "steel")
    widget = open_dock("Reconstruct")
    qtbot.waitUntil(widget.isVisible)
    qtbot.waitUntil(lambda: widget.outlook is not None, timeout=LONG)
    return widget


def set_up(dock, qtbot, size=(24, 24), **changes):
    """Type settings, and wait until it is known what they mean."""
    dock.form.set_config(ReconstructConfig(size=size, **{**QUICK, **changes}))
    dock.form.changed.emit()
    qtbot.waitUntil(lambda: dock.outlook is not None and dock._live.is_idle, timeout=LONG)


def start(dock, qtbot):
    assert dock.panel.start_button.isEnabled(), dock.warned.text()
    click(dock.panel.start_button)
    qtbot.waitUntil(lambda: dock.growing.made > 0, timeout=LONG)


def ended(dock, qtbot):
    qtbot.waitUntil(lambda: not dock.bar.is_running, timeout=LONG)
    qtbot.waitUntil(lambda: dock.growing.is_idle, timeout=LONG)


def grown(viewer):
    return [x for x in viewer.layers if kind_of(x) == "ipf" and "reconstructed" in x.name]


# --- what stands behind ---------------------------------------------------------------------------


def test_snapshots_are_small_right_and_never_too_many():
    q = random_orientations(24 * 24, np.random.default_rng(0)).reshape(24, 24, 4)
    back = packed(q).quaternions()
    assert np.abs(back - q).max() < 4e-5
    assert np.allclose(np.linalg.norm(back, axis=-1), 1)
    kept = Snapshots(most=8)
    traces = [SimpleNamespace(evaluations=n) for n in range(100)]
    for trace in traces[:50]:
        kept.take(packed(q[:12, :12], trace))
    for trace in traces[50:]:
        kept.take(packed(q, trace))
    at = [kept[n].trace.evaluations for n in range(len(kept))]
    assert 4 <= len(at) <= 8
    assert at == sorted(at)
    assert at[0] == 0
    assert at[-1] > 85
    assert 50 in at  # where a finer grid begins
    small = Snapshots(room=3 * len(packed(q).packed))
    for trace in traces:
        small.take(packed(q, trace))
    assert small.nbytes <= 3 * len(packed(q).packed)


def test_the_course_goes_on_over_grids_and_knows_the_fields():
    course = Course(seed=4)

    def trace(grid, evaluations, loss):
        return SimpleNamespace(
            grid=grid, evaluations=evaluations, seconds=evaluations / 4, loss=loss,
            paper_loss=loss / 2, parts={"texture": loss},
        )  # fmt: skip

    for one in (trace(0, 2, 1.0), trace(0, 8, 0.5), trace(1, 3, 0.7), trace(1, 10, 0.1)):
        course.add(one)
    assert [p.at for p in course.points] == [2, 8, 11, 18]
    assert course.pace == 0.25
    assert not list_of_fields(course)
    course.add(trace(0, 2, 1.0))  # another field
    course.add(trace(0, 1, 0.3))  # and a third, also where it has but one grid
    assert [(f.seed, f.loss) for f in course.fields] == [(4, 0.1), (5, 1.0), (6, 0.3)]
    said = list_of_fields(course).split("<br>")
    assert "seed 4" in said[0]
    assert "the best so far" in said[0]
    assert "now" in said[2]


def test_a_part_of_a_map_stays_where_it_was(steel):
    mask = np.zeros(steel.shape, bool)
    mask[5:20, 10:40] = True
    mask[7, 12] = False
    part = cut_out(steel, mask)
    assert part.shape == (15, 30)
    assert part.origin == (2.5, 5.0)
    assert np.array_equal(part.quaternions, steel.quaternions[5:20, 10:40])
    assert not part.indexed[2, 2]
    assert part.indexed.sum() == 15 * 30 - 1


def test_three_sections_are_turned_into_the_sample(steel):
    axes = (("z", "y"), ("x", "y"), ("x", "z"))
    made = Wanted((steel, steel, steel), None, axes).made()
    # across z, y and x; the rows of slices across x lie along z
    assert [m.shape for m in made] == [steel.shape, steel.shape, steel.shape[::-1]]
    assert np.array_equal(made[0].quaternions, steel.quaternions)
    with pytest.raises(ValueError, match="Two sections are across z"):
        Wanted((steel, steel, steel), None, (("x", "y"), ("y", "x"), ("y", "z"))).made()


def test_the_outlook_counts_grains_and_names_cures():
    cells = polycrystal_map((120, 120), 400, seed=5, periodic=True)
    config = filled(ReconstructConfig(size=(60, 60)), "standard")
    known = look_at((cells,), config)
    assert known.grains == pytest.approx(400, rel=0.1)
    assert known.area == pytest.approx(36, rel=0.1)
    found = outlook(known, config)
    assert found.inside == pytest.approx(100, rel=0.1)
    assert any("400" in w or "fewer than 500" in w for w in found.warnings)
    assert any("points wide" in w for w in found.warnings)
    # equiaxed grains of mean volume V have sections of 0.686 V^(2/3) (Voronoi)
    solid = outlook(known, config.model_copy(update={"size": (36, 36, 36)}))
    assert solid.inside == pytest.approx(36**3 * (0.6858 / 36) ** 1.5, rel=0.15)
    assert solid.total_seconds > found.total_seconds
    assert solid.needed_mb > found.needed_mb
    assert (
        "smaller than the window"
        in outlook(known, config.model_copy(update={"size": (9, 9)})).refusal
    )
    small = replace(known, shape=(40, 40))
    assert (
        "smaller window" in outlook(small, config.model_copy(update={"size": (512, 512)})).refusal
    )
    left = found.left(0, len(found.grids) - 1, config.evaluations // 2, 0.2)
    assert left == pytest.approx(0.2 * config.evaluations / 2)


def test_elongated_grains_are_refused_before_the_run():
    cells = polycrystal_map((160, 80), 200, seed=5, periodic=True)
    wide = replace(
        cells, quaternions=cells.quaternions.repeat(2, 1), phase_id=cells.phase_id.repeat(2, 1),
        done=cells.done.repeat(2, 1), properties={},
    )  # fmt: skip
    config = filled(ReconstructConfig(size=(32, 32, 32)), "draft")
    known = look_at((wide,), config)
    refusal = outlook(known, config).refusal
    for word in ("elongated", "three sections", "beside Elongated, under Expert settings"):
        assert word in refusal
    assumed = config.model_copy(update={"assume": "fibre x"})
    assert not outlook(look_at((wide,), assumed), assumed).refusal
    flat = config.model_copy(update={"size": (32, 32)})
    assert not outlook(look_at((wide,), flat), flat).refusal
    assert not look_at((cells,), config).elongated
    assert not look_at((wide, wide, wide), config).elongated


def test_the_time_of_a_pause_counts_for_no_limit():
    def endless():
        while True:
            yield Progress(0, 0)

    reins = new_reins()
    controls = engine._Controls(reins)
    job = engine._held(endless(), controls)
    next(job)
    assert controls.waited == 0
    reins.hold.set()
    begun = time.perf_counter()
    while time.perf_counter() < begun + 0.4:
        next(job)
    reins.hold.clear()
    next(job)
    assert controls.waited == pytest.approx(time.perf_counter() - begun, rel=0.2)
    reins.hold.set()
    reins.keep.set()  # whoever stops does not wait
    before = controls.waited
    next(job)
    assert controls.waited == before


@pytest.mark.parametrize("name", ["draft", "standard", "paper"])
def test_a_preset_is_known_again(name):
    config = filled(ReconstructConfig(size=(32, 32, 32), step=0.3, seed=7), name)
    assert (config.size, config.step, config.seed) == ((32, 32, 32), 0.3, 7)
    assert quality_of(config) == name
    assert quality_of(config.model_copy(update={"window": 11})) == "custom"


# --- before the run -------------------------------------------------------------------------------


def test_every_setting_has_a_control(qtbot):
    form = ReconstructForm()
    qtbot.addWidget(form)
    rows = {*form.expert.rows, "weights", "size", "step"}
    assert rows == set(ReconstructConfig.model_fields)
    wanted = ReconstructConfig(
        size=(16, 24, 32), step=0.25, window=9, lags="full", degrees=(8,), texture_degrees=(12,),
        levels=2, scales=3, method="Adam", evaluations=77, tolerance=1e-6, plateau=0.02,
        time_limit=90, seed=3, seeds=4, assume="fibre x", consolidate=True, threads=1,
        precision="float32",
        weights={"two_point": 0.2, "three_point": 5, "variation": 0, "texture": 2},
    )  # fmt: skip
    form.set_config(wanted)
    assert form.config == wanted
    assert form.quality.currentText() == "Custom"
    for row in (*form.expert.rows.values(), *form.expert.weights.values()):
        assert row.box.toolTip()


def test_it_says_what_a_run_will_be_before_it_begins(dock, qtbot):
    set_up(dock, qtbot)
    assert dock.reference.map is not None
    said = dock.facts.text()
    for word in ("grains", "Memory", "Time", "points"):
        assert word in said
    assert "fewer than 500" in dock.warned.text()
    assert dock.form.size.edges.text() == "= 12 × 12 µm"
    assert dock.panel.start_button.isEnabled()
    assert not dock.bar.is_running  # nothing starts by itself
    dock.form.expert.rows["window"].box.setValue(10)
    qtbot.waitUntil(lambda: dock.outlook is not None, timeout=LONG)
    assert "odd" in dock.warned.text()
    assert not dock.panel.start_button.isEnabled()
    dock.form.expert.rows["window"].box.setValue(31)
    qtbot.waitUntil(lambda: dock.outlook is not None, timeout=LONG)
    assert "smaller window" in dock.warned.text()
    dock.form.quality.setCurrentIndex(0)
    dock.form.quality.activated.emit(0)
    assert dock.form.config.window == 9
    click(dock.form.size.solid)
    assert dock.form.config.size == (48, 48, 48)
    assert dock.reference.three.isVisible()
    assert dock.form.said.text().startswith("Draft")


def test_maps_that_cannot_serve_are_refused_in_words(viewer, dock, steel, small_map, qtbot):
    def said():
        qtbot.waitUntil(lambda: dock.outlook is not None, timeout=LONG)
        return dock.warned.text()

    dock.reference.picker.choose(None)
    assert "Open a map" in said()
    assert not dock.panel.start_button.isEnabled()
    show(viewer, replace(steel, phase_id=np.full(steel.shape, -1)), "empty")
    dock.reference.picker.choose(dock.reference.picker.maps[-1])
    assert "Nothing of the reference is indexed" in said()
    show(viewer, small_map, "tiny")
    dock.reference.picker.choose(small_map)
    assert "larger map" in said()
    volume = replace(
        steel, quaternions=steel.quaternions[None], phase_id=steel.phase_id[None],
        done=steel.done[None], step=(1.0, 0.5, 0.5), origin=(), periodic=(), properties={},
    )  # fmt: skip
    show(viewer, volume, "block")
    dock.reference.picker.choose(volume)
    assert "volume" in said()
    assert not dock.panel.start_button.isEnabled()


def test_a_drawn_region_is_the_reference(viewer, dock, qtbot):
    set_up(dock, qtbot)
    whole = dock.outlook.known.grains
    click(dock.reference.draw)
    layer = dock.reference.region.layer()
    assert layer.mode == "add_rectangle"
    layer.add_rectangles([[4, 4], [4, 43], [35, 43], [35, 4]])
    qtbot.waitUntil(lambda: dock.reference.where.currentText() == "the drawn region", timeout=LONG)
    qtbot.waitUntil(lambda: dock.outlook is not None, timeout=LONG)
    assert dock.outlook.known.grains < whole
    assert dock.outlook.references[0].shape == (32, 40)
    viewer.layers.remove(layer)
    qtbot.waitUntil(lambda: dock.reference.where.currentText() == "the whole map", timeout=LONG)
    qtbot.waitUntil(lambda: dock.outlook is not None, timeout=LONG)
    assert dock.outlook.known.grains == whole


# --- the run --------------------------------------------------------------------------------------


def test_a_run_from_start_to_result(viewer, dock, steel, qtbot, idle):
    set_up(dock, qtbot, evaluations=15)
    start(dock, qtbot)
    (layer,) = grown(viewer)
    layer.opacity = 0.7
    viewer.scene.camera.zoom = zoom = 9.0
    click(dock.directions["X"])
    ended(dock, qtbot)
    assert dock.growing.layer is layer  # one layer all along
    assert grown(viewer) == [layer]
    assert layer.opacity == 0.7
    assert viewer.scene.camera.zoom == zoom
    result = dock.panel.result
    assert layer.metadata["map"] is result is dock.session.orientation_map
    assert result.shape == (24, 24)
    assert result.step == (0.5, 0.5)
    assert layer.name == "steel reconstructed IPF-X"
    assert np.array_equal(layer.data, colour_image(result, scheme_of(layer)))
    assert dock.curve.course.last.loss < dock.curve.course.points[0].trace.loss
    assert "Finished" in dock.panel.done.text()
    assert not any(runs_folder().iterdir())  # nothing is left of it
    idle()
    replayed(dock, layer, result, qtbot)
    click(dock.grains_button)
    found = viewer.window.dock_widgets["Grains & texture (napari-orient)"]
    assert found.picker.chosen is result


def replayed(dock, layer, result, qtbot):
    """Go through the snapshots, and back to the result."""
    snapshots = dock.panel.order.snapshots
    assert dock.timeline.isVisible()
    dock.timeline.slider.setValue(0)
    qtbot.waitUntil(lambda: dock.growing.is_idle, timeout=LONG)
    q = snapshots[0].quaternions()
    past = colour_image(replace(result, quaternions=q), scheme_of(layer))
    assert np.array_equal(layer.data, past)
    assert layer.metadata["map"] is result
    assert "the map is the result" in dock.timeline.said.text()
    click(dock.directions["Y"])
    qtbot.waitUntil(lambda: dock.growing.is_idle, timeout=LONG)
    past = colour_image(replace(result, quaternions=q), scheme_of(layer))
    assert np.array_equal(layer.data, past)
    dock.timeline.end()
    qtbot.waitUntil(lambda: dock.growing.is_idle, timeout=LONG)
    assert np.array_equal(layer.data, colour_image(result, scheme_of(layer)))


def test_pause_resume_stop_and_keep(viewer, dock, qtbot):
    set_up(dock, qtbot, evaluations=100_000)
    start(dock, qtbot)
    assert not dock.panel.start_button.isVisible()
    assert dock.panel.folder
    click(dock.bar._pause)
    assert dock.bar._pause.text() == "Resume"
    qtbot.wait(300)
    before = dock.curve.course.last.evaluations
    qtbot.wait(1200)  # two of the engine's intervals
    assert dock.curve.course.last.evaluations == before
    assert "Paused" in dock.bar._label.text()
    click(dock.bar._pause)
    qtbot.waitUntil(lambda: dock.curve.course.last.evaluations > before, timeout=LONG)
    click(dock.bar._keep)
    ended(dock, qtbot)
    assert "Stopped" in dock.panel.done.text()
    assert dock.panel.result.provenance["evaluations"] > before
    assert len(grown(viewer)) == 1


def test_the_fields_of_all_seeds_can_be_looked_at(viewer, dock, qtbot):
    set_up(dock, qtbot, evaluations=5, seeds=3, seed=7)
    start(dock, qtbot)
    ended(dock, qtbot)
    seeds, result = dock.seeds, dock.panel.result
    assert seeds.isVisible()
    assert [seeds.list.item(n).text()[:6] for n in range(3)] == ["seed 7", "seed 8", "seed 9"]
    best = min(range(3), key=lambda n: dock.panel.order.done[n].paper_loss)
    assert "the result" in seeds.list.item(best).text()
    assert result.provenance["seed"] == 7 + best
    other = (best + 1) % 3
    click_row(seeds.list, other)
    qtbot.waitUntil(lambda: dock.growing.is_idle, timeout=LONG)
    (layer,) = grown(viewer)
    q = dock.panel.order.done[other].field.quaternions()
    seen = colour_image(replace(result, quaternions=q), scheme_of(layer))
    assert np.array_equal(layer.data, seen)
    click_row(seeds.list, other)
    qtbot.waitUntil(lambda: dock.growing.is_idle, timeout=LONG)
    assert np.array_equal(layer.data, colour_image(result, scheme_of(layer)))


def take_other(dock, qtbot):
    """Take a field that is not the result; return its seed and its number."""
    start(dock, qtbot)
    ended(dock, qtbot)
    result = dock.panel.result
    assert not dock.seeds.take.isEnabled()
    other = next(
        n for n, one in enumerate(dock.panel.order.done) if one.seed != result.provenance["seed"]
    )
    click_row(dock.seeds.list, other)
    seed = dock.panel.order.done[other].seed
    click(dock.seeds.take)
    qtbot.waitUntil(lambda: dock.panel.result.provenance["seed"] == seed, timeout=LONG)
    ended(dock, qtbot)
    return other, result


def test_another_seed_is_taken(viewer, dock, qtbot):
    set_up(dock, qtbot, evaluations=5, seeds=2)
    other, before = take_other(dock, qtbot)
    done, result = dock.panel.order.done[other], dock.panel.result
    assert result is dock.session.orientation_map
    assert np.array_equal(result.quaternions, done.field.quaternions())
    assert result.provenance["paper_loss"] == done.paper_loss
    assert "the result" in dock.seeds.list.item(other).text()
    old, new = grown(viewer)
    assert new.metadata["map"] is result
    assert np.array_equal(new.data, colour_image(result, scheme_of(new)))
    assert old.metadata["map"] is before
    assert not old.visible
    assert not any(runs_folder().iterdir())


def test_grains_are_made_of_a_seed_that_is_taken(viewer, dock, qtbot):
    set_up(dock, qtbot, evaluations=8, seeds=2, consolidate=True)
    _, before = take_other(dock, qtbot)
    result = dock.panel.result
    assert result.properties["grain"].max() == result.provenance["consolidated"]["grains"]
    assert not np.array_equal(result.properties["grain"], before.properties["grain"])
    assert "grains of one orientation" in dock.panel.done.text()
    assert not dock.panel.folder
    assert not any(runs_folder().iterdir())


def click_row(view, row):
    place = view.visualItemRect(view.item(row)).center()
    QTest.mouseClick(view.viewport(), Qt.MouseButton.LeftButton, pos=place)


def test_a_volume_grows_and_becomes_a_deck(viewer, dock, qtbot, tmp_path):
    set_up(dock, qtbot, size=(12, 12, 12), window=5, evaluations=4, consolidate=True)
    start(dock, qtbot)
    (layer,) = grown(viewer)
    assert viewer.dims.ndisplay == 3
    assert layer.rendering == "translucent"
    assert layer.data.shape == (12, 12, 12, 4)
    viewer.scene.camera.angles = angles = (10, 20, 30)
    ended(dock, qtbot)
    assert tuple(viewer.scene.camera.angles) == pytest.approx(angles)
    assert dock.panel.result.shape == (12, 12, 12)
    assert "grain" in dock.panel.result.properties
    click(dock.deck_button)
    deck = dock.deck
    qtbot.waitUntil(deck.isVisible)
    deck.format.setCurrentIndex(deck.format.findData("vti"))
    deck.path.setText(str(tmp_path / "volume.vti"))
    click(deck.export)
    qtbot.waitUntil(lambda: deck.report is not None, timeout=LONG)
    assert (tmp_path / "volume.vti").exists()
    deck.format.setCurrentIndex(deck.format.findData("damask"))
    assert deck.path.text() == str(tmp_path / "volume")
    deck.report = None
    qtbot.waitUntil(deck.export.isEnabled)
    click(deck.export)
    qtbot.waitUntil(lambda: deck.report is not None, timeout=LONG)
    assert (tmp_path / "volume" / "material.yaml").exists()
    assert "is written" in deck.said.text()
    deck.close()


# --- what was interrupted -------------------------------------------------------------------------


def test_a_closed_dock_leaves_a_run_that_goes_on(viewer, dock, open_dock, qtbot, idle):
    set_up(dock, qtbot, evaluations=300)
    start(dock, qtbot)
    reached = dock.curve.course.last.evaluations
    viewer.window.remove_dock_widget(dock)
    idle()
    (place,) = unfinished()
    assert place.name == "steel"
    again = open_dock("Reconstruct")
    click(again.panel.resume_button)
    action = again.panel.menu.actions()[0]
    assert action.text().startswith("steel, ")
    again.panel.menu.close()
    again.panel.resume(Place(place.folder))
    qtbot.waitUntil(lambda: again.curve.course.last is not None, timeout=LONG)
    assert again.curve.course.points[0].trace.evaluations >= reached
    assert again.form.config.evaluations == 300
    click(again.bar._keep)
    ended(again, qtbot)
    assert again.panel.result.shape == (24, 24)
    assert not unfinished()


def test_closing_the_window_asks_and_discard_leaves_nothing(viewer, dock, qtbot):
    set_up(dock, qtbot, evaluations=100_000)
    start(dock, qtbot)
    main = viewer.window._qt_window
    assert not main.close()
    assert main.isVisible()
    box = dock.guard.question
    assert isinstance(box, QMessageBox)
    assert "Resume" in box.text()
    click(next(b for b in box.buttons() if b.text() == "Go on"))
    assert dock.guard.question is None
    assert dock.bar.is_running
    click(dock.bar._cancel)
    ended(dock, qtbot)
    assert not grown(viewer)
    assert not any(runs_folder().iterdir())
    assert dock.panel.result is None
    assert dock.panel.start_button.isVisible()
    assert not dock.save_button.isEnabled()


def test_a_full_disk_is_said_and_the_run_goes_on(viewer, dock, qtbot, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(reconstruct, "save_state", full)
    monkeypatch.setattr(reconstruct, "_KEEP", 0.3)
    set_up(dock, qtbot, evaluations=100_000)
    start(dock, qtbot)
    qtbot.waitUntil(lambda: "No space left" in dock.panel.said.text(), timeout=LONG)
    assert dock.panel.said.isVisible()
    assert "could not be kept" in dock.panel.said.text()
    reached = dock.curve.course.last.evaluations
    qtbot.waitUntil(lambda: dock.curve.course.last.evaluations > reached, timeout=LONG)
    click(dock.bar._keep)
    ended(dock, qtbot)
    assert dock.panel.result.shape == (24, 24)
    assert "could not be kept" in dock.panel.done.text()


def test_a_killed_run_is_gone_on_with(viewer, dock, qtbot, monkeypatch):
    monkeypatch.setattr(run_panel, "ASIDE", True)
    set_up(dock, qtbot, evaluations=100_000)
    click(dock.panel.start_button)
    place = dock.panel.order.place
    qtbot.waitUntil(place.state.exists, timeout=60_000)
    kept = load_state(place.state).evaluations[-1]
    (child,) = multiprocessing.active_children()
    child.kill()
    with qtbot.captureExceptions():
        qtbot.waitUntil(lambda: not dock.bar.is_running, timeout=LONG)
    assert "Resume … goes on" in dock.panel.said.text()
    monkeypatch.setattr(run_panel, "ASIDE", False)
    (found,) = unfinished()
    before = dock.curve.course
    dock.panel.resume(found)
    qtbot.waitUntil(lambda: dock.curve.course is not before, timeout=LONG)
    qtbot.waitUntil(lambda: dock.curve.course.last is not None, timeout=LONG)
    assert dock.curve.course.points[0].trace.evaluations >= kept
    assert dock.panel.said.text() == ""
    click(dock.bar._keep)
    ended(dock, qtbot)
    assert dock.panel.result.provenance["evaluations"] > kept
    assert not unfinished()


def test_a_run_that_fails_says_so(dock, qtbot, monkeypatch):
    from napari_orient.reconstruction import reconstruct as engine

    def broken(*args, **settings):
        yield from ()
        raise FloatingPointError("The run diverged: take L-BFGS.")

    monkeypatch.setattr(engine, "reconstruct", broken)
    set_up(dock, qtbot)
    click(dock.panel.start_button)
    with qtbot.captureExceptions():
        qtbot.waitUntil(lambda: not dock.bar.is_running, timeout=LONG)
    assert "diverged" in dock.panel.said.text()
    assert dock.panel.start_button.isVisible()


def test_a_run_in_its_own_process(viewer, dock, qtbot, monkeypatch):
    monkeypatch.setattr(run_panel, "ASIDE", True)
    set_up(dock, qtbot, evaluations=100_000)
    click(dock.panel.start_button)
    qtbot.waitUntil(lambda: dock.growing.made > 0, timeout=60_000)
    assert dock.panel.order.aside
    click(dock.bar._pause)
    qtbot.wait(500)
    before = dock.curve.course.last.evaluations
    qtbot.wait(1200)
    assert dock.curve.course.last.evaluations == before
    click(dock.bar._keep)
    qtbot.waitUntil(lambda: not dock.bar.is_running, timeout=LONG)
    result = dock.panel.result
    assert result.shape == (24, 24)
    last = dock.panel.order.snapshots[-1].quaternions()
    apart = misorientation_angle(result.quaternions, last, "m-3m")
    assert np.median(apart) < 5


def test_the_window_is_free_while_it_is_painted(qtbot):
    """Pictures come no more often than leaves the window free."""
    owner, beats = QObject(), []
    pulse = Pulse(owner)
    pulse.beat.connect(lambda: beats.append(time.perf_counter()))
    pulse.beat.connect(lambda: time.sleep(0.1))  # a picture that takes long
    end = time.perf_counter() + 2.4
    while time.perf_counter() < end:
        pulse.request()
        qtbot.wait(5)
    assert 2 <= len(beats) <= 4
    assert np.diff(beats).min() > 0.8
    pulse.hurry()
    qtbot.waitUntil(lambda: time.perf_counter() - beats[-1] < 0.3)
