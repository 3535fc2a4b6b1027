"""The hybrid three-point variogram of fields, and the fast way to its loss and gradient.

gamma_3(r1, r2) = 1 / 2N sum_x |z(x) - z(x + r1)| |z(x) - z(x + r2)|, of each harmonic field z
(Eq. 21 of the reconstruction paper); r1 = r2 gives the semi-variogram of order 2. All pairs of lags
of a window are one product A A^T / 2N of the matrix A of differences, (lags, points).

The fast way (float32, processor): A is made block by block in the cache, the symmetric product by
BLAS's syrk; since the loss is a sum over fields, its derivative E by the product is known at once,
and the one by A is 2 E A / 2N, a second product over the same A.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from napari_orient.reconstruction.descriptors import Rows

_BLOCK = 2048  # points: 144 lags of them are 1.2 MB, which the cache of a core holds


def three_point(
    fields: Tensor,
    lags: NDArray[np.int64],
    mask: Tensor | None = None,
    *,
    periodic: bool = True,
    base: Rows | None = None,
) -> Tensor:
    """gamma_3 of fields, in plain torch: the readable reference, and the way on a GPU.

    Parameters
    ----------
    fields
        (..., rows, columns).
    lags
        (n, 2).
    mask
        (rows, columns) bool: points that are known. Sums are over those x of which x, x + r1 and
        x + r2 are known, over their number: no bias where a map has holes and edges.
    periodic
        Whether opposite edges meet. If not, what lies beyond is not known.
    base
        Only x in these rows, of a field without a mask; no lag reaches across its upper and lower
        border from there.

    Returns
    -------
    gamma
        (..., n, n); NaN for pairs of lags that no point has.
    """
    shape = fields.shape[-2:]
    if mask is None and periodic:
        flat = fields.reshape(-1, *shape)
        apart = [_differences(one, lags, base) for one in flat]
        made = [_gram(one) / (2 * one.shape[1]) for one in apart]
        return torch.stack(made).reshape(*fields.shape[:-2], len(lags), len(lags))
    known = torch.ones(shape, dtype=torch.bool) if mask is None else mask
    both = _shifted(known, lags, periodic) & known
    counts = _gram(both.flatten(1).to(fields.dtype))
    flat = torch.where(known, fields, torch.zeros_like(fields)).reshape(-1, *shape)
    made = []
    for one in flat:
        apart = (_shifted(one, lags, periodic) - one).abs() * both
        made.append(_gram(apart.flatten(1)) / (2 * counts))
    return torch.stack(made).reshape(*fields.shape[:-2], len(lags), len(lags))


def _gram(rows: Tensor) -> Tensor:
    return rows @ rows.T


def _differences(field: Tensor, lags: NDArray[np.int64], base: Rows | None) -> Tensor:
    """|z(x + r) - z(x)| (lags, points) across the borders."""
    apart = (_shifted(field, lags, True) - field).abs()
    return (apart if base is None else apart[:, base[0] : base[1]]).flatten(1)


def _shifted(field: Tensor, lags: NDArray[np.int64], periodic: bool) -> Tensor:
    """z(x + r) (lags, rows, columns); zero (False) beyond the edges where they do not meet."""
    if periodic:
        return torch.stack([field.roll((-int(d), -int(r)), (-2, -1)) for d, r in lags])
    far = int(np.abs(lags).max())
    padded = torch.nn.functional.pad(field, (far, far, far, far))
    rows, columns = field.shape
    return torch.stack(
        [padded[far + d : far + d + rows, far + r : far + r + columns] for d, r in lags.tolist()]
    )


class _Loss(torch.autograd.Function):
    """Mean over fields of mean((gamma_3 - target)^2), with its gradient made on the way."""

    @staticmethod
    def forward(
        context: Any,
        fields: Tensor,
        target: Tensor,
        lags: NDArray[np.int64],
        threads: int,
        fast: bool,
        base: Rows | None,
    ) -> Tensor:
        arrays = fields.detach().numpy(), target.detach().numpy()
        loss, gradient = loss_and_gradient(*arrays, lags, threads=threads, fast=fast, base=base)
        context.gradient = torch.from_numpy(gradient)
        return fields.new_tensor(loss)

    @staticmethod
    def backward(context: Any, above: Tensor) -> Any:
        return above * context.gradient, None, None, None, None, None


def three_point_loss(
    fields: Tensor,
    target: Tensor,
    lags: NDArray[np.int64],
    *,
    threads: int = 1,
    fast: bool = True,
    base: Rows | None = None,
) -> Tensor:
    """Mean of (gamma_3 - target)^2 over slices, harmonics and pairs of lags.

    Parameters
    ----------
    fields
        (slices, harmonics, rows, columns), periodic.
    target
        (harmonics, n, n).
    lags
        (n, 2).
    threads
        Of the fast way: float32 on the processor. Others take plain torch.
    fast
        Take bfloat16 for the product behind the gradient, where the processor has it: errors of
        each number are independent, and cancel to 1e-4 of the gradient. The loss stays float32.
    base
        As of :func:`three_point`.
    """
    if fields.device.type == "cpu" and fields.dtype == torch.float32:
        return _Loss.apply(fields, target, lags, threads, fast, base)  # type: ignore[no-any-return, no-untyped-call]
    return ((three_point(fields, lags, base=base) - target) ** 2).mean()


def loss_and_gradient(
    fields: NDArray[np.float32],
    target: NDArray[np.float32],
    lags: NDArray[np.int64],
    *,
    threads: int = 1,
    fast: bool = False,
    base: Rows | None = None,
) -> tuple[float, NDArray[np.float32]]:
    """Return the loss of :func:`three_point_loss` and its gradient by the fields, the fast way."""
    gradient = np.empty_like(fields)
    jobs = list(np.ndindex(fields.shape[:2]))
    scale = 1.0 / (len(jobs) * len(lags) ** 2)

    def one(index: tuple[int, ...]) -> float:
        own = (np.ascontiguousarray(fields[index]), target[index[1]])
        loss, gradient[index] = _one_field(*own, lags, scale, base)
        return loss

    with _products(fast):
        if threads == 1:
            return float(sum(map(one, jobs))), gradient
        with ThreadPoolExecutor(threads) as pool:
            return float(sum(pool.map(one, jobs))), gradient


@contextmanager
def _products(fast: bool) -> Iterator[None]:
    """Let products of float32 matrices round their factors to bfloat16, one thread each."""
    matmul: Any = getattr(torch.backends.mkldnn, "matmul", None)
    before, threads = getattr(matmul, "fp32_precision", None), torch.get_num_threads()
    fast = fast and before is not None and has_fast_bfloat16()
    torch.set_num_threads(1)  # the fields are what is dealt out to cores
    try:
        if fast:
            matmul.fp32_precision = "bf16"
        yield
    finally:
        if fast:
            matmul.fp32_precision = before
        torch.set_num_threads(threads)


@cache
def has_fast_bfloat16() -> bool:
    """Say whether the processor multiplies bfloat16 matrices in tiles (AMX)."""
    known = getattr(torch.cpu, "_is_amx_tile_supported", None)
    return bool(known and known())


@cache
def _gemm() -> Any:
    from scipy.linalg import blas

    return blas


def _one_field(
    field: NDArray[np.float32],
    target: NDArray[np.float32],
    lags: NDArray[np.int64],
    scale: float,
    base: Rows | None,
) -> tuple[float, NDArray[np.float32]]:
    from napari_orient.reconstruction.kernels import add_gradient, fill_differences

    far, n = int(np.abs(lags).max()), len(lags)
    if base is None:
        padded = np.pad(field, far, mode="wrap")
    else:
        # no lag reaches above the first row or below the last one: what lies there is never read
        above, below = max(0, far - base[0]), max(0, base[1] + far - len(field))
        part = field[base[0] - far + above : base[1] + far - below]
        padded = np.pad(np.pad(part, ((above, below), (0, 0))), ((0, 0), (far, far)), mode="wrap")
    rows, columns = (size - 2 * far for size in padded.shape)
    height = max(1, min(rows, _BLOCK // columns))
    tops = range(0, rows, height)
    blocks = [np.empty((n, min(height, rows - top), columns), np.float32) for top in tops]
    total = np.zeros((n, n))
    for top, block in zip(tops, blocks, strict=True):
        fill_differences(padded, lags, far, top, block)
        flat = block.reshape(n, -1)
        total += _gemm().ssyrk(1.0, flat.T, trans=1)  # the upper half
    total = np.triu(total) + np.triu(total, 1).T
    residual = total / (2 * rows * columns) - target
    loss = scale * float((residual**2).sum())
    # d loss / d A = 2 E A / 2N, E = 2 scale residual
    pull = torch.from_numpy((2 * scale / (rows * columns) * residual).astype(np.float32))
    gradient = np.zeros_like(padded)
    made = torch.empty(n * blocks[0][0].size)
    for top, block in zip(tops, blocks, strict=True):
        apart = torch.from_numpy(block.reshape(n, -1))
        out = made[: apart.numel()].view(apart.shape)
        torch.mm(pull, apart, out=out)
        add_gradient(padded, lags, far, top, out.numpy().reshape(block.shape), gradient)
    across = _folded(gradient.T, far).T
    if base is None:
        return loss, _folded(across, far)
    whole = np.zeros_like(field)
    whole[base[0] - far + above : base[1] + far - below] = across[above : len(across) - below]
    return loss, whole


def _folded(padded: NDArray[np.float32], far: int) -> NDArray[np.float32]:
    """Add what lies in the margin above and below to the rows it is a copy of."""
    rows = len(padded) - 2 * far
    made = padded[far : far + rows].copy()
    for k in range(far):  # one by one: a margin may be wider than the field
        made[(k - far) % rows] += padded[k]
        made[k % rows] += padded[far + rows + k]
    return made
