"""Where is asked how frames are arranged? Before a stack is opened, and for an open scan.

:class:`ArrangeDialog` asks for a file that only counts its frames, :class:`ArrangePanel` arranges
the frames of the active scan anew.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QLabel, QVBoxLayout, QWidget

from napari_orient.data.arrangement import (
    Arrangement,
    arrangement_in,
    frames_of,
    rearranged,
)
from napari_orient.data.formats import header_span, open_stack
from napari_orient.files import UnreadableFile, split_inside
from napari_orient.jobs import Progress
from napari_orient.plugin.load.arrange_form import ArrangeForm
from napari_orient.plugin.load.prepare_panel import button
from napari_orient.plugin.questions import Question
from napari_orient.plugin.worker import JobBar

if TYPE_CHECKING:
    from napari_orient.data.scan import Scan
    from napari_orient.jobs import Job

ONLY = "Only the frames of the scan as it is can be arranged:"


class ArrangeDialog(Question):
    """Asks how the frames of a file are arranged; Enter opens, Escape cancels.

    Parameters
    ----------
    name
        Of the file.
    stack
        All its frames, from :func:`napari_orient.data.formats.open_stack`.
    span
        First frame and number of those that its headers mark, (0, 0) if they do not.
    """

    def __init__(
        self, name: str, stack: Scan, span: tuple[int, int] = (0, 0), parent: QWidget | None = None
    ) -> None:
        self.form = ArrangeForm(wide=True)
        frames = frames_of(stack.data)
        text = (
            f"<b>{name}</b> counts {len(frames)} patterns and does not say how they are arranged. "
            "In the right picture, edges go on from line to line."
        )
        super().__init__("How is the scan arranged?", text, self.form, parent)
        self.form.changed.connect(self._on_changed)
        self.finished.connect(lambda _: self.form.stop())
        self.form.set_stack(frames, span)
        self.form.rows.setFocus()
        self.resize(840, 620)

    @property
    def chosen(self) -> Arrangement | None:
        """The arrangement."""
        return self.form.arrangement()

    def _on_changed(self) -> None:
        self.open.setEnabled(self.form.arrangement() is not None)


class ArrangePanel(QWidget):
    """Arranges the frames of an open scan anew; emits ``asked(old scan, new scan)``."""

    asked = Signal(object, object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._scan: Scan | None = None
        self._stack: Scan | None = None
        self.begin = button(
            "Look at the frames",
            "Read all frames once, at a part of their pixels, and propose arrangements",
            self._look,
        )
        said = QLabel(
            "Rows and columns wrong, a snake scan, flyback frames? Arrange the frames anew; the "
            "file is not changed."
        )
        said.setWordWrap(True)
        self.bar = JobBar()
        self.source = QLabel()
        self.source.setWordWrap(True)
        self.form = ArrangeForm(wide=False)
        self.form.changed.connect(self._on_changed)
        self.apply = button("Rearrange", "Let the scan be arranged like this", self._ask)
        layout = QVBoxLayout(self)
        for widget in (said, self.begin, self.bar, self.source, self.form, self.apply):
            layout.addWidget(widget)
        layout.addStretch(1)
        self._forget()

    def show_scan(self, scan: Scan | None) -> None:
        """Offer another scan; the same one, calibrated anew, changes nothing."""
        same = scan is not None and self._scan is not None and scan.data is self._scan.data
        self._scan = scan
        if not same:
            self._forget()

    def _forget(self) -> None:
        self.bar.cancel()
        self.form.stop()
        self._stack = None
        for widget in (self.source, self.form, self.apply):
            widget.hide()
        self.begin.setEnabled(True)
        self.begin.show()

    def _look(self) -> None:
        if self._scan is None:
            return
        self.begin.setEnabled(False)
        self.bar.run(
            whole_stack(self._scan),
            text="Opening all frames of the file",
            on_result=partial(self._on_stack, self._scan.data),
            on_end=partial(self.begin.setEnabled, True),
        )

    def _on_stack(self, data: Any, found: tuple[Scan | None, tuple[int, int], str]) -> None:
        if self._scan is None or self._scan.data is not data:
            return  # another scan by now
        self._stack, span, why = found
        source = self._scan if self._stack is None else self._stack
        self.source.setText(why)
        self.source.setVisible(bool(why))
        self.begin.hide()
        self.form.show()
        self.apply.show()
        self.form.set_stack(frames_of(source.data), span)

    def _on_changed(self) -> None:
        self.apply.setEnabled(self.form.arrangement() is not None)

    def _ask(self) -> None:
        made = self.form.arrangement()
        if self._scan is not None and made is not None:
            self.asked.emit(self._scan, rearranged(self._scan, made, self._stack))


def whole_stack(scan: Scan) -> Job[tuple[Scan | None, tuple[int, int], str]]:
    """Open all frames of a scan's file, also those that are left out now: a job.

    Returns the frames, the span that the file marks, and no words; or None, (0, 0), and in words
    why there are only the frames of the scan as it is.
    """
    yield Progress(0, 0, "opening")
    prepared = [words for words in scan.history if arrangement_in(words) is None]
    path, _ = split_inside(scan.source)
    if prepared:
        return None, (0, 0), f"{ONLY} the scan has been prepared ({prepared[-1]})."
    if not scan.source:
        return None, (0, 0), f"{ONLY} the scan comes from no file."
    try:
        stack = open_stack(scan.source)
        if (stack.pattern_shape, stack.dtype) == (scan.pattern_shape, scan.dtype):
            return stack, header_span(scan.source), ""
        stack.close()
    except UnreadableFile as error:
        return None, (0, 0), f"{ONLY} {path.name} {error.problem}."
    return None, (0, 0), f"{ONLY} {path.name} holds other patterns now."
