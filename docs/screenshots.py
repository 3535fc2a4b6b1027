"""Make the pictures and the table of formats of the documentation: `make docs`.

Every picture is the real window, driven as in the demo.
"""

from __future__ import annotations

import contextlib
import sys
import tempfile
from pathlib import Path

from qtpy.QtCore import Qt

from napari_orient.data.formats import FORMATS
from napari_orient.diffraction.matching.config import IndexConfig
from napari_orient.diffraction.matching.index import index_scan
from napari_orient.jobs import run
from napari_orient.learning.config import TrainConfig
from napari_orient.plugin.demo import PLUGIN, SIZE, close_notifications, run_demo, settle
from napari_orient.plugin.scan_layers import describe_map_layer, describe_scan_layer
from napari_orient.samples import sped_scan

DOCS = Path(__file__).parent
START, END = "<!-- formats -->\n", "<!-- end of formats -->\n"


def formats_table() -> str:
    """Return the table of scan formats in Markdown."""
    rows = [f"| `{f.suffix}` | {f.name} | {f.access} | {f.tested} |\n" for f in FORMATS]
    return "| file | what | read through | tested with |\n|---|---|---|---|\n" + "".join(rows)


def picture_of_indexing(path: Path) -> None:
    """Index the small sample, and picture the window while the map grows."""
    import napari

    scan, _ = run(sped_scan("small"))
    viewer = napari.Viewer(show=True)
    try:
        viewer.window.resize(*SIZE)
        data, settings, _ = describe_scan_layer(scan)
        viewer.add_image(data, **settings)
        docks = {
            name: viewer.window.add_plugin_dock_widget(PLUGIN, name)
            for name in ("Pattern", "Index")
        }
        index = docks["Index"][1]
        pair = [dock for dock, _ in docks.values()]
        viewer.window._qt_window.resizeDocks(pair, [400, 500], Qt.Orientation.Vertical)
        index.session.shown = (52, 40)
        settle(viewer, until=lambda: index.preview.answer is not None)
        index.tabs.setCurrentWidget(index.tabs.widget(2))
        close_notifications()
        index.start_button.click()
        settle(viewer, until=lambda: index.panel.fraction_done > 0.55)
        close_notifications()
        viewer.screenshot(str(path), canvas_only=False, flash=False)
        index.bar.cancel()
        settle(viewer, until=lambda: not index.bar.is_running)
    finally:
        viewer.close()


def picture_of_comparing(path: Path) -> None:
    """Index part of the small sample, compare it with the truth, and picture one point."""
    import napari

    scan, truth = run(sped_scan("small"))
    found = run(index_scan(scan, IndexConfig(phases=("LiNiO2",), thickness_nm=15)))
    viewer = napari.Viewer(show=True)
    try:
        viewer.window.resize(*SIZE)
        data, settings, _ = describe_scan_layer(scan)
        viewer.add_image(data, **settings)
        for name, orientations in (("Truth", truth), ("Matched", found)):
            data, settings, _ = describe_map_layer(orientations, name)
            viewer.add_image(data, **settings)
        docks = {
            name: viewer.window.add_plugin_dock_widget(PLUGIN, name)
            for name in ("Pattern", "Compare")
        }
        compare = docks["Compare"][1]
        pair = [dock for dock, _ in docks.values()]
        viewer.window._qt_window.resizeDocks(pair, [330, 570], Qt.Orientation.Vertical)
        compare.reference.choose(truth)
        compare.other.choose(found)
        compare.compare()
        settle(viewer, until=lambda: compare.seen is not None)
        close_notifications()
        settle(viewer)
        viewer.screenshot(str(path), canvas_only=False, flash=False)
    finally:
        viewer.close()


def picture_of_training(path: Path) -> None:
    """Train the network that comes with the program for five minutes, and picture the end."""
    import napari

    scan, truth = run(sped_scan("small"))
    viewer = napari.Viewer(show=True)
    try:
        viewer.window.resize(*SIZE)
        data, settings, _ = describe_scan_layer(scan)
        viewer.add_image(data, **settings)
        data, settings, _ = describe_map_layer(truth, "LiNiO2, exact")
        viewer.add_image(data, **settings)
        _, train = viewer.window.add_plugin_dock_widget(PLUGIN, "Train")
        train.form.set_config(_short_training())
        with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
            train.panel.choose("LiNiO2-model")  # a path of this computer is nobody's business
            close_notifications()
            train.panel.start_button.click()
            settle(viewer, until=lambda: not train.bar.is_running, most=900)
            settle(viewer, until=lambda: not train.preview.bar.is_running, most=120)
            close_notifications()
            settle(viewer)
            viewer.screenshot(str(path), canvas_only=False, flash=False)
    finally:
        viewer.close()


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
    picture_of_training(DOCS / "images" / "train.png")
    return run_demo(screenshots=DOCS / "images", watch=print)


if __name__ == "__main__":
    sys.exit(main())
