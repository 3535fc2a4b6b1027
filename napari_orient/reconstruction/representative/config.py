"""How are a reference and a result compared?"""

from __future__ import annotations

from pydantic import Field, PositiveInt, field_validator

from napari_orient.analysis.grains.config import GrainConfig
from napari_orient.config import Config


class RepresentConfig(Config):
    """A comparison: one config is a YAML file, options, and the form of the window."""

    grains: GrainConfig = Field(
        default_factory=GrainConfig, description="how sections are parted into grains"
    )
    halfwidth: float = Field(
        10.0, gt=0, le=45, description="of the kernel that smooths textures, in degrees"
    )
    window: int = Field(
        17, ge=3, description="width of the window of lags of the error maps, in points, odd"
    )
    reach: float = Field(
        2.0, gt=0, le=5, description="how far the curves reach, in grain diameters"
    )
    within: float = Field(
        0.05, gt=0, lt=1, description="relative error of the variogram that counts as agreement"
    )
    sections: PositiveInt = Field(
        12, description="of a volume along each axis, at most; at least one grain apart"
    )
    draws: int = Field(
        999,
        ge=99,
        le=99_999,
        description="how often patches of grains are dealt out or drawn again",
    )
    seed: int = Field(0, ge=0, description="of these draws")

    @field_validator("window")
    @classmethod
    def _check_window(cls, window: int) -> int:
        if window % 2 == 0:
            raise ValueError("the window has a middle: an odd number of points")
        return window
