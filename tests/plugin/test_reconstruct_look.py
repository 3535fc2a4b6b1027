"""Looking at a block and its poles in the Reconstruct dock: what is seen, and what it costs."""

from __future__ import annotations

import math
import time
from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("napari")
pytestmark = pytest.mark.gui

from calibrate_examples import click  # noqa: E402
from map_examples import show  # noqa: E402
from scipy.spatial import cKDTree  # noqa: E402

from napari_orient.analysis.texture.odf import compute_odf  # noqa: E402
from napari_orient.crystal.colors import ColourScheme, colour_image  # noqa: E402
from napari_orient.crystal.rotations import (  # noqa: E402
    misorientation_angle,
    random_orientations,
)
from napari_orient.data.maps import OrientationMap  # noqa: E402
from napari_orient.jobs import run  # noqa: E402
from napari_orient.plugin.layers import kind_of  # noqa: E402
from napari_orient.plugin.reconstruct.boundary_surface import boundary_surface  # noqa: E402
from napari_orient.plugin.reconstruct.look_panel import (  # noqa: E402
    CUT,
    FACES,
    KIND,
    PLANE,
    WHOLE,
)
from napari_orient.plugin.reconstruct.pole_view import Asked, count  # noqa: E402
from napari_orient.plugin.reconstruct.poles import family, pole_figure  # noqa: E402
from napari_orient.plugin.reconstruct.sight import Like, Sight, diameters, seen  # noqa: E402
from napari_orient.samples import polycrystal_map  # noqa: E402

SIDE, GRAINS, LONG = 16, 12, 20_000


@pytest.fixture(scope="module")
def steel():
    return polycrystal_map((48, 56), 90, "Ni", seed=3, step=0.5, unit="um")


def cells(side=SIDE, grains=GRAINS):
    """Return a block of Voronoi cells, numbered from 1."""
    random = np.random.default_rng(4)
    points = np.stack(np.meshgrid(*[np.arange(side)] * 3, indexing="ij"), axis=-1)
    return 1 + cKDTree(random.random((grains, 3)) * side).query(points)[1]


@pytest.fixture(scope="module")
def block(steel):
    labels = cells()
    q = random_orientations(GRAINS, np.random.default_rng(5))[labels - 1]
    return OrientationMap(
        q, steel.phases, step=(0.5,) * 3, unit="um", properties={"grain": labels},
        provenance={"seed": 0, "loss": 1e-5, "paper_loss": 1e-5, "total_seconds": 1.0},
    )  # fmt: skip


@pytest.fixture
def dock(viewer, open_dock, steel, block, qtbot, tmp_path, monkeypatch):
    """The dock with a result, as after a run."""
    monkeypatch.setenv("NAPARI_ORIENT_DATA", str(tmp_path / "data"))
    show(viewer, steel, "steel")
    widget = open_dock("Reconstruct")
    widget.growing.begin(block, "steel reconstructed", ColourScheme())
    widget.look.show_run(block.shape, block.unit)
    widget.growing.look_at_result()
    qtbot.waitUntil(lambda: widget.growing.layer is not None, timeout=LONG)
    widget.panel.result = block
    widget.look.show_result(block)
    widget.tabs.setCurrentIndex(1)
    qtbot.waitUntil(widget.look.isVisible, timeout=LONG)
    return widget


def choose(dock, what, qtbot):
    dock.look.what.setCurrentIndex(dock.look.what.findData(what))
    dock.look.what.activated.emit(dock.look.what.currentIndex())
    settled(dock, qtbot)


def settled(dock, qtbot):
    qtbot.waitUntil(lambda: not dock.look._timer.isActive(), timeout=LONG)
    qtbot.waitUntil(lambda: dock.growing.is_idle, timeout=LONG)


# --- what stands behind ---------------------------------------------------------------------------


def test_a_cut_sizes_and_orientations_choose_points(block):
    labels = block.properties["grain"]
    assert not Sight()
    assert seen(Sight(), block).all()
    low = seen(Sight(cut=(0, 0.25, 1)), block)
    assert not low[:4].any()
    assert low[4:].all()
    high = seen(Sight(cut=(2, 0.25, -1)), block)
    assert high[:, :, :4].all()
    assert not high[:, :, 4:].any()
    assert seen(Sight(cut=(1, 1.0, 1)), block).any()  # never nothing at all
    number = int(np.bincount(labels.ravel())[1:].argmax()) + 1
    volume = (labels == number).sum() * 0.125
    size = diameters(labels, block.step)[number]
    assert math.pi / 6 * size**3 == pytest.approx(volume)
    assert np.array_equal(seen(Sight(smallest=size), block), labels == number)
    assert np.array_equal(seen(Sight(largest=size * 0.999), block), labels != number)
    q = block.quaternions[labels == number][0]
    like = Sight(like=Like(tuple(q), 0, 30.0))
    apart = misorientation_angle(block.quaternions, q, "m-3m")
    assert np.array_equal(seen(like, block), apart <= 30)
    other = replace(block, phase_id=np.full(block.shape, -1))
    assert not seen(like, other).any()


def test_the_surface_lies_between_grains():
    labels = np.ones((6, 5, 4), int)
    labels[3:] = 2
    flat = boundary_surface(labels)
    assert len(flat.faces) == 2 * 5 * 4
    assert np.allclose(flat.vertices[:, 0], 2.5)  # smoothing leaves a plane as it is
    assert flat.vertices[:, 1].min() == -0.5
    assert flat.vertices[:, 2].max() == 3.5
    ball = np.linalg.norm(np.indices((40,) * 3) - 19.5, axis=0) < 14
    round_one = boundary_surface(ball.astype(int))
    radius = np.linalg.norm(round_one.vertices - 19.5, axis=-1)
    stairs = np.linalg.norm(boundary_surface(ball.astype(int), 0).vertices - 19.5, axis=-1)
    assert radius.std() < 0.5 * stairs.std()
    assert volume(round_one) == pytest.approx(ball.sum(), rel=0.03)  # no shrinking
    assert not len(boundary_surface(np.ones((4, 4, 4), int)).faces)


def volume(surface):
    """Return what a closed mesh holds, by the theorem of Gauss; it is turned one way all over."""
    a, b, c = (surface.vertices[surface.faces[:, n]].astype(float) for n in range(3))
    return abs(np.einsum("ni,ni->n", a, np.cross(b, c)).sum()) / 6


def test_the_surface_of_64_cubed_is_quick():
    labels = cells(64, 500)
    start = time.perf_counter()
    found = boundary_surface(labels)
    assert time.perf_counter() - start < 4  # 0.6 s where nothing else runs
    assert len(found.faces) > 100_000


def test_pole_figures_are_those_of_the_harmonic_sums(steel):
    phase = steel.phases[0]
    assert len(family(phase)) == 6
    random = np.random.default_rng(1)
    noise = pole_figure(random_orientations(20_000, random), family(phase))
    assert np.nanmean(noise) == pytest.approx(1, abs=0.01)
    assert np.nanstd(noise) < 0.1
    # some orientations, scattered about three
    centres = random_orientations(3, random)
    q = np.repeat(centres, 1500, axis=0) + 0.03 * random.normal(size=(4500, 4))
    q /= np.linalg.norm(q, axis=-1, keepdims=True)
    found = pole_figure(q, family(phase))
    exact = run(compute_odf(q, phase, halfwidth=7.0)).pole_figure("{001}")
    middle = np.linspace(-1, 1, 2 * len(found) + 1)[1::2]
    y, x = np.meshgrid(middle, middle, indexing="ij")
    square = x**2 + y**2
    inside = np.isfinite(found) & (square < 0.95)
    long = np.sqrt(np.maximum(2 - square, 0))
    at = np.stack([x * long, y * long, square - 1], axis=-1)[inside]  # equal area, minus z
    assert np.corrcoef(found[inside], exact.at(at))[0, 1] > 0.97


def test_poles_of_one_phase_alone_are_counted(steel):
    q = random_orientations(600, np.random.default_rng(2)).reshape(20, 30, 4)
    q[:, :15] = (1.0, 0, 0, 0)
    phases = np.ones((20, 30), int)
    phases[:, :15] = 0
    one = count(Asked(steel.phases[0], 0, lambda: (q, phases)))
    assert np.array_equal(one, pole_figure(q[:, :15], family(steel.phases[0])), equal_nan=True)
    assert np.array_equal(
        count(Asked(steel.phases[0], 0, references=(steel,))),
        pole_figure(steel.quaternions, family(steel.phases[0])), equal_nan=True,
    )  # fmt: skip


# --- in the window --------------------------------------------------------------------------------


def test_a_block_is_cut_and_whole_again(viewer, dock, block, qtbot):
    layer, look = dock.growing.layer, dock.look
    whole = colour_image(block, ColourScheme())
    assert np.array_equal(layer.data, whole)
    assert not look.slider.isEnabled()
    choose(dock, CUT, qtbot)
    click(look.axes["Y"])
    look.slider.setValue(look.slider.maximum() // 2)
    settled(dock, qtbot)
    solid = layer.data[..., 3] > 0
    side = 1 if viewer.scene.camera.view_direction[1] >= 0 else -1
    assert solid.sum() == SIDE**3 // 2
    assert solid[:, 8:].all() == (side > 0)
    assert np.array_equal(layer.data[solid], whole[solid])
    assert "µm" in look.where.text()
    choose(dock, PLANE, qtbot)
    assert layer.depiction == "plane"
    assert tuple(layer.plane.normal) == (0, 1, 0)
    assert layer.plane.position[1] == 8
    assert np.array_equal(layer.data, whole)
    click(look.all)
    settled(dock, qtbot)
    assert layer.depiction == "volume"
    assert look.what.currentData() == WHOLE
    assert layer.metadata["map"] is block


def test_grains_of_a_size_are_seen(dock, block, qtbot):
    labels = block.properties["grain"]
    size = float(np.sort(diameters(labels, block.step)[1:])[-3]) - 0.01
    dock.look.smallest.setValue(size)
    settled(dock, qtbot)
    expected = seen(Sight(smallest=dock.look.smallest.value()), block)
    assert len(np.unique(labels[expected])) == 3
    assert np.array_equal(dock.growing.layer.data[..., 3] > 0, expected)
    click(dock.directions["X"])
    qtbot.waitUntil(lambda: dock.growing.is_idle, timeout=LONG)
    assert np.array_equal(dock.growing.layer.data[..., 3] > 0, expected)
    click(dock.look.all)
    settled(dock, qtbot)
    assert (dock.growing.layer.data[..., 3] == 255).all()


def test_a_grain_is_chosen_by_the_mouse(viewer, dock, block, qtbot):
    look = dock.look
    click(look.choose)
    canvas = viewer.window._qt_viewer.canvas._scene_canvas
    width, height = canvas.size
    where = {"pos": (width // 2, height // 2), "button": 1, "modifiers": ()}
    canvas.events.mouse_press(**where, buttons=[1])
    canvas.events.mouse_release(**where, buttons=[1])
    assert look._like is not None
    assert not look.choose.isChecked()
    look.within.setValue(20)
    settled(dock, qtbot)
    chosen = np.array(look._like[0])
    apart = misorientation_angle(block.quaternions, chosen, "m-3m")
    assert apart.min() < 0.1
    assert np.array_equal(dock.growing.layer.data[..., 3] > 0, apart <= 20)
    # the block's face, not what lies behind
    hit = np.argwhere(apart < 0.1)
    assert (hit == 0).any() or (hit == SIDE - 1).any()


def test_boundaries_are_a_surface_until_all_is_seen_again(viewer, dock, block, qtbot):
    choose(dock, FACES, qtbot)
    qtbot.waitUntil(lambda: dock.look.surface is not None, timeout=LONG)
    layer, surface = dock.growing.layer, dock.look.surface
    assert kind_of(surface) == KIND
    assert not layer.visible
    assert tuple(surface.scale) == tuple(layer.scale)
    (plane,) = surface.experimental_clipping_planes
    assert plane.enabled
    assert viewer.layers.selection.active is layer
    click(dock.look.all)
    settled(dock, qtbot)
    assert layer.visible
    assert not surface.visible
    dock.look.show_result(replace(block, properties={}))
    assert dock.look.surface is None
    assert not dock.look.smallest.isEnabled()


def test_pole_figures_stand_side_by_side(dock, steel, block, qtbot):
    poles = dock.poles
    poles.begin((steel,), block.phases)
    poles.finish(block)
    qtbot.waitUntil(lambda: set(poles.drawing.figures) == {"Reference", "Field"}, timeout=LONG)
    directions = family(steel.phases[0])
    field = pole_figure(block.quaternions, directions)
    assert np.array_equal(poles.drawing.figures["Field"], field, equal_nan=True)
    assert poles.drawing.pole == "{001}"
    poles.on.click()
    assert not poles.drawing.isVisible()
    poles.look_at_once(lambda: pytest.fail("counted though it is off"))
    qtbot.wait(200)
    assert poles.is_idle
