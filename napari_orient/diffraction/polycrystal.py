"""What scan would a polycrystal give? Simulated with exact orientations, to judge indexing with.

Grains are Voronoi cells; across an inclined boundary patterns are mixtures of both crystals. All
is set by one :class:`PolycrystalConfig`, so that a YAML file states a whole experiment: grains,
optics, detector, dose and seed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pydantic import Field, PositiveInt, field_validator, model_validator

from napari_orient.config import Config
from napari_orient.data.scan import Scan
from napari_orient.diffraction.grains import exact_map, grain_weights, sow_grains
from napari_orient.diffraction.microscope import Microscope, scan_calibration
from napari_orient.files import replace_atomically
from napari_orient.jobs import Every, Progress

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from typing import Self

    from numpy.typing import NDArray

    from napari_orient.data.maps import OrientationMap
    from napari_orient.jobs import Job


class PolycrystalConfig(Config):
    """A simulated experiment. Shares of the grains are those of their number."""

    shape: tuple[PositiveInt, PositiveInt] = Field((64, 64), description="scan positions (y, x)")
    step_nm: float = Field(5.0, gt=0, description="scan step, in nm")
    grains: PositiveInt = Field(24, description="number of grains")
    boundary_px: float = Field(
        2.0, ge=0, description="width of boundaries in projection, in steps: patterns are mixed"
    )
    phases: tuple[str, ...] = Field(("LiNiO2",), min_length=1, description="names or .cif files")
    phase_shares: tuple[float, ...] = Field((), description="of the grains; empty = equal")
    vacuum_share: float = Field(0.0, ge=0, le=1, description="of the grains: holes")
    amorphous_share: float = Field(0.0, ge=0, le=1, description="of the grains: a diffuse halo")
    near_axes: tuple[str, ...] = Field((), description='zone axes, "[10-10]": near the beam')
    near_share: float = Field(0.0, ge=0, le=1, description="of the grains: near one of these axes")
    near_deg: float = Field(5.0, gt=0, le=90, description="how near, in degrees")
    voltage_kv: float = Field(300.0, gt=0, description="acceleration voltage, in kV")
    precession_deg: float = Field(0.6, ge=0, le=5, description="precession, in degrees")
    convergence_mrad: float = Field(1.6, gt=0, le=50, description="semi-convergence, in mrad")
    thickness_nm: float = Field(30.0, gt=0, description="mean thickness, in nm")
    thickness_spread: float = Field(
        0.2, ge=0, le=0.3, description="standard deviation of the grains' thickness over its mean"
    )
    debye_waller: dict[str, float] = Field({}, description="B factors by element, in angstrom^2")
    power: float = Field(
        0.5,
        gt=0,
        le=1,
        description="exponent on intensities: 1 kinematical, 0.5 Blackman's limit",
    )
    max_g: float = Field(1.85, gt=0, description="longest reflection, in 1/angstrom")
    pattern_shape: tuple[PositiveInt, PositiveInt] = Field((128, 128), description="(ky, kx)")
    pixel_size: float = Field(0.02, gt=0, description="pattern pixel, in 1/angstrom")
    rotation_deg: float = Field(0.0, description="from the scan's x to the pattern's kx")
    mirrored: bool = Field(False, description="patterns are mirrored (kx reversed)")
    ellipse: tuple[float, float] | None = Field(None, description="(ratio, degrees)")
    descan: tuple[float, float, float, float] | None = Field(
        None, description="drift of the beam: ky per row and column, kx per row and column, in px"
    )
    blur_px: float = Field(0.5, ge=0, description="sigma of the detector's point spread, in px")
    dose: float = Field(1e5, gt=0, description="electrons of the beam per pattern")
    spot_share: float = Field(
        0.1, ge=0, le=1, description="of the dose, in a spot of relative intensity 1"
    )
    background_share: float = Field(0.25, ge=0, lt=1, description="of the dose, in the background")
    background_width: float = Field(0.35, gt=0, description="of the background, in 1/angstrom")
    halo_g: float = Field(0.4, gt=0, description="radius of the amorphous halo, in 1/angstrom")
    dtype: Literal["uint8", "uint16", "float32"] = Field("uint16", description="of the camera")
    seed: int = Field(0, ge=0, description="of grains, orientations and noise")

    @field_validator("ellipse")
    @classmethod
    def _check_ellipse(cls, ellipse: tuple[float, float] | None) -> tuple[float, float] | None:
        if ellipse is not None and ellipse[0] < 1:
            raise ValueError("the ratio of an ellipse is at least 1")
        return ellipse

    @model_validator(mode="after")
    def _check_together(self) -> Self:
        if self.phase_shares and len(self.phase_shares) != len(self.phases):
            raise ValueError("phase_shares: one number for each of the phases")
        if self.phase_shares and not (min(self.phase_shares) >= 0 and sum(self.phase_shares) > 0):
            raise ValueError("phase_shares: not negative, and not all 0")
        if self.vacuum_share + self.amorphous_share > 1:
            raise ValueError("vacuum_share and amorphous_share are more than all grains")
        if self.near_share and not self.near_axes:
            raise ValueError("near_share: name the zone axes in near_axes")
        return self


def simulate_scan(
    config: PolycrystalConfig, path: str | Path | None = None, *, device: str = "cpu"
) -> Job[tuple[Scan, OrientationMap]]:
    """Simulate the patterns of a polycrystal.

    Parameters
    ----------
    config
        Grains, optics, detector, dose and seed.
    path
        A .npy file, written row by row and opened as a memory map; None keeps the scan in memory.
    device
        Where it is computed. The same seed gives the same numbers on the same kind of device.

    Yields
    ------
    Progress
        In scan rows.

    Returns
    -------
    tuple of Scan and OrientationMap
        The map holds the exact orientation of the grain with the largest share, with properties
        "grain"; "mixed", its share; "neighbour", the grain with the second share, -1 without;
        "axis", the index of the zone axis that it lies near, -1 for random orientations. Vacuum
        and amorphous grains are not indexed.

    Raises
    ------
    ValueError
        If a phase or a zone axis is unknown.
    UnreadableFile
        If a .cif file cannot be read.
    """
    from napari_orient.crystal.phases import get_phase
    from napari_orient.diffraction.simulate import reflections

    phases = [get_phase(name) for name in config.phases]
    grains = sow_grains(config, phases)
    grain, weight = grain_weights(grains.points, config.shape, config.boundary_px)
    calibration = scan_calibration(config)
    sources = [reflections(p, config.max_g, debye_waller=config.debye_waller) for p in phases]
    microscope = Microscope(config, calibration, sources, grains, device)
    rows = (microscope.row(y, grain[y], weight[y]) for y in range(config.shape[0]))
    data = yield from (_collected(config, rows) if path is None else _written(config, rows, path))
    name = f"{' and '.join(config.phases)} polycrystal, simulated"
    scan = Scan(data, calibration, name=name, source=path or "", phase=config.phases[0])
    return scan, exact_map(config, phases, grains, grain, weight)


def _written(
    config: PolycrystalConfig, rows: Iterator[NDArray[Any]], path: str | Path
) -> Job[NDArray[Any]]:
    """Write rows as they come; the file appears whole or not at all."""
    shape = (*config.shape, *config.pattern_shape)
    header = {
        "descr": np.dtype(config.dtype).str,
        "fortran_order": False,
        "shape": shape,
    }
    with replace_atomically(path) as temporary, temporary.open("wb") as file:
        # written, not memory-mapped: a full disk is then an error and not a crash
        np.lib.format.write_array_header_1_0(file, header)
        yield from _watched(config, rows, lambda _y, row: file.write(row.tobytes()))
        file.flush()
    data: NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
    return data


def _collected(config: PolycrystalConfig, rows: Iterator[NDArray[Any]]) -> Job[NDArray[Any]]:
    """Keep rows in memory."""
    data = np.empty((*config.shape, *config.pattern_shape), config.dtype)
    yield from _watched(config, rows, data.__setitem__)
    return data


def _watched(
    config: PolycrystalConfig,
    rows: Iterator[NDArray[Any]],
    take: Callable[[int, NDArray[Any]], Any],
) -> Job[None]:
    """Hand rows over as they come, and say how far it is."""
    show, (height, width) = Every(), config.shape
    words = f"simulating {height} x {width} patterns of {' and '.join(config.phases)}"
    yield Progress(0, height, words)
    for y, row in enumerate(rows):
        take(y, row)
        if show.due():
            yield Progress(y + 1, height, words)
