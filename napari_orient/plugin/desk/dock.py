"""How is the work kept? The Desk dock: sessions, figures, pictures as files."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from napari.utils.notifications import show_info, show_warning
from qtpy.QtCore import QEvent, Qt
from qtpy.QtGui import QKeySequence
from qtpy.QtWidgets import (
    QCheckBox,
    QFileDialog,
    QGroupBox,
    QHBoxLayout,
    QLabel,
    QVBoxLayout,
    QWidget,
)

from napari_orient.crystal.figure import SUFFIXES
from napari_orient.data.desk.file import Saved, must_embed, save_desk
from napari_orient.plugin.desk.session import (
    keep_desk,
    open_session,
    remember,
    remembered,
    scans_of,
)
from napari_orient.plugin.figure.dialog import Choice, FigureDialog
from napari_orient.plugin.figure.save import (
    pictures_of_counts,
    save_tiffs,
    save_with_data,
    shown_by,
    tiff_names,
)
from napari_orient.plugin.load.prepare_panel import button
from napari_orient.plugin.paths import ask_where, file_name
from napari_orient.plugin.questions import ask, consent, in_words
from napari_orient.plugin.sessions import Dock, follow
from napari_orient.plugin.view import scrolling
from napari_orient.plugin.worker import JobBar

LARGE = 2_000_000_000  # bytes of scans that are put into a session without asking
KINDS = "Session (*.orient)"
FIGURES = "PNG (*.png);;SVG (*.svg);;PDF (*.pdf)"


class DeskDock(Dock):
    """The Desk dock of one viewer."""

    def __init__(self, napari_viewer: Any) -> None:
        super().__init__(napari_viewer)
        self._build()
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        layers = self.viewer.layers.events
        for emitter in (layers.inserted, layers.removed, self.session.events.scan):
            follow(self, emitter, self._on_change)
        self.refresh()

    # --- building --------------------------------------------------------------------------------

    def _build(self) -> None:
        self.last = _text()
        self.last.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.save = button(
            "Save", "Save this desk: layers, calibration, detectors, masks, colours (Ctrl+S)",
            self.save_session,
        )  # fmt: skip
        self.save_as = button("Save as …", "Save this desk in another file", self.save_session_as)
        self.open = button("Open …", "Lay out a saved desk in this window (Ctrl+O)", self._open)
        self.embed = QCheckBox("Put scans and maps into the file")
        self.embed.setToolTip(
            "Off: the session refers to the files of scans and large maps. On: it holds them, and "
            "can be given away alone"
        )
        self.embed.toggled.connect(self._on_change)
        self.cost = _text()
        self.figure = button(
            "Save figure …", "Print the view or the pattern: PNG, SVG or PDF, with its data",
            self._save_figure,
        )  # fmt: skip
        self.tiff = button(
            "Save as TIFF …",
            "Save all visible virtual images as 32-bit float TIFF with their step",
            self._save_tiffs,
        )
        self.images = _text()
        self.bar = JobBar()
        self.bar.running.connect(self._on_running)
        inner = QWidget()
        layout = QVBoxLayout(inner)
        row = QHBoxLayout()
        for widget in (self.save, self.save_as, self.open):
            row.addWidget(widget)
        layout.addWidget(_group("Session", self.last, row, self.embed, self.cost))
        layout.addWidget(_group("Figure", self.figure))
        layout.addWidget(_group("Virtual images", self.images, self.tiff))
        layout.addWidget(self.bar)
        layout.addStretch(1)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(scrolling(inner))
        self.setMinimumWidth(260)

    def _wanted(self, event: Any) -> Any:
        """Return what a key asks for, or None."""
        keys = QKeySequence.StandardKey
        for key, call in (
            (keys.SaveAs, self.save_session_as), (keys.Save, self.save_session),
            (keys.Open, self._open),
        ):  # fmt: skip
            if event.matches(key):
                return call
        return None

    def event(self, event: QEvent) -> bool:
        """Take keys that belong to this dock before napari's menus do: Qt calls."""
        if event.type() == QEvent.Type.ShortcutOverride and self._wanted(event) is not None:
            event.accept()
            return True
        return super().event(event)

    def keyPressEvent(self, event: Any) -> None:
        """Save or open: Qt calls."""
        call = self._wanted(event)
        if call is None:
            super().keyPressEvent(event)
        elif not self.bar.is_running:
            call()

    # --- showing ---------------------------------------------------------------------------------

    def _on_change(self, event: Any = None) -> None:
        self.refresh()

    def refresh(self) -> None:
        """Show where the session was saved last, and what saving would put into it."""
        path, when = remembered(self.viewer)
        self.last.setText(f"<b>{path.name}</b>, {when}" if path else "Not saved yet")
        self.last.setToolTip(str(path or ""))
        inside = self._inside()
        size = sum(scan.nbytes for scan in inside)
        names = ", ".join(scan.name for scan in inside)
        self.cost.setText(f"Goes into the file: {names}, up to {in_words(size)}." if inside else "")
        self.cost.setVisible(bool(inside))
        number = len(pictures_of_counts(self.viewer))
        self.images.setText(f"{number} visible" if number else "None is visible")
        self.tiff.setEnabled(number > 0 and not self.bar.is_running)
        self.figure.setEnabled(len(self.viewer.layers) > 0 and not self.bar.is_running)

    def showEvent(self, event: Any) -> None:
        """Look at the layers anew: which are visible is not followed."""
        super().showEvent(event)
        self.refresh()

    def enterEvent(self, event: Any) -> None:
        """Look at the layers anew when the mouse comes."""
        super().enterEvent(event)
        self.refresh()

    def _inside(self) -> list[Any]:
        """Return the scans that will be written into the session."""
        scans = scans_of(self.viewer)
        return scans if self.embed.isChecked() else [s for s in scans if must_embed(s)]

    def _on_running(self, running: bool) -> None:
        for widget in (self.save, self.save_as, self.open, self.figure, self.tiff):
            widget.setEnabled(not running)
        self.refresh()

    # --- sessions --------------------------------------------------------------------------------

    def save_session(self) -> None:
        """Save again where it was saved last; ask where at the first time."""
        path, _ = remembered(self.viewer)
        if path is None:
            self.save_session_as()
        else:
            self.save_to(path)

    def save_session_as(self) -> None:
        """Ask for a name and save."""
        scan = self.session.scan
        name = f"{file_name(scan.name) if scan else 'desk'}.orient"
        path = ask_where(self, name, KINDS, "Save session")
        if path:
            self.save_to(path)

    def save_to(self, path: str | Path) -> None:
        """Save the session under ``path``, as a job; the window stays usable."""
        path = Path(path)
        path = path if path.suffix.lower() == ".orient" else path.with_name(path.name + ".orient")
        if self.bar.is_running:
            show_info("Something is being saved: wait until it has finished.")
            return
        size = sum(scan.nbytes for scan in self._inside())
        text = f"{in_words(size)} of scans go into {path.name}, packed. Go on?"
        if size > LARGE and not consent("Save session", text):
            return
        state, left_out = keep_desk(self.viewer)
        self.bar.run(
            save_desk(state, path, embed=self.embed.isChecked()),
            text=f"Saving {path.name}",
            on_result=partial(self._on_saved, left_out),
        )

    def _on_saved(self, left_out: list[str], saved: Saved) -> None:
        remember(self.viewer, saved.path)
        self.refresh()
        notes = [*left_out, *saved.notes]
        said = f"Saved {saved.path.name}, {in_words(saved.nbytes)}"
        show_info(f"{said}: {'; '.join(notes)}" if notes else said)
        if left_out:
            show_warning(f"Not in {saved.path.name}: " + "; ".join(left_out))

    def _open(self) -> None:
        before, _ = remembered(self.viewer)
        folder = str(before.parent) if before else ""
        path, _ = QFileDialog.getOpenFileName(self, "Open session", folder, KINDS)
        if path:
            self.open_from(path)

    def open_from(self, path: str | Path) -> None:
        """Open the session under ``path`` in this window."""
        open_session(self.viewer, path)
        self.refresh()

    # --- figures and pictures --------------------------------------------------------------------

    def _save_figure(self) -> None:
        chosen = ask(FigureDialog(self.viewer, self.session, self))
        if chosen is None:
            return
        path = ask_where(self, "figure.png", FIGURES, "Save figure")
        if path:
            self.save_figure_to(path, chosen)

    def save_figure_to(self, path: str | Path, chosen: Choice) -> None:
        """Write a figure, and what it shows, as a job."""
        path = Path(path)
        if path.suffix.lower() not in SUFFIXES:
            path = path.with_name(path.name + ".png")
        self.bar.run(
            save_with_data(chosen.picture, chosen.how, path, chosen.layers, chosen.shown),
            text="Saving the figure",
            on_result=lambda paths: show_info("Saved " + ", ".join(p.name for p in paths)),
        )

    def _save_tiffs(self) -> None:
        before, _ = remembered(self.viewer)
        folder = str(before.parent) if before else ""
        folder = QFileDialog.getExistingDirectory(self, "Folder for the TIFF files", folder)
        if folder:
            self.save_tiffs_to(folder)

    def save_tiffs_to(self, folder: str | Path) -> None:
        """Write all visible virtual images into ``folder``; ask before one is replaced."""
        shown = [shown_by(layer) for layer in pictures_of_counts(self.viewer)]
        there = [name for name in tiff_names(shown) if (Path(folder) / name).exists()]
        question = f"{', '.join(there)}: replace?"
        if there and not consent("Save as TIFF", question):
            return
        self.bar.run(
            save_tiffs(shown, folder),
            text="Saving pictures",
            on_result=lambda paths: show_info("Saved " + ", ".join(p.name for p in paths)),
        )


def _text() -> QLabel:
    label = QLabel()
    label.setWordWrap(True)
    return label


def _group(title: str, *parts: Any) -> QGroupBox:
    group = QGroupBox(title)
    layout = QVBoxLayout(group)
    for part in parts:
        layout.addWidget(part) if isinstance(part, QWidget) else layout.addLayout(part)
    return group
