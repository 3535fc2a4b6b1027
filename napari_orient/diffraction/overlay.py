"""What is drawn over a pattern? Rings and spots of a phase, in pattern pixels; no Qt."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_orient.data.reciprocal import ScanPosition, scan_to_pattern, to_pattern

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import ArrayLike, NDArray
    from orix.crystal_map import Phase

    from napari_orient.data.scan import Calibration
    from napari_orient.diffraction.camera.rings import Ring
    from napari_orient.diffraction.simulate import Reflections

# directions of ring labels, from kx towards ky in degrees: right and up, the next ones apart
LABEL_ANGLES = (-40.0, -52.0, -28.0)
SMALLEST = 0.35  # circle of the weakest spot, as a share of that of the strongest
WEAKEST = 0.01  # rings below this share of the strongest in view are left out
FAINTEST = 0.15  # opacity of the weakest ring


@dataclass(frozen=True, eq=False)
class Overlay:
    """Lines, circles and texts over a pattern; every place is (ky, kx) in pixels.

    Attributes
    ----------
    curves
        Polylines (n, 2), rings for example.
    spots
        (m, 2) centres of circles.
    sizes
        (m,) radii in pixels.
    labels
        Text, ky, kx; where they collide, the first is drawn. The text of indices, as
        :func:`indices` writes them, is drawn with bars instead of minus signs.
    colour
        As Qt reads it.
    opacities
        Of the curves, 0 to 1; empty where all are drawn fully.
    """

    curves: tuple[NDArray[np.float64], ...]
    spots: NDArray[np.float64]
    sizes: NDArray[np.float64]
    labels: tuple[tuple[str, float, float], ...]
    colour: str = "#40e0ff"
    opacities: tuple[float, ...] = ()


def indices(hkl: Iterable[int]) -> str:
    """Return indices as text: "1-10", and "1 -1 12" where one has two digits."""
    numbers = [int(n) for n in hkl]
    return (" " if max(map(abs, numbers)) > 9 else "").join(map(str, numbers))


def ring_overlay(
    rings: Sequence[Ring],
    calibration: Calibration,
    *,
    at: ScanPosition | None = None,
    shape: tuple[int, int] | None = None,
    labels: bool = True,
    colour: str = "#40e0ff",
) -> Overlay:
    """Draw powder rings where the calibration expects them: ellipses, if it has an ellipse.

    Weak rings are faint, and below :data:`WEAKEST` of the strongest in view not drawn: a low
    symmetry has dozens of rings, and drawn alike they would hide the pattern.

    Parameters
    ----------
    rings
        From :func:`napari_orient.diffraction.camera.rings.expected_rings`.
    calibration
        With centre and pixel size.
    at
        Scan position (y, x) in steps, for the descan; None takes the centre.
    shape
        Of the pattern (ky, kx): rings and labels outside are left out.
    labels
        Write indices beside the rings; the strongest have priority.

    Raises
    ------
    ValueError
        If the centre or the pixel size is unknown.
    """
    turn = np.radians(np.linspace(0, 360, 181))
    seen = []
    for ring in rings:
        curve = np.stack(
            to_pattern(calibration, ring.g * np.sin(turn), ring.g * np.cos(turn), at=at), axis=-1
        )
        if inside(curve, shape).any():
            seen.append((ring, curve))
    strongest = max((ring.intensity for ring, _ in seen), default=0.0)
    seen = [(ring, curve) for ring, curve in seen if ring.intensity >= WEAKEST * strongest]
    words = []
    for number, (ring, curve) in enumerate(seen):
        here = _label_place(curve, LABEL_ANGLES[number % len(LABEL_ANGLES)], shape)
        words.append((ring.intensity, (indices(ring.hkl), *here)))
    words.sort(key=lambda word: -word[0])
    return Overlay(
        curves=tuple(curve for _, curve in seen),
        spots=np.zeros((0, 2)),
        sizes=np.zeros(0),
        labels=tuple(label for _, label in words) if labels else (),
        colour=colour,
        opacities=tuple(_opacity(ring.intensity, strongest) for ring, _ in seen),
    )


def _opacity(intensity: float, strongest: float) -> float:
    """Return how strongly a ring is drawn: its amplitude, within limits that can be seen."""
    if strongest <= 0:
        return 1.0
    return min(1.0, max(FAINTEST, 1.4 * math.sqrt(intensity / strongest)))


def _label_place(
    curve: NDArray[np.float64], angle: float, shape: tuple[int, int] | None
) -> tuple[float, float]:
    """Return the point (ky, kx) of a closed curve next to an angle that lies in the pattern."""
    turn = np.linspace(0, 360, len(curve))
    away = np.abs((turn - angle + 180) % 360 - 180)
    away[~inside(curve, shape, margin=0.03)] += 360
    ky, kx = curve[int(away.argmin())]
    return float(ky), float(kx)


def spot_overlay(
    phase: Phase | Reflections,
    quaternion: ArrayLike,
    calibration: Calibration,
    *,
    at: ScanPosition | None = None,
    shape: tuple[int, int] | None = None,
    max_g: float = 1.5,
    thickness_nm: float = 20.0,
    precession_deg: float = 0.0,
    max_excitation: float = 0.02,
    min_intensity: float = 1e-3,
    radius: float = 0.05,
    labels: bool = True,
    colour: str = "#40e0ff",
) -> Overlay:
    """Draw the spots of a crystal in an orientation where the calibration expects them.

    Parameters
    ----------
    phase
        With atoms, or its reflections: who moves parameters finds them once.
    quaternion
        (4,), scalar first, orix's lab2crystal in the frame of the scan; rotation and flip of the
        calibration turn its spots into the pattern.
    calibration
        With centre, pixel size and voltage.
    at
        Scan position (y, x) in steps, for the descan; None takes the centre.
    shape
        Of the pattern (ky, kx): spots outside are left out.
    max_g
        Of the reflections, 1/angstrom.
    thickness_nm, precession_deg, max_excitation, min_intensity
        As in :func:`napari_orient.diffraction.simulate.spots`.
    radius
        Of the circle around the strongest spot, 1/angstrom; the areas of the others go with the
        square root of the intensity.
    labels
        Write indices beside the spots; the strongest have priority.

    Raises
    ------
    ValueError
        If centre, pixel size or voltage is unknown, or the phase has no atoms.
    """
    from napari_orient.diffraction.simulate import Reflections, reflections, spots

    if calibration.voltage is None:
        raise ValueError("not calibrated: the acceleration voltage is unknown")
    source = phase if isinstance(phase, Reflections) else reflections(phase, max_g)
    found = spots(
        source,
        np.asarray(quaternion, np.float64),
        calibration.voltage.number,
        thickness_nm=thickness_nm,
        precession_deg=precession_deg,
        max_excitation=max_excitation,
        min_intensity=min_intensity,
    )
    xy, intensity, hkl = found.pattern(0)
    gy, gx = scan_to_pattern(calibration, xy[:, 1], xy[:, 0])
    places = np.stack(to_pattern(calibration, gy, gx, at=at), axis=-1)
    order = np.argsort(-intensity, kind="stable")
    order = order[inside(places[order], shape)]
    places = places[order]
    strength = intensity[order] / max(float(intensity.max(initial=0.0)), 1e-30)
    pixel = calibration.pixel_size.number if calibration.pixel_size else math.nan
    texts = [indices(row) for row in hkl[order]] if labels else []
    return Overlay(
        curves=(),
        spots=places,
        sizes=radius / pixel * np.maximum(strength.astype(np.float64) ** 0.25, SMALLEST),
        labels=tuple(
            (text, float(y), float(x)) for text, (y, x) in zip(texts, places, strict=False)
        ),
        colour=colour,
    )


def inside(
    places: NDArray[np.float64], shape: tuple[int, int] | None, margin: float = 0.0
) -> NDArray[np.bool_]:
    """Say which places (n, 2) lie in a pattern, ``margin`` (a share of its size) off its edge."""
    if shape is None:
        return np.ones(len(places), dtype=np.bool_)
    size = np.array(shape, dtype=np.float64)
    low, high = margin * size - 0.5, (1 - margin) * size - 0.5
    return np.asarray(((places >= low) & (places < high)).all(axis=1), dtype=np.bool_)
