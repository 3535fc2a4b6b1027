"""Values and gradients of homogeneous polynomials of quaternions, many at once.

On the processor a compiled kernel does the work, elsewhere plain torch, which is also what the
kernel is tested against. Both work in blocks: nothing of the size of all monomials is ever held.
The gradient is a formula, not a record of steps, so nothing but the quaternions is kept for it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from napari_orient.crystal.hyperspherical import monomials

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

_BLOCK = 2**21  # monomials of a block: 8 MB in float32
_BLOCK_ON_DEVICE = 2**25


@dataclass(frozen=True, eq=False)
class Polynomials:
    """K homogeneous polynomials of one degree in four variables.

    Attributes
    ----------
    degree
        Their degree.
    coefficients
        (K, M), a column for each monomial.
    """

    degree: int
    coefficients: NDArray[np.float64] = field(repr=False)

    @property
    def exponents(self) -> NDArray[np.int64]:
        """Exponents (M, 4) of the monomials."""
        return monomials(self.degree)

    def values(self, q: Tensor) -> Tensor:
        """Values (N, K) at q (N, 4); differentiable once with respect to q as it is given."""
        return _Values.apply(q, self)  # type: ignore[no-untyped-call, no-any-return]

    def pull_back(self, q: Tensor, weights: Tensor) -> Tensor:
        """Gradients (N, 4) with respect to q (N, 4) of the sums of ``weights`` (N, K) * values."""
        return _compiled(self, q, weights) if _on_cpu(q) else pull_back(self, q, weights)


class _Values(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, q: Tensor, polynomials: Polynomials) -> Tensor:
        ctx.save_for_backward(q)
        ctx.polynomials = polynomials
        return _compiled(polynomials, q) if _on_cpu(q) else values(polynomials, q)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, weights: Tensor) -> tuple[Tensor, None]:
        (q,) = ctx.saved_tensors
        return ctx.polynomials.pull_back(q, weights), None


def _on_cpu(q: Tensor) -> bool:
    return q.device.type == "cpu" and q.dtype in (torch.float32, torch.float64)


def values(polynomials: Polynomials, q: Tensor) -> Tensor:
    """Plain torch, on any device: values (N, K) at q (N, 4)."""
    matrix = _constants(polynomials, q.dtype, q.device)[0]
    out = q.new_empty(len(q), len(matrix))
    for rows in _blocks(q, matrix.shape[1]):
        torch.mm(_monomials(q[rows], polynomials.degree), matrix.T, out=out[rows])
    return out


def pull_back(polynomials: Polynomials, q: Tensor, weights: Tensor) -> Tensor:
    """Plain torch, on any device: gradients (N, 4) of the sums of ``weights`` (N, K) * values."""
    matrix = _constants(polynomials, q.dtype, q.device)[1]
    out = torch.empty_like(q)
    for rows in _blocks(q, matrix.shape[1]):
        lower = _monomials(q[rows], polynomials.degree - 1)
        each = (weights[rows] @ matrix).reshape(len(lower), 4, -1)
        out[rows] = (each @ lower[..., None])[..., 0]
    return out


def _monomials(q: Tensor, degree: int) -> Tensor:
    """All monomials (N, M) of one degree at q (N, 4)."""
    powers = [torch.ones_like(q)]
    for _ in range(degree):
        powers.append(powers[-1] * q)
    table = torch.stack(powers, -1)  # (N, 4, degree + 1)
    found = table[:, 0, _exponents(degree, q.device)[0]]
    for i, exponent in enumerate(_exponents(degree, q.device)[1:], start=1):
        found *= table[:, i, exponent]
    return found


def _blocks(q: Tensor, width: int) -> Iterator[slice]:
    rows = max(1, (_BLOCK if q.device.type == "cpu" else _BLOCK_ON_DEVICE) // width)
    return (slice(i, i + rows) for i in range(0, len(q), rows))


@cache
def _exponents(degree: int, device: torch.device) -> tuple[Tensor, ...]:
    return tuple(torch.from_numpy(monomials(degree).T.copy()).to(device))


@cache
def _constants(p: Polynomials, dtype: torch.dtype, device: torch.device) -> tuple[Tensor, Tensor]:
    """Coefficients (K, M), and those of the four derivatives side by side (K, 4 * M')."""
    both = p.coefficients, np.concatenate(list(derivatives(p)), axis=1)
    first, second = (torch.tensor(one, dtype=dtype, device=device) for one in both)
    return first, second


def derivatives(p: Polynomials) -> NDArray[np.float64]:
    """Coefficients (4, K, M') of the derivatives, polynomials of one degree less."""
    lower = monomials(p.degree - 1) if p.degree else np.zeros((1, 4), np.int64)
    place = {tuple(e): i for i, e in enumerate(lower.tolist())}
    out = np.zeros((4, len(p.coefficients), len(lower)))
    for column, exponents in zip(p.coefficients.T, p.exponents.tolist(), strict=True):
        for i, power in enumerate(exponents):
            if power:
                less = (*exponents[:i], power - 1, *exponents[i + 1 :])
                out[i, :, place[less]] += power * column
    return out


def _compiled(polynomials: Polynomials, q: Tensor, weights: Tensor | None = None) -> Tensor:
    from napari_orient.crystal.polynomials_compiled import evaluate, gradient

    steps, terms, factors = _plan(polynomials, q.dtype)
    x = q.detach().contiguous().numpy()
    if weights is None:
        out = np.empty((len(x), len(polynomials.coefficients)), x.dtype)
        evaluate(x, steps, *terms, factors, out)
    else:
        out = np.empty_like(x)
        gradient(x, weights.detach().contiguous().numpy(), steps, *terms, factors, out)
    return torch.from_numpy(out)


@cache
def _plan(p: Polynomials, dtype: torch.dtype) -> tuple[Any, tuple[Any, Any], Any]:
    """How the kernel gets there: a list of products, and the terms that are not zero.

    Rows 0 to 3 are the components; row 4 + i is the product of the two rows ``steps[i]``. Terms
    ``first[k]`` to ``first[k + 1]`` of polynomial k are the rows ``which``, times ``factors``.
    """
    rows: dict[tuple[int, ...], int] = {(i,): i for i in range(4)}
    steps: list[tuple[int, int]] = []

    def row(letters: tuple[int, ...]) -> int:
        if letters not in rows:
            halves = row(letters[::2]), row(letters[1::2])
            rows[letters] = 4 + len(steps)
            steps.append(halves)
        return rows[letters]

    largest = np.abs(p.coefficients).max(initial=0)
    used = np.abs(p.coefficients) > 1e-13 * largest
    letters = [tuple(np.repeat(range(4), e).tolist()) for e in p.exponents]
    which = [row(letters[column]) for _, column in zip(*used.nonzero(), strict=True)]
    first = np.concatenate([[0], used.sum(1).cumsum()])
    factors = torch.tensor(p.coefficients[used], dtype=dtype).numpy()
    table = np.array(steps, np.int64).reshape(-1, 2)
    return table, (first, np.array(which, np.int64)), factors
