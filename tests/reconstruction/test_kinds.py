"""Phases beside each other, and maps whose bands of rows differ."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from napari_orient.analysis.grains.config import GrainConfig
from napari_orient.analysis.grains.find import find_grains
from napari_orient.crystal.harmonics import default_harmonics
from napari_orient.crystal.phases import get_phase
from napari_orient.data.maps import OrientationMap
from napari_orient.jobs import Partial, run
from napari_orient.reconstruction.config import ReconstructConfig
from napari_orient.reconstruction.descriptors import (
    band_rows,
    field_pairs,
    mean_variation,
    two_point,
)
from napari_orient.reconstruction.estimates import Piece, estimate
from napari_orient.reconstruction.functions import FieldFunctions, channels_of, phases_of
from napari_orient.reconstruction.grids import random_field, refined
from napari_orient.reconstruction.material import interpolate, measure
from napari_orient.reconstruction.material_files import load_material, save_material
from napari_orient.reconstruction.merging import band_diameters, merge_tree
from napari_orient.reconstruction.reconstruct import Controls, _Run, reconstruct
from napari_orient.reconstruction.reference import prepare
from napari_orient.reconstruction.variogram import loss_and_gradient, three_point
from napari_orient.reconstruction.windows import window_lags
from napari_orient.samples import polycrystal_map

BANDED = ReconstructConfig(size=(42, 24), window=7, bands=3, evaluations=30, threads=1)
MIXED = ReconstructConfig(size=(32, 32), window=7, phases="all", evaluations=60, threads=1)


@pytest.fixture(scope="module")
def duplex():
    """A third of the grains titanium, in nickel; some points not indexed."""
    made = polycrystal_map((64, 64), 150, "Ni", seed=0)
    labels = run(find_grains(made, GrainConfig(smallest=1, edge_grains=True))).labels
    second = np.random.default_rng(0).random(labels.max() + 1) < 1 / 3
    number = second[labels].astype(np.int32)
    number[10:13, 5:40] = -1
    return replace(made, phases={0: get_phase("Ni"), 1: get_phase("Ti")}, phase_id=number)


@pytest.fixture(scope="module")
def gradient():
    """Fine grains above coarse ones."""
    fine = polycrystal_map((60, 60), 220, "Ni", seed=1)
    coarse = polycrystal_map((60, 60), 30, "Ni", seed=2)
    q = np.concatenate([fine.quaternions, coarse.quaternions])
    return OrientationMap(q, fine.phases, step=(1.0, 1.0), unit="um", source="gradient")


def objective_of(reference, config):
    one = _Run(config, Controls(), None)
    run(one.prepare(reference))
    made = one.objective(len(one.grids) - 1)
    made.targets = [
        [type(t)(**{n: v.double() for n, v in vars(t).items()}) for t in part]
        for part in made.targets
    ]
    made.means = made.means.double()
    return made


@pytest.mark.parametrize("kind", ["bands", "phases"])
def test_gradients(duplex, gradient, kind):
    config = BANDED if kind == "bands" else MIXED.model_copy(update={"size": (14, 14)})
    config = config.model_copy(update={"scales": 1, "levels": 1})
    reference = gradient if kind == "bands" else duplex
    objective = objective_of(reference, config)
    field = random_field(config.size, 0, len(reference.phases)).double() * 1.3
    value = objective(field)
    random = np.random.default_rng(0)
    places = [tuple(int(random.integers(n)) for n in field.shape[:-1]) for _ in range(4)]
    for place in [(0, 3), (41, 5)] if kind == "bands" else places:
        for channel in range(field.shape[-1]):
            ahead, behind = field.clone(), field.clone()
            ahead[(*place, channel)] += 1e-5
            behind[(*place, channel)] -= 1e-5
            slope = (objective(ahead).loss - objective(behind).loss) / 2e-5
            here = float(value.gradient[(*place, channel)])
            assert here == pytest.approx(slope, rel=1e-4, abs=1e-9)
    for part in (slice(0, 4), slice(4, None)):  # lengths mean nothing
        assert float((value.gradient * field)[..., part].sum(-1).abs().max()) < 1e-9


# --- bands --------------------------------------------------------------------------------------


def test_descriptors_of_rows_by_counting():
    rows, columns, window = 16, 9, 5
    fields = torch.as_tensor(np.random.default_rng(0).normal(size=(1, 2, rows, columns)))
    base = band_rows(rows, (1, 2), 2, 2)
    assert base == (8, 14)
    z = fields[0].numpy()
    found = two_point(fields, window, base)[0].numpy()
    first, second = field_pairs(2)
    lags = window_lags(window)
    gamma = three_point(fields, lags, base=base)[0].numpy()
    inside = np.ix_(np.arange(*base), np.arange(columns))

    def beside(one, down, right):
        return one[np.ix_(np.arange(*base) + down, (np.arange(columns) + right) % columns)]

    for pair, (a, b) in enumerate(zip(first, second, strict=True)):
        for down, right in [(-2, 1), (0, 0), (2, -2)]:
            mean = (z[a][inside] * beside(z[b], down, right)).mean()
            assert found[pair, down + 2, right + 2] == pytest.approx(mean)
    apart = np.array([np.abs(beside(z[1], d, r) - z[1][inside]).ravel() for d, r in lags])
    np.testing.assert_allclose(gamma[1], apart @ apart.T / (2 * apart.shape[1]), rtol=1e-9)
    size = np.hypot(beside(z[0], 1, 0) - z[0][inside], beside(z[0], 0, 1) - z[0][inside])
    assert float(mean_variation(fields, base)[0, 0]) == pytest.approx(size.mean())


@pytest.mark.parametrize("base", [(4, 11), (0, 18), (1, 9)])
def test_the_fast_way_in_rows_is_the_plain_one(base):
    lags = window_lags(5)
    made = np.random.default_rng(1).normal(size=(1, 3, 20, 12)).astype(np.float32)
    target = np.random.default_rng(2).normal(size=(3, len(lags), len(lags))).astype(np.float32)
    target += target.swapaxes(1, 2)
    free = torch.as_tensor(made.astype(np.float64)).requires_grad_()
    loss = ((three_point(free, lags, base=base) - torch.as_tensor(target)) ** 2).mean()
    loss.backward()
    found, gradient = loss_and_gradient(made, target, lags, base=base)
    assert found == pytest.approx(loss.item(), rel=1e-5)
    np.testing.assert_allclose(gradient, free.grad.numpy(), atol=1e-5 * np.abs(gradient).max())
    top, bottom = base  # lags go down alone
    assert not gradient[:, :, :top].any()
    assert not gradient[:, :, bottom + 2 :].any()
    assert gradient[:, :, top].any()
    assert gradient[:, :, bottom + 1].any()


def test_estimates_of_a_band_are_of_its_points_alone():
    random = np.random.default_rng(3)
    known = torch.as_tensor(random.random((12, 10)) > 0.2)
    counted = torch.zeros_like(known)
    counted[3:7] = True
    fields = torch.as_tensor(random.normal(size=(1, 12, 10))) * known
    lags = window_lags(3)
    found = estimate([Piece(fields, known, False, counted)], 3, lags)
    z, k = fields[0].numpy(), known.numpy()
    total = number = 0
    for y in range(3, 7):
        for x in range(1, 10):
            if k[y, x] and k[y + 1, x - 1]:
                total += z[y, x] * z[y + 1, x - 1]
                number += 1
    assert float(found.two_point[0, 2, 0]) == pytest.approx(total / number)


def test_a_gradient_survives(gradient):
    fields = {
        bands: run(
            reconstruct(
                gradient,
                BANDED.model_copy(
                    update={"size": (56, 28), "bands": bands, "evaluations": 50}
                    | {"consolidate": True}
                ),
            )
        )
        for bands in (2, 1)
    }
    above, below = band_diameters(fields[2].properties["grain"], 2)
    assert below > 1.5 * above  # 2.7 in the reference
    above, below = band_diameters(fields[1].properties["grain"], 2)
    assert below < 1.4 * above
    assert fields[2].periodic == (False, True)
    assert fields[1].periodic == (True, True)


def test_grains_merge_to_the_size_of_their_band():
    values = np.random.default_rng(0).normal(size=(24, 24, 3)).astype(np.float32)
    labels = np.arange(1, 24 * 24 + 1, dtype=np.int32).reshape(24, 24)
    weights = np.ones((24, 24))
    weights[12:] = 0.05
    merges = merge_tree(values, labels, (False, True), weights)
    first = merges[:200] - 1
    assert (first // 24 >= 12).mean() > 0.8  # points of less weight are the cheaper ones


def test_bands_that_cannot_be(gradient):
    with pytest.raises(ValueError, match="bands are of maps"):
        ReconstructConfig(size=(32, 32, 32), bands=2)
    narrow = BANDED.model_copy(update={"bands": 7})
    with pytest.raises(ValueError, match="narrower than the window"):
        run(measure(gradient, narrow))
    unknown = replace(gradient, phase_id=np.where(np.arange(120)[:, None] < 60, -1, 0) * np.ones(
        (120, 60), np.int32))  # fmt: skip
    with pytest.raises(ValueError, match="has no grain"):
        run(prepare(unknown, bands=3))
    other = run(measure(gradient, BANDED.model_copy(update={"bands": 1})))
    with pytest.raises(ValueError, match="measured differently"):
        interpolate(run(measure(gradient, BANDED, like=None)), other, 0.5)
    with pytest.raises(ValueError, match="in 1 bands, not 3"):
        run(reconstruct(other, BANDED))


def test_finer_rows_do_not_cross_the_open_border():
    field = torch.zeros(8, 8, 4)
    field[:4, :, 0], field[4:, :, 1] = 1, 1
    made = refined(field, 0, open_rows=True)
    assert (made[:4, :, 0] == 1).all()
    assert (made[-4:, :, 1] == 1).all()


# --- phases -------------------------------------------------------------------------------------


def test_fields_of_phases(duplex):
    each = tuple(default_harmonics(p.point_group) for p in duplex.phases.values())
    functions = FieldFunctions(each)
    channels = channels_of(duplex)
    fields = functions(channels).numpy()
    q = torch.as_tensor(duplex.quaternions)
    nickel, titanium = (f(q).numpy() for f in each)
    first = duplex.phase_id != 1
    n = nickel.shape[-1]
    np.testing.assert_allclose(fields[..., :n], nickel * first[..., None], atol=1e-12)
    np.testing.assert_allclose(fields[..., n:-1], titanium * ~first[..., None], atol=1e-12)
    np.testing.assert_array_equal(fields[..., -1], 2.0 * first)
    np.testing.assert_array_equal(phases_of(channels), ~first)
    longer = torch.cat([3 * channels[..., :4], -0.2 * channels[..., 4:]], dim=-1)
    np.testing.assert_allclose(functions(longer).numpy(), fields, atol=1e-12)


def test_fields_and_grains_of_two_phases(duplex):
    shown, config = [], MIXED.model_copy(update={"consolidate": True})
    grains = run(
        reconstruct(duplex, config),
        lambda e: shown.append(e) if isinstance(e, Partial) and e.name == "phases" else None,
    )
    share = (duplex.phase_id == 1)[duplex.indexed].mean()
    whole = contacts(duplex.phase_id[14:])
    continuous = shown[-1].value
    assert (continuous == 1).mean() == pytest.approx(share, abs=0.03)
    assert contacts(continuous) == pytest.approx(whole, rel=0.25)
    assert (grains.phase_id == 1).mean() == pytest.approx(share, abs=0.06)
    assert contacts(grains.phase_id) == pytest.approx(whole, rel=0.35)
    assert {p.name for p in grains.phases.values()} == {"Ni", "Ti"}
    number = grains.properties["grain"]
    assert all(len(np.unique(grains.phase_id[number == n])) == 1 for n in np.unique(number))
    start = objective_of(duplex, MIXED)(random_field((32, 32), 0, 2).double()).loss
    assert grains.provenance["loss"] < 0.02 * start


def test_a_stopped_field_comes_with_its_phases_on_the_finest_grid(duplex):
    seen, config = [], MIXED.model_copy(update={"levels": 2})
    run(
        reconstruct(duplex, config, controls=Controls(stop=True)),
        lambda e: seen.append(e) if isinstance(e, Partial) and e.name != "loss" else None,
    )
    assert [e.name for e in seen[-2:]] == ["phases", "seed"]
    assert seen[-2].value.shape == seen[-1].value.quaternions.shape[:2] == (32, 32)


def test_grains_where_a_phase_has_none(duplex):
    one = _Run(MIXED, Controls(), None)
    run(one.prepare(duplex))
    nickel = polycrystal_map((32, 32), 20, "Ni", seed=3)
    field = replace(nickel, phases=duplex.phases, properties={})
    made = run(one.consolidated(field))
    assert (made.phase_id == 0).all()
    assert len(np.unique(made.properties["grain"])) > 5


def contacts(number):
    return (number[1:] != number[:-1]).mean() + (number[:, 1:] != number[:, :-1]).mean()


def test_the_main_phase_alone_is_said(duplex):
    one = run(measure(duplex, MIXED.model_copy(update={"phases": "main"})))
    assert len(one.phases) == 1
    assert any("take all phases" in note for note in one.notes)


def test_a_material_of_phases_and_bands_is_kept(duplex, gradient, tmp_path):
    for reference, config in ((duplex, MIXED), (gradient, BANDED)):
        one = run(measure(reference, config))
        save_material(one, tmp_path / "one.h5")
        again = load_material(tmp_path / "one.h5")
        assert again.digest() == one.digest()
        assert again.bands == one.bands
        assert [p.name for p in again.phases] == [p.name for p in one.phases]
        assert len(again.targets[0]) == one.bands


# --- elongated grains -----------------------------------------------------------------------------


def stretched(factor=3):
    """Grains three times as long along x."""
    made = polycrystal_map((72, 24), 90, "Ni", seed=3)
    return replace(made, quaternions=np.repeat(made.quaternions, factor, axis=1)[:, :72],
                   phase_id=np.repeat(made.phase_id, factor, axis=1)[:, :72],
                   done=np.ones((72, 72), bool), properties={})  # fmt: skip


def test_elongated_grains_need_more_than_one_map():
    one = run(prepare(stretched()))
    ratio, angle = one.elongation
    assert ratio == pytest.approx(3, rel=0.35)
    assert min(angle, 180 - angle) < 15
    assert run(prepare(polycrystal_map((72, 72), 200, seed=3))).elongation[0] < 1.2
    volume = ReconstructConfig(size=(24, 24, 24), window=7, evaluations=20, levels=1, threads=1)
    with pytest.raises(ValueError, match="elongated"):
        run(measure(stretched(), volume))
    assert run(measure(stretched(), volume.model_copy(update={"size": (24, 24)}))).known_axes == (
        0,
    )


def test_a_fibre_is_alike_all_around(tmp_path):
    config = ReconstructConfig(
        size=(24, 24, 24), window=7, evaluations=25, levels=1, scales=1, threads=1, assume="fibre x"
    )
    material = run(measure(stretched(), config))
    assert material.known_axes == (0, 1)
    save_material(material, tmp_path / "one.h5")
    assert load_material(tmp_path / "one.h5").known_axes == (0, 1)
    other = run(measure(stretched(), config.model_copy(update={"assume": "fibre y"})))
    assert other.known_axes == (0, 2)
    field = run(reconstruct(material, config))
    z = default_harmonics("m-3m")(torch.as_tensor(field.quaternions)).numpy()
    step = [np.abs(np.diff(z, axis=axis)).mean() for axis in range(3)]
    assert step[2] < 0.6 * min(step[:2])  # long along x
    assert step[0] == pytest.approx(step[1], rel=0.15)


# --- gaps, and weights alone ----------------------------------------------------------------------


def test_gaps_along_boundaries_do_not_hide_them():
    made = polycrystal_map((96, 96), 150, "Ni", seed=6)
    grains = run(find_grains(made, GrainConfig(smallest=1, edge_grains=True))).labels
    border = np.zeros(made.shape, bool)
    border[1:] |= grains[1:] != grains[:-1]
    border[:, 1:] |= grains[:, 1:] != grains[:, :-1]
    holed = replace(made, phase_id=np.where(border, -1, 0))
    config = ReconstructConfig(size=(32, 32), window=7, levels=1, scales=1)
    whole, filled = (run(measure(one, config)) for one in (made, holed))
    wanted = whole.targets[0][0][0].variation.mean()
    assert float(filled.targets[0][0][0].variation.mean() / wanted) == pytest.approx(1, abs=0.15)
    assert any("Gaps along boundaries" in note for note in filled.notes)
    wide = made.phase_id.copy()
    wide[20:60, 20:60] = -1
    left = run(prepare(replace(made, phase_id=wide))).orientations
    assert not left.indexed[22:58, 22:58].any()


@pytest.mark.parametrize("name", ["texture", "variation", "two_point", "three_point"])
def test_one_weight_alone(name):
    none = dict.fromkeys(("two_point", "three_point", "variation", "texture"), 0.0)
    config = ReconstructConfig(
        size=(20, 20), window=7, levels=1, scales=1, evaluations=30, threads=1,
        weights={**none, name: 1.0},
    )  # fmt: skip
    reference = polycrystal_map((40, 40), 40, seed=1)
    start = objective_of(reference, config)(random_field((20, 20), 0).double()).loss
    assert run(reconstruct(reference, config)).provenance["loss"] < 0.5 * start
