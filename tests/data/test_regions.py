from __future__ import annotations

import numpy as np
import pytest

from napari_orient.data.regions import region_pattern
from napari_orient.data.scan import Scan
from napari_orient.jobs import run


@pytest.fixture
def scan():
    random = np.random.default_rng(3)
    return Scan(random.integers(0, 200, (9, 7, 6, 5)).astype(np.uint8))


@pytest.mark.parametrize("statistic", ["mean", "max"])
def test_region_is_what_numpy_says(scan, statistic):
    mask = np.zeros(scan.scan_shape, bool)
    mask[2:5, 1:6] = True
    mask[3, 3] = False
    found = run(region_pattern(scan, mask, statistic))
    np.testing.assert_allclose(found, getattr(scan.data[mask], statistic)(axis=0))
    whole = run(region_pattern(scan, None, statistic))
    np.testing.assert_allclose(whole, getattr(scan.data, statistic)(axis=(0, 1)))


def test_nan_pixels_are_left_out():
    data = np.ones((2, 2, 2, 2), np.float32)
    data[0, 0, 0, 0] = np.nan
    data[:, :, 1, 1] = np.nan
    data[1, 1, 0, 0] = 4
    for statistic, value in (("mean", 2.0), ("max", 4.0)):
        found = run(region_pattern(Scan(data), None, statistic))
        assert found[0, 0] == value
        assert np.isnan(found[1, 1])


def test_memory_map_is_read_only_where_the_region_is(tmp_path, scan):
    np.save(tmp_path / "scan.npy", scan.data)
    mapped = Scan(np.load(tmp_path / "scan.npy", mmap_mode="r"))
    mask = np.zeros(scan.scan_shape, bool)
    mask[8, 6] = True
    np.testing.assert_array_equal(run(region_pattern(mapped, mask)), scan.data[8, 6])


def test_bad_regions_are_refused(scan):
    with pytest.raises(ValueError, match="no scan position"):
        run(region_pattern(scan, np.zeros(scan.scan_shape, bool)))
    with pytest.raises(ValueError, match="shape"):
        run(region_pattern(scan, np.ones((2, 2), bool)))
