"""Is what a layer carries saved, and is a layer that carries nothing refused?"""

from __future__ import annotations

import numpy as np
import pytest

from napari_orient.files import UnreadableFile
from napari_orient.plugin import writers
from napari_orient.plugin.scan_layers import describe_map_layer, describe_scan_layer

pytestmark = pytest.mark.gui


@pytest.fixture
def orientations():
    from napari_orient.samples import polycrystal_map

    return polycrystal_map((12, 15), 5)


@pytest.mark.parametrize("suffix", [".h5", ".zspy"])
def test_a_scan_layer_is_saved_with_its_calibration(scan, tmp_path, suffix):
    from napari_orient.data.formats import open_scan

    path = tmp_path / f"saved{suffix}"
    data, meta, _ = describe_scan_layer(scan)
    assert writers.write(str(path), data, meta) == [str(path)]
    again = open_scan(path)
    np.testing.assert_array_equal(again.read(), scan.data)
    assert again.calibration.step == scan.calibration.step
    assert again.calibration.centre == scan.calibration.centre
    again.close()


def test_a_map_layer_is_saved(orientations, tmp_path):
    from napari_orient.data.maps import load_map

    path = tmp_path / "map.h5"
    data, meta, _ = describe_map_layer(orientations, "grains")
    assert writers.write(str(path), data, meta) == [str(path)]
    np.testing.assert_allclose(load_map(path).quaternions, orientations.quaternions)


def test_a_plain_image_is_refused_in_words(tmp_path):
    path = tmp_path / "image.h5"
    with pytest.raises(UnreadableFile, match=r"image\.h5.*'cells' carries no.*\.tif"):
        writers.write(str(path), np.zeros((4, 4)), {"name": "cells", "metadata": {}})
    assert not path.exists()


def test_a_map_is_not_written_as_zspy(orientations, tmp_path):
    data, meta, _ = describe_map_layer(orientations, "grains")
    with pytest.raises(UnreadableFile, match=r"map\.zspy.*carries no scan"):
        writers.write(str(tmp_path / "map.zspy"), data, meta)
    assert not (tmp_path / "map.zspy").exists()


def test_a_folder_that_cannot_be_written(orientations, tmp_path):
    data, meta, _ = describe_map_layer(orientations, "grains")
    with pytest.raises(UnreadableFile, match=r"map\.h5 cannot be written"):
        writers.write(str(tmp_path / "nowhere" / "map.h5"), data, meta)


def test_saved_from_the_layer_list_and_opened_again(viewer, idle, scan_file, tmp_path):
    (layer,) = viewer.open(scan_file, plugin="napari-orient")
    idle()
    path = tmp_path / "again.h5"
    assert layer.save(str(path), plugin="napari-orient") == [str(path)]
    viewer.layers.clear()
    (layer,) = viewer.open(path, plugin="napari-orient")
    idle()
    assert layer.metadata["scan"].shape == (6, 8, 32, 24)


def test_plain_images_still_go_to_napari(viewer, tmp_path):
    layer = viewer.add_image(np.arange(12.0).reshape(3, 4), name="plain")
    assert layer.save(str(tmp_path / "plain.tif"))
    assert (tmp_path / "plain.tif").exists()
