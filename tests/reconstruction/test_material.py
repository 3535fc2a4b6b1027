"""Descriptors are kept, mixed and interpolated; sections lie as the sample has them."""

from __future__ import annotations

from dataclasses import replace

import h5py
import numpy as np
import pytest
import torch

from napari_orient.crystal.rotations import misorientation_angle, to_matrix
from napari_orient.data.sections import section_of
from napari_orient.files import UnreadableFile
from napari_orient.jobs import run
from napari_orient.reconstruction.config import ReconstructConfig
from napari_orient.reconstruction.material import combined, interpolate, measure
from napari_orient.reconstruction.material_files import load_material, save_material
from napari_orient.reconstruction.reconstruct import reconstruct
from napari_orient.reconstruction.regrid import regridded
from napari_orient.reconstruction.sections import axis_vector, in_sample
from napari_orient.samples import polycrystal_map

SMALL = ReconstructConfig(size=(24, 24), window=7, evaluations=10, levels=2, scales=2)


@pytest.fixture(scope="module")
def two():
    first = polycrystal_map((48, 48), 60, seed=1)
    second = polycrystal_map((48, 48), 15, seed=2)
    one = run(measure(first, SMALL))
    return first, one, run(measure(second, SMALL, like=one))


def tensors(material):
    for stage, means in zip(material.targets, material.means, strict=True):
        yield means
        for axis in stage:
            for target in axis:
                yield from vars(target).values()


def test_a_file_gives_the_same_material(two, tmp_path):
    _, one, _ = two
    save_material(one, tmp_path / "ni.h5")
    again = load_material(tmp_path / "ni.h5")
    for a, b in zip(tensors(one), tensors(again), strict=True):
        assert torch.equal(a, b)
    for name in ("step", "unit", "diameter", "grids", "texture_degrees", "source", "notes"):
        assert getattr(one, name) == getattr(again, name)
    assert one.digest() == again.digest()
    assert again.phases[0].point_group == one.phases[0].point_group
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["x"] = 1
    with pytest.raises(UnreadableFile, match="no descriptors"):
        load_material(tmp_path / "other.h5")


def test_a_field_of_a_kept_material_is_that_of_its_map(two, tmp_path):
    first, one, _ = two
    save_material(one, tmp_path / "ni.h5")
    a, b = (run(reconstruct(m, SMALL)) for m in (first, load_material(tmp_path / "ni.h5")))
    assert misorientation_angle(a.quaternions, b.quaternions, "m-3m").max() < 1e-3
    with pytest.raises(ValueError, match="measured for a field of 24 x 24"):
        run(reconstruct(one, SMALL.model_copy(update={"size": (32, 32)})))


def test_interpolation_ends_at_both_and_is_linear(two):
    _, one, other = two
    for share, end in ((0.0, one), (1.0, other)):
        for a, b in zip(tensors(interpolate(one, other, share)), tensors(end), strict=True):
            assert torch.allclose(a, b, atol=1e-7)
    half = interpolate(one, other, 0.5)
    for a, b, c in zip(tensors(half), tensors(one), tensors(other), strict=True):
        assert torch.allclose(a, (b + c) / 2, atol=1e-7)
    assert one.diameter < half.diameter < other.diameter
    alone = run(measure(two[0], SMALL.model_copy(update={"levels": 1})))
    with pytest.raises(ValueError, match="measured differently"):
        interpolate(one, alone, 0.5)


def test_lags_are_those_of_the_material(two):
    with pytest.raises(ValueError, match="other lags than full"):
        run(reconstruct(two[1], SMALL.model_copy(update={"lags": "full"})))


def test_boundaries_are_mixed_where_angles_are_from_the_same(two):
    _, one, other = two
    angles = [m.boundaries[0].quantiles for m in (one, other)]
    half = interpolate(one, other, 0.5).boundaries[0].quantiles
    np.testing.assert_allclose(half, (angles[0] + angles[1]) / 2)
    centres = other.boundaries[0].centres
    for made in (centres[:, ::-1], np.concatenate([centres, centres])):
        strange = replace(other, boundaries=(replace(other.boundaries[0], centres=made),))
        with pytest.raises(ValueError, match="measured differently"):
            interpolate(one, strange, 0.5)


def test_axes_of_a_sample():
    assert axis_vector("x").tolist() == [1, 0, 0]
    assert axis_vector("-Z").tolist() == [0, 0, -1]
    for wrong in ("w", "", "xy", "--x"):
        with pytest.raises(ValueError, match="no axis"):
            axis_vector(wrong)
    flat = polycrystal_map((6, 5), 4)
    with pytest.raises(ValueError, match="one axis"):
        in_sample(flat, "x", "-x")


@pytest.mark.parametrize(
    ("right", "down"),
    [("x", "y"), ("y", "x"), ("x", "z"), ("z", "x"), ("-x", "z"), ("y", "z"), ("z", "-y"),
     ("-y", "-z"), ("-x", "-y")],
)  # fmt: skip
def test_a_cut_of_a_volume_read_in_any_way_is_its_slice(right, down):
    """Cut a volume, see the cut as a map of its own, and turn it back."""
    volume = polycrystal_map((7, 6, 5), 12, seed=3)
    x, y = axis_vector(right), axis_vector(down)
    normal = np.abs(np.cross(x, y)).argmax()
    slice_ = section_of(volume, 2, 2 - int(normal))  # rows and columns along rising axes
    rows, columns = [a for a in (2, 1, 0) if a != normal]  # as letters' numbers
    # how a microscope would have seen it: columns along ``right``, rows along ``down``
    q, grain = slice_.quaternions, slice_.properties["grain"]
    if np.abs(x).argmax() != columns:
        q, grain = q.swapaxes(0, 1), grain.T
    if x.sum() < 0:
        q, grain = q[:, ::-1], grain[:, ::-1]
    if y.sum() < 0:
        q, grain = q[::-1], grain[::-1]
    frame = np.stack([x, y, np.cross(x, y)], axis=-1)  # map components -> sample components
    seen_matrices = to_matrix(q) @ frame  # crystal components of what the map calls its axes
    from napari_orient.crystal.rotations import from_matrix

    seen = replace(
        polycrystal_map(grain.shape, 3), quaternions=from_matrix(seen_matrices),
        properties={"grain": grain},
    )  # fmt: skip
    back, axis = in_sample(seen, right, down)
    assert axis == 2 - int(normal)
    assert np.array_equal(back.properties["grain"], slice_.properties["grain"])
    off = misorientation_angle(back.quaternions, slice_.quaternions, "-1")
    assert off.max() < 1e-6
    assert rows != columns


def test_sections_with_other_textures_are_warned_of():
    config = ReconstructConfig(size=(12, 12, 12), window=5, levels=1, scales=1)
    flat = polycrystal_map((60, 60), 200, seed=1)
    base = flat.quaternions[0, 0]
    random = np.random.default_rng(0)

    def sharp(q, seed):
        noise = np.random.default_rng(seed).normal(scale=0.1, size=(200, 4))
        made = q + noise
        return replace(
            flat,
            quaternions=(made / np.linalg.norm(made, axis=1, keepdims=True))[
                flat.properties["grain"]
            ],
        )

    alike = [sharp(base, n) for n in range(3)]
    assert not [n for n in run(measure(alike, config)).notes if "textures" in n]
    turned = random.normal(size=4)
    other = [*alike[:2], sharp(turned / np.linalg.norm(turned), 5)]
    assert [n for n in run(measure(other, config)).notes if "textures of the sections" in n]


def test_larger_points_take_the_grain_that_most_of_them_is_of():
    made = polycrystal_map((60, 90), 12, seed=4, step=0.5)
    grain = made.properties["grain"]
    coarse, notes = run(regridded(made, 1.5))
    assert coarse.shape == (20, 30)
    assert coarse.step == (1.5, 1.5)
    assert "what most of each is" in notes[0]
    for y, x in [(0, 0), (7, 11), (19, 29), (10, 3), (4, 22)]:
        block = grain[3 * y : 3 * y + 3, 3 * x : 3 * x + 3]
        most = np.bincount(block.ravel()).argmax()
        assert np.array_equal(coarse.quaternions[y, x], made.quaternions[grain == most][0])
    odd, _ = run(regridded(made, 0.7))
    assert odd.shape == (42, 64)
    fine, _ = run(regridded(made, 0.25))
    assert fine.shape == (120, 180)
    assert np.array_equal(fine.quaternions[::2, ::2], made.quaternions)
    gaps = made.phase_id.copy()
    gaps[:6] = -1
    holes, _ = run(regridded(replace(made, phase_id=gaps), 1.5))
    assert not holes.indexed[:2].any()
    assert holes.indexed[2:].all()
    same, nothing = run(regridded(made, None))
    assert same is made
    assert not nothing
    with pytest.raises(ValueError, match="smaller than one point"):
        run(regridded(made, 100.0))


def test_each_axis_of_a_volume_has_a_material_of_its_own():
    config = SMALL.model_copy(update={"size": (24, 24, 24), "levels": 1, "scales": 1})
    fine = run(measure(polycrystal_map((48, 48), 120, seed=1), config))
    coarse = run(measure(polycrystal_map((48, 48), 20, seed=2), config, like=fine))
    one = combined(fine, coarse, coarse)
    assert one.targets[0][0] is fine.targets[0][0]
    assert one.targets[0][2] is coarse.targets[0][2]
    assert fine.diameter < one.diameter < coarse.diameter
    torch.testing.assert_close(one.means[0], (fine.means[0] + 2 * coarse.means[0]) / 3)
    flat = run(measure(polycrystal_map((48, 48), 60, seed=1), SMALL))
    with pytest.raises(ValueError, match="measured for maps"):
        combined(flat, flat, flat)


def test_materials_that_cannot_be_mixed():
    nickel = run(measure(polycrystal_map((48, 48), 60, "Ni", seed=1), SMALL))
    hexagonal = run(measure(polycrystal_map((48, 48), 60, "Mg", seed=1), SMALL))
    with pytest.raises(ValueError, match="not the same crystals"):
        interpolate(nickel, hexagonal, 0.5)
    window = SMALL.model_copy(update={"window": 5})
    other = run(measure(polycrystal_map((48, 48), 60, "Ni", seed=1), window))
    with pytest.raises(ValueError, match="measured differently"):
        interpolate(nickel, other, 0.5)
