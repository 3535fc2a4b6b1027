"""Pictures as TIFF: values, pixel sizes as ImageJ reads them."""

from __future__ import annotations

import numpy as np
import pytest
import tifffile

from napari_orient.data.images import write_tiff
from napari_orient.files import UnreadableFile


@pytest.mark.parametrize(("unit", "shown"), [("nm", "nm"), ("um", "micron")])
def test_pixel_sizes_of_both_axes(tmp_path, unit, shown):
    image = np.arange(12, dtype=np.float64).reshape(3, 4)
    image[1, 2] = np.nan
    path = write_tiff(tmp_path / "a.tif", image, (0.5, 0.2), unit)
    with tifffile.TiffFile(path) as file:
        page = file.pages[0]
        np.testing.assert_array_equal(page.asarray(), image.astype(np.float32))
        across, down = (page.tags[f"{axis}Resolution"].value for axis in "XY")
        assert (across[0] / across[1], down[0] / down[1]) == pytest.approx((5.0, 2.0))
        assert file.imagej_metadata["unit"] == shown


def test_a_folder_that_does_not_exist(tmp_path):
    with pytest.raises(UnreadableFile, match="Make the folder first"):
        write_tiff(tmp_path / "none" / "a.tif", np.zeros((2, 2)))
