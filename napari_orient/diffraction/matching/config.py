"""What may be set when a scan is indexed? One model: YAML = command line = form."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from napari_orient.config import Config


class IndexConfig(Config):
    """Settings of template matching. ``None`` is taken from the scan, or found in its patterns."""

    phases: tuple[str, ...] = Field((), description="phases: names, or .cif files")
    voltage_kv: float | None = Field(None, gt=0, description="acceleration voltage, in kV")
    pixel_size: float | None = Field(None, gt=0, description="pattern pixel, in 1/angstrom")
    precession_deg: float | None = Field(None, ge=0, le=5, description="precession, in degrees")
    convergence_mrad: float | None = Field(
        None, ge=0, le=50, description="semi-convergence (radius of the disks), in mrad"
    )
    thickness_nm: float = Field(30.0, gt=0, le=1000, description="thickness of the foil, in nm")
    spacing_deg: float = Field(
        1.0, ge=0.3, le=5, description="between neighbours of the library, in degrees"
    )
    min_g: float | None = Field(
        None, ge=0, description="smallest length that counts, 1/angstrom: hides the direct beam"
    )
    max_g: float | None = Field(None, gt=0, description="largest length that counts, 1/angstrom")
    power: float = Field(
        0.4, gt=0, le=1, description="exponent on the intensities: below 1 weak spots count more"
    )
    levelling: float = Field(
        0.5,
        gt=0,
        le=1,
        description="exponent on the simulated intensities in the refinement: 1 in thin crystals "
        "(kinematical), 0.5 where dynamical scattering levels them",
    )
    refine: bool = Field(True, description="go below the spacing")
    candidates: int = Field(5, ge=1, le=20, description="solutions kept for each position")
    min_q: float | None = Field(
        None, ge=0, le=100, description="lower Q is not indexed; empty: from the patterns"
    )
    apart_deg: float = Field(
        8.0, gt=0, le=60, description="R compares with the best solution farther off, in degrees"
    )
    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="where it is computed")
    memory_mb: int = Field(1000, ge=100, description="working memory of the search, in MB")
    threads: int | None = Field(
        None, ge=1, le=256, description="batches matched side by side; empty: one for each core"
    )
