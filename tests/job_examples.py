"""Jobs for tests; a module of its own, because a spawned child imports them by name."""

from __future__ import annotations

import os
import time
from pathlib import Path

from napari_orient.jobs import Job, Partial, Progress


def count(n: int, marker: str = "", pause: float = 0.0) -> Job[int]:
    """Count to n; leave a file at `marker` when closed, however that happens."""
    try:
        for i in range(n):
            yield Progress(i + 1, n, f"number {i + 1}")
            yield Partial("sum", i * (i + 1) // 2)
            time.sleep(pause)
        return n * (n - 1) // 2
    finally:
        if marker:
            Path(marker).write_text(str(os.getpid()))


def fail(error: str = "out of memory") -> Job[None]:
    yield Progress(0, 1, "starting")
    raise RuntimeError(error)


def die() -> Job[None]:
    yield Progress(0, 1)
    os._exit(7)
