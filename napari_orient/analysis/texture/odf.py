"""How are orientations distributed? The ODF of points or grains, smoothed by a stated kernel.

f(g) = Σ w_i K(g g_i^-1) / Σ w_i, averaged over the symmetry of the crystal (its Laue class), as a
sum of harmonics up to a degree beyond which the kernel has no terms. Values are multiples of a
random distribution (mrd): the mean of f over all rotations is 1. Orientations are quaternions
(n, 4), scalar first, ``lab2crystal``; crystal symmetry acts on the left.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from napari_orient.analysis.texture.axes import SampleAxes
from napari_orient.analysis.texture.kernel import Kernel
from napari_orient.analysis.texture.orientations import usable
from napari_orient.analysis.texture.poles import (
    SphereDensity,
    inverse_pole_density,
    pole_density,
)
from napari_orient.analysis.texture.wigner import (
    evaluate,
    fourier_series,
    fourier_sums,
    harmonics,
    moments,
)
from napari_orient.crystal.miller import crystal_vector
from napari_orient.jobs import Progress

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray
    from orix.crystal_map import Phase

    from napari_orient.jobs import Job

SampleSymmetry = Literal["none", "orthotropic"]
_CHUNK = 2**19  # orientations between two reports


class Sections(NamedTuple):
    """An ODF at constant phi2 (or phi1), in Bunge's angles and degrees.

    Attributes
    ----------
    axis
        "phi2" or "phi1".
    at
        (n,) its values.
    across
        (m,) values of the other of the two.
    tilt
        (k,) values of Phi.
    mrd
        (n, k, m) multiples of a random distribution.
    """

    axis: str
    at: NDArray[np.float64]
    across: NDArray[np.float64]
    tilt: NDArray[np.float64]
    mrd: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Odf:
    """An orientation distribution as harmonic coefficients.

    Attributes
    ----------
    coefficients
        (2l + 1, 2l + 1) each, l = 0 to L: f = Σ F^l_mn sqrt(2l + 1) D^l_mn, m of the crystal.
    group
        Point group of the crystal.
    halfwidth
        Of the kernel, in degrees.
    count
        How many orientations it is made of.
    phase
        For Miller indices; None where only a point group was given.
    sample_symmetry, axes
        "none", or "orthotropic" about these axes of the sample.
    note
        What a reader has to know, or nothing.
    """

    coefficients: tuple[NDArray[np.complex128], ...]
    group: Any
    halfwidth: float
    count: int
    phase: Phase | None = None
    sample_symmetry: SampleSymmetry = "none"
    axes: SampleAxes = field(default_factory=SampleAxes)
    note: str = ""

    @property
    def degree(self) -> int:
        """The highest degree L."""
        return len(self.coefficients) - 1

    @property
    def texture_index(self) -> float:
        """Mean of f^2 over all rotations: 1 for a random texture."""
        return float(sum(np.sum(np.abs(part) ** 2) for part in self.coefficients))

    @cached_property
    def _series(self) -> NDArray[np.complex128]:
        return fourier_series(self.coefficients)

    def density(self, quaternions: ArrayLike) -> NDArray[np.float64]:
        """Return f (...) in mrd at orientations (..., 4); NaN where those are not finite."""
        q = np.asarray(quaternions, np.float64)
        flat = q.reshape(-1, 4)
        size = np.linalg.norm(flat, axis=1)
        good = np.isfinite(size) & (size > 0)
        values = np.full(len(flat), np.nan)
        if good.any():
            values[good] = evaluate(self._series, flat[good] / size[good, None])
        return values.reshape(q.shape[:-1])

    def pole_figure(self, pole: str | ArrayLike) -> SphereDensity:
        """Return the density of a crystal plane's normals over the directions of the map.

        Parameters
        ----------
        pole
            Miller indices, "{111}" or "{10-10}", or a vector (3,) in crystal axes.

        Raises
        ------
        ValueError
            If the indices are none of this crystal.
        """
        return pole_density(self.coefficients, *self._crystal_direction(pole))

    def inverse_pole_figure(self, direction: str | ArrayLike) -> SphereDensity:
        """Return the density of crystal directions along a sample direction.

        Parameters
        ----------
        direction
            A name ("X", "RD", "-Y"), or a vector (3,) in the map frame.
        """
        if isinstance(direction, str):
            vector, name = self.axes.vector(direction), direction
        else:
            vector, name = _unit(direction), str(direction)
        return inverse_pole_density(self.coefficients, name, vector)

    def _crystal_direction(self, pole: str | ArrayLike) -> tuple[str, NDArray[np.float64]]:
        if not isinstance(pole, str):
            return str(pole), _unit(pole)
        if self.phase is None:
            raise ValueError(f"{pole}: indices need a phase with a lattice, not a point group only")
        return pole, crystal_vector(self.phase, pole)

    def turned(self, axes: SampleAxes) -> Odf:
        """Return the same distribution for orientations that refer to other axes of the sample."""
        turn = axes.quaternion[None]
        parts = tuple(
            part @ harmonics(turn, degree)[0].T for degree, part in enumerate(self.coefficients)
        )
        return replace(self, coefficients=parts)

    def sections(
        self, axis: str = "phi2", at: Sequence[float] = (0, 45, 65), step: float = 2.5
    ) -> Sections:
        """Return sections at constant phi2 (or phi1), by Bunge's angles to RD, TD and ND.

        Parameters
        ----------
        axis
            "phi2" or "phi1".
        at
            Degrees.
        step
            Of the grid, about, in degrees.

        Raises
        ------
        ValueError
            For another axis, or an angle outside of 0 to 360 degrees.
        """
        if axis not in ("phi1", "phi2"):
            raise ValueError(f"sections at constant {axis!r}: phi1 or phi2 is possible")
        fixed = np.asarray(at, np.float64)
        if not ((fixed >= 0) & (fixed <= 360)).all():
            wrong = fixed[~((fixed >= 0) & (fixed <= 360))][0]
            raise ValueError(f"section at {axis} = {wrong:g}: 0 to 360 degrees are possible")
        first, tilts, second = euler_box(self.group, self.sample_symmetry)
        series = (self if self.axes.plain else self.turned(self.axes))._series
        if axis == "phi1":
            series = series.transpose(2, 1, 0)
        across = _grid(first if axis == "phi2" else second, step)
        tilt = _grid(tilts, step)
        waves = self._waves(fixed, axis)
        beside = self._waves(across, "phi1" if axis == "phi2" else "phi2")
        k = np.arange(-self.degree, self.degree + 1)
        up = np.exp(-1j * np.radians(tilt)[:, None] * k)
        grid = np.einsum("sm,mkn->skn", waves, series)
        mrd = np.matmul(np.matmul(up, grid), beside.T).real
        return Sections(axis, fixed, across, tilt, mrd)

    def _waves(self, degrees: NDArray[np.float64], axis: str) -> NDArray[np.complex128]:
        """exp(-i m α) or exp(-i n γ) at Bunge's phi2 or phi1."""
        turn = np.pi / 2 if axis == "phi2" else -np.pi / 2
        m = np.arange(-self.degree, self.degree + 1)
        return np.asarray(np.exp(-1j * (turn - np.radians(degrees))[:, None] * m))


def compute_odf(
    quaternions: ArrayLike,
    crystal: Phase | Any,
    *,
    weights: ArrayLike | None = None,
    halfwidth: float = 10.0,
    sample_symmetry: SampleSymmetry = "none",
    axes: SampleAxes | None = None,
) -> Job[Odf]:
    """Compute the ODF of orientations of one phase.

    Parameters
    ----------
    quaternions
        (..., 4); those that are not finite are left out.
    crystal
        An orix Phase, or a point group as in ``laue_operators``.
    weights
        (...) >= 0, areas of grains for instance; all one if not given.
    halfwidth
        Of the kernel, in degrees.
    sample_symmetry
        "orthotropic" averages over half turns about RD, TD and ND, as for rolled sheet.
    axes
        Those of the sample, also for sections; the map's own if not given.

    Yields
    ------
    Progress
        In orientations.

    Raises
    ------
    ValueError
        If no orientation or no weight is left, if a weight is negative or not finite, or for a
        halfwidth or a symmetry that is not possible.
    """
    from napari_orient.crystal.rotations import laue_operators

    if sample_symmetry not in ("none", "orthotropic"):
        raise ValueError(f"sample symmetry {sample_symmetry!r}: none or orthotropic is possible")
    kernel, axes = Kernel(halfwidth), axes or SampleAxes()
    is_phase = hasattr(crystal, "structure")
    group = crystal.point_group if is_phase else crystal
    operators = laue_operators(group)
    q, w = usable(quaternions, weights)
    side = 2 * kernel.degree + 1
    sums = np.zeros((side, side, side), np.complex128)
    for start in range(0, len(q), _CHUNK):
        yield Progress(start, len(q), "orientation distribution")
        some = slice(start, start + _CHUNK)
        sums += fourier_sums(q[some], w[some], kernel.degree)
    parts = _smoothed(moments(sums / w.sum()), kernel)
    parts = [_mean(operators, degree).T @ part for degree, part in enumerate(parts)]
    if sample_symmetry == "orthotropic":
        diads = axes.diads()
        parts = [part @ _mean(diads, degree).T for degree, part in enumerate(parts)]
    phase = crystal if is_phase else None
    found = (group, halfwidth, len(q), phase, sample_symmetry, axes, kernel.note)
    return Odf(tuple(parts), *found)


def _smoothed(parts: list[NDArray[np.complex128]], kernel: Kernel) -> list[NDArray[np.complex128]]:
    factors = kernel.coefficients(kernel.degree)
    return [np.sqrt(2 * l + 1) * factors[l] * part for l, part in enumerate(parts)]  # noqa: E741


def _mean(rotations: NDArray[np.float64], degree: int) -> NDArray[np.complex128]:
    return np.asarray(harmonics(rotations, degree).mean(axis=0))


def euler_box(group: Any, sample_symmetry: SampleSymmetry = "none") -> tuple[float, float, float]:
    """Return the ranges of phi1, Phi and phi2, in degrees, that sections are drawn over.

    All orientations are in it at least once: cubic crystals have three equivalents, as usual.
    """
    from napari_orient.crystal.rotations import laue_operators, to_matrix

    along = to_matrix(laue_operators(group))[:, 2, 2]
    turns = int(np.sum(along > 1 - 1e-9))
    over = bool((along < -1 + 1e-9).any())
    first = 90.0 if sample_symmetry == "orthotropic" else 360.0
    return first, 90.0 if over else 180.0, 360.0 / turns


def _grid(end: float, step: float) -> NDArray[np.float64]:
    return np.linspace(0, end, max(2, round(end / step) + 1))


def _unit(vector: Any) -> NDArray[np.float64]:
    found = np.asarray(vector, np.float64)
    length = float(np.linalg.norm(found)) if found.shape == (3,) else 0.0
    if not np.isfinite(length) or length == 0:
        raise ValueError(f"direction {vector!r}: three numbers, not all zero, are needed")
    return found / length
