"""Where is asked how frames are arranged? Before a stack is opened, and for an open scan.

:class:`ArrangeDialog` asks for a file that only counts its frames, :class:`ArrangePanel` arranges
the frames of the active scan anew.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QLabel, QVBoxLayout, QWidget

from napari_orient.data.arrangement import (
    Arrangement,
    arrangement_in,
    frames_of,
    rearranged,
)
from napari_orient.plugin.arrange_form import ArrangeForm
from napari_orient.plugin.prepare_panel import button
from napari_orient.plugin.questions import Question

if TYPE_CHECKING:
    from napari_orient.data.scan import Scan


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
        self.resize(800, 560)

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
        self.form = ArrangeForm(wide=False)
        self.form.changed.connect(self._on_changed)
        self.apply = button("Rearrange", "Let the scan be arranged like this", self._ask)
        layout = QVBoxLayout(self)
        for widget in (said, self.begin, self.form, self.apply):
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
        self.form.stop()
        self._stack = None
        self.form.hide()
        self.apply.hide()
        self.begin.show()

    def _look(self) -> None:
        if self._scan is None:
            return
        self._stack, span = whole_stack(self._scan)
        source = self._scan if self._stack is None else self._stack
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


def whole_stack(scan: Scan) -> tuple[Scan | None, tuple[int, int]]:
    """Open all frames of a scan's file, also those that are left out now, and read what it marks.

    None where the scan was prepared since, or there is no such file: then there are the frames of
    the scan as it is.
    """
    from napari_orient.data.formats import header_span, open_stack
    from napari_orient.files import UnreadableFile, split_inside

    prepared = any(arrangement_in(words) is None for words in scan.history)
    path, _ = split_inside(scan.source)
    if prepared or not scan.source or not Path(path).exists():
        return None, (0, 0)
    try:
        stack = open_stack(scan.source)
        if (stack.pattern_shape, stack.dtype) == (scan.pattern_shape, scan.dtype):
            return stack, header_span(scan.source)
        stack.close()
    except UnreadableFile:
        pass
    return None, (0, 0)
