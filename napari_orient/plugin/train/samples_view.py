"""Do simulated patterns look like those of the scan? Some of both, as the network sees them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QHBoxLayout, QLabel, QVBoxLayout, QWidget

from napari_orient.plugin.index.rows import Said
from napari_orient.plugin.live import Live
from napari_orient.plugin.load.prepare_panel import button
from napari_orient.plugin.terms import in_terms
from napari_orient.plugin.train.picture import Picture

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_orient.data.scan import Scan
    from napari_orient.learning.config import InputConfig, SimulationConfig

SETTLED = 400  # ms without a change, after which patterns are simulated
ROWS, COLUMNS = 3, 4  # the first column is the scan's
GAP = 2  # px between patterns
INK = (255, 146, 43)  # frame of the scan's patterns


@dataclass(frozen=True, eq=False)
class Wish:
    """Patterns that are asked for."""

    config: SimulationConfig
    input: InputConfig
    scan: Scan | None
    shown: tuple[int, int] | None
    seed: int = 0


@dataclass(frozen=True, eq=False)
class Samples:
    """What came.

    Attributes
    ----------
    simulated, measured
        (9, size, size) and (3, size, size) in [0, 1]; the latter None without a scan that can be
        put to scale.
    positions
        (3, 2) of the scan's.
    remark
        Why there are none of the scan.
    """

    simulated: NDArray[np.float32]
    measured: NDArray[np.float32] | None
    positions: NDArray[np.int64]
    remark: str


class SamplesView(QWidget):
    """Nine simulated patterns beside three of the scan."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.samples: Samples | None = None
        self._wish: Wish | None = None
        self._seed = 0
        self._active = False
        self._live = Live(_made, self, name="orient-train-samples")
        self._live.answered.connect(self._on_made)
        self._live.failed.connect(self._on_failed)
        self._wait = QTimer(self)
        self._wait.setSingleShot(True)
        self._wait.setInterval(SETTLED)
        self._wait.timeout.connect(self._ask)
        self.picture = Picture(230)
        self.left, self.right, self.said = QLabel("the scan"), QLabel("simulated"), Said()
        self.again = button("Others", "Simulate nine others", self._on_again)
        head = QHBoxLayout()
        head.addWidget(self.left, 1)
        head.addWidget(self.right, 2)
        head.addWidget(self.again, 1)
        self.left.setStyleSheet("color: rgb({}, {}, {})".format(*INK))
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 4, 0, 0)
        layout.setSpacing(2)
        layout.addLayout(head)
        layout.addWidget(self.picture)
        layout.addWidget(self.said)
        self.picture.resized.connect(self._on_resized)

    def look_at(
        self,
        config: SimulationConfig | None,
        seen: InputConfig | None,
        scan: Scan | None,
        shown: tuple[int, int] | None,
        why: str = "",
    ) -> None:
        """Show patterns of these settings; None shows why there are none."""
        if config is None or seen is None:
            self._wish, self.samples = None, None
            self._live.forget()
            self.picture.clear()
            self.said.setText(why)
            return
        self._wish = Wish(config, seen, scan, shown)
        if self._active:
            self._wait.start()

    def set_active(self, on: bool) -> None:
        """Simulate, or wait until somebody looks."""
        self._active = on
        if on:
            self._wait.start()

    def _on_again(self) -> None:
        self._seed += 1
        self._ask()

    def _on_resized(self) -> None:
        # rows and columns are squares: the height follows the width
        wanted = round(self.picture.width() * ROWS / COLUMNS)
        if self.picture.minimumHeight() != wanted:
            self.picture.setFixedHeight(wanted)
        self._draw()

    def _ask(self) -> None:
        if self._active and self._wish is not None:
            self._live.request(replace(self._wish, seed=self._seed))

    def _on_made(self, wish: Wish, samples: Samples) -> None:
        self.samples = samples
        self.said.setText(in_terms(samples.remark))
        self.left.setText("no scan" if samples.measured is None else "the scan")
        self._draw()

    def _on_failed(self, wish: Wish, error: Exception) -> None:
        self.picture.clear()
        self.said.setText(in_terms(error))

    def _draw(self) -> None:
        if self.samples is not None:
            width = round(self.picture.width() * self.devicePixelRatioF())
            self.picture.show_rgba(tiled(self.samples, width))


def tiled(samples: Samples, width: int) -> NDArray[np.uint8]:
    """Return the patterns as one picture of about this width, the scan's in the first column."""
    tile = max(16, width // COLUMNS - GAP)
    size = samples.simulated.shape[1]
    # nearest pixels: a network sees no smooth picture either
    index = (np.arange(tile) * size) // tile
    side = tile + GAP
    picture = np.zeros((ROWS * side, COLUMNS * side, 4), np.uint8)
    for row in range(ROWS):
        for column in range(COLUMNS):
            if column == 0 and samples.measured is None:
                continue
            image = (
                samples.simulated[row * (COLUMNS - 1) + column - 1]
                if column
                else samples.measured[row]  # type: ignore[index]
            )
            top, left = row * side, column * side
            if column == 0:
                picture[top : top + side, left : left + side] = (*INK, 255)
            shown = np.rint(255 * image[np.ix_(index, index)]).astype(np.uint8)
            picture[top : top + tile, left : left + tile] = np.dstack(
                [shown, shown, shown, np.full_like(shown, 255)]
            )
    return picture


def _made(wish: Wish) -> Samples:
    """Simulate nine patterns, and read three."""
    import torch

    from napari_orient.learning.simulated import PatternSource

    source = PatternSource(wish.config, wish.input)
    random = torch.Generator().manual_seed(wish.seed)
    simulated = source.draw(ROWS * (COLUMNS - 1), random)[0].numpy()
    measured, positions, remark = _measured(wish)
    return Samples(simulated, measured, positions, remark)


def _measured(wish: Wish) -> tuple[Any, NDArray[np.int64], str]:
    from napari_orient.learning.patterns import network_images

    none = np.zeros((0, 2), np.int64)
    scan = wish.scan
    if scan is None:
        return None, none, "Open a scan to see whether its patterns look like these."
    rows, columns = scan.scan_shape
    y, x = wish.shown if wish.shown is not None else (rows // 2, columns // 2)
    places = [(y, x), (rows // 4, columns // 3), (3 * rows // 4, 2 * columns // 3)]
    places = [(min(y, rows - 1), min(x, columns - 1)) for y, x in places]
    patterns = np.stack([np.asarray(scan.data[y, x]) for y, x in places])
    positions = np.array(places)
    try:
        images = network_images(patterns, wish.input, scan.calibration, positions)
    except ValueError as error:
        words = str(error)
        return None, none, f"The patterns of the scan cannot be put to scale: {words}"
    return images, positions, ""
