"""Which maps of numbers can be shown? KAM, GROD, Schmid factor and boundary classes, as jobs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from napari_orient.jobs import Progress

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_orient.analysis.boundary_map import BoundaryMap
    from napari_orient.analysis.grains.config import GrainConfig
    from napari_orient.analysis.grains.grains import Grains
    from napari_orient.data.maps import OrientationMap
    from napari_orient.jobs import Job


@dataclass(frozen=True, eq=False)
class Picture:
    """A number at each point of a map.

    Attributes
    ----------
    orientations
        The map.
    name
        "KAM", "GROD", "Schmid factor".
    values
        In the map's shape; NaN where it has no meaning.
    unit
        Written beside numbers.
    limits
        Of the colours.
    settings
        How it was made, for the note of the layer.
    """

    orientations: OrientationMap
    name: str
    values: NDArray[np.float32]
    unit: str
    limits: tuple[float, float]
    settings: dict[str, Any]

    @property
    def words(self) -> str:
        """Mean and median, in words."""
        known = self.values[np.isfinite(self.values)]
        if not known.size:
            return f"{self.name}: no point has a value."
        digits = 2 if self.unit else 3
        mean, median = (f"{f(known):.{digits}f}{self.unit}" for f in (np.mean, np.median))
        share = known.size / self.values.size
        return f"{self.name}: mean {mean}, median {median}, of {share:.1%} of the points."


class Classes(NamedTuple):
    """Boundaries by class, and the lines as a picture on the doubled grid.

    ``of_grains``: points that belong to no grain were left out.
    """

    orientations: OrientationMap
    boundaries: BoundaryMap
    lines: NDArray[np.uint8]
    of_grains: bool


class Source(NamedTuple):
    """What a picture is made of: a map, what counts, and its grains where they are known."""

    orientations: OrientationMap
    config: GrainConfig
    grains: Grains | None

    def trusted(self) -> OrientationMap:
        """Return the map without points below the limits."""
        from napari_orient.analysis.grains.find import trusted_points

        if self.grains is not None and self.grains.config.least == self.config.least:
            return self.grains.trusted
        return trusted_points(self.orientations, self.config)


def kam(source: Source, order: int) -> Job[Picture]:
    """Return the kernel average misorientation of the points that count."""
    from napari_orient.analysis.grains.pixel_maps import kernel_average_misorientation

    config = source.config
    found = yield from kernel_average_misorientation(
        source.trusted(), order, config.threshold, modulo_beam=config.modulo_beam
    )
    settings = {"order": order, "largest": config.threshold, "least": config.least}
    name = "KAM" if order == 1 else f"KAM, order {order}"
    return _picture(source.orientations, name, found, "°", settings)


def grod(grains: Grains) -> Job[Picture]:
    """Return the deviation of each point from the mean of its grain."""
    from napari_orient.analysis.grains.pixel_maps import grain_reference_deviation

    yield Progress(0, 0, "Comparing points with their grain")
    found = grain_reference_deviation(grains)
    settings = grains.config.model_dump(mode="json")
    return _picture(grains.orientations, "GROD", found, "°", settings)


def schmid(source: Source, systems: dict[int, str], load: str) -> Job[Picture]:
    """Return the largest Schmid factor of each point that counts.

    ``systems``: number of a phase -> its slip systems, "{111}<1-10>".
    """
    from napari_orient.analysis.slip import load_direction, schmid_map, slip_family

    yield Progress(0, 0, "Measuring Schmid factors")
    vector = load_direction(load)
    phases = source.orientations.phases
    families = {n: slip_family(text, phases[n]) for n, text in systems.items() if text.strip()}
    if not families:
        raise ValueError("Type a slip system, such as {111}<1-10>.")
    found, _ = schmid_map(source.trusted(), families, vector)
    told = ", ".join(dict.fromkeys(family.name for family in families.values()))
    settings = {"systems": told, "load": vector.tolist(), "least": source.config.least}
    name = f"Schmid factor {told} ∥ {load.strip().upper()}"
    return _picture(source.orientations, name, found, "", settings, (0.0, 0.5))


def classes(
    source: Source, laws: tuple[str, ...], limits: tuple[float, float], *, between: bool
) -> Job[Classes]:
    """Sort the boundaries; laws that no phase has are refused, as typed.

    Points that belong to no grain are noise, whose boundaries would be most of all: where grains
    are known they are left out, as in a report. ``between``: those between two grains alone.
    """
    from napari_orient.analysis.boundary_map import boundary_map

    orientations, config, grains = source
    sought = _sought(orientations, laws)
    points, labels = source.trusted(), None
    if grains is not None:
        inside = np.where(grains.labels > 0, points.phase_id, -1)
        points, labels = replace(points, phase_id=inside), grains.labels if between else None
    low, high = limits
    found = yield from boundary_map(
        points, sought, low=low, high=high, labels=labels, modulo_beam=config.modulo_beam
    )
    yield Progress(1, 1, "Drawing boundaries")
    lines = found.doubled()
    # of a volume its sections, as their slider knows them; in between lie faces
    shown = lines if lines.ndim == 2 else lines[::2].copy()
    return Classes(orientations, found, shown, grains is not None)


def _sought(orientations: OrientationMap, laws: tuple[str, ...]) -> dict[int, list[Any]]:
    """Return the laws of each phase; those that no phase has are refused."""
    from napari_orient.analysis.boundary_classes import parse_law

    sought: dict[int, list[Any]] = {number: [] for number in orientations.phases}
    for text in laws:
        refused: list[str] = []
        for number, phase in orientations.phases.items():
            try:
                sought[number].append(parse_law(text, phase))
            except ValueError as error:
                refused.append(str(error))
        if len(refused) == len(orientations.phases):
            raise ValueError(refused[0])
    return sought


def _picture(
    orientations: OrientationMap,
    name: str,
    found: NDArray[np.float64],
    unit: str,
    settings: dict[str, Any],
    limits: tuple[float, float] | None = None,
) -> Picture:
    values = found.astype(np.float32)
    known = values[np.isfinite(values)]
    high = float(np.percentile(known, 99)) if known.size else 1.0
    shown = limits or (0.0, max(high, 1e-3))
    return Picture(orientations, name, values, unit, shown, settings)
