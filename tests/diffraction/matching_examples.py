"""Patterns and crystals for the tests of matching."""

from __future__ import annotations

import dataclasses

import numpy as np
from diffpy.structure import Atom, Lattice, Structure
from orix.crystal_map import Phase

from napari_orient.crystal.rotations import laue_operators, rotate
from napari_orient.data.reciprocal import scan_to_pattern, to_pattern
from napari_orient.data.scan import Calibration, Quantity
from napari_orient.diffraction.simulate import pattern_images

RADIUS, PIXEL = 0.06, 0.02
_SIDES = {
    "-1": (4.1, 5.0, 5.7, 82, 97, 105), "2/m": (4.1, 5.2, 5.9, 90, 90, 103),
    "mmm": (4.1, 5.0, 6.1, 90, 90, 90), "-3": (4.3, 4.3, 6.1, 90, 90, 120),
    "-3m": (4.3, 4.3, 6.1, 90, 90, 120), "6/m": (4.3, 4.3, 6.1, 90, 90, 120),
    "6/mmm": (4.3, 4.3, 6.1, 90, 90, 120), "4/m": (4.6, 4.6, 6.1, 90, 90, 90),
    "4/mmm": (4.6, 4.6, 6.1, 90, 90, 90), "m-3": (4.9, 4.9, 4.9, 90, 90, 90),
    "m-3m": (4.9, 4.9, 4.9, 90, 90, 90),
}  # fmt: skip


def crystal(group: str) -> Phase:
    """A crystal of this Laue class, and of no higher one: atoms in general places."""
    lattice = Lattice(*_SIDES[group])
    base = Phase(point_group=group, structure=Structure(lattice=lattice)).structure.lattice.base
    atoms = []
    for element, place in (("Ni", (0.11, 0.23, 0.37)), ("O", (0.31, 0.07, 0.18))):
        images = rotate(laue_operators(group), np.array(place) @ base) @ np.linalg.inv(base)
        atoms += [Atom(element, sign * xyz) for xyz in images for sign in (1, -1)]
    return Phase(group, point_group=group, structure=Structure(atoms, lattice))


def quantity(value, unit=""):
    return Quantity(value=value, unit=unit, source="simulated")


def calibration(**changes) -> Calibration:
    """128 x 128 patterns of 0.02 1/angstrom, the beam in the middle."""
    known = {
        "pixel_size": quantity((PIXEL, PIXEL), "1/angstrom"),
        "centre": quantity((64.0, 64.0), "px"),
        "voltage": quantity(200.0, "kV"),
    }
    return Calibration(**{**known, **changes})


def draw(found, known: Calibration, shape=(128, 128), at=None, **counts):
    """Patterns of spots, where the calibration has them."""
    gy, gx = scan_to_pattern(known, found.xy[:, 1], found.xy[:, 0])
    ky, kx = to_pattern(known, gy, gx, at=at)
    middle = to_pattern(known, 0.0, 0.0, at=at)
    centre = tuple(float(np.squeeze(c)) for c in middle)
    xy = np.stack([kx - centre[1], ky - centre[0]], 1) * PIXEL
    moved = dataclasses.replace(found, xy=xy.astype(np.float32))
    options = {"spot_counts": 1e4, "power": 1.0, **counts}
    return pattern_images(moved, shape, PIXEL, centre=centre, radius=RADIUS, **options)
