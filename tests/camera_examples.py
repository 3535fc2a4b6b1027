"""Patterns with known centre, pixel size, ellipse: rings and spots, background, noise.

Written apart from the package's own formulas, so that a wrong sign cannot cancel.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from napari_orient.crystal.phases import get_phase
from napari_orient.data.scan import Calibration, Quantity
from napari_orient.diffraction.simulate import reflections, spots

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Truth(NamedTuple):
    """What a pattern was made with."""

    centre: tuple[float, float]
    size: float
    ratio: float
    angle: float


def random_truth(rng: np.random.Generator, shape: tuple[int, int] = (256, 256)) -> Truth:
    """Up to 6 px beside the middle, ellipse of 1 to 5 %, size within 8 % of 0.008 x 256 / n."""
    away, where = 6 * math.sqrt(rng.random()), rng.uniform(0, 2 * math.pi)
    centre = (
        shape[0] / 2 + away * math.sin(where),
        shape[1] / 2 + away * math.cos(where),
    )
    size = 0.0085 * 256 / min(shape) * rng.uniform(0.92, 1.08)
    return Truth(centre, size, rng.uniform(1.01, 1.05), rng.uniform(-90, 90))


def lengths(truth: Truth, shape: tuple[int, int]) -> NDArray[np.float64]:
    """|g| of each pixel, 1/angstrom."""
    y, x = np.mgrid[: shape[0], : shape[1]]
    dy, dx = y - truth.centre[0], x - truth.centre[1]
    t = math.radians(truth.angle)
    along, across = dx * math.cos(t) + dy * math.sin(t), -dx * math.sin(t) + dy * math.cos(t)
    root = math.sqrt(truth.ratio)
    return np.hypot(along / root, across * root) * truth.size


def place(truth: Truth, x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    """Pixels (n, 2) (ky, kx) of reciprocal vectors."""
    t = math.radians(truth.angle)
    root = math.sqrt(truth.ratio)
    along = (x * math.cos(t) + y * math.sin(t)) * root
    across = (-x * math.sin(t) + y * math.cos(t)) / root
    kx, ky = along * math.cos(t) - across * math.sin(t), along * math.sin(t) + across * math.cos(t)
    return np.stack([ky, kx], axis=-1) / truth.size + truth.centre


def guess(truth: Truth, rng: np.random.Generator, shape: tuple[int, int]) -> Calibration:
    """A start that is wrong by up to 10 % in size, with the centre in the middle."""
    size = truth.size * rng.uniform(0.9, 1.1)
    return Calibration(
        centre=Quantity(value=(shape[0] / 2, shape[1] / 2), unit="px"),
        pixel_size=Quantity(value=size, unit="1/angstrom", source="typed"),
        voltage=Quantity(value=200.0, unit="kV"),
    )


def background(g: NDArray[np.float64], counts: float, beam: float) -> NDArray[np.float64]:
    """Diffuse scattering and a direct beam (a soft disk)."""
    disk = beam / (1 + np.exp((g - 0.03) / 0.004))
    return counts * (1 + (g / 0.25) ** 2) ** -1.5 + disk


def ring_pattern(
    phase: str,
    truth: Truth,
    rng: np.random.Generator,
    shape: tuple[int, int] = (256, 256),
    peak: float = 60.0,
    width: float = 0.012,
) -> NDArray[np.float64]:
    """Smooth powder rings with Poisson noise, the strongest ``peak`` counts high."""
    g = lengths(truth, shape)
    found = reflections(get_phase(phase), 1.9)
    radii = np.linalg.norm(found.g, axis=1)
    image = np.zeros(shape)
    grid = np.arange(0, g.max() + 0.002, 0.001)
    curve = np.zeros(len(grid))
    for radius in np.unique(radii.round(6)):
        strength = found.intensity[np.abs(radii - radius) < 1e-5].sum() / radius
        curve += strength * np.exp(-0.5 * ((grid - radius) / width) ** 2)
    image = peak * np.interp(g, grid, curve / curve.max())
    return rng.poisson(image + background(g, 3 * peak, 200 * peak)).astype(np.float64)


def grain_pattern(
    phase: str,
    truth: Truth,
    rng: np.random.Generator,
    shape: tuple[int, int] = (256, 256),
    grains: int = 400,
    counts: float = 300.0,
    radius: float = 0.012,
) -> NDArray[np.float64]:
    """The sum of the spot patterns of many grains: rings made of spots."""
    q = rng.normal(size=(grains, 4))
    drawn = spots(reflections(get_phase(phase), 1.6), q, 200.0, thickness_nm=15.0)
    points = place(truth, drawn.xy[:, 0].astype(float), drawn.xy[:, 1].astype(float))
    image = stamp(shape, points, counts * drawn.intensity.astype(float), radius / truth.size)
    g = lengths(truth, shape)
    return rng.poisson(image + background(g, 20.0, 20000.0)).astype(np.float64)


def zone_pattern(
    phase: str,
    truth: Truth,
    rng: np.random.Generator,
    quaternion: NDArray[np.float64],
    shape: tuple[int, int] = (256, 256),
    counts: float = 400.0,
    radius: float = 0.02,
) -> NDArray[np.float64]:
    """One crystal in one orientation."""
    found = reflections(get_phase(phase), 1.5)
    drawn = spots(found, quaternion, 200.0, thickness_nm=10.0, max_excitation=0.04)
    points = place(truth, drawn.xy[:, 0].astype(float), drawn.xy[:, 1].astype(float))
    heights = counts * (drawn.intensity.astype(float) / drawn.intensity.max()) ** 0.4
    image = stamp(shape, points, heights, radius / truth.size)
    g = lengths(truth, shape)
    return rng.poisson(image + background(g, 20.0, 4000.0)).astype(np.float64)


def stamp(
    shape: tuple[int, int], points: NDArray[np.float64], heights: NDArray[np.float64], size: float
) -> NDArray[np.float64]:
    """Soft disks of some height at points."""
    image = np.zeros(shape)
    reach = math.ceil(size + 2)
    for (ky, kx), height in zip(points, heights, strict=True):
        r, c = round(ky), round(kx)
        rows = np.arange(max(0, r - reach), min(shape[0], r + reach + 1))
        columns = np.arange(max(0, c - reach), min(shape[1], c + reach + 1))
        if len(rows) and len(columns):
            away = np.hypot(rows[:, None] - ky, columns[None] - kx)
            image[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] += height * np.clip(
                size + 0.5 - away, 0, 1
            )
    return image
