"""What does the camera of a simulated microscope record of a polycrystal? Row by row, with noise.

Of the electrons of the beam, the dose of each pattern, some are scattered diffusely and some by the
crystals; what is left is the direct beam.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from napari_orient.data.scan import Calibration, Descan, Quantity, electron_wavelength
from napari_orient.diffraction.excitation import batched_spots, join_patterns, mix_patterns
from napari_orient.diffraction.grains import AMORPHOUS, VACUUM
from napari_orient.diffraction.patterns import count_electrons, detector_matrix, draw_patterns

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from napari_orient.diffraction.excitation import SpotBatch
    from napari_orient.diffraction.grains import Grains
    from napari_orient.diffraction.polycrystal import PolycrystalConfig
    from napari_orient.diffraction.simulate import Reflections

_HALO_WIDTH = 0.06  # sigma, 1/angstrom: about that of the first ring of amorphous carbon
_LEAST_DIRECT = 0.1  # of the electrons that are not diffuse: crystals do not take the whole beam


def scan_calibration(config: PolycrystalConfig) -> Calibration:
    """Return the calibration of a simulated scan, all of it known."""

    def known(value: float | tuple[float, float], unit: str) -> Quantity:
        return Quantity(value=value, unit=unit, source="simulated")

    ky, kx = config.pattern_shape
    drift, middle = config.descan, ((config.shape[0] - 1) / 2, (config.shape[1] - 1) / 2)
    return Calibration(
        step=known(config.step_nm, "nm"),
        pixel_size=known(config.pixel_size, "1/angstrom"),
        centre=known((ky / 2, kx / 2), "px"),
        ellipse=known(config.ellipse, "ratio, deg") if config.ellipse else None,
        descan=Descan(ky=drift[:2], kx=drift[2:], origin=middle, source="simulated")
        if drift
        else None,
        voltage=known(config.voltage_kv, "kV"),
        precession=known(config.precession_deg, "deg"),
        convergence=known(config.convergence_mrad, "mrad"),
        rotation=known(config.rotation_deg, "deg"),
        flip=known(float(config.mirrored), ""),
    )


class Microscope:
    """Takes the patterns of one row at a time."""

    def __init__(
        self,
        config: PolycrystalConfig,
        calibration: Calibration,
        sources: list[Reflections],
        grains: Grains,
        device: str,
    ) -> None:
        self.config, self.calibration = config, calibration
        self.sources, self.grains = sources, grains
        self.matrix = torch.tensor(detector_matrix(calibration), device=device)
        self.quaternions = torch.tensor(grains.quaternions, dtype=torch.float32, device=device)
        self.thickness = torch.tensor(grains.thickness, dtype=torch.float32, device=device)

    def row(self, y: int, grain: NDArray[np.int32], weight: NDArray[np.float64]) -> NDArray[Any]:
        """Counts (x, ky, kx) of row ``y``, whose patterns hold these grains (x, k)."""
        device = self.matrix.device
        expected = self.expected(y, grain, weight)
        noise = torch.Generator(device).manual_seed(self.config.seed * 1_000_003 + y)
        counts = count_electrons(expected, noise)
        dtype = np.dtype(self.config.dtype)
        if dtype.kind == "u":  # a camera saturates
            counts = counts.clamp(max=float(np.iinfo(dtype).max))
        return np.asarray(counts.cpu().numpy().astype(dtype))

    def expected(self, y: int, grain: NDArray[np.int32], weight: NDArray[np.float64]) -> Tensor:
        """Expected electrons (x, ky, kx); those of each pattern add up to the dose, all places."""
        config, size, device = self.config, len(grain), self.matrix.device
        spots = self.spots(grain, weight)
        kinds = self.grains.phase[grain]
        empty, glassy = (
            torch.tensor((weight * (kinds == kind)).sum(1), dtype=torch.float32, device=device)
            for kind in (VACUUM, AMORPHOUS)
        )
        diffuse = config.dose * config.background_share
        background, halo = diffuse * (1 - empty), diffuse * glassy
        left = config.dose - background - halo
        scattered = config.dose * config.spot_share * spots.totals()
        kept = ((1 - _LEAST_DIRECT) * left / scattered.clamp(min=1e-9)).clamp(max=1)
        centre = self.calibration.centre_at(np.full(size, y), np.arange(size))
        places = torch.tensor(np.stack(centre, axis=-1), device=device)
        images = draw_patterns(
            spots,
            config.pattern_shape,
            self.matrix,
            places,
            radius=1e-3 * config.convergence_mrad / self._pixel_angle,
            spot_counts=config.dose * config.spot_share * kept,
            direct_counts=left - scattered * kept,
            background_counts=background,
            background_width=config.background_width / config.pixel_size,
            blur=config.blur_px,
        )
        if bool(glassy.any()):
            images += halo[:, None, None] * self._halo(places)
        return images

    def spots(self, grain: NDArray[np.int32], weight: NDArray[np.float64]) -> SpotBatch:
        """Spots of the crystals in each pattern, laid over each other."""
        config, parts, targets, shares = self.config, [], [], []
        for number, source in enumerate(self.sources):
            pattern, k = np.nonzero((weight > 0) & (self.grains.phase[grain] == number))
            own = torch.tensor(grain[pattern, k], dtype=torch.int64, device=self.matrix.device)
            found = batched_spots(
                source,
                self.quaternions[own],
                config.voltage_kv,
                thickness_nm=self.thickness[own] if len(own) else 1.0,
                precession_deg=config.precession_deg,
            )
            parts.append(found.levelled(config.power))
            targets.append(torch.tensor(pattern, device=own.device))
            shares.append(torch.tensor(weight[pattern, k], device=own.device))
        return mix_patterns(join_patterns(parts), torch.cat(targets), torch.cat(shares), len(grain))

    @property
    def _pixel_angle(self) -> float:
        """Radians of a pattern pixel."""
        return self.config.pixel_size * electron_wavelength(self.config.voltage_kv)

    def _halo(self, places: Tensor) -> Tensor:
        """First ring of an amorphous film (x, ky, kx), with sum 1."""
        rows, columns = (
            torch.arange(n, device=places.device) - places[:, i : i + 1]
            for i, n in enumerate(self.config.pattern_shape)
        )
        distance = torch.hypot(rows[:, :, None], columns[:, None, :]) * self.config.pixel_size
        ring = torch.exp(-0.5 * ((distance - self.config.halo_g) / _HALO_WIDTH) ** 2)
        return (ring / ring.sum((1, 2), keepdim=True)).float()
