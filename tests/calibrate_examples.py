"""Scans with a wrong calibration, and the mouse that measures the right one."""

from __future__ import annotations

import numpy as np

from napari_orient.crystal.phases import get_phase
from napari_orient.data.maps import OrientationMap
from napari_orient.data.reciprocal import stretch
from napari_orient.data.scan import Calibration, Quantity, Scan
from napari_orient.diffraction.camera.rings import expected_rings
from napari_orient.diffraction.simulate import pattern_images, reflections, spots

CENTRE, SIZE, RATIO, ANGLE = (62.3, 65.6), 0.0165, 1.02, 30.0


def gold(drift: float = 0.0, **changes) -> Scan:
    """Rings of gold, elliptic, about a beam that drifts by ``drift`` px a column."""
    random = np.random.default_rng(5)
    ellipse = Quantity(value=(RATIO, ANGLE))
    ky, kx = np.mgrid[:128, :128].astype(float)
    data = np.empty((4, 12, 128, 128), np.uint16)
    for x in range(12):
        dy, dx = ky - CENTRE[0], kx - CENTRE[1] - drift * (x - 5.5)
        (a, b), (c, d) = stretch(ellipse, inverse=True)
        g = SIZE * np.hypot(a * dy + b * dx, c * dy + d * dx)
        image = 8 + 40 * np.exp(-g / 0.3) + 3000 * np.exp(-((g / 0.035) ** 2))
        for ring in expected_rings(get_phase("Au"), 1.2):
            image += 60 * ring.intensity**0.5 * np.exp(-0.5 * ((g - ring.g) / 0.012) ** 2)
        data[:, x] = random.poisson(image, (4, 128, 128))
    known = {
        "pixel_size": Quantity(value=SIZE * 1.05, unit="1/angstrom", source="file"),
        "voltage": Quantity(value=200.0, unit="kV", source="file"),
    }
    return Scan(data, Calibration(**{**known, **changes}), name="gold")


def click(widget) -> None:
    from qtpy.QtCore import Qt
    from qtpy.QtTest import QTest

    assert widget.isEnabled()
    QTest.mouseClick(widget, Qt.MouseButton.LeftButton)


def turned_silicon():
    """Patterns of silicon in known orientations, turned by a quarter, and their map."""
    random = np.random.default_rng(3)
    turns = random.normal(size=(3, 4, 4))
    turns /= np.linalg.norm(turns, axis=-1, keepdims=True)
    phase = get_phase("Si")
    drawn = spots(
        reflections(phase, 1.3), turns.reshape(-1, 4), 200.0, thickness_nm=15.0, max_excitation=0.03
    )
    images = pattern_images(
        drawn, (257, 257), 0.009, centre=(128, 128), radius=0.02, spot_counts=900.0, power=0.4,
        direct_counts=20_000.0, background_counts=4e5, noise_seed=1,
    )  # fmt: skip
    known = Calibration(
        centre=Quantity(value=(128.0, 128.0)),
        pixel_size=Quantity(value=0.009),
        voltage=Quantity(value=200.0),
    )
    # anticlockwise on the screen: the scan's x points up, along -ky
    data = np.rot90(images.reshape(3, 4, 257, 257), axes=(2, 3)).copy()
    return Scan(data, known, name="silicon"), OrientationMap(turns, {0: phase})
