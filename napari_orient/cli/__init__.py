"""How is napari-orient used without a window? One verb a task, one JSON object with --json.

Standard output carries the answer alone; progress and errors go to standard error. Exit codes:
0 = done, 1 = a clear error in one line, 2 = wrong usage, 130 = stopped by the user, with what was
finished kept. Nothing heavy is imported before a verb needs it.
"""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from typing import TYPE_CHECKING, Any

from napari_orient import __version__
from napari_orient.cli import (
    compare,
    demo,
    files,
    grains,
    index,
    learn,
    reconstruct,
    represent,
    virtual,
)
from napari_orient.cli.report import STOPPED
from napari_orient.config import ConfigError
from napari_orient.files import UnreadableFile
from napari_orient.jobs import JobFailed

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

# modules of this package: add_verbs of each says its verbs
_GROUPS = (files, virtual, index, learn, compare, grains, reconstruct, represent, demo)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="napari-orient", description=__doc__)
    parser.add_argument("--version", action="version", version=__version__)
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")

    def verb(name: str, run: Callable[[argparse.Namespace], int], text: str) -> Any:
        sub = verbs.add_parser(name, help=text, description=text)
        sub.set_defaults(run=run)
        return sub

    for group in _GROUPS:
        group.add_verbs(verb)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one verb and return the exit code."""
    options = _parser().parse_args(arguments)
    # a stop by the batch system ends like Ctrl-C: what is finished is kept
    main_thread = threading.current_thread() is threading.main_thread()
    if main_thread:
        previous = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        return int(options.run(options))
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return STOPPED
    except (
        UnreadableFile,
        ConfigError,
        JobFailed,
        OSError,
        ValueError,
        ImportError,
        MemoryError,
        RuntimeError,  # torch's: out of memory, a device that fails
        FloatingPointError,  # a reconstruction that diverges
    ) as error:
        print(f"napari-orient: {' '.join(str(error).split())}", file=sys.stderr)
        return 1
    finally:
        if main_thread:
            signal.signal(signal.SIGTERM, previous)
