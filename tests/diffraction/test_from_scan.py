"""What a whole scan says of its camera, without a window."""

from __future__ import annotations

import numpy as np
import pytest
from calibrate_examples import turned_silicon

from napari_orient.crystal.phases import get_phase
from napari_orient.data.maps import OrientationMap
from napari_orient.data.scan import Quantity
from napari_orient.diffraction.camera.from_scan import fit_scan_spots, rotation_from_map
from napari_orient.jobs import run


def test_spots_all_over_the_scan_give_the_pixel_size() -> None:
    scan, _ = turned_silicon()
    wrong = scan.calibration.set(pixel_size=Quantity(value=0.009 * 1.04))
    found = run(fit_scan_spots(scan.replaced(calibration=wrong), get_phase("Si")))
    assert found.pixel_size.number == pytest.approx(0.009, rel=0.003)
    assert found.centre.pair == pytest.approx((128, 128), abs=0.1)


def test_a_map_gives_rotation_and_flip() -> None:
    scan, orientations = turned_silicon()
    found = run(rotation_from_map(scan, orientations))
    # the patterns lie anticlockwise: the scan's x points along -ky, so kx along the scan's y
    assert found.rotation.number == pytest.approx(90, abs=0.3)
    assert found.flip.number == 0


def test_a_map_that_does_not_fit_is_refused() -> None:
    scan, orientations = turned_silicon()
    q = orientations.quaternions
    with pytest.raises(ValueError, match="is not on a scan"):
        run(rotation_from_map(scan, OrientationMap(q[:2], orientations.phases)))
    none = OrientationMap(q, orientations.phases, np.full(q.shape[:2], -1))
    with pytest.raises(ValueError, match="no indexed position"):
        run(rotation_from_map(scan, none))
