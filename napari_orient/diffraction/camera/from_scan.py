"""How is the camera set, judged by a whole scan? Its patterns are chosen and read here, as jobs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_orient.data.prepare import align_patterns
from napari_orient.diffraction.camera.pattern_fit import FITTED
from napari_orient.diffraction.camera.rotation import fit_rotation_com, fit_rotation_known
from napari_orient.diffraction.camera.spot_fit import fit_spots
from napari_orient.diffraction.camera.spots import scan_spots
from napari_orient.diffraction.detectors import Disk, VirtualDetector
from napari_orient.diffraction.streaming import virtual_image

if TYPE_CHECKING:
    from collections.abc import Collection

    from orix.crystal_map import Phase

    from napari_orient.data.maps import OrientationMap
    from napari_orient.data.scan import Scan
    from napari_orient.diffraction.camera.pattern_fit import PatternFit
    from napari_orient.diffraction.camera.rotation import Rotation
    from napari_orient.jobs import Job

SAMPLE = 16  # patterns that are compared with a map


def fit_scan_spots(scan: Scan, phase: Phase, *, fit: Collection[str] = FITTED) -> Job[PatternFit]:
    """Fit centre, pixel size and ellipse to spots of patterns all over a scan, its drift taken out.

    Parameters
    ----------
    scan
        Its calibration is the first guess, with a pixel size in 1/angstrom within 10 %.
    phase
        Of the grains.
    fit
        What to fit of "centre", "pixel_size", "ellipse".

    Raises
    ------
    NoRingsFound, ValueError
        As :func:`~napari_orient.diffraction.camera.spot_fit.fit_spots`.
    """
    positions = yield from scan_spots(scan)
    return (yield from fit_spots(None, phase, scan.calibration, positions=positions, fit=fit))


def rotation_from_map(scan: Scan, orientations: OrientationMap) -> Job[Rotation]:
    """Compare patterns of the map's most frequent phase with its orientations.

    Parameters
    ----------
    scan
        With centre and pixel size.
    orientations
        On the scan's positions, (y, x), in the scan's frame.

    Raises
    ------
    ValueError
        If the shapes differ, or nothing of the map is indexed.
    """
    if orientations.shape != scan.scan_shape:
        raise ValueError(f"a map of {orientations.shape} is not on a scan of {scan.scan_shape}")
    known = align_patterns(scan) if scan.calibration.descan is not None else scan
    numbers = orientations.phase_id[orientations.indexed]
    if not numbers.size:
        raise ValueError("the map has no indexed position")
    number = int(np.bincount(numbers).argmax())
    places = np.argwhere(orientations.indexed & (orientations.phase_id == number))
    chosen = np.random.default_rng(0).permutation(len(places))[:SAMPLE]
    patterns, turns = [], []
    for y, x in places[chosen].tolist():
        patterns.append(known.pattern(y, x))
        turns.append(orientations.quaternions[y, x])
    phase = orientations.phases[number]
    return (yield from fit_rotation_known(patterns, np.array(turns), phase, scan.calibration))


def rotation_from_mass(scan: Scan) -> Job[Rotation]:
    """Take the centre of mass of all patterns, without the descan, and turn it free of curl.

    Half a turn stays open; see :func:`~napari_orient.diffraction.camera.rotation.fit_rotation_com`.
    """
    calibration = scan.calibration
    ky, kx = scan.pattern_shape
    everything = Disk(centre=(ky / 2, kx / 2), radius=float(np.hypot(ky, kx)))
    images = []
    for signal in ("com_y", "com_x"):
        made = {"name": "Centre of mass", "shapes": (everything,), "signal": signal}
        images.append((yield from virtual_image(scan, VirtualDetector(**made))))
    if calibration.descan is not None:
        drift = calibration.descan.drift(*np.indices(scan.scan_shape))
        images = [image - d for image, d in zip(images, drift, strict=True)]
    step = calibration.step.pair if calibration.step else (1.0, 1.0)
    return fit_rotation_com(images[0], images[1], step=step)
