"""Where is it saved? One dialog that starts in the folder of the last file that was saved."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from napari.utils.history import get_save_history, update_save_history
from qtpy.QtWidgets import QFileDialog, QWidget

if TYPE_CHECKING:
    from napari_orient.data.scan import Scan


def ask_where(parent: QWidget, name: str, kinds: str, title: str = "Save as") -> str:
    """Ask for a path to write to, ``name`` proposed; "" when the user cancels.

    ``kinds`` are Qt's filters: "HDF5 (*.h5);;All files (*)".
    """
    start = str(Path(get_save_history()[0]) / name)
    path, _ = QFileDialog.getSaveFileName(parent, title, start, kinds)
    if path:
        update_save_history(path)
    return str(path)


def file_name(text: str) -> str:
    r"""Return a text as the name of a file that every system takes: without : / \ * ? " < > |."""
    return re.sub(r'[\s-]*[:/\\*?"<>|\x00-\x1f][\s:/\\*?"<>|-]*', "-", text).strip(" .-") or "x"


def stem_of(scan: Scan) -> str:
    """Return the name of a scan's file without suffix, to propose names for what is made of it."""
    return file_name(Path(scan.source.partition("::")[0]).stem or scan.name)
