"""What is to be reconstructed, and how?"""

from __future__ import annotations

from typing import Literal

from pydantic import Field, PositiveInt, field_validator, model_validator

from napari_orient.config import Config

Method = Literal["L-BFGS", "L-BFGS-B", "TNC", "Adam", "SGD", "BB"]


class Weights(Config):
    """Of the mean squared differences of each descriptor in the loss."""

    two_point: float = Field(0.1, ge=0, description="auto- and cross-correlations (Eq. 19)")
    three_point: float = Field(10.0, ge=0, description="hybrid three-point variogram (Eq. 21)")
    variation: float = Field(0.1, ge=0, description="mean variation (Eq. 22)")
    texture: float = Field(1.0, ge=0, description="means of the harmonics: the texture")


class ReconstructConfig(Config):
    """A reconstruction: one config is a YAML file, options, and the form of the window."""

    size: tuple[PositiveInt, ...] = Field(
        (128, 128), description="points of the field: (y, x), or (z, y, x) for a volume"
    )
    step: float | None = Field(
        None, gt=0, description="size of a point in the map's unit; empty = the map's step"
    )
    phases: Literal["main", "all"] = Field(
        "main",
        description="main: the most frequent phase of the map; all: those with at least 1 % of it, "
        "beside each other",
    )
    assume: Literal["", "equiaxed", "fibre x", "fibre y"] = Field(
        "",
        description="for a volume from one map of elongated grains. equiaxed: all its sections "
        "look like the map; fibre x, fibre y: grains and texture are alike all around this axis "
        "of the map, and sections across it are left free",
    )
    bands: int = Field(
        1, ge=1, le=64,
        description="of rows, each with its own statistics, for maps whose grains change from top "
        "to bottom; 1 = alike everywhere",
    )  # fmt: skip
    window: int = Field(17, ge=3, description="width of the window of lags, in points, odd")
    lags: Literal["half", "full"] = Field(
        "half", description="lags of the three-point variogram: half the plane, or all of it"
    )
    degrees: tuple[int, ...] = Field(
        (), description="degrees n of the harmonics; empty = those that the crystal needs"
    )
    texture_degrees: tuple[int, ...] = Field(
        (), description="degrees n whose means are kept beside; empty = the next one"
    )
    weights: Weights = Field(default_factory=Weights, description="of the descriptors")
    levels: int | None = Field(
        None, ge=1, le=6, description="grids from coarse to fine; empty = as the grains need"
    )
    scales: int | None = Field(
        None, ge=1, le=6,
        description="windows on 1, 2, 4 ... times averaged fields; empty = as the grains need",
    )  # fmt: skip
    method: Method = Field("L-BFGS", description="optimiser")
    evaluations: PositiveInt = Field(1000, description="of loss and gradient, at most, per grid")
    tolerance: float = Field(0.0, ge=0, description="loss at which it is done")
    plateau: float = Field(
        1e-3,
        ge=0,
        description="a grid is left when 20 steps lower its loss by less than this",
    )
    time_limit: float | None = Field(None, gt=0, description="seconds for all, about")
    seed: int = Field(0, ge=0, description="of the random field that it starts from")
    seeds: PositiveInt = Field(1, description="how many are tried; the best is kept")
    consolidate: bool = Field(
        False, description="make grains of one orientation of the field in the end"
    )
    device: str = Field("cpu", description="cpu, or cuda")
    threads: int = Field(0, ge=0, description="0 = all cores")
    precision: Literal["auto", "float32"] = Field(
        "auto",
        description="auto: products for gradients in bfloat16, where that is fast",
    )

    @field_validator("size")
    @classmethod
    def _check_size(cls, size: tuple[int, ...]) -> tuple[int, ...]:
        if len(size) not in (2, 3):
            raise ValueError("two numbers (y, x) for a map, or three (z, y, x) for a volume")
        return size

    @model_validator(mode="after")
    def _check_bands(self) -> ReconstructConfig:
        if self.bands > 1 and len(self.size) == 3:
            raise ValueError("bands are of maps: a volume takes 1")
        return self

    @field_validator("window")
    @classmethod
    def _check_window(cls, window: int) -> int:
        if window % 2 == 0:
            raise ValueError("the window has a middle: an odd number of points")
        return window
