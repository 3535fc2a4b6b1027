"""Which points count? Quality, distance to the boundary, a region, the test points of a network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from napari_orient.analysis.scores import low_is_good, passes, split_mask
from napari_orient.plugin.maps.layers import numbers_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_orient.analysis.errors import Comparison
    from napari_orient.data.maps import OrientationMap

Side = Literal["reference", "other"]
SPLIT = "split"  # the property that tells training, validation and test


@dataclass(frozen=True)
class Threshold:
    """A limit on a property of one of the maps; points beyond it do not count."""

    side: Side
    name: str
    limit: float

    def passes(self, comparison: Comparison) -> NDArray[np.bool_]:
        """Say which points (y, x) pass; undefined ones never do."""
        return passes(getattr(comparison, self.side), self.name, self.limit)

    @property
    def words(self) -> str:
        """The limit as a condition: "Q >= 20 (reference)"."""
        sign = "<=" if low_is_good(self.name) else ">="
        return f"{self.name} {sign} {self.limit:.4g} ({self.side})"


@dataclass(frozen=True, eq=False)
class Selection:
    """The points that count: those that satisfy all of these conditions.

    Attributes
    ----------
    thresholds
        On properties of the maps.
    boundary
        Pixels; points nearer to a grain boundary of the reference are left out.
    region
        (y, x) bool, or None.
    only_test
        Only the test points, where one of the maps has the property "split".
    """

    thresholds: tuple[Threshold, ...] = ()
    boundary: float = 0.0
    region: NDArray[np.bool_] | None = None
    only_test: bool = False

    def mask(self, comparison: Comparison) -> NDArray[np.bool_]:
        """Return the points (y, x) that count; whether they can be compared is another matter."""
        mask = np.ones(comparison.valid.shape, np.bool_)
        for threshold in self.thresholds:
            mask &= threshold.passes(comparison)
        if self.boundary > 0:  # NaN: there is no boundary, so every point is far from it
            mask &= ~(comparison.boundary_distance < self.boundary)
        if self.region is not None:
            mask &= self.region
        if self.only_test and (test := tested_points(comparison)) is not None:
            mask &= test
        return mask

    @property
    def words(self) -> str:
        """The conditions, for whoever reads the layer or the table later."""
        said = [threshold.words for threshold in self.thresholds]
        if self.boundary > 0:
            said.append(f"boundary at least {self.boundary:g} px away")
        if self.region is not None:
            said.append(f"in the drawn region ({int(self.region.sum())} points)")
        if self.only_test:
            said.append("test points")
        return ", ".join(said) or "all points"


def qualities(orientations: OrientationMap) -> list[str]:
    """Return the properties of a map that are numbers: no labels, and not the split."""
    return [name for name in numbers_of(orientations) if name != SPLIT]


def tested_points(comparison: Comparison) -> NDArray[np.bool_] | None:
    """Return the points (y, x) that a network was tested on, or None where no map tells."""
    for orientations in (comparison.other, comparison.reference):
        if SPLIT in orientations.properties:
            return split_mask(orientations)
    return None
