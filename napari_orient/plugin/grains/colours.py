"""Which colour has a grain? At random, by its mean orientation, or by a number of the table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_orient.plugin.grains.columns import CYCLIC, head_of, measures_of

if TYPE_CHECKING:
    from napari.utils.colormaps import DirectLabelColormap
    from numpy.typing import NDArray

    from napari_orient.analysis.grains.grains import Grains

NONE, RANDOM, PHASE = "none", "random", "phase"
IPF = {f"IPF-{axis}": axis for axis in "XYZ"}
LEVELS = 256  # different colours of a number: napari is slow with one for each grain
PALE = 0.25  # opacity of grains that the filters leave out


@dataclass(frozen=True)
class Choice:
    """What grains are coloured by.

    Attributes
    ----------
    key
        "none", "random", "phase", "IPF-Z", or the name of a column.
    words
        As the list has it.
    tip
        What it means.
    """

    key: str
    words: str
    tip: str

    @property
    def is_number(self) -> bool:
        """True for columns: they have limits and a bar."""
        return self.key not in (NONE, RANDOM, PHASE, *IPF)

    @property
    def colormap(self) -> str:
        """Name of napari's colormap."""
        return "hsv" if self.key in CYCLIC else "viridis"


def choices_of(grains: Grains) -> list[Choice]:
    """Return what these grains can be coloured by."""
    made = [Choice(RANDOM, "at random", "Neighbours are told apart")]
    made += [
        Choice(key, f"{key} of the mean", f"Mean orientation, in the IPF colours along {axis}")
        for key, axis in IPF.items()
    ]
    if len(np.unique(grains.table["phase"])) > 1:
        made.append(Choice(PHASE, "phase", "Crystal of the grain"))
    made += [
        Choice(column.name, head_of(grains, column), column.tip) for column in measures_of(grains)
    ]
    return [*made, Choice(NONE, "boundaries only", "What lies below is seen")]


def limits_of(grains: Grains, key: str) -> tuple[float, float]:
    """Return limits between which nearly all grains lie, those of the statistics first."""
    if key in CYCLIC:
        return 0.0, CYCLIC[key]
    values = np.asarray(grains.table[key], np.float64)
    good = values[grains.counted & np.isfinite(values)]
    good = good if good.size else values[np.isfinite(values)]
    if not good.size:
        return 0.0, 1.0
    low, high = (float(v) for v in np.percentile(good, (1, 99)))
    # smaller angles are rounding errors, and smaller numbers cannot be typed
    least = 0.01 if grains.units().get(key) == "°" else 1e-8
    return (low, high) if high - low > least else (low, low + max(1.0, abs(low)) * 0.01)


def rgba_of(grains: Grains, choice: Choice, limits: tuple[float, float]) -> NDArray[np.float32]:
    """Return the colours (n, 4) of the grains."""
    count = len(grains)
    made = np.ones((count, 4), np.float32)
    if choice.key == NONE:
        made[:] = 0
    elif choice.key == RANDOM:
        made[:, :3] = _random(count)
    elif choice.key in IPF:
        made[:, :3] = _by_orientation(grains, IPF[choice.key])
    elif choice.key == PHASE:
        phases = grains.orientations.phases
        made[:, :3] = [phases[int(n)].color_rgb for n in grains.table["phase"]]
    else:
        made[:] = _by_number(grains.table[choice.key], choice.colormap, limits)
    return made


def ramp(choice: Choice, count: int = LEVELS) -> NDArray[np.float32]:
    """Return the colours (count, 4) of a number from its lower to its upper limit."""
    from napari.utils.colormaps import ensure_colormap

    at = np.linspace(0, 1, count, dtype=np.float32)
    return np.asarray(ensure_colormap(choice.colormap).map(at), np.float32)


def _by_number(
    values: NDArray[Any], colormap: str, limits: tuple[float, float]
) -> NDArray[np.float32]:
    from napari.utils.colormaps import ensure_colormap

    low, high = limits
    share = (np.asarray(values, np.float64) - low) / max(high - low, 1e-300)
    known = np.isfinite(share)
    steps = np.round(np.clip(np.where(known, share, 0), 0, 1) * (LEVELS - 1)) / (LEVELS - 1)
    made = np.array(ensure_colormap(colormap).map(steps.astype(np.float32)), np.float32)
    made[~known] = (0.5, 0.5, 0.5, 1)
    return made


def _random(count: int) -> NDArray[np.float32]:
    """RGB (n, 3) of hues that jump from number to number by the golden ratio."""
    from matplotlib.colors import hsv_to_rgb

    number = np.arange(count)
    hue = number * 0.618034 % 1
    strength = np.array([0.55, 0.85, 0.7])[number % 3]
    value = np.array([0.95, 0.75, 0.6, 0.85])[number % 4]
    return np.asarray(hsv_to_rgb(np.stack([hue, strength, value], axis=-1)), np.float32)


def _by_orientation(grains: Grains, axis: str) -> NDArray[np.float32]:
    from napari_orient.crystal.colors import ipf_colors

    made = np.full((len(grains), 3), 0.5, np.float32)
    for number, phase in grains.orientations.phases.items():
        own = grains.table["phase"] == number
        if own.any() and phase.point_group is not None:
            made[own] = ipf_colors(grains.means[own], phase.point_group, axis)
    return made


def label_colours(rgba: NDArray[np.float32], keep: NDArray[np.bool_]) -> DirectLabelColormap:
    """Return the colours of labels 1 to n; grains that are not kept are pale, 0 transparent."""
    from napari.utils.colormaps import DirectLabelColormap

    shown = rgba.copy()
    shown[~keep, 3] *= PALE
    nothing = np.zeros(4, np.float32)
    colours: dict[int | None, Any] = {None: nothing, 0: nothing}
    colours.update(enumerate(shown, 1))
    return DirectLabelColormap(color_dict=colours)
