"""What counts as a grain?"""

from __future__ import annotations

from typing import Literal

from pydantic import Field, PositiveInt

from napari_orient.config import Config


class GrainConfig(Config):
    """How grains are found in a map or volume: a YAML file, options, and a form."""

    threshold: float = Field(
        5.0, gt=0, lt=90, description="misorientation of neighbours of two grains, in degrees"
    )
    smallest: PositiveInt = Field(10, description="smallest grain, in points")
    small: Literal["leave out", "merge"] = Field(
        "leave out",
        description="smaller ones: no grains, or part of the neighbour they touch most",
    )
    fill: int = Field(
        0, ge=0, description="points without a grain go to the nearest one up to so many steps away"
    )
    merge_twins: tuple[str, ...] = Field(
        (),
        description="twins that are one grain with their parent: 'sigma 3', '86.3 [11-20]' ...",
    )
    modulo_beam: bool = Field(
        False, description="half turns about the beam do not split grains (patterns of zone axes)"
    )
    least: dict[str, float] = Field(
        {}, description="least value of a map property, for points that count: {CI: 0.1}"
    )
    edge_grains: bool = Field(
        False, description="count grains that touch the edge of the map in the statistics"
    )
