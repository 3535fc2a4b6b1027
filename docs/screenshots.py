"""Make the pictures and the table of formats of the documentation: `make docs`.

Every picture is the real window, driven as in the demo.
"""

from __future__ import annotations

import contextlib
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import Qt

from napari_orient.crystal.rotations import conjugate, from_axis_angle, multiply, rotate
from napari_orient.data.formats import FORMATS
from napari_orient.diffraction.matching.config import IndexConfig
from napari_orient.diffraction.matching.index import index_scan
from napari_orient.jobs import run
from napari_orient.learning.config import TrainConfig
from napari_orient.plugin.demo import PLUGIN, SIZE, close_notifications, run_demo, settle
from napari_orient.plugin.scan_layers import describe_map_layer, describe_scan_layer
from napari_orient.reconstruction.config import ReconstructConfig
from napari_orient.samples import polycrystal_map, sped_scan

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from napari_orient.data.maps import OrientationMap

    LayerData = tuple[Any, dict[str, Any], str]

DOCS = Path(__file__).parent
START, END = "<!-- formats -->\n", "<!-- end of formats -->\n"


def formats_table() -> str:
    """Return the table of scan formats in Markdown."""
    rows = [f"| `{f.suffix}` | {f.name} | {f.access} | {f.tested} |\n" for f in FORMATS]
    return "| file | what | read through | tested with |\n|---|---|---|---|\n" + "".join(rows)


@contextlib.contextmanager
def window(*layers: LayerData) -> Iterator[Any]:
    """Open a viewer with these layers; close it at the end."""
    import napari

    viewer = napari.Viewer(show=True)
    try:
        viewer.window.resize(*SIZE)
        for data, settings, _ in layers:
            viewer.add_image(data, **settings)
        yield viewer
    finally:
        viewer.close()


def open_docks(viewer: Any, names: Sequence[str], heights: Sequence[int] = ()) -> list[Any]:
    """Open docks below one another, with these heights in px; return their widgets."""
    docks = [viewer.window.add_plugin_dock_widget(PLUGIN, name) for name in names]
    if heights:
        frames = [frame for frame, _ in docks]
        viewer.window._qt_window.resizeDocks(frames, list(heights), Qt.Orientation.Vertical)
    return [widget for _, widget in docks]


def shoot(viewer: Any, path: Path) -> None:
    """Picture the window, without notices."""
    close_notifications()
    viewer.screenshot(str(path), canvas_only=False, flash=False)


def picture_of_indexing(path: Path) -> None:
    """Index the small sample, and picture the window while the map grows."""
    scan, _ = run(sped_scan("small"))
    with window(describe_scan_layer(scan)) as viewer:
        _, index = open_docks(viewer, ("Pattern", "Index"), (400, 500))
        index.session.shown = (52, 40)
        settle(viewer, until=lambda: index.preview.answer is not None)
        index.tabs.setCurrentWidget(index.tabs.widget(2))
        close_notifications()
        index.start_button.click()
        settle(viewer, until=lambda: index.panel.fraction_done > 0.55)
        shoot(viewer, path)
        index.bar.cancel()
        settle(viewer, until=lambda: not index.bar.is_running)


def picture_of_comparing(path: Path) -> None:
    """Index part of the small sample, compare it with the truth, and picture one point."""
    scan, truth = run(sped_scan("small"))
    found = run(index_scan(scan, IndexConfig(phases=("LiNiO2",), thickness_nm=15)))
    maps = [describe_map_layer(one, name) for one, name in ((truth, "Truth"), (found, "Matched"))]
    with window(describe_scan_layer(scan), *maps) as viewer:
        _, compare = open_docks(viewer, ("Pattern", "Compare"), (330, 570))
        compare.reference.choose(truth)
        compare.other.choose(found)
        compare.compare()
        settle(viewer, until=lambda: compare.seen is not None)
        close_notifications()
        settle(viewer)
        shoot(viewer, path)


def picture_of_training(path: Path) -> None:
    """Train the network that comes with the program for five minutes, and picture the end."""
    scan, truth = run(sped_scan("small"))
    layers = (describe_scan_layer(scan), describe_map_layer(truth, "LiNiO2, exact"))
    with window(*layers) as viewer:
        (train,) = open_docks(viewer, ("Train",))
        train.form.set_config(_short_training())
        with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
            train.panel.choose("LiNiO2-model")  # a path of this computer is nobody's business
            close_notifications()
            train.panel.start_button.click()
            settle(viewer, until=lambda: not train.bar.is_running, most=900)
            settle(viewer, until=lambda: not train.preview.bar.is_running, most=120)
            close_notifications()
            settle(viewer)
            shoot(viewer, path)


def picture_of_grains(path: Path) -> None:
    """Find the grains of nickel with annealing twins, and picture the kinds of its boundaries."""
    with window(describe_map_layer(twinned_nickel(), "Nickel")) as viewer:
        (dock,) = open_docks(viewer, ("Grains & texture",))
        close_notifications()
        dock.find()
        settle(viewer, until=lambda: dock.layer is not None)
        dock.tabs.setCurrentWidget(dock.maps)
        dock.maps.box.setCurrentText("Boundary classes")
        dock.maps.show_map()
        settle(viewer, until=lambda: dock.maps.found is not None)
        close_notifications()
        settle(viewer)
        shoot(viewer, path)


def twinned_nickel() -> OrientationMap:
    """Return a polycrystal, two in three grains of which have bands of the twin (sigma 3)."""
    truth = polycrystal_map((240, 320), 110, "Ni", seed=4, step=0.5)
    grain, random = truth.properties["grain"], np.random.default_rng(1)
    y, x = np.indices(truth.shape)
    axis = np.full(3, 3**-0.5)
    twin = np.asarray(from_axis_angle(axis, 60.0))
    quaternions = truth.quaternions.copy()
    for number in np.unique(grain)[random.random(grain.max() + 1) < 0.67]:
        inside = grain == number
        here = truth.quaternions[inside][0]
        normal = np.asarray(rotate(conjugate(here), axis)).ravel()  # of the twin plane, in the map
        across = (normal[0] * x + normal[1] * y) / max(np.hypot(*normal[:2]), 1e-6)
        middle = across[inside].mean() + random.uniform(-4, 4)
        band = inside & (np.abs(across - middle) < random.uniform(2, 6))
        quaternions[band] = multiply(twin, here)
    return replace(truth, quaternions=quaternions, properties={})


def pictures_of_reconstructing(folder: Path) -> None:
    """Make a volume from a map of nickel: set up, noise, midway, the end, and its verdict."""
    nickel = polycrystal_map((200, 200), 780, "Ni", seed=6, step=0.5)
    with window(describe_map_layer(nickel, "Nickel")) as viewer:
        (dock,) = open_docks(viewer, ("Reconstruct",))
        config = ReconstructConfig(
            size=(32, 32, 32), window=9, evaluations=150, consolidate=True, time_limit=240
        )
        dock.form.set_config(config)
        settle(viewer, until=lambda: dock.outlook is not None and dock.outlook.total_seconds > 0)

        def picture(name: str) -> None:
            close_notifications()
            settle(viewer)
            shoot(viewer, folder / f"reconstruct_{name}.png")

        picture("setup")
        dock.panel.start_button.click()
        settle(viewer, until=lambda: dock.growing.made > 0, most=120)
        viewer.layers["Nickel IPF-Z"].visible = False  # it would stand in the volume
        picture("noise")
        settle(viewer, until=lambda: _on_last_grid(dock, 12), most=900)
        picture("middle")
        settle(viewer, until=lambda: not dock.bar.is_running, most=900)
        settle(viewer, until=lambda: not dock.judge.bar.is_running, most=300)
        picture("end")
        dock.judge.button.click()
        picture("verdict")


def _on_last_grid(dock: Any, evaluations: int) -> bool:
    """Say whether a run has come so far on its finest grid, or has ended."""
    last, grids = dock.curve.course.last, len(dock.outlook.grids)
    far = last is not None and last.grid == grids - 1 and last.evaluations >= evaluations
    return far or not dock.bar.is_running


def _short_training() -> TrainConfig:
    """Return the settings of the model that comes with the program, for five minutes."""
    config = TrainConfig.from_yaml(DOCS.parent / "resources" / "training" / "linio2.yaml")
    few = config.simulation.model_copy(update={"validation": 512})
    return config.model_copy(
        update={
            "simulation": few, "epochs": 100, "epoch_patterns": 16384, "validate_every": 1,
            "time_limit_s": 300.0,
        }
    )  # fmt: skip


def main() -> int:
    """Write the table of formats, then the pictures."""
    page = DOCS / "formats.md"
    before, _, rest = page.read_text(encoding="utf-8").partition(START)
    after = rest.partition(END)[2]
    page.write_text(before + START + formats_table() + END + after, encoding="utf-8")
    picture_of_indexing(DOCS / "images" / "index.png")
    picture_of_comparing(DOCS / "images" / "compare.png")
    picture_of_grains(DOCS / "images" / "grains.png")
    pictures_of_reconstructing(DOCS / "images")
    picture_of_training(DOCS / "images" / "train.png")
    return run_demo(screenshots=DOCS / "images", watch=print)


if __name__ == "__main__":
    sys.exit(main())
