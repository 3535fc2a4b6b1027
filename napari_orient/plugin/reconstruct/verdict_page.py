"""How is a verdict read in the window? Its words, its table, and the figures as wide as it is."""

from __future__ import annotations

import html
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.utils.notifications import show_info
from qtpy.QtCore import QRect, QSize, Qt
from qtpy.QtGui import QImage, QPainter
from qtpy.QtWidgets import QSizePolicy, QVBoxLayout, QWidget

from napari_orient.files import UnreadableFile
from napari_orient.plugin.index.rows import Said
from napari_orient.plugin.load.prepare_panel import button
from napari_orient.plugin.paths import ask_where, file_name
from napari_orient.plugin.reconstruct.judging import save_page

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_orient.plugin.reconstruct.judging import Judged, Line

GREEN, RED, AMBER, GREY = "#37b24d", "#f0625c", "#e0a030", "#868e96"
"""Readable on dark and light windows; those of the printed page are for paper."""
KINDS = "Page: HTML, with PDF and CSV beside it (*.html);;PDF (*.pdf);;Table (*.csv)"
NOTHING = "Nothing is judged yet: make a field, then press Is it representative?"
HEADS = ("", "reference", "result", "difference (95 %)")
NARROW = 300  # px: smaller figures than that are under each other
GAP = 6  # px


def answer_colour(representative: bool | None) -> str:
    """Return the colour of a verdict."""
    return AMBER if representative is None else GREEN if representative else RED


def headline(judged: Judged) -> str:
    """Return a verdict in a sentence, as rich text."""
    colour = answer_colour(judged.representative)
    return f'<b style="color:{colour}">{judged.word}.</b> {html.escape(judged.rest)}'


def table(lines: Sequence[Line]) -> str:
    """Return the rows as rich text: numbers, and the verdict of each under them."""
    heads = "".join(f"<td><i>{name}</i></td>" for name in HEADS)
    return (
        '<table cellspacing="0" cellpadding="2" width="100%">'
        f"<tr>{heads}</tr>{''.join(map(_rows, lines))}</table>"
    )


def _rows(line: Line) -> str:
    name, reference, result, change, p, verdict = map(html.escape, line.cells)
    colour = GREY if line.differs is None else RED if line.differs else GREEN
    chance = f" (p {p if p.startswith('&lt;') else f'= {p}'})" if p else ""
    cells = "".join(f"<td>{one}</td>" for one in (f"<b>{name}</b>", reference, result, change))
    words = f'<span style="color:{colour}">{verdict}</span>{chance}'
    about = f'<span style="color:{GREY}">{html.escape(line.measure)}: </span>'
    return f'<tr>{cells}</tr><tr><td colspan="4">{about}{words}<br></td></tr>'


class Pictures(QWidget):
    """Pictures as wide as there is room; small ones beside each other.

    They are fitted when they are first seen: all at once would hold the window.
    """

    def __init__(self, pictures: Sequence[Any]) -> None:
        super().__init__()
        self._arrays = [np.ascontiguousarray(one) for one in pictures]  # Qt looks into them
        self._images = [_image(one) for one in self._arrays]
        self._fitted: dict[int, QImage] = {}
        how = QSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        how.setHeightForWidth(True)
        self.setSizePolicy(how)

    def places(self, width: int) -> list[QRect]:
        """Return where each picture is."""
        small = len(self._images) > 1 and self._images[0].width() < 1.6 * self._images[0].height()
        columns = max(1, min(len(self._images), width // NARROW)) if small else 1
        each = (width - GAP * (columns - 1)) // columns
        found, top, below = [], 0, 0
        for number, image in enumerate(self._images):
            column = number % columns
            if not column:
                top = below
            high = max(1, round(each * image.height() / image.width()))
            found.append(QRect(column * (each + GAP), top, each, high))
            below = max(below, top + high + GAP)
        return found

    def hasHeightForWidth(self) -> bool:
        """Say that they are the higher the wider: Qt calls."""
        return True

    def heightForWidth(self, width: int) -> int:
        """Return how high they are: Qt calls."""
        return max((place.bottom() + 1 for place in self.places(width)), default=0)

    def sizeHint(self) -> QSize:
        """Return the room that they need: Qt calls."""
        width = max(self.width(), NARROW)
        return QSize(width, self.heightForWidth(width))

    def paintEvent(self, event: Any) -> None:
        """Draw those that are seen: Qt calls."""
        painter = QPainter(self)
        ratio = self.devicePixelRatioF()
        for number, place in enumerate(self.places(self.width())):
            if place.intersects(event.rect()):
                painter.drawImage(place, self._fit(number, place.size() * ratio))
        painter.end()

    def _fit(self, number: int, size: QSize) -> QImage:
        known = self._fitted.get(number)
        if known is None or known.size() != size:
            smooth = Qt.TransformationMode.SmoothTransformation
            whole = Qt.AspectRatioMode.IgnoreAspectRatio
            known = self._fitted[number] = self._images[number].scaled(size, whole, smooth)
        return known


def _image(rgba: Any) -> QImage:
    height, width = rgba.shape[:2]
    return QImage(rgba.data, width, height, 4 * width, QImage.Format.Format_RGBA8888)


class VerdictPage(QWidget):
    """Shows a verdict, and saves it as a page."""

    def __init__(self) -> None:
        super().__init__()
        self.judged: Judged | None = None
        self.name = ""
        self.said, self.table, self.facts, self.saved = Said(), Said(), Said(), Said()
        for label in (self.said, self.table):
            label.setTextFormat(Qt.TextFormat.RichText)
        self.save_button = button(
            "Save page …", "Write verdict, table and figures: HTML, PDF and CSV", self.save
        )
        self.figures: list[Pictures] = []
        self._below = QVBoxLayout()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        for widget in (self.said, self.save_button, self.saved, self.table):
            layout.addWidget(widget)
        layout.addLayout(self._below)
        layout.addWidget(self.facts)
        self.show_verdict(None, "")

    def show_verdict(self, judged: Judged | None, name: str) -> None:
        """Show a verdict on what has this name; None shows that there is none."""
        self.judged, self.name = judged, name
        self._clear()
        self.saved.clear()
        self.save_button.setVisible(judged is not None)
        self.said.setText(headline(judged) if judged is not None else NOTHING)
        self.table.setText(table(judged.lines) if judged is not None else "")
        facts = judged.facts if judged is not None else ()
        self.facts.setText("<br>".join(map(html.escape, facts)))
        for shown in judged.figures if judged is not None else ():
            words = Said()
            words.setText(f"<b>{html.escape(shown.title)}</b><br>{html.escape(shown.words)}")
            pictures = Pictures(shown.pictures)
            self.figures.append(pictures)
            self._below.addWidget(words)
            self._below.addWidget(pictures)

    def _clear(self) -> None:
        self.figures = []
        while (item := self._below.takeAt(0)) is not None:
            if (widget := item.widget()) is not None:
                widget.deleteLater()

    def save(self) -> None:
        """Ask where, and write the page there."""
        judged = self.judged
        if judged is None:
            return
        path = ask_where(self, f"{file_name(self.name)}.html", KINDS, "Save the verdict as")
        if path:
            self.write(Path(path))

    def write(self, path: Path) -> None:
        """Write the page, and say where it is or why it is not."""
        if self.judged is None:
            return
        try:
            made = save_page(self.judged, path)
        except UnreadableFile as error:
            self.saved.setText(f'<span style="color:{RED}">{html.escape(str(error))}</span>')
            return
        names = ", ".join(one.name for one in made)
        self.saved.setText(f"{names} in {path.parent}.")
        show_info(f"The verdict is written: {names}.")
