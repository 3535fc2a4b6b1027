"""Does the texture become that of the reference? Its pole figure beside that of the field.

Densities are counted in a thread, and Qt draws them: Matplotlib would hold the window.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import QPointF, QRectF, QSize, Qt
from qtpy.QtGui import QColor, QImage, QPainter, QPen
from qtpy.QtWidgets import QCheckBox, QSizePolicy, QVBoxLayout, QWidget

from napari_orient.plugin.live import Live
from napari_orient.plugin.reconstruct.poles import family, pole_figure, some_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from napari_orient.data.maps import OrientationMap
    from napari_orient.plugin.reconstruct.pulse import Pulse

EVERY = 2.0  # s between two figures
HIGH, ABOVE, BELOW = 150, 18, 18  # px
LEVELS = 12  # bands of colour: their edges are contours
COLOURS = ("#2c2660", "#31688e", "#21918c", "#5ec962", "#fde725")
LEAST = 2.0  # mrd at which the scale ends, at least: noise is no texture


@dataclass(frozen=True, eq=False)
class Asked:
    """What is to be counted: of a field (what ``make`` returns), or of references."""

    phase: Any
    number: int
    make: Callable[[], tuple[Any, Any]] | None = None
    references: Sequence[OrientationMap] = ()


def count(asked: Asked) -> NDArray[np.float32]:
    """Return the pole figure that was asked for."""
    directions = family(asked.phase)
    if asked.make is not None:
        q, phases = asked.make()
        q = q[phases == asked.number] if phases is not None else q.reshape(-1, 4)
        return pole_figure(q, directions)
    found = []
    for one in asked.references:
        names = [n for n, phase in one.phases.items() if phase.name == asked.phase.name]
        q = one.quaternions[np.isin(one.phase_id, names) & one.indexed]
        found.append(q[some_of(len(q))])
    return pole_figure(np.concatenate(found), directions)


def coloured(mrd: NDArray[np.float32], top: float) -> QImage:
    """Return a density as a picture in bands of colour; transparent where it is NaN."""
    steps = np.linspace(0, len(COLOURS) - 1, LEVELS)
    ink = np.array([QColor(name).getRgb() for name in COLOURS], float)
    table = np.stack(
        [np.interp(steps, range(len(COLOURS)), column) for column in ink.T], axis=-1
    ).astype(np.uint8)
    inside = np.isfinite(mrd)
    level = np.clip(np.where(inside, mrd, 0) / top * LEVELS, 0, LEVELS - 1).astype(int)
    rgba = np.ascontiguousarray(table[level])
    rgba[~inside] = 0
    rows, columns = mrd.shape
    picture = QImage(rgba.tobytes(), columns, rows, 4 * columns, QImage.Format.Format_RGBA8888)
    return picture.copy()  # the bytes are Python's


class PoleDrawing(QWidget):
    """Two pole figures side by side."""

    def __init__(self) -> None:
        super().__init__()
        self.figures: dict[str, Any] = {}
        self.pole = ""
        self._pictures: dict[str, QImage] = {}
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.setMinimumSize(QSize(180, HIGH + ABOVE + BELOW))
        self.setToolTip(
            "Equal area, seen as the map: x right, y down. Counted from some of the points, and "
            "smoothed: the Grains & texture dock has it exactly"
        )

    @property
    def top(self) -> float:
        """Where the scale ends: at the highest density of the reference."""
        mrd = self.figures.get("Reference")
        return max(LEAST, float(np.nanmax(mrd))) if mrd is not None else LEAST

    def show_figures(self, figures: dict[str, Any], pole: str) -> None:
        """Draw these."""
        self.figures, self.pole = dict(figures), pole
        self._pictures = {name: coloured(mrd, self.top) for name, mrd in figures.items()}
        self.update()

    def paintEvent(self, event: Any) -> None:
        """Draw: Qt calls."""
        painter = QPainter(self)
        painter.setRenderHints(
            QPainter.RenderHint.Antialiasing | QPainter.RenderHint.SmoothPixmapTransform
        )
        font = self.font()
        font.setPixelSize(11)
        painter.setFont(font)
        ink = self.palette().windowText().color()
        half = self.width() / 2
        size = min(float(HIGH), half - 16)
        for n, name in enumerate(("Reference", "Field")):
            middle = half * (n + 0.5)
            disc = QRectF(middle - size / 2, ABOVE, size, size)
            if name in self._pictures:
                painter.drawImage(disc, self._pictures[name])
            painter.setPen(QPen(ink, 1))
            painter.drawEllipse(disc)
            title = QRectF(half * n, 0, half, ABOVE)
            words = f"{name} {self.pole}" + self._highest(name)
            painter.drawText(title, int(Qt.AlignmentFlag.AlignCenter), words)
            painter.drawText(QPointF(disc.right() + 2, disc.center().y() + 4), "x")
            painter.drawText(QPointF(middle - 3, disc.bottom() + 11), "y")
        painter.end()

    def _highest(self, name: str) -> str:
        mrd = self.figures.get(name)
        return "" if mrd is None else f", up to {float(np.nanmax(mrd)):.1f} mrd"


class PoleView(QWidget):
    """Keeps the pole figure of a field that grows beside that of its reference."""

    def __init__(self, owner: QWidget, pulse: Pulse) -> None:
        super().__init__()
        self._pulse = pulse
        self._phase: Any = None
        self._next: Asked | None = None
        self._last = 0.0
        self._new = False
        self._figures: dict[str, Any] = {}
        self.on = QCheckBox("Pole figures")
        self.on.setChecked(True)
        self.on.setToolTip("Count the poles of the field now and then, beside the reference's")
        self.on.toggled.connect(self._on_toggled)
        self.drawing = PoleDrawing()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        layout.addWidget(self.on)
        layout.addWidget(self.drawing)
        self._live = Live(count, owner, name="orient-pole-figure")
        self._live.answered.connect(self._on_counted)
        pulse.beat.connect(self._on_beat)
        self.hide()

    @property
    def is_idle(self) -> bool:
        """True if no figure is being made."""
        return self._live.is_idle and not self._new

    def begin(self, references: Sequence[OrientationMap], phases: dict[int, Any]) -> None:
        """Take up another run, whose field has these phases; the first one is shown."""
        self._live.forget()
        self._figures, self._next, self._last = {}, None, 0.0
        self._number, self._phase = next(iter(phases.items()))
        self._references = tuple(references)
        self.show()
        self._ask_reference()

    def _ask_reference(self) -> None:
        if self.on.isChecked() and self._phase is not None:
            self._live.request(Asked(self._phase, self._number, references=self._references))

    def look(self, make: Callable[[], tuple[Any, Any]]) -> None:
        """Count the poles of a field as it is now, but not too often."""
        if self._phase is not None:
            self._next = Asked(self._phase, self._number, make)
            self._ask()

    def look_at_once(self, make: Callable[[], tuple[Any, Any]]) -> None:
        """Count the poles of a field that the user wants to see."""
        if self._phase is not None:
            self._last = 0.0
            self._next = Asked(self._phase, self._number, make)
            self._ask()

    def finish(self, result: OrientationMap) -> None:
        """Count those of the result, at once."""
        self.look_at_once(lambda: (result.quaternions, result.phase_id))

    def _ask(self) -> None:
        waits = not self._live.is_idle or "Reference" not in self._figures
        if self._next is None or waits or not self.on.isChecked():
            return
        if time.perf_counter() - self._last < EVERY:
            return
        asked, self._next = self._next, None
        self._last = time.perf_counter()
        self._live.request(asked)

    def _on_counted(self, asked: Asked, mrd: Any) -> None:
        self._figures["Reference" if asked.make is None else "Field"] = mrd
        self._new = True
        self._pulse.request()
        self._ask()

    def _on_beat(self) -> None:
        if self._new:
            from napari_orient.analysis.texture.poles import default_poles

            self._new = False
            self.drawing.show_figures(self._figures, default_poles(self._phase)[0])

    def _on_toggled(self, on: bool) -> None:
        self.drawing.setVisible(on)
        if not on:
            return
        if "Reference" not in self._figures:
            self._ask_reference()
        self._ask()
