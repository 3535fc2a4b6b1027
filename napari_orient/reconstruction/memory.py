"""How much memory will a reconstruction take? Said before it begins."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from napari_orient.reconstruction.config import ReconstructConfig

_LIBRARIES = 600.0  # MB of torch, numba, numpy and the program itself
_HISTORY = 12  # pairs of L-BFGS
_SPECTRA = 4 * 64.0  # MB of cross spectra with what autograd keeps of them


def needed_mb(config: ReconstructConfig, functions: int, threads: int) -> float:
    """Estimate the peak memory of a reconstruction in MB.

    Parameters
    ----------
    functions
        Number of harmonics that are correlated.
    threads
        That work side by side.
    """
    points = float(np.prod(config.size))
    lags = (config.window**2 - 1) // (2 if config.lags == "half" else 1)
    slices = [points / n for n in config.size] if len(config.size) == 3 else [points]
    vectors = 2 * _HISTORY + 12 if config.method == "L-BFGS" else 24 * 2
    field = points * 4 * 4 * vectors
    harmonics = points * functions * 4 * 5
    differences = 2 * lags * max(slices) * 4 * threads
    return _LIBRARIES + _SPECTRA + (field + harmonics + differences) / 1e6


def peak_mb() -> float:
    """Return the most memory that this process has held, in MB."""
    try:
        import resource
    except ImportError:  # Windows counts it for processes alone
        import psutil

        return float(psutil.Process().memory_info().peak_wset) / 2**20
    unit = 2**20 if sys.platform == "darwin" else 1024  # bytes there, kB elsewhere
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


def check_memory(config: ReconstructConfig, functions: int, threads: int) -> float:
    """Return the estimate, in MB.

    Raises
    ------
    MemoryError
        If it does not fit into what is free now, with the cure.
    """
    import psutil

    needed = needed_mb(config, functions, threads)
    free = (psutil.virtual_memory().available + psutil.Process().memory_info().rss) / 1e6
    if needed > free:
        size = " x ".join(map(str, config.size))
        raise MemoryError(
            f"A field of {size} points needs about {needed / 1000:.1f} GB of memory, and "
            f"{free / 1000:.1f} GB are free: take a smaller field or window, or close other "
            "programs."
        )
    return needed
