"""Patterns simulated while a network learns: no two alike, and the labels are exact.

Each pattern has an orientation, a thickness, a dose, a background and an imperfect microscope of
its own, drawn from the ranges of :class:`SimulationConfig`; some hold a second, weaker crystal.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch

from napari_orient.crystal.phases import get_phase
from napari_orient.data.scan import electron_wavelength
from napari_orient.diffraction.excitation import batched_spots, mix_patterns
from napari_orient.diffraction.patterns import draw_patterns
from napari_orient.diffraction.simulate import reflections
from napari_orient.learning.patterns import scale_images

if TYPE_CHECKING:
    from torch import Tensor

    from napari_orient.learning.config import InputConfig, Range, SimulationConfig

_LEAST_DIRECT = 0.1  # of the electrons that are not diffuse: crystals do not take the whole beam
_WEAKEST = 0.5  # share of the larger of two crystals
_LIMIT = 1e-3  # of the strongest reflection: weaker spots are not drawn


class PatternSource:
    """Endless simulated patterns of one phase.

    Parameters
    ----------
    config
        Ranges.
    seen
        Size of the patterns, and of their pixels.
    device
        Where they are made.
    """

    def __init__(self, config: SimulationConfig, seen: InputConfig, device: str = "cpu") -> None:
        if seen.pixel_size is None:
            raise ValueError("simulated patterns need a size of the pixel (input.pixel_size)")
        self.config, self.size, self.pixel, self.device = (
            config, seen.size, seen.pixel_size, torch.device(device),
        )  # fmt: skip
        self.phase = get_phase(config.phase)
        # to the corners, and a little farther, as the camera length varies
        farthest = math.sqrt(0.5) * seen.size * seen.pixel_size * (1 + config.scale)
        self.source = reflections(self.phase, farthest)

    def draw(self, n: int, random: torch.Generator) -> tuple[Tensor, Tensor]:
        """Return patterns (n, size, size) in [0, 1] and their orientations (n, 4), lab2crystal."""
        config = self.config
        q = self._orientations(n, random)
        overlap = torch.rand(n, generator=random) < config.overlap
        second = overlap.nonzero()[:, 0].to(self.device)
        share = torch.rand(n, generator=random) * (1 - _WEAKEST) + _WEAKEST
        share = torch.where(overlap, share, 1.0).to(self.device)
        pattern = torch.cat([torch.arange(n, device=self.device), second])
        thickness, precession = (
            self._within(range_, n, random)[pattern]
            for range_ in (config.thickness_nm, config.precession_deg)
        )
        spots = batched_spots(
            self.source,
            torch.cat([q, self._orientations(len(second), random)]),
            config.voltage_kv,
            thickness_nm=thickness,
            precession_deg=precession,
            min_intensity=_LIMIT,
        ).levelled(self._within(config.power, n, random)[pattern])
        spots = mix_patterns(spots, pattern, torch.cat([share, 1 - share[second]]), n)
        lowest, highest = (math.log(dose) for dose in config.dose)
        dose = self._within((lowest, highest), n, random).exp()
        spot = dose * self._within(config.spot_share, n, random)
        background = dose * self._within(config.background_share, n, random)
        left = dose - background
        scattered = spot * spots.totals()
        kept = ((1 - _LEAST_DIRECT) * left / scattered.clamp(min=1e-9)).clamp(max=1)
        scale = 1 / (self.pixel * (1 + self._within((-config.scale, config.scale), n, random)))
        shift = torch.rand((n, 2), generator=random).mul_(2).sub_(1).to(self.device)
        wavelength = electron_wavelength(config.voltage_kv)
        # one point spread for all of a batch: two large products instead of many small ones
        expected = draw_patterns(
            spots,
            (self.size, self.size),
            scale[:, None, None] * torch.eye(2, device=self.device),
            (self.size - 1) / 2 + config.shift_px * shift,
            radius=1e-3
            * self._within(config.convergence_mrad, n, random)
            / (wavelength * self.pixel),
            spot_counts=spot * kept,
            direct_counts=left - scattered * kept,
            background_counts=background,
            background_width=self._within(config.background_width, n, random) / self.pixel,
            blur=float(self._within(config.blur_px, 1, random)),
        )
        return scale_images(_counted(expected, random)), q

    def _orientations(self, n: int, random: torch.Generator) -> Tensor:
        """Quaternions (n, 4), uniform on the rotation group."""
        q = torch.nn.functional.normalize(torch.randn((n, 4), generator=random), dim=1)
        return q.to(self.device)

    def _within(self, limits: Range, n: int, random: torch.Generator) -> Tensor:
        low, high = limits
        return (low + (high - low) * torch.rand(n, generator=random)).to(self.device)


def _counted(expected: Tensor, random: torch.Generator) -> Tensor:
    """Whole numbers of electrons about what is expected, nearly Poisson's.

    A tenth of the time: the root of a count has a normal distribution of width 1/2 (Anscombe,
    Biometrika 35 (1948) 246). Mean and variance are within 0.1 of those above 1 electron.
    """
    noise = torch.randn(expected.shape, generator=random).to(expected.device)
    roots = (expected.clamp(min=0) + 0.375).sqrt_().add_(noise, alpha=0.5).clamp_(min=0)
    return roots.square_().sub_(0.375).round_().clamp_(min=0)
