"""How does a table leave the window? Copied for a spreadsheet, or saved as .csv."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Any

from napari.utils.notifications import show_error
from qtpy.QtWidgets import QApplication, QWidget

from napari_orient.data.images import cannot_write
from napari_orient.files import replace_atomically
from napari_orient.plugin.load.prepare_panel import button
from napari_orient.plugin.paths import ask_where

if TYPE_CHECKING:
    from collections.abc import Iterable

    from qtpy.QtWidgets import QPushButton


class TableOut(QWidget):
    """A page with a table; who inherits says what is written, and the name of the file."""

    file_name, title = "table.csv", "Save the table"

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.copy_button: QPushButton = button(
            "Copy", "Copy the table, for a spreadsheet", self.copy
        )
        self.save_button: QPushButton = button(
            "Save CSV …", "Save the table with all digits", self.ask_save
        )

    def about_lines(self) -> Iterable[str]:
        """Return what the table is about, to be written above it."""
        raise NotImplementedError

    def rows(self) -> Iterable[Iterable[Any]]:
        """Return the rows with all digits, heads first."""
        raise NotImplementedError

    def text(self, delimiter: str) -> str:
        """Return the table with all digits, and what it is about above it."""
        made = io.StringIO()
        # no cells: a quote before the # would hide the comment from programs that read it
        made.writelines(f"# {line}\n" for line in self.about_lines())
        csv.writer(made, delimiter=delimiter, lineterminator="\n").writerows(self.rows())
        return made.getvalue()

    def copy(self) -> None:
        """Put the table on the clipboard."""
        QApplication.clipboard().setText(self.text("\t"))

    def ask_save(self) -> None:
        """Ask where, and save the table."""
        if path := ask_where(self, self.file_name, "CSV (*.csv)", self.title):
            self.save(path)

    def save(self, path: str) -> None:
        """Write the table as .csv, all or nothing."""
        try:
            with replace_atomically(path) as temporary:
                temporary.write_text(self.text(","), encoding="utf-8")
        except OSError as error:
            show_error(str(cannot_write(path, error)))
