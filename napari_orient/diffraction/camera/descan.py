"""How does the direct beam drift over a scan? Tracked pattern by pattern, fitted by a surface."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numba
import numpy as np

from napari_orient.data.blocks import blocks
from napari_orient.data.pages import release
from napari_orient.data.scan import Descan, Quantity
from napari_orient.diffraction.camera.centre import Centre, beam_radius, disk_centre, find_centre
from napari_orient.diffraction.kernels import plain
from napari_orient.jobs import Every, Partial, Progress

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from napari_orient.data.scan import Calibration, Scan
    from napari_orient.jobs import Job

_TILE = 12  # positions whose mean pattern shows where to look: the drift within is small


@dataclass(frozen=True)
class Tracked:
    """The beam centres of a scan and the surface through them.

    Attributes
    ----------
    centres
        (y, x, 2): (ky, kx) in px at each position, NaN where it was not looked for or not found.
    used
        (y, x): True where the fit believes the centre; outliers are False.
    centre
        Centre in the middle of the scan, "measured".
    descan
        The drift about it, with its residual ``rms``.
    """

    centres: NDArray[np.float64]
    used: NDArray[np.bool_]
    centre: Quantity
    descan: Descan

    def apply(self, calibration: Calibration) -> Calibration:
        """Return the calibration with this centre and descan."""
        return calibration.set(centre=self.centre, descan=self.descan)


def track_centre(
    scan: Scan,
    *,
    method: Literal["disk", "friedel"] = "disk",
    stride: int = 1,
    order: Literal[1, 2] = 1,
) -> Job[Tracked]:
    """Track the direct beam over the scan and fit its drift; a job.

    Parameters
    ----------
    scan
        Read block by block, in any layout.
    method
        As in :func:`find_centre`; "friedel" is for a blocked beam, and slow.
    stride
        Look at every ``stride``-th row and column.
    order
        Of the fitted surface: 1 a plane, 2 with curvature.

    Yields
    ------
    Progress, Partial
        ``Partial("centres", centres, done)``, as in :class:`Tracked`.

    Raises
    ------
    ValueError
        If fewer centres are found than the surface needs.
    """
    centres = np.full((*scan.scan_shape, 2), np.nan)
    todo = blocks(scan)
    show, tick = Every(0.4, 0.2), Every(0.1, 0.0)
    known: Centre | None = None
    for number, (rows, columns) in enumerate(todo):
        if tick.due():
            yield Progress(number, len(todo), f"tracking the beam, row {rows.start}")
        where = (_every(rows, stride), _every(columns, stride))
        if where[0].start >= rows.stop or where[1].start >= columns.stop:
            continue
        block = scan.read(*where)
        target = centres[where]
        if method == "friedel":
            for index in np.ndindex(block.shape[:2]):
                target[index] = _one(block[index])
                if tick.due():
                    yield Progress(number, len(todo), f"tracking the beam, row {rows.start}")
        else:
            for tile in _tiles(block.shape[0], block.shape[1], max(1, _TILE // stride)):
                known = _track_tile(block[tile], target[tile], known)
        release(scan.data)
        if show.due():
            yield Partial("centres", centres.copy(), np.isfinite(centres[..., 0]))
    return fit_drift(centres, order)


def _every(span: slice, stride: int) -> slice:
    """The part of a span that lies on the grid 0, stride, 2 stride."""
    return slice(-(-span.start // stride) * stride, span.stop, stride)


def _tiles(rows: int, columns: int, side: int) -> Iterator[tuple[slice, slice]]:
    """Squares of positions; every other row of squares backwards, so that neighbours follow."""
    for n, y in enumerate(range(0, rows, side)):
        starts = range(0, columns, side)
        for x in starts if n % 2 == 0 else reversed(starts):
            yield slice(y, y + side), slice(x, x + side)


def _one(pattern: NDArray[Any]) -> tuple[float, float]:
    """Centre of symmetry of one pattern, NaN if it is uniform."""
    try:
        found = find_centre(pattern, method="friedel")
    except ValueError:
        return math.nan, math.nan
    return found.ky, found.kx


def _track_tile(
    patterns: NDArray[Any], out: NDArray[np.float64], known: Centre | None
) -> Centre | None:
    """Find the beam in patterns (y, x, ky, kx), from where it is in their mean; write to ``out``.

    Returns that place for the next tile.
    """
    mean = np.nan_to_num(patterns.mean(axis=(0, 1), dtype=np.float64))
    if np.ptp(mean) == 0:
        return known
    found = None
    if known is not None:
        radius = beam_radius(mean, (known.ky, known.kx))
        found = disk_centre(mean, (known.ky, known.kx), radius)
        if math.hypot(found.ky - known.ky, found.kx - known.kx) > max(2.0, radius):
            found = None  # the beam jumped, or a spot came near: look again everywhere
    if found is None:
        found = find_centre(mean, method="disk")
    radius = beam_radius(mean, (found.ky, found.kx))
    flat = plain(patterns.reshape(-1, *patterns.shape[2:]))
    centres = np.empty((len(flat), 2))
    _centroids(flat, found.ky, found.kx, radius, centres)
    out[:] = centres.reshape(out.shape)
    return found


@numba.njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _centroids(
    patterns: NDArray[Any], ky: float, kx: float, radius: float, out: NDArray[np.float64]
) -> None:
    """Centroid of the disk near (ky, kx) in each pattern (n, ky, kx), as disk_centre does.

    The background is the mean around the disk without the spots in it; NaN where there is no disk.
    """
    inner, outer = 1.4 * radius + 2, 1.4 * radius + 5
    for n in range(len(patterns)):
        image = patterns[n]
        y, x = ky, kx
        for _ in range(8):
            low_r, high_r = max(0, int(y - outer)), min(image.shape[0], int(y + outer) + 2)
            low_c, high_c = max(0, int(x - outer)), min(image.shape[1], int(x + outer) + 2)
            base, limit = 0.0, np.inf
            for _clip in range(2):
                total, count = 0.0, 0
                for r in range(low_r, high_r):
                    for c in range(low_c, high_c):
                        away = math.sqrt((r - y) ** 2 + (c - x) ** 2)
                        value = float(image[r, c])
                        if inner < away <= outer and value <= limit:
                            total += value
                            count += 1
                base = total / max(count, 1)
                limit = 2 * base + 3 * math.sqrt(max(base, 0.0)) + 1e-9
            top, count = 0.0, 0
            for r in range(low_r, high_r):
                for c in range(low_c, high_c):
                    if (r - y) ** 2 + (c - x) ** 2 <= max(0.6 * radius, 1.0) ** 2:
                        top += float(image[r, c]) - base
                        count += 1
            top /= max(count, 1)
            sy = sx = total = 0.0
            for r in range(low_r, high_r):
                for c in range(low_c, high_c):
                    if (r - y) ** 2 + (c - x) ** 2 <= inner * inner and top > 0:
                        weight = (float(image[r, c]) - base) / top - 0.25
                        weight = min(max(weight, 0.0), 0.5)
                        sy += weight * r
                        sx += weight * c
                        total += weight
            if not total > 0:
                y = x = np.nan
                break
            moved = abs(sy / total - y) + abs(sx / total - x)
            y, x = sy / total, sx / total
            if moved < 0.003:
                break
        out[n, 0], out[n, 1] = y, x


def fit_drift(centres: NDArray[np.float64], order: Literal[1, 2] = 1) -> Tracked:
    """Fit a surface to centres (y, x, 2) in px, NaN where unknown; outliers are left out.

    Raises
    ------
    ValueError
        If fewer centres are known than the surface needs, with some to spare.
    """
    rows, columns = centres.shape[:2]
    origin = ((rows - 1) / 2, (columns - 1) / 2)
    y, x = np.mgrid[:rows, :columns]
    v, u = y - origin[0], x - origin[1]
    terms = [np.ones(v.shape), v, u] + ([v * v, v * u, u * u] if order == 2 else [])
    table = np.stack(terms, axis=-1)
    used = np.asarray(np.isfinite(centres).all(axis=-1))
    needed = table.shape[-1] + 3
    if used.sum() < needed or min(np.ptp(v[used]), np.ptp(u[used])) == 0:
        raise ValueError(
            f"the beam was found in {int(used.sum())} patterns only: track more of them, over "
            "several rows and columns, or set the centre by hand"
        )
    known: NDArray[np.bool_] = used
    for _ in range(12):
        found, *_ = np.linalg.lstsq(table[used], centres[used], rcond=None)
        away = np.linalg.norm(centres - table @ found, axis=-1)
        # the radius of a scatter of sigma in both axes has the median 1.1774 sigma
        spread = float(np.median(away[used])) / 1.1774
        better = np.asarray(known & (away <= 4 * max(spread, 1e-3)))
        if better.sum() < needed or (better == used).all():
            break
        used = better
    rms = float(np.sqrt((away[used] ** 2).mean() / 2))
    said = f"from {int(used.sum())} of {int(known.sum())} tracked patterns, rms {rms:.2g} px"
    ky, kx = (tuple(float(c) for c in found[1:, axis]) for axis in (0, 1))
    descan = Descan(ky=ky, kx=kx, origin=origin, rms=rms, source="measured", note=said)
    middle = (float(found[0, 0]), float(found[0, 1]))
    centre = Quantity(value=middle, unit="px", source="measured", note=f"mid-scan, {said}")
    return Tracked(centres, used, centre, descan)
