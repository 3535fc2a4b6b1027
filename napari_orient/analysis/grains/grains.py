"""The grains of a map or volume, and what was measured of each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_orient.analysis.grains.config import GrainConfig
    from napari_orient.data.maps import OrientationMap


@dataclass(frozen=True, eq=False)
class Contacts:
    """Boundaries between grains that share faces of points.

    Attributes
    ----------
    pairs
        (m, 2) ids, the smaller one first.
    extent
        (m,) length of the boundary of two grains of a map, area in a volume; in the map's unit.
    angle
        (m,) misorientation of their means, in degrees; NaN between phases.
    """

    pairs: NDArray[np.int32]
    extent: NDArray[np.float64]
    angle: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Grains:
    """Grains of a map (y, x) or a volume (z, y, x).

    Attributes
    ----------
    orientations
        The map they were found in.
    config
        What counted as a grain.
    labels
        (y, x) or (z, y, x) int32: the grain at each point, from 1; 0 = none.
    core
        Same shape, bool: points that the mean and the spread of their grain are of. Not those that
        were filled, merged, or are of a twin.
    means
        (n, 4) mean orientations, ``lab2crystal``, in the fundamental zone.
    table
        Name -> (n,) numbers; row i is grain i + 1.

        ========================  ====================================================
        id, phase                 number of the grain, and of its phase
        size                      points
        area or volume            in unit^2 or unit^3
        diameter                  of the circle or sphere of equal area or volume
        phi1, Phi, phi2           mean orientation in degrees, map frame
        z, y, x                   centroid in the map's coordinates; of a grain that runs
                                  across a periodic border, of the grain as a whole
        aspect_ratio              longest over shortest axis of the ellipse (ellipsoid) of
                                  equal second moments
        axis                      map: degrees of the longest axis from x towards y, 0 to 180
        axis_z, axis_y, axis_x    volume: unit vector along the longest axis
        perimeter or surface      in unit or unit^2, without what lies on the edge of the map
        neighbours                grains that share a boundary with it
        gos                       grain orientation spread: mean angle to the mean, degrees
        parts                     how many twins (and parents) it was merged from
        edge                      touches the edge of the map, or what is not indexed there
        ========================  ====================================================
    contacts
        Boundaries between grains.
    counted
        (n,) bool: the grains that statistics are over.
    trusted
        The map with all points not indexed that do not count, by the limits of the config.
    notes
        What was taken for granted, in sentences.
    """

    orientations: OrientationMap
    config: GrainConfig
    labels: NDArray[np.int32]
    core: NDArray[np.bool_]
    means: NDArray[np.float64]
    table: dict[str, NDArray[Any]]
    contacts: Contacts
    counted: NDArray[np.bool_]
    trusted: OrientationMap
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.means)

    @property
    def dimensions(self) -> int:
        """2 for a map, 3 for a volume."""
        return self.labels.ndim

    @property
    def size_column(self) -> str:
        """Name of the column of sizes: "area" or "volume"."""
        return "area" if self.dimensions == 2 else "volume"

    def units(self) -> dict[str, str]:
        """Column -> its unit, for those that have one."""
        length = self.orientations.unit.replace("um", "µm")
        made = dict.fromkeys(("diameter", "y", "x", "z", "perimeter"), length)
        made |= {"area": f"{length}²", "surface": f"{length}²", "volume": f"{length}³"}
        made |= dict.fromkeys(("phi1", "Phi", "phi2", "axis", "gos"), "°")
        return {name: unit for name, unit in made.items() if name in self.table}

    def summary(self) -> dict[str, Any]:
        """Return the facts about these grains as plain JSON types.

        Diameters are over the grains that count; None where none does. ``n_grains`` are all.
        """
        diameter = self.table["diameter"][self.counted]
        size = self.table[self.size_column][self.counted]
        weighted = f"{self.size_column}_weighted_diameter"
        touching = int(self.table["edge"].sum())
        return {
            "kind": "grains",
            "n_grains": len(self),
            "n_edge": touching,
            "n_counted": int(self.counted.sum()),
            "mean_diameter": _mean(diameter),
            weighted: _mean(diameter, size),
            "mean_diameter_with_edge": _mean(self.table["diameter"]),
            f"{weighted}_with_edge": _mean(self.table["diameter"], self.table[self.size_column]),
            "mean_aspect_ratio": _mean(self.table["aspect_ratio"][self.counted]),
            "mean_gos_deg": _mean(self.table["gos"][self.counted]),
            "unit": self.orientations.unit,
            "share_in_grains": float(np.mean(self.labels > 0)),
            "phases": self.shares(),
            "notes": list(self.notes),
        }

    def shares(self) -> dict[str, float]:
        """Name of a phase -> its share of the points that are in grains (area or volume)."""
        points = np.bincount(self.table["phase"], self.table["size"]) if len(self) else np.zeros(0)
        total = max(float(points.sum()), 1.0)
        return {
            phase.name or f"phase {number}": float(points[number]) / total
            for number, phase in self.orientations.phases.items()
            if number < len(points) and points[number]
        }


def _mean(values: NDArray[Any], weights: NDArray[Any] | None = None) -> float | None:
    return float(np.average(values, weights=weights)) if len(values) else None
