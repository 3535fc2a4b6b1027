"""A small orientation map with known points, for the tests of the window."""

from __future__ import annotations

import numpy as np
import pytest


def euler_quaternion(phi1, tilt, phi2):
    from orix.quaternion import Rotation

    return Rotation.from_euler([phi1, tilt, phi2], degrees=True).data[0]


@pytest.fixture
def small_map():
    """A map of 4 x 6 points: nickel left, titanium right, two points not indexed."""
    from napari_orient.crystal.phases import get_phase
    from napari_orient.data.maps import OrientationMap

    nickel, titanium = get_phase("Ni"), get_phase("Ti")
    quaternions = np.tile(euler_quaternion(30, 40, 50), (4, 6, 1))
    quaternions[:, 2] = euler_quaternion(0, 0, 0)
    quaternions[:, 3:] = euler_quaternion(10, 70, 20)
    phase_id = np.repeat([[0, 0, 0, 1, 1, 1]], 4, axis=0)
    phase_id[0, 0] = phase_id[3, 5] = -1
    confidence = np.linspace(0.1, 0.9, 24).reshape(4, 6)
    confidence[phase_id < 0] = -1
    return OrientationMap(
        quaternions,
        {0: nickel, 1: titanium},
        phase_id,
        properties={"CI": confidence, "grain": np.arange(24).reshape(4, 6)},
        step=(0.5, 0.5),
        unit="um",
        source="somewhere/small.ang",
    )


def show(viewer, orientations, name="small"):
    from napari_orient.plugin.scan_layers import describe_map_layer

    data, settings, _ = describe_map_layer(orientations, name)
    return viewer.add_image(data, **settings)
