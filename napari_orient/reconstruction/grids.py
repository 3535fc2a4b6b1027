"""From coarse to fine: which grids and scales does a reconstruction go through?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import torch

if TYPE_CHECKING:
    from torch import Tensor

    from napari_orient.reconstruction.config import ReconstructConfig

_WANTED = 5.0  # grain diameters that the widest window spans, where the field is large enough
_NEEDED = 2.0  # below which it is said
_COARSEST = 4.0  # points of a grain's diameter on the coarsest grid
_LARGEST_LEVELS = 4
_WAVES = 0.35  # coarse steps by which boundaries are displaced
_WAVELENGTH = 8.0  # points, about


class Grid(NamedTuple):
    """A stage on the way: every ``spacing``-th point, windows at so many scales, and degrees.

    ``degrees`` has those of the harmonics of each phase.
    """

    spacing: int
    shape: tuple[int, ...]
    scales: int
    degrees: tuple[tuple[int, ...], ...] = ()


def choose_degrees(group: Any) -> tuple[int, ...]:
    """Return the degrees of harmonics that a reconstruction takes, the lowest first.

    Those that tell all orientations apart, and the lowest that there is: with it, noise falls into
    grains (of one c axis, where n is 12 for the sixfold turn about it) that higher degrees alone,
    with their many near solutions, do not find.
    """
    from napari_orient.crystal.harmonics import count_invariants, default_harmonics

    needed = max(default_harmonics(group).degrees)
    lowest = next(n for n in range(2, needed + 1, 2) if count_invariants(group, n))
    return (needed,) if lowest == needed else (lowest, needed)


def plan_grids(
    config: ReconstructConfig, diameter: float, degrees: tuple[tuple[int, ...], ...] = ()
) -> tuple[list[Grid], list[str]]:
    """Choose the stages, the coarsest grid first, and say what follows for the result.

    Parameters
    ----------
    diameter
        Of the grains, in points of the finest grid.
    degrees
        Of the harmonics of each phase. The first stage has the lowest alone.

    Raises
    ------
    ValueError
        If the field is smaller than the window, or cannot be halved as often as the config asks.
    """
    least, notes = min(config.size), []
    if least < config.window:
        raise ValueError(
            f"A field of {least} points is smaller than the window of {config.window}: "
            "take a smaller window or a larger field."
        )
    if config.bands > 1 and config.size[0] // config.bands < config.window:
        raise ValueError(
            f"Bands of {config.size[0] // config.bands} rows are narrower than the window of "
            f"{config.window}: take fewer bands, a smaller window or a larger field."
        )
    scales = config.scales or _scales(config.window, diameter)
    narrow = (config.size[0] // config.bands, *config.size[1:])
    levels = config.levels or _levels(config.size, narrow, config.window, diameter)
    factor = 2 ** (levels - 1)
    if any(n % factor for n in config.size):
        words = " x ".join(map(str, config.size))
        raise ValueError(
            f"A field of {words} points cannot be halved {levels - 1} times: take a size that "
            f"{factor} divides, or fewer levels."
        )
    grids = []
    for level in reversed(range(levels)):
        shape = tuple(n // 2**level for n in config.size)
        fits = _fitting(min(shape[0] // config.bands, *shape[1:]), config.window)
        grids.append(Grid(2**level, shape, max(1, min(scales - level, fits)), degrees))
    if any(len(own) > 1 for own in degrees):
        grids.insert(0, grids[0]._replace(degrees=tuple((min(own),) for own in degrees)))
    reach = max(config.window * g.spacing * 2 ** (g.scales - 1) for g in grids)
    if reach < _NEEDED * diameter:
        notes.append(
            f"The widest window, {reach} points, spans {reach / diameter:.1f} grains: what lies "
            "farther apart is left to chance. Take a larger field, more scales, or larger points."
        )
    return grids, notes


def _scales(window: int, diameter: float) -> int:
    scales = 1
    while window * 2 ** (scales - 1) < _WANTED * diameter and scales < _LARGEST_LEVELS:
        scales += 1
    return scales


def _levels(size: tuple[int, ...], narrow: tuple[int, ...], window: int, diameter: float) -> int:
    """As often as the field can be halved, and still holds two windows, and grains some points."""
    levels = 1
    while (
        levels < _LARGEST_LEVELS
        and all(n % 2**levels == 0 for n in size)
        and min(narrow) // 2**levels >= 2 * window - 2
        and diameter / 2**levels >= _COARSEST
    ):
        levels += 1
    return levels


def _fitting(points: int, window: int) -> int:
    """How many scales have a field that is no smaller than the window."""
    scales = 1
    while points // 2**scales >= window and points % 2**scales == 0:
        scales += 1
    return scales


def refined(field: Tensor, seed: int, *, open_rows: bool = False) -> Tensor:
    """Give a field (..., C) twice the points along each axis, with wavy boundaries.

    Each point takes the orientation of the coarse one that lies at it after all is displaced by
    about a third of a coarse step, at random but alike for neighbours: copies of whole coarse
    points would leave their squares in the result. No means are taken, so that symmetrical
    equivalents do not matter; borders are periodic (``open_rows``: not those above and below).
    """
    drawn = torch.Generator().manual_seed(seed)
    shape = tuple(2 * n for n in field.shape[:-1])
    places = []
    for axis, n in enumerate(shape):
        view = [1] * len(shape)
        view[axis] = n
        middle = (torch.arange(n).reshape(view) + 0.5) / 2
        place = middle + _WAVES * _smooth_noise(shape, drawn)
        near = torch.floor(place).long()
        closed = axis > 0 or not open_rows
        places.append(near % (n // 2) if closed else near.clamp(0, n // 2 - 1))
    made: Tensor = field[tuple(places)]
    return made


def _smooth_noise(shape: tuple[int, ...], drawn: torch.Generator) -> Tensor:
    """Periodic noise of variance one, without waves shorter than some points."""
    spectrum = torch.fft.fftn(torch.randn(shape, generator=drawn))
    square = torch.zeros(())
    for axis, n in enumerate(shape):
        view = [1] * len(shape)
        view[axis] = n
        square = square + (torch.fft.fftfreq(n) * _WAVELENGTH).reshape(view) ** 2
    noise = torch.fft.ifftn(spectrum * torch.exp(-square)).real
    made: Tensor = noise / noise.std().clamp(min=1e-9)
    return made


def random_field(shape: tuple[int, ...], seed: int, phases: int = 1) -> Tensor:
    """Return random orientations (..., 4), unit quaternions, float32; with phases (..., 4 + P)."""
    drawn = torch.Generator().manual_seed(seed)
    q = torch.randn((*shape, 4), generator=drawn)
    made = torch.nn.functional.normalize(q, dim=-1)
    if phases == 1:
        return made
    return torch.cat([made, torch.randn((*shape, phases), generator=drawn)], dim=-1)
