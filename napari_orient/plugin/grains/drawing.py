"""How does a figure get into the dock? Worked out and drawn in a thread, saved as it is printed."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np
from napari.utils.notifications import show_error
from qtpy.QtCore import QSize, Qt, QTimer, Signal
from qtpy.QtGui import QImage, QPixmap
from qtpy.QtWidgets import QLabel, QSizePolicy, QVBoxLayout, QWidget

from napari_orient.files import UnreadableFile
from napari_orient.plugin.calibrate.fields import words
from napari_orient.plugin.garbage import at_end
from napari_orient.plugin.live import Live
from napari_orient.plugin.load.prepare_panel import button
from napari_orient.plugin.paths import ask_where, file_name
from napari_orient.plugin.terms import in_terms

if TYPE_CHECKING:
    from collections.abc import Callable

    from matplotlib.figure import Figure

    from napari_orient.jobs import Job

PAUSE = 150  # ms between two pictures while a control is moved, at least
REST = 2.0  # times what the last picture took: matplotlib keeps Python from the window meanwhile
LONG = 400  # ms after which it is said that something is worked out
KINDS = "PNG (*.png);;SVG (*.svg);;PDF (*.pdf);;Numbers (*.csv)"


class Style(NamedTuple):
    """How a figure is drawn for the screen: colour of letters, size in px, pixels per inch."""

    ink: str
    width: float
    height: float
    dpi: float


class Drawing(Protocol):
    """Something that can be drawn for the screen, and written as figure or numbers."""

    name: str

    def draw(self, style: Style) -> Figure:
        """Return it for the screen."""

    def save(self, path: str) -> None:
        """Write it as .png, .svg, .pdf or .csv."""


@dataclass(eq=False)
class _Wish:
    """A drawing to be made, or one that is to be drawn again at another size."""

    make: Callable[[], Job[Drawing]]
    known: Drawing | None
    style: Style
    dropped: bool = False  # a newer one was asked for


class FigurePanel(QWidget):
    """One figure; ``drawn(drawing)`` tells that it is shown."""

    drawn = Signal(object)

    def __init__(self, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.drawing: Drawing | None = None
        self._make: Callable[[], Job[Drawing]] | None = None
        self._wish: _Wish | None = None
        self._active = False
        self._live = Live(_draw, self, name=name)
        self._live.answered.connect(self._show)
        self._live.failed.connect(self._on_failed)
        at_end(self, self._drop)
        self._pause, self._patience = _timer(self, PAUSE), _timer(self, LONG)
        self._pause.timeout.connect(self._ask_thread)
        self._patience.timeout.connect(lambda: self._say("Working …"))
        self.picture = QLabel()
        top = Qt.AlignmentFlag.AlignTop | Qt.AlignmentFlag.AlignHCenter
        self.picture.setAlignment(top)
        self.picture.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Ignored)
        self.picture.setMinimumSize(QSize(180, 220))
        self.said = words()
        self.said.hide()
        self.save_button = button(
            "Save …", "Save this figure as PNG, SVG or PDF, or its numbers as CSV", self.ask
        )
        self.save_button.setEnabled(False)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        layout.addWidget(self.said)
        layout.addWidget(self.picture, 1)

    # --- what is drawn -----------------------------------------------------------------------

    def request(self, make: Callable[[], Job[Drawing]] | None, why: str = "") -> None:
        """Make this drawing soon, when it can be seen; none, and say why."""
        self._make, self.drawing = make, None
        self._drop()
        self._live.forget()
        self._patience.stop()
        self.save_button.setEnabled(False)
        if make is None:
            self.picture.clear()
        self._say(why)
        self.refresh()

    def refresh(self, *_: Any) -> None:
        """Draw again soon."""
        if self._make is not None and not self._pause.isActive():
            self._pause.start()

    def set_active(self, on: bool) -> None:
        """Draw, or wait until the dock is in front again."""
        self._active = on
        self.refresh()

    def _drop(self) -> None:
        if self._wish is not None:
            self._wish.dropped = True

    def _ask_thread(self) -> None:
        """Ask for the picture, where it can be seen."""
        if self._make is None or not (self._active and self.isVisible()):
            return
        ratio = self.devicePixelRatioF()
        style = Style(
            self.palette().windowText().color().name(),
            max(self.picture.width(), 180) * ratio,
            max(self.picture.height(), 160) * ratio,
            96 * ratio,
        )
        if self.drawing is None:
            self._drop()
            self._patience.start()
        self._wish = _Wish(self._make, self.drawing, style)
        self._live.request(self._wish)

    def _show(self, wish: _Wish, answer: tuple[Drawing, Any, float] | None) -> None:
        if wish.make is not self._make or answer is None:
            return
        self._patience.stop()
        self._say("")
        self.drawing, rgba, seconds = answer
        self._pause.setInterval(max(PAUSE, round(1000 * REST * min(seconds, 1.0))))
        height, width = rgba.shape[:2]
        image = QImage(rgba.tobytes(), width, height, 4 * width, QImage.Format.Format_RGBA8888)
        image.setDevicePixelRatio(self.devicePixelRatioF())
        self.picture.setPixmap(QPixmap.fromImage(image))
        self.save_button.setEnabled(True)
        self.drawn.emit(self.drawing)

    def _on_failed(self, wish: _Wish, error: Exception) -> None:
        if wish.make is self._make:
            self._patience.stop()
            self.picture.clear()
            said = in_terms(error)
            self._say(said[:1].upper() + said[1:])

    def _say(self, text: str) -> None:
        self.said.setText(text)
        self.said.setVisible(bool(text))

    # --- out ---------------------------------------------------------------------------------

    def ask(self) -> None:
        """Ask where, and save the figure."""
        if self.drawing is None:
            return
        name = f"{file_name(self.drawing.name)}.png"
        if path := ask_where(self, name, KINDS, "Save the figure"):
            self.save(path)

    def save(self, path: str) -> None:
        """Write the figure that is shown."""
        if self.drawing is None:
            return
        try:
            self.drawing.save(path)
        except (UnreadableFile, ValueError) as error:
            show_error(str(error))

    def resizeEvent(self, event: Any) -> None:
        """Use the room: Qt calls."""
        super().resizeEvent(event)
        self.refresh()

    def showEvent(self, event: Any) -> None:
        """Draw what changed while nobody looked: Qt calls."""
        super().showEvent(event)
        self.refresh()


def _timer(owner: QWidget, interval: int) -> QTimer:
    timer = QTimer(owner)
    timer.setSingleShot(True)
    timer.setInterval(interval)
    return timer


def _draw(wish: _Wish) -> tuple[Drawing, Any, float] | None:
    """Return a drawing, its picture, and the seconds that took; None where it was overtaken."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    drawing = wish.known
    if drawing is None:
        job = wish.make()
        try:
            while not wish.dropped:
                next(job)
            return None
        except StopIteration as end:
            drawing = end.value
        finally:
            job.close()
    assert drawing is not None
    start = time.perf_counter()
    canvas: Any = FigureCanvasAgg(drawing.draw(wish.style))
    canvas.draw()
    picture = np.asarray(canvas.buffer_rgba()).copy()
    return drawing, picture, time.perf_counter() - start
