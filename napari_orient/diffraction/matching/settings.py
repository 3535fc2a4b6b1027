"""Which numbers does a search work with? Those typed, those of the scan, those its patterns show.

A number that nobody knows is either found in the patterns, or assumed and said so; where patterns
cannot be put to scale at all it is an error that names the cure.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_orient.data.reciprocal import to_pattern
from napari_orient.data.scan import Quantity, electron_wavelength
from napari_orient.diffraction.camera.centre import beam_radius

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_orient.data.scan import Calibration
    from napari_orient.diffraction.matching.config import IndexConfig
    from napari_orient.diffraction.simulate import Reflections

FARTHEST = 2.0  # 1/angstrom; beyond it scattering factors are small, and background counts alone
_DIRECTIONS = 720
_SMALLEST_PX = 1.0  # a spot narrower than a pixel is still sampled by pixels


@dataclass(frozen=True, eq=False)
class Settings:
    """What a search works with.

    Attributes
    ----------
    config
        The settings that were asked for, with what was left open filled in.
    calibration
        Of the scan, with the voltage and the pixel size of the settings.
    radius
        Of the disks in the patterns, 1/angstrom.
    exploratory
        Why lengths or angles are not to be trusted; "" if they are.
    remarks
        What was measured or assumed, in words.
    """

    config: IndexConfig
    calibration: Calibration
    radius: float
    exploratory: str
    remarks: tuple[str, ...]


def settle(
    calibration: Calibration,
    pattern_shape: tuple[int, int],
    config: IndexConfig,
    sample: NDArray[Any] | None = None,
) -> Settings:
    """Fill in what the settings leave open.

    Parameters
    ----------
    calibration
        Of the scan.
    pattern_shape
        (ky, kx) in pixels.
    config
        What was asked for; its numbers go before those of the calibration.
    sample
        Patterns (n, ky, kx), some of the scan, their beams on the centre: the radius of the disks
        is measured in them where neither settings nor calibration know it.

    Raises
    ------
    ValueError
        If voltage, pixel size or centre are unknown, or no ring of useful length is on the
        detector; the message names the cure.
    """
    doubts: list[str] = []
    remarks: list[str] = []
    known = _with_lengths(calibration, config, doubts)
    reach = detector_reach(known, pattern_shape)
    radius = _disk_radius(known, config, sample, remarks)
    wavelength = electron_wavelength(known.voltage.number)  # type: ignore[union-attr]
    precession = config.precession_deg
    if precession is None:
        precession = known.precession.number if known.precession else 0.0
        if known.precession is None:
            remarks.append("the beam is taken to stand still (precession unknown)")
    low, high = _range(config, radius, _pixel(known), reach, remarks)
    settled = config.model_copy(
        update={
            "voltage_kv": known.voltage.number,  # type: ignore[union-attr]
            "pixel_size": _pixel(known),
            "precession_deg": precession,
            "convergence_mrad": 1e3 * radius * wavelength,
            "min_g": low,
            "max_g": high,
            "threads": config.threads or available_cores(),
        }
    )
    return Settings(settled, known, radius, "; ".join(doubts), tuple(remarks))


def available_cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _with_lengths(calibration: Calibration, config: IndexConfig, doubts: list[str]) -> Calibration:
    """Put voltage and pixel size of the settings into the calibration; collect what is doubtful."""
    voltage, size = calibration.voltage, calibration.pixel_size
    if config.voltage_kv is not None:  # a setting of the microscope: typed is as good as recorded
        voltage = Quantity(value=config.voltage_kv, unit="kV", source="typed")
    elif voltage is None:
        raise ValueError(
            "the acceleration voltage is unknown: give it in kV (voltage_kv), or type it in the "
            "calibration of the scan"
        )
    elif voltage.source == "default":
        doubts.append(f"the voltage, {voltage.number:g} kV, is only assumed")
    if config.pixel_size is not None:
        if size is None or not np.isclose(size.number, config.pixel_size, rtol=1e-4):
            before = f", the calibration says {size}" if size else ""
            doubts.append(f"the pixel size, {config.pixel_size:g} 1/angstrom, is typed{before}")
            size = Quantity(value=config.pixel_size, unit="1/angstrom", source="typed")
    elif size is None:
        raise ValueError(
            "the scan is not calibrated: its pixel size is unknown. Find it in Calibrate, or give "
            "it in 1/angstrom (pixel_size)"
        )
    if size is not None and size.source == "default":
        doubts.append(f"the pixel size, {size.number:g} 1/angstrom, is only assumed")
    if calibration.centre is None:
        raise ValueError("the direct beam is not known: find its centre in Calibrate")
    if calibration.centre.source == "default":
        doubts.append("the beam is taken to be in the middle of the patterns")
    return calibration.set(voltage=voltage, pixel_size=size)


def _pixel(calibration: Calibration) -> float:
    return calibration.pixel_size.number  # type: ignore[union-attr]


def detector_reach(calibration: Calibration, pattern_shape: tuple[int, int]) -> NDArray[np.float64]:
    """Largest length (n,) on the detector in n directions all around the beam, 1/angstrom.

    Raises
    ------
    ValueError
        If the beam is not on the detector.
    """
    angle = np.arange(_DIRECTIONS) * 2 * np.pi / _DIRECTIONS
    zero, one = to_pattern(calibration, 0, 0), to_pattern(calibration, np.sin(angle), np.cos(angle))
    reach = np.full(_DIRECTIONS, np.inf)
    for start, end, size in zip(zero, one, pattern_shape, strict=True):
        if not -0.5 <= start <= size - 0.5:
            ky, kx = (float(c) for c in zero)
            raise ValueError(
                f"the direct beam, at ({ky:.1f}, {kx:.1f}) px, is outside the patterns of "
                f"{pattern_shape[0]} x {pattern_shape[1]} px: correct the centre in Calibrate"
            )
        step = end - start
        edge = np.where(step > 0, size - 0.5, -0.5)
        with np.errstate(divide="ignore"):
            reach = np.minimum(reach, np.where(step == 0, np.inf, (edge - start) / step))
    return reach


def _disk_radius(
    calibration: Calibration,
    config: IndexConfig,
    sample: NDArray[Any] | None,
    remarks: list[str],
) -> float:
    """Radius of the disks, 1/angstrom: typed, of the calibration, measured, or one pixel."""
    smallest = _SMALLEST_PX * _pixel(calibration)
    wavelength = electron_wavelength(calibration.voltage.number)  # type: ignore[union-attr]
    angle = config.convergence_mrad
    if angle is None and calibration.convergence is not None:
        angle = calibration.convergence.number
    if angle is not None:
        return max(1e-3 * angle / wavelength, smallest)
    measured = None if sample is None else measure_disk(sample, calibration)
    if measured is None:
        remarks.append(
            "the radius of the disks is unknown and could not be measured: spots of one pixel "
            "are assumed"
        )
        return smallest
    radius = max(measured * _pixel(calibration), smallest)
    remarks.append(f"the disks have a radius of {measured:.1f} px, as the direct beam has")
    return radius


def measure_disk(patterns: NDArray[Any], calibration: Calibration) -> float | None:
    """Measure the radius of the direct beam.

    Parameters
    ----------
    patterns
        (n, ky, kx), their beams on the calibration's centre.
    calibration
        With a centre.

    Returns
    -------
    float or None
        Pixels at half height, the median of the patterns; None where they do not agree within 15 %
        (half of them), or where what is measured is no disk but a wide background.
    """
    ky, kx = calibration.centre.pair  # type: ignore[union-attr]
    images = np.nan_to_num(np.asarray(patterns, np.float64))
    found = np.array([beam_radius(image, (ky, kx)) for image in images])
    low, middle, high = np.percentile(found, (25, 50, 75))
    if high - low > 0.15 * middle + 0.2 or middle > min(images.shape[1:]) / 8:
        return None
    rows, columns = np.ogrid[: images.shape[1], : images.shape[2]]
    away = np.hypot(rows - ky, columns - kx)
    mean = images.mean(0)
    inside, ring = away <= max(0.7 * middle, 0.8), (away > middle + 2) & (away < middle + 4)
    if not ring.any() or mean[inside].mean() < 3 * mean[ring].mean():
        return None
    return float(middle)


def _range(
    config: IndexConfig,
    radius: float,
    pixel: float,
    reach: NDArray[np.float64],
    remarks: list[str],
) -> tuple[float, float]:
    """Lengths between which a pattern counts, 1/angstrom."""
    high = config.max_g
    if high is None:
        # to the corners: the weak spots far out are what tells the pseudo-symmetric ones apart
        high = min(float(reach.max()), FARTHEST)
    elif high > reach.max():
        high = float(reach.max())
        remarks.append(f"the detector ends at {high:.3g} 1/angstrom, before the largest length")
    low = config.min_g if config.min_g is not None else 2 * radius + pixel
    if low >= high:
        raise ValueError(
            f"nothing is left between the direct beam (up to {low:.3g} 1/angstrom) and the edge of "
            f"the detector ({high:.3g} 1/angstrom): check pixel size ({pixel:.3g} 1/angstrom), "
            f"semi-convergence and the range of lengths"
        )
    return low, high


def check_reflections(name: str, source: Reflections, settings: Settings) -> None:
    """Refuse a phase whose spots the patterns cannot show.

    Parameters
    ----------
    name
        Of the phase.
    source
        Its reflections up to the largest length; there may be none.

    Raises
    ------
    ValueError
        With the lengths of the phase and of the patterns.
    """
    config = settings.config
    low, high = float(config.min_g or 0), float(config.max_g or 0)
    pixel = f"the pixel size ({_pixel(settings.calibration):.3g} 1/angstrom)"
    if not len(source):
        raise ValueError(
            f"{name} cannot be found in these patterns: they end at {high:.3g} 1/angstrom "
            f"(d = {1 / high:.3g} angstrom), before its first reflection. Check {pixel} and the "
            "lattice of the phase"
        )
    length = np.linalg.norm(source.g, axis=1)
    if length.max() <= low:
        raise ValueError(
            f"{name} cannot be found in these patterns: all its reflections on the detector, up "
            f"to {length.max():.3g} 1/angstrom, are hidden by the direct beam (up to {low:.3g}). "
            f"Check {pixel}, the semi-convergence and the smallest length"
        )
