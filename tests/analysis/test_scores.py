"""Which points pass: thresholds on what each vendor calls quality, and the split of a training."""

from __future__ import annotations

import numpy as np
import pytest
from error_examples import phase

from napari_orient.analysis.error_files import read_mask
from napari_orient.analysis.scores import (
    defined,
    low_is_good,
    passes,
    quality_mask,
    quality_names,
    split_mask,
)
from napari_orient.data.maps import OrientationMap
from napari_orient.data.vendors.open import open_map
from napari_orient.files import UnreadableFile


def measured(**properties):
    values = {name: np.array([one], float) for name, one in properties.items()}
    size = len(next(iter(properties.values())))
    q = np.tile((1.0, 0, 0, 0), (1, size, 1))
    return OrientationMap(q, {0: phase("m-3m")}, properties=values)


def test_q_and_r_of_each_vendor():
    ours = measured(Q=(10, 20, 30, np.nan), R=(50, -1, 15, 20), other=(1, 2, 3, 4))
    assert quality_names(ours) == ("Q", "R")
    assert quality_mask(ours).tolist() == [[True] * 4]
    assert quality_mask(ours, min_q=20).tolist() == [[False, True, True, False]]
    assert quality_mask(ours, min_r=15).tolist() == [[True, False, True, True]]
    assert quality_mask(ours, 20, 15).tolist() == [[False, False, True, False]]
    edax = measured(IQ=(100, 200), CI=(-1, 0.2))
    assert quality_names(edax) == ("IQ", "CI")
    # no threshold lets pass what is undefined
    assert quality_mask(edax, min_q=100, min_r=-2).tolist() == [[False, True]]
    oxford = measured(BC=(90, 120, 130), MAD=(0, 0.4, 1.2))
    assert quality_names(oxford) == ("BC", "MAD")
    assert quality_mask(oxford, min_r=1.0).tolist() == [[False, True, False]]
    assert quality_mask(oxford, min_r=0.4).tolist() == [[False, True, False]]  # as good as asked


def test_limits_on_any_property():
    made = measured(fit=(0.5, 1.5, np.nan), MAD=(0, 0.4, 1.2))
    assert passes(made, "fit", 1.0).tolist() == [[True, False, False]]
    assert defined(made, "fit").tolist() == [[True, True, False]]
    assert defined(made, "MAD").tolist() == [[False, True, True]]
    made.phase_id[0, 1] = -1
    assert defined(made, "MAD").tolist() == [[False, False, True]]
    assert low_is_good("fit")
    assert not low_is_good("Q")


def test_a_map_without_quality():
    made = measured(height=(1, 2))
    assert quality_names(made) == (None, None)
    assert quality_mask(made).all()
    with pytest.raises(ValueError, match="none of Q, IQ, BC"):
        quality_mask(made, min_q=1)
    with pytest.raises(ValueError, match="none of R, CI, MAD, DP"):
        quality_mask(made, min_r=1)


def test_astar_s_undefined_reliability_never_passes(shared_data):
    made = open_map(shared_data / "astar_acom" / "ACOM.ang")
    r = made.properties["R"]
    undefined = r == -1
    assert undefined.any()
    np.testing.assert_array_equal(quality_mask(made, min_r=-5), ~undefined)
    np.testing.assert_array_equal(quality_mask(made, min_r=15), r >= 15)


def test_parts_of_a_split():
    made = measured(split=(0, 0, 1, 2))
    assert split_mask(made).tolist() == [[False, False, False, True]]
    assert split_mask(made, "train").tolist() == [[True, True, False, False]]
    assert split_mask(made, "validation").tolist() == [[False, False, True, False]]
    with pytest.raises(ValueError, match="choose one of train, validation, test"):
        split_mask(made, "all")
    with pytest.raises(ValueError, match='no property "split"'):
        split_mask(measured(Q=(1, 2)))


def test_masks_of_files(tmp_path):
    from skimage.io import imsave

    mask = np.array([[True, False, True], [False, False, True]])
    np.save(tmp_path / "a.npy", mask)
    np.save(tmp_path / "b.npy", np.where(mask, 2.0, np.nan))
    imsave(tmp_path / "c.png", (mask * 255).astype(np.uint8), check_contrast=False)
    imsave(tmp_path / "d.tif", mask.astype(np.float32), check_contrast=False)
    for name in ("a.npy", "b.npy", "c.png", "d.tif"):
        np.testing.assert_array_equal(read_mask(tmp_path / name, (2, 3)), mask & True)


def test_masks_that_cannot_be_used(tmp_path):
    np.save(tmp_path / "a.npy", np.ones((3, 2)))
    np.save(tmp_path / "objects.npy", np.array([{}], dtype=object), allow_pickle=True)
    (tmp_path / "b.tif").write_bytes(b"no picture at all")
    (tmp_path / "b.png").write_bytes(b"")
    (tmp_path / "c.txt").write_text("1 0")
    said = {
        "a.npy": r"has the shape \(3, 2\), and the map has \(2, 3\)", "b.tif": "cannot be read",
        "objects.npy": "cannot be read", "b.png": "is empty", "c.txt": "is no mask",
        "gone.npy": "exist",
    }  # fmt: skip
    for name, words in said.items():
        with pytest.raises(UnreadableFile, match=words):
            read_mask(tmp_path / name, (2, 3))
