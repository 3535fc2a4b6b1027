"""What do many patterns look like on a detector, each with a microscope of its own? In torch.

``simulate.pattern_images``, batched and on any device: :func:`draw_patterns` the expected counts
of the spots that :func:`napari_orient.diffraction.excitation.batched_spots` found, then
:func:`count_electrons`. Nearly every number may be one for all patterns or a tensor (N,) with one
for each. Images agree with ``simulate`` to 1e-6 of the brightest pixel in float64, 1e-4 in float32.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from napari_orient.data.reciprocal import scan_to_pattern, to_pattern
from napari_orient.data.scan import Quantity
from napari_orient.diffraction.excitation import least, like_spots, of_pattern

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_orient.data.scan import Calibration
    from napari_orient.diffraction.excitation import SpotBatch
    from napari_orient.diffraction.simulate import Profile

_CHUNK = 2**21  # pixels of spots stamped at once


def detector_matrix(calibration: Calibration) -> NDArray[np.float64]:
    """Matrix (2, 2) that takes (y, x) in 1/angstrom, in the scan's frame, to pixels (ky, kx).

    Rotation, flip, ellipse and pixel size, by :mod:`napari_orient.data.reciprocal`; the centre is
    added afterwards.

    Raises
    ------
    ValueError
        If the pixel size is unknown.
    """
    at_zero = calibration.set(centre=Quantity(value=(0.0, 0.0), unit="px"), descan=None)
    return np.stack(to_pattern(at_zero, *scan_to_pattern(at_zero, *np.eye(2))))


def draw_patterns(
    spots: SpotBatch,
    shape: tuple[int, int],
    matrix: Tensor,
    centre: Tensor,
    *,
    radius: float | Tensor,
    profile: Profile = "disk",
    spot_counts: float | Tensor = 1.0,
    direct_counts: float | Tensor = 0.0,
    background_counts: float | Tensor = 0.0,
    background_width: float | Tensor = 18.0,
    blur: float | Tensor = 0.0,
) -> Tensor:
    """Draw expected counts: ``simulate.pattern_images``, batched.

    Parameters
    ----------
    spots
        Of N patterns.
    shape
        (ky, kx) pixels of a pattern.
    matrix
        (2, 2), or (N, 2, 2), from :func:`detector_matrix`.
    centre
        (2,), or (N, 2): the direct beam (ky, kx) in pixels, integers are pixel centres.
    radius
        Of a disk, or the sigma of a gaussian, in pixels, one for all or (N,). An ellipse moves
        disks but leaves them round.
    profile
        "disk" with soft edges, or "gaussian".
    spot_counts, direct_counts, background_counts
        Electrons in a spot of relative intensity 1, in the direct beam, in the whole background.
    background_width
        Of the background, a Lorentzian to the power 3/2 about the beam, in pixels.
    blur
        Sigma of the detector's point spread in pixels. Electrons spread in from outside, too.

    Returns
    -------
    Tensor
        (N, ky, kx) of the spots' type, on their device.

    Raises
    ------
    ValueError
        If a size is not positive, or counts are negative.
    """
    _check_drawing(shape, radius, background_width, blur, spot_counts, direct_counts)
    like = spots.intensity
    matrix, centre = matrix.to(like), centre.to(like)
    blurred = _greatest(blur) > 0
    margin = math.ceil(4 * _greatest(blur)) if blurred else 0
    canvas = (shape[0] + 2 * margin, shape[1] + 2 * margin)
    middle = (centre + margin).expand(spots.size, 2)
    images = _backgrounds(shape, canvas, middle, background_counts, background_width)
    own = spots.pattern
    turned = matrix.expand(spots.size, 2, 2)[own] @ spots.xy.flip(1)[:, :, None]
    places = middle[own] + turned[:, :, 0]
    counts = of_pattern(spot_counts, own, like) * spots.intensity
    _stamp(images, own, places, counts, radius, profile)
    if _greatest(direct_counts) > 0:
        every = torch.arange(spots.size, device=like.device)
        _stamp(
            images,
            every,
            middle,
            like_spots(direct_counts, like).expand(spots.size),
            radius,
            profile,
        )
    return _blurred(images, shape, like_spots(blur, like)) if blurred else images


def _check_drawing(
    shape: tuple[int, int],
    radius: float | Tensor,
    width: float | Tensor,
    blur: float | Tensor,
    *counts: float | Tensor,
) -> None:
    if min(shape) < 1 or not (least(radius) > 0 and least(width) > 0):
        raise ValueError("shape, radius and background width must be positive")
    if min(map(least, (blur, *counts))) < 0:
        raise ValueError("counts and blur cannot be negative")


def _backgrounds(
    shape: tuple[int, int],
    canvas: tuple[int, int],
    middle: Tensor,
    counts: float | Tensor,
    width: float | Tensor,
) -> Tensor:
    """Diffuse scattering (N, *canvas) with ``counts`` on the detector ``shape`` in its middle."""
    size, margin = len(middle), (canvas[0] - shape[0]) // 2
    if _greatest(counts) == 0:
        return middle.new_zeros(size, *canvas)
    ky = torch.arange(canvas[0], device=middle.device) - middle[:, :1]
    kx = torch.arange(canvas[1], device=middle.device) - middle[:, 1:]
    scale = like_spots(width, middle).reshape(-1, 1) ** -2
    falls = 1 + (scale * ky * ky)[:, :, None] + (scale * kx * kx)[:, None, :]
    falls = falls.rsqrt() / falls  # to the power -3/2
    inner = falls[:, margin : margin + shape[0], margin : margin + shape[1]]
    total = inner.sum((1, 2), dtype=torch.float64).to(falls)
    falls *= (like_spots(counts, middle) / total).expand(size)[:, None, None]
    return falls


def _stamp(
    images: Tensor,
    pattern: Tensor,
    places: Tensor,
    counts: Tensor,
    radius: float | Tensor,
    profile: Profile,
) -> None:
    """Add a disk or gaussian of ``counts`` (M,) in total at each of ``places`` (M, 2)."""
    soft, size = profile == "gaussian", _greatest(radius)
    half = math.ceil((4 * size if soft else size + 0.5) + 0.5)
    offsets = torch.arange(-half, half + 1, device=images.device)
    step = max(1, _CHUNK // len(offsets) ** 2)
    for start in range(0, len(places), step):
        own = slice(start, start + step)
        nearest = places[own].round()
        away = places[own] - nearest
        d = offsets[None, :, None] - away[:, None, :]  # (m, window, 2)
        r = of_pattern(radius, pattern[own], images).reshape(-1, 1)
        values = _profile(d[:, :, 0], d[:, :, 1], r, soft)
        total = values.sum((1, 2))
        values *= torch.where(total > 0, counts[own] / total, 0)[:, None, None]
        _add(images, pattern[own], nearest.long()[:, None, :] + offsets[None, :, None], values)


def _profile(dy: Tensor, dx: Tensor, radius: Tensor, soft: bool) -> Tensor:
    """Values (m, window, window) of a spot at distances dy, dx (m, window) from its centre."""
    if soft:
        reach = 4 * radius
        rows, columns = (torch.exp(-0.5 * (d / radius) ** 2) * (d.abs() <= reach) for d in (dy, dx))
        return rows[:, :, None] * columns[:, None, :]
    distance = ((dy * dy)[:, :, None] + (dx * dx)[:, None, :]).sqrt_()
    return distance.neg_().add_(radius[:, :, None] + 0.5).clamp_(0, 1)


def _add(images: Tensor, pattern: Tensor, pixels: Tensor, values: Tensor) -> None:
    """Add values (m, window, window) at pixels (m, window, 2) of their patterns."""
    height, width = images.shape[1:]
    rows, columns = pixels[:, :, 0], pixels[:, :, 1]
    outside_r, outside_c = (rows < 0) | (rows >= height), (columns < 0) | (columns >= width)
    values *= ~outside_r[:, :, None]
    values *= ~outside_c[:, None, :]
    base = pattern[:, None] * height + rows.clamp(0, height - 1)
    where = base[:, :, None] * width + columns.clamp(0, width - 1)[:, None, :]
    images.view(-1).index_add_(0, where.view(-1), values.view(-1))


def _blurred(images: Tensor, shape: tuple[int, int], sigma: Tensor) -> Tensor:
    """Convolve with a gaussian and cut the margin off: as two matrix products, fast and exact."""
    sigma = sigma.reshape(-1, 1, 1).clamp(min=1e-3)
    kernels = []
    for size, whole in zip(shape, images.shape[1:], strict=True):
        target = torch.arange(size, device=images.device) + (whole - size) // 2
        gap = target[:, None] - torch.arange(whole, device=images.device)[None, :]
        kernel = torch.exp(-0.5 * (gap / sigma) ** 2) * (gap.abs() <= 4 * sigma)  # no denormals
        kernels.append(kernel / kernel.sum(-1, keepdim=True))
    if len(sigma) == 1:  # one kernel for all: two large products instead of many small ones
        along = (images @ kernels[1][0].T).transpose(1, 2) @ kernels[0][0].T
        return along.transpose(1, 2).contiguous()
    return kernels[0] @ images @ kernels[1].transpose(1, 2)


def count_electrons(expected: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """Draw Poisson numbers (N, ky, kx) about ``expected``; ``generator`` holds the seed.

    The numbers depend on the seed, on the shape of the batch and on the kind of device.
    """
    return torch.poisson(expected.clamp(min=0), generator=generator)


def _greatest(value: float | Tensor) -> float:
    return float(value.max()) if isinstance(value, Tensor) else float(value)
