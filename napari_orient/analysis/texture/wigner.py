"""How is a function of rotations written as a sum of harmonics, and the sum as a Fourier series?

The harmonics are Wigner's D^l_mn, m and n from -l to l, of the rotation matrix of a quaternion:
D(p q) = D(p) D(q). With the angles of R = Rz(α) Ry(β) Rz(γ)

    D^l_mn = exp(-i m α) d^l_mn(β) exp(-i n γ),    d^l_mn(β) = i^(n-m) Σ_k V_mk V_nk exp(-i k β),

where the columns of V are the eigenvectors of the angular momentum J_x in the basis of J_z: by
diagonalisation they keep all digits (Feng et al., Phys. Rev. E 92 (2015) 043307). So every sum over
harmonics is a Fourier series in three angles, which the non-uniform FFT of finufft evaluates
(Barnett et al., SIAM J. Sci. Comput. 41 (2019) C479). In Bunge's angles α = π/2 - φ2, β = Φ and
γ = -π/2 - φ1: m belongs to the crystal, n to the sample.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

PRECISION = 1e-9  # of the non-uniform FFT, relative


@cache
def eigenvectors(degree: int) -> NDArray[np.float64]:
    """V (2l + 1, 2l + 1): rows m, columns k, both from -l to l."""
    from scipy.linalg import eigh_tridiagonal

    m = np.arange(-degree, degree)
    beside = np.sqrt(degree * (degree + 1) - m * (m + 1)) / 2
    if degree == 0:
        return np.ones((1, 1))
    vectors = np.asarray(eigh_tridiagonal(np.zeros(2 * degree + 1), beside)[1])
    vectors.flags.writeable = False  # the cache hands out this very array
    return vectors


def _phases(degree: int) -> NDArray[np.complex128]:
    """i^(n-m) as (2l + 1, 2l + 1)."""
    m = np.arange(-degree, degree + 1)
    return np.asarray(np.array([1, 1j, -1, -1j])[(m[None] - m[:, None]) % 4])


def angles(q: NDArray[np.float64]) -> tuple[NDArray[np.float64], ...]:
    """Angles α, β, γ (n,) in radians of unit quaternions (n, 4)."""
    w, x, y, z = q.T
    total, difference = np.arctan2(z, w), np.arctan2(-x, y)  # (α + γ)/2, (α - γ)/2
    beta = 2 * np.arctan2(np.hypot(x, y), np.hypot(w, z))
    return _round(total + difference), beta, _round(total - difference)


def _round(angle: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.remainder(angle + np.pi, 2 * np.pi) - np.pi)


def harmonics(q: NDArray[np.float64], degree: int) -> NDArray[np.complex128]:
    """D^l (n, 2l + 1, 2l + 1) of unit quaternions (n, 4)."""
    alpha, beta, gamma = angles(q)
    m, vectors = np.arange(-degree, degree + 1), eigenvectors(degree)
    tilts, which = np.unique(beta.round(12), return_inverse=True)  # those of symmetry are few
    d = (vectors * np.exp(-1j * tilts[:, None, None] * m)) @ vectors.T * _phases(degree)
    first, last = (np.exp(-1j * angle[:, None] * m) for angle in (alpha, gamma))
    return np.asarray(first[:, :, None] * d[which] * last[:, None])


def fourier_sums(
    q: NDArray[np.float64], weights: NDArray[np.float64], degree: int
) -> NDArray[np.complex128]:
    """Σ w exp(i (m α + k β + n γ)) of rotations (n, 4), as (2L + 1, 2L + 1, 2L + 1)."""
    import finufft

    side = 2 * degree + 1
    points = (np.ascontiguousarray(angle) for angle in angles(q))
    modes = (side, side, side)
    return np.asarray(
        finufft.nufft3d1(*points, weights.astype(np.complex128), modes, eps=PRECISION, isign=1)
    )


def moments(sums: NDArray[np.complex128]) -> list[NDArray[np.complex128]]:
    """Σ w conj(D^l_mn), l = 0 to L, from the Fourier sums (2L + 1, 2L + 1, 2L + 1)."""
    largest = len(sums) // 2
    found = []
    for degree in range(largest + 1):
        vectors, inner = eigenvectors(degree), slice(largest - degree, largest + degree + 1)
        part = np.einsum("mkn,mk,nk->mn", sums[inner, inner, inner], vectors, vectors)
        found.append(part * _phases(degree).conj())
    return found


def fourier_series(coefficients: Sequence[NDArray[np.complex128]]) -> NDArray[np.complex128]:
    """Fourier coefficients (m, k, n) of Σ F^l_mn sqrt(2l + 1) D^l_mn: exp(-i (m α + k β + n γ))."""
    largest = len(coefficients) - 1
    side = 2 * largest + 1
    series = np.zeros((side, side, side), np.complex128)
    for degree, part in enumerate(coefficients):
        vectors, inner = eigenvectors(degree), slice(largest - degree, largest + degree + 1)
        weighted = np.sqrt(2 * degree + 1) * part * _phases(degree)
        series[inner, inner, inner] += np.einsum("mn,mk,nk->mkn", weighted, vectors, vectors)
    return series


def evaluate(series: NDArray[np.complex128], q: NDArray[np.float64]) -> NDArray[np.float64]:
    """Real part (n,) of a Fourier series (m, k, n) at rotations (n, 4)."""
    import finufft

    points = (np.ascontiguousarray(angle) for angle in angles(q))
    return np.asarray(finufft.nufft3d2(*points, series, eps=PRECISION, isign=-1).real)


def on_sphere(vectors: NDArray[np.float64], degree: int) -> NDArray[np.complex128]:
    """exp(i m φ) d^l_m0(θ), (n, 2l + 1), at unit vectors (n, 3): Y_lm sqrt(4π / (2l + 1))."""
    polar, azimuth = _spherical(vectors)
    m, v = np.arange(-degree, degree + 1), eigenvectors(degree)
    waves = np.exp(-1j * polar[:, None] * m) * v[degree]
    return np.asarray(waves @ v.T * _phases(degree)[:, degree] * np.exp(1j * azimuth[:, None] * m))


def _spherical(vectors: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    x, y, z = vectors.T
    return np.arctan2(np.hypot(x, y), z), np.arctan2(y, x)


def sphere_series(coefficients: Sequence[NDArray[np.complex128]]) -> NDArray[np.complex128]:
    """Fourier coefficients (k, n) of Σ p^l_n exp(i n φ) d^l_n0(θ): exp(i (n φ - k θ))."""
    largest = len(coefficients) - 1
    series = np.zeros((2 * largest + 1, 2 * largest + 1), np.complex128)
    for degree, part in enumerate(coefficients):
        v, inner = eigenvectors(degree), slice(largest - degree, largest + degree + 1)
        series[inner, inner] += (v * (part * _phases(degree)[:, degree])[:, None] * v[degree]).T
    return series


def evaluate_on_sphere(
    series: NDArray[np.complex128], vectors: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Real part (n,) of a Fourier series (k, n) at unit vectors (n, 3)."""
    import finufft

    polar, azimuth = (np.ascontiguousarray(angle) for angle in _spherical(vectors))
    return np.asarray(finufft.nufft2d2(-polar, azimuth, series, eps=PRECISION, isign=1).real)
