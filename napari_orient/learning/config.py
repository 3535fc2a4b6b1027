"""What may be set when a network is trained, and when it predicts? YAML = command line = form."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, PositiveInt, model_validator

from napari_orient.config import Config

Head = Literal["euler", "rotation", "mixture"]
Ambiguity = Literal["beam", "crystal"]


class InputConfig(Config):
    """What a network sees of a pattern."""

    size: PositiveInt = Field(128, ge=16, description="pixels along each side")
    pixel_size: float | None = Field(
        None,
        gt=0,
        description="1/angstrom a pixel, the beam in the middle, turned to the axes of the scan; "
        "empty: the whole pattern as it was recorded",
    )


class NetworkConfig(Config):
    """Which network, and what it says."""

    name: str = Field("cnn", description="architecture")
    head: Head = Field(
        "mixture",
        description="what is learned: three Euler angles (as in the paper), one rotation, or "
        "several rotations with probabilities",
    )
    hypotheses: int | None = Field(
        None, ge=1, le=64, description="rotations of a mixture; empty: what suits the network"
    )
    kernel_size: int = Field(3, ge=1, le=15, description="of the convolutions (cnn), in pixels")
    conv_layers: int = Field(2, ge=1, le=5, description="convolutions (cnn)")
    clamp: bool = Field(False, description="normalised angles are clamped to [0, 1] (euler)")
    weights: str | None = Field(
        None, description="file with official ImageNet weights (pre-trained networks)"
    )


class ScanDataConfig(Config):
    """Patterns of a scan, labelled by a map."""

    scan: str = Field(description="file of the scan")
    labels: str = Field(description="file of the map")
    phase: str = Field("", description="phase of the map that is learned; empty: its only one")
    min_q: float = Field(0.0, description="labels with lower Q are left out")
    min_r: float = Field(0.0, description="labels with lower R are left out")
    split: Literal["grains", "blocks", "random"] = Field(
        "grains",
        description="how patterns are shared out: whole grains, spatial blocks, or at random, "
        "where neighbours of test pixels are learned",
    )
    shares: tuple[float, float, float] = Field(
        (0.6, 0.2, 0.2), description="of training, validation and test"
    )

    @model_validator(mode="after")
    def _check_shares(self) -> Self:
        if min(self.shares) < 0 or self.shares[0] <= 0 or abs(sum(self.shares) - 1) > 1e-6:
            raise ValueError("shares: not negative, the first above 0, and 1 together")
        return self


Range = tuple[float, float]


class SimulationConfig(Config):
    """Patterns simulated while the network learns; each one has its own numbers from the ranges."""

    phase: str = Field("LiNiO2", description="name, or a .cif file")
    voltage_kv: float = Field(300.0, gt=0, description="acceleration voltage, in kV")
    precession_deg: Range = Field((0.5, 0.7), description="precession, in degrees")
    convergence_mrad: Range = Field((1.3, 1.9), description="semi-convergence, in mrad")
    thickness_nm: Range = Field((10.0, 60.0), description="thickness, in nm")
    power: Range = Field(
        (0.4, 1.0), description="exponent on intensities: 1 kinematical, 0.5 Blackman's limit"
    )
    dose: Range = Field((2e4, 5e5), description="electrons of the beam, drawn by its logarithm")
    spot_share: Range = Field((0.03, 0.2), description="of the dose, in the strongest spot")
    background_share: Range = Field((0.05, 0.5), description="of the dose, in the background")
    background_width: Range = Field((0.2, 0.6), description="of the background, in 1/angstrom")
    blur_px: Range = Field((0.3, 0.8), description="sigma of the point spread, in network pixels")
    shift_px: float = Field(0.7, ge=0, description="the beam is off by up to this, network pixels")
    scale: float = Field(0.02, ge=0, lt=0.5, description="the camera length is off by this share")
    overlap: float = Field(0.3, ge=0, le=1, description="share of patterns that hold two crystals")
    validation: PositiveInt = Field(2048, description="patterns for validation, and for the test")

    @model_validator(mode="after")
    def _check_ranges(self) -> Self:
        for name in type(self).model_fields:
            value = getattr(self, name)
            if isinstance(value, tuple) and not 0 <= value[0] <= value[1]:
                raise ValueError(f"{name}: two numbers, the smaller one first, not negative")
        if not 0 < self.power[0] or self.power[1] > 1 or self.thickness_nm[0] <= 0:
            raise ValueError("power must be above 0 and at most 1, thickness above 0")
        if self.spot_share[1] + self.background_share[1] > 1 or self.dose[0] <= 0:
            raise ValueError("the dose is positive, spots and background are at most all of it")
        return self


class TrainConfig(Config):
    """Settings of a training. ``None`` takes what suits the network."""

    network: NetworkConfig = Field(NetworkConfig(), description="network")
    input: InputConfig = Field(InputConfig(), description="what it sees")
    scan: ScanDataConfig | None = Field(None, description="patterns of a scan with labels")
    simulation: SimulationConfig | None = Field(None, description="or simulated patterns")
    start: str | None = Field(
        None, description="folder of a model to start from, of the same network and phase"
    )
    batch: PositiveInt | None = Field(None, description="patterns in a step")
    learning_rate: float | None = Field(None, gt=0, description="of Adam, at the start")
    schedule: Literal["constant", "epoch", "step", "cosine"] | None = Field(
        None,
        description="of the learning rate: constant; times 0.995^((i+1)/500), i counting epochs "
        "or steps; or falling to 0 along a cosine",
    )
    epochs: PositiveInt = Field(100, description="rounds through the training patterns, at most")
    epoch_patterns: PositiveInt = Field(16384, description="in a round, where they are simulated")
    validate_every: PositiveInt = Field(10, description="rounds between two validations")
    target_r2: float | None = Field(
        0.95, le=1, description="stop above this R2 of the validation (euler); empty: go on"
    )
    patience: PositiveInt | None = Field(
        None, description="stop after so many validations without a better one; empty: never"
    )
    time_limit_s: float | None = Field(None, gt=0, description="stop after so many seconds")
    modulo: tuple[Ambiguity, ...] = Field(
        (),
        description="orientations that count as one: 'beam', turned by 180 degrees about the beam; "
        "'crystal', under pseudo-symmetries of the crystal",
    )
    precision: Literal["auto", "float32", "bfloat16"] = Field(
        "auto", description="of the products; auto takes bfloat16 where the processor has it"
    )
    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="where it is computed")
    seed: int = Field(0, ge=0, description="of weights, split, order and simulation")

    @model_validator(mode="after")
    def _check_source(self) -> Self:
        if (self.scan is None) == (self.simulation is None):
            raise ValueError("give either scan (patterns with labels) or simulation")
        if self.simulation is not None and self.input.pixel_size is None:
            raise ValueError("input.pixel_size: simulated patterns need a size of the pixel")
        return self
