"""In which numbers does a network compute? bfloat16 where the processor multiplies it fast."""

from __future__ import annotations

from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Literal

import torch

if TYPE_CHECKING:
    from collections.abc import Iterator

Precision = Literal["float32", "bfloat16"]


def pick_device(asked: str) -> str:
    """Return "cpu" or "cuda".

    Raises
    ------
    ValueError
        If CUDA is asked for and there is none.
    """
    if asked == "cuda" and not torch.cuda.is_available():
        raise ValueError("no CUDA device is found: take device 'auto' or 'cpu'")
    return "cuda" if asked != "cpu" and torch.cuda.is_available() else "cpu"


def pick_precision(asked: str, device: str) -> Precision:
    """Return what "auto" means on a device; a choice that was made stands."""
    if asked != "auto":
        return "bfloat16" if asked == "bfloat16" else "float32"
    if device == "cuda":
        return "bfloat16" if torch.cuda.is_bf16_supported() else "float32"
    # older processors know bfloat16 too, but compute it slower than float32
    fast = torch.cpu._is_avx512_bf16_supported()
    return "bfloat16" if fast else "float32"


def autocast(device: str, precision: Precision) -> AbstractContextManager[None]:
    """Context in which products are computed in that precision."""
    if precision == "float32":
        return nullcontext()
    return torch.autocast(device, torch.bfloat16)


@contextmanager
def no_denormals() -> Iterator[None]:
    """Take the smallest numbers for zero: masked attention makes many, and they are slow (x 3).

    Only as long as a network computes. In a thread where it holds, other libraries fail: SciPy's
    trees put a border at the next number above zero, find none, and end the process.
    """
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(False)
