"""How does a dropped file become layers? A scan shows its navigator, a map its IPF-Z colours.

Sniffing is quick and never raises. A file that is ours by its name but cannot be read is claimed
all the same, so that the window says what is wrong with it and what helps, in words of ours; with
a window open this also holds for suffixes that everybody uses (.h5, .xml ...), where no other
plugin is there to try.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari.utils.notifications import show_error

from napari_orient.files import UnreadableFile
from napari_orient.jobs import Job, Progress
from napari_orient.plugin.load.arrange import ArrangeDialog
from napari_orient.plugin.questions import DatasetPicker, ask, window
from napari_orient.plugin.worker import Stopped, wait_for

if TYPE_CHECKING:
    from napari_orient.data.scan import Scan
    from napari_orient.data.vendors.text_maps import ColumnChoice

LayerData = tuple[Any, dict[str, Any], str]
NO_LAYER: list[Any] = [(None,)]  # napari's sign for "read, but there is nothing to show"
OURS = frozenset({".blo", ".tvips", ".mib", ".app5", ".hspy", ".zspy"})
OURS |= {".ang", ".ctf", ".crc", ".cpr", ".h5oina", ".h5ebsd", ".oh5"}
_log = logging.getLogger(__name__)


def get_reader(path: str | Path | Sequence[str | Path]) -> Callable[[Any], list[Any]] | None:
    """Return the reader of these files, or None if they are not for us."""
    paths = [path] if isinstance(path, str | Path) else list(path)
    return read if paths and all(_is_ours(p) or _is_left_to_us(p) for p in paths) else None


def read(path: str | Path | Sequence[str | Path]) -> list[Any]:
    """Read files into layer data tuples.

    Without a window, what goes wrong is raised; in a window it is shown, and the other files are
    still read.

    Raises
    ------
    UnreadableFile
        Naming the file, the problem and the cure.
    """
    layers: list[Any] = []
    for one in [path] if isinstance(path, str | Path) else path:
        try:
            layers += read_one(one)
        except UnreadableFile as error:
            if window() is None:
                raise
            show_error(in_short(error))
    return layers or NO_LAYER


def in_short(error: UnreadableFile) -> str:
    """Return the error without the folder: a notification shows one line until it is opened."""
    return f"{error.path.name} {error.problem}. {error.cure}"


def read_one(path: str | Path) -> list[LayerData]:
    """Read one file; no layers if the user cancels a question about it.

    Raises
    ------
    UnreadableFile
        Whatever goes wrong, also inside a library that knows nothing of it.
    """
    from napari_orient.data.vendors.open import TEXT_SUFFIXES, sniff_map

    try:
        as_map = Path(path).suffix.lower() in TEXT_SUFFIXES or sniff_map(path)
        layers = _read_map(path) if as_map else _read_scan(path)
        prepare_session()
        return layers
    except UnreadableFile:
        raise
    except Stopped:
        return []
    except Exception as error:  # a library's words about a damaged file: keep them, add the file
        _log.exception("while reading %s", path)
        said = " ".join(f"{type(error).__name__}: {error}".split())
        raise UnreadableFile(
            path, f"cannot be read ({said})", "It may be damaged: copy it again or export it anew."
        ) from error


def _read_map(path: str | Path) -> list[LayerData]:
    """Open a map; in a window, ask what the columns of a text file mean."""
    from napari_orient.data.vendors.text_maps import UnknownColumns
    from napari_orient.plugin.load.column_picker import ColumnPicker

    columns = None
    while True:
        try:
            return [wait_for(_map_layer(path, columns), f"Opening {Path(path).name}")]
        except UnknownColumns as error:
            parent = window()
            if parent is None or columns is not None:
                raise
            columns = ask(ColumnPicker(error.table, error.guess, parent))
        if columns is None:
            return []


def _map_layer(path: str | Path, columns: ColumnChoice | None) -> Job[LayerData]:
    """Open and colour a map: a job, for a large one takes seconds."""
    from napari_orient.data.vendors.open import open_map
    from napari_orient.plugin.scan_layers import describe_map_layer

    yield Progress(0, 0)
    return describe_map_layer(open_map(path, columns=columns), Path(path).stem)


def _read_scan(path: str | Path) -> list[LayerData]:
    """Open a scan; in a window, ask for what the file leaves open. Nothing if the user cancels."""
    from napari_orient.data.formats import AmbiguousFile
    from napari_orient.data.hdf5 import UnknownScanShape

    settings: dict[str, Any] = {}
    while True:
        try:
            return [wait_for(_scan_layer(path, settings), f"Opening {Path(path).name}")]
        except AmbiguousFile as error:
            parent, name = window(), "dataset"
            if parent is None or name in settings:
                raise
            answer = ask(DatasetPicker(Path(path).name, error.candidates, parent))
        except UnknownScanShape:
            parent, name = window(), "arrangement"
            if parent is None or name in settings:
                raise
            stack, span = wait_for(_stack(path, settings), f"Opening {Path(path).name}")
            answer = ask(ArrangeDialog(Path(path).name, stack, span, parent))
        if answer is None:
            return []
        settings[name] = answer


def _scan_layer(path: str | Path, settings: dict[str, Any]) -> Job[LayerData]:
    """Open a scan and look at it quickly: a job, so that the window lives on."""
    from napari_orient.data.formats import open_scan
    from napari_orient.plugin.scan_layers import describe_scan_layer

    yield Progress(0, 0)
    return describe_scan_layer(open_scan(path, **settings))


def _stack(path: str | Path, settings: dict[str, Any]) -> Job[tuple[Scan, tuple[int, int]]]:
    """Open all frames of a file, and read which of them its headers mark as the scan's."""
    from napari_orient.data.formats import header_span, open_stack

    yield Progress(0, 0)
    return open_stack(path, **settings), header_span(path)


def prepare_session() -> None:
    """Have the window's session listen before napari inserts the layer."""
    if window() is not None:
        from napari import current_viewer

        from napari_orient.plugin.sessions import get_session

        get_session(current_viewer())


def _is_ours(path: str | Path) -> bool:
    from napari_orient.data.formats import sniff_scan
    from napari_orient.data.vendors.open import sniff_map

    try:
        return Path(path).suffix.lower() in OURS or sniff_map(path) or sniff_scan(path)
    except Exception:
        return False


def _is_left_to_us(path: str | Path) -> bool:
    """Say whether a window is open and no other reader there would take the file by its name."""
    from npe2 import PluginManager

    try:
        if window() is None or Path(path).is_dir():
            return False
        readers = PluginManager.instance().iter_compatible_readers([str(path)])
        others = {reader.plugin_name for reader in readers} - {"napari-orient"}
        # napari's own image reader lists .h5 and .hdf5, and can read neither
        images = {"napari"} if Path(path).suffix.lower() in (".h5", ".hdf5") else set()
        return others <= images
    except Exception:
        return False
