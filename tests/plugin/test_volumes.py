"""A volume of several sections in a real window: shown slice by slice, beside flat layers too."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from map_examples import show, small_map

__all__ = ["small_map"]  # a fixture
pytestmark = pytest.mark.gui


@pytest.fixture
def sections(small_map):
    from dataclasses import replace

    m = small_map
    return replace(
        m,
        quaternions=np.stack([m.quaternions, m.quaternions[::-1]]),
        phase_id=np.stack([m.phase_id, m.phase_id[::-1]]),
        properties={name: np.stack([a, a + 1]) for name, a in m.properties.items()},
        done=np.stack([m.done, m.done]),
        step=(2.0, 0.5, 0.5),
        origin=(),
        periodic=(),
    )


def test_a_volume_is_shown_slice_by_slice(make_napari_viewer, small_map, sections):
    from napari_orient.plugin.maps.readout import facts_at, locate
    from napari_orient.plugin.sessions import get_session

    viewer = make_napari_viewer()
    session = get_session(viewer)
    _, dock = viewer.window.add_plugin_dock_widget("napari-orient", "Orientation map")
    layer = show(viewer, sections)
    assert session.orientation_map is sections
    assert layer.data.shape == (2, 4, 6, 4)
    assert layer.rgb
    assert tuple(viewer.dims.axis_labels) == ("z", "y", "x")  # beside the slider
    np.testing.assert_allclose(layer.scale, (2.0, 0.5, 0.5))
    dock.set_direction("X")
    for check in dock.checks.values():
        check.setChecked(True)
    assert {other.data.shape[:3] for other in viewer.layers} == {(2, 4, 6)}
    viewer.dims.set_point(0, 2.0)
    viewer.cursor.position = (2.0, 0.5, 1.0)
    place = locate(viewer)
    assert place is not None
    assert place.index == (1, 1, 2)
    assert "slice 1" in facts_at(place)[0]
    flat = show(viewer, small_map, "flat")  # napari cannot fit a volume's view to it
    assert flat.visible


@pytest.mark.parametrize(
    "name",
    ["in100/in100_slices_1_2.h5ebsd", "copper/copperSquare.cpr", "ni_edax/EdaxAngOnly.h5"],
)
def test_vendors_files_open_in_a_window(make_napari_viewer, shared_data, name):
    viewer = make_napari_viewer()
    (layer,) = viewer.open(shared_data / name, plugin="napari-orient")
    orientations = layer.metadata["map"]
    assert layer.data.shape == (*orientations.shape, 4)
    np.testing.assert_allclose(layer.scale, orientations.step)
    assert layer.name == f"{Path(name).stem} IPF-Z"
