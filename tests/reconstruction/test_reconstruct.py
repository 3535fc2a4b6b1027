"""A reconstruction lowers its loss to the statistics of its map, stops, goes on, and says so."""

from __future__ import annotations

import sys
from dataclasses import replace
from types import SimpleNamespace

import h5py
import numpy as np
import pytest
import torch

from napari_orient.crystal.rotations import (
    laue_operators,
    misorientation_angle,
    multiply,
    random_orientations,
)
from napari_orient.data.sections import section_of
from napari_orient.files import UnreadableFile
from napari_orient.jobs import Partial, run
from napari_orient.reconstruction.checkpoint import load_state
from napari_orient.reconstruction.config import ReconstructConfig, Weights
from napari_orient.reconstruction.consolidate import consolidate
from napari_orient.reconstruction.grids import plan_grids, random_field, refined
from napari_orient.reconstruction.material import measure
from napari_orient.reconstruction.memory import needed_mb, peak_mb
from napari_orient.reconstruction.merging import (
    cut_tree,
    cut_where,
    merge_tree,
    section_diameter,
)
from napari_orient.reconstruction.minimise import _placed, minimise
from napari_orient.reconstruction.objective import Objective, Value
from napari_orient.reconstruction.reconstruct import Controls, _Run, grains_of, reconstruct
from napari_orient.samples import polycrystal_map

SMALL = ReconstructConfig(
    size=(24, 24), window=7, evaluations=25, levels=1, scales=1, threads=1, precision="float32"
)


@pytest.fixture(scope="module")
def reference():
    return polycrystal_map((48, 48), 60, seed=1)


def losses_of(job):
    seen = []
    result = run(job, lambda e: seen.append(e.value) if is_loss(e) else None)
    return result, seen


def is_loss(event):
    return isinstance(event, Partial) and event.name == "loss"


def objective_of(reference, config, dtype=torch.float32):
    one = _Run(config, Controls(), None)
    run(one.prepare(reference))
    made = one.objective(len(one.grids) - 1)
    if dtype == torch.float64:
        made.targets = [
            [type(t)(**{n: v.double() for n, v in vars(t).items()}) for t in axis]
            for axis in made.targets
        ]
        made.means = made.means.double()
    return made


@pytest.mark.parametrize("size", [(12, 14), (8, 10, 8)])
def test_the_gradient_of_the_whole_loss(reference, size):
    config = SMALL.model_copy(update={"size": size, "scales": 2, "window": 5})
    known = reference.phase_id.copy()
    known[5:9, 3:20] = -1
    masked = replace(reference, phase_id=known)
    objective = objective_of(masked, config, torch.float64)
    field = random_field(size, 0).double() * 1.3  # of no special length
    value = objective(field)
    random = np.random.default_rng(0)
    for _ in range(6):
        place = tuple(int(random.integers(n)) for n in field.shape)
        ahead, behind = field.clone(), field.clone()
        ahead[place] += 1e-5
        behind[place] -= 1e-5
        slope = (objective(ahead).loss - objective(behind).loss) / 2e-5
        assert float(value.gradient[place]) == pytest.approx(slope, rel=1e-4, abs=1e-9)
    assert value.loss == pytest.approx(sum(value.parts.values()))
    along = (value.gradient * field).sum(-1)
    assert float(along.abs().max()) < 1e-9  # the length of a quaternion means nothing


def test_the_reference_itself_has_no_loss():
    made = polycrystal_map((24, 24), 20, seed=2, periodic=True)
    objective = objective_of(made, SMALL)
    other = objective(random_field((24, 24), 0)).loss
    assert objective(torch.as_tensor(made.quaternions, dtype=torch.float32)).loss < 1e-8 * other
    # nor its crystals by other equivalents
    operators = laue_operators("m-3m")
    chosen = np.random.default_rng(0).integers(len(operators), size=made.shape)
    equal = multiply(operators[chosen], made.quaternions)
    assert objective(torch.as_tensor(equal, dtype=torch.float32)).loss < 1e-8 * other


@pytest.mark.parametrize(
    ("method", "share"),
    [("L-BFGS", 0.1), ("L-BFGS-B", 0.1), ("TNC", 0.6), ("Adam", 0.4), ("SGD", 0.98), ("BB", 0.3)],
)
def test_every_optimiser_goes_down(reference, method, share):
    config = SMALL.model_copy(update={"method": method})
    field = run(reconstruct(reference, config))
    start = objective_of(reference, config)(random_field((24, 24), 0)).loss
    assert field.provenance["loss"] < share * start
    assert field.periodic == (True, True)
    assert np.allclose(np.linalg.norm(field.quaternions, axis=-1), 1)


def test_lbfgs_solves_a_quadratic():
    scale = torch.linspace(1, 100, 40).reshape(10, 4)

    def value(x):
        return Value(float((scale * x**2).sum() / 2), scale * x, {}, 0.0)

    last = None
    for last in minimise(value, torch.ones(10, 4), "L-BFGS"):
        if last.evaluations > 100:
            break
    assert last.value.loss < 1e-8
    with pytest.raises(ValueError, match="L-BFGS, L-BFGS-B"):
        minimise(value, torch.ones(1, 4), "Newton")


@pytest.mark.parametrize("phase", ["Mg", "LiNiO2"])
def test_other_crystals(phase):
    made = polycrystal_map((40, 40), 40, phase, seed=3)
    field = run(reconstruct(made, SMALL.model_copy(update={"evaluations": 60})))
    start = objective_of(made, SMALL)(random_field((24, 24), 0)).loss
    assert field.provenance["loss"] < 0.05 * start
    assert field.phases[0].name == made.phases[0].name


def test_a_volume_from_one_map(reference):
    config = SMALL.model_copy(update={"size": (12, 16, 14), "evaluations": 12})
    field = run(reconstruct(reference, config))
    assert field.shape == (12, 16, 14)
    assert field.periodic == (True,) * 3
    # neighbours have become alike along all axes: more than by chance
    for axis in range(3):
        own = section_of(field, 3, axis).quaternions
        near = misorientation_angle(own[1:], own[:-1], "m-3m").mean()
        assert near < 36  # by chance 40.7


def test_three_maps_have_their_axes():
    """Grains that are long along z: seen so in the sections across y and x."""
    flat = polycrystal_map((40, 40), 90, seed=1)
    tall = replace(polycrystal_map((40, 40), 90, seed=2), step=(1.0, 1.0))
    stretched = replace(tall, quaternions=np.repeat(tall.quaternions, 4, axis=0)[:40])
    config = SMALL.model_copy(update={"size": (16, 16, 16), "evaluations": 40})
    field = run(reconstruct([flat, stretched, stretched], config))
    q = field.quaternions
    along, across = (misorientation_angle(q, np.roll(q, 1, axis), "m-3m").mean() for axis in (0, 2))
    assert along < 0.75 * across
    with pytest.raises(ValueError, match="three of them"):
        run(reconstruct([flat, flat], config))


def test_from_coarse_to_fine(reference):
    config = ReconstructConfig(size=(32, 32), window=7, levels=2, scales=2, evaluations=8)
    field, seen = losses_of(reconstruct(reference, config))
    assert {t.spacing for t in seen} == {1, 2}
    assert field.shape == (32, 32)
    coarse = random_field((6, 5), 0)
    fine = refined(coarse, 1)
    assert fine.shape == (12, 10, 4)
    every = {tuple(q) for q in coarse.reshape(-1, 4).tolist()}
    assert {tuple(q) for q in fine.reshape(-1, 4).tolist()} <= every


def test_plans_say_what_follows():
    grids, notes = plan_grids(ReconstructConfig(size=(128, 128)), diameter=20.0)
    assert [g.spacing for g in grids] == [4, 2, 1]
    assert not notes
    _, notes = plan_grids(ReconstructConfig(size=(34, 34), scales=1), diameter=30.0)
    assert "left to chance" in notes[0]
    with pytest.raises(ValueError, match="smaller than the window"):
        plan_grids(ReconstructConfig(size=(9, 40)), 5.0)
    with pytest.raises(ValueError, match="cannot be halved 2 times"):
        plan_grids(ReconstructConfig(size=(70, 70), levels=3), 5.0)


@pytest.mark.parametrize("method", ["L-BFGS", "Adam", "BB"])
def test_a_resumed_run_goes_on_as_if_never_stopped(reference, tmp_path, monkeypatch, method):
    monkeypatch.setattr("napari_orient.reconstruction.reconstruct._SHOW", 0.0)
    path, config = tmp_path / "state.h5", SMALL.model_copy(update={"method": method})
    whole = run(reconstruct(reference, config))
    job = reconstruct(reference, config, checkpoint=path)
    for event in job:
        if is_loss(event) and event.value.evaluations > 8:
            break
    job.close()
    assert 8 < load_state(path).evaluations[0] < 25
    for _ in range(2):  # the second time it is at its end already
        resumed = run(reconstruct(reference, config, checkpoint=path, resume=True))
        assert resumed.provenance["evaluations"] == whole.provenance["evaluations"]
        off = misorientation_angle(whole.quaternions, resumed.quaternions, "m-3m")
        assert off.max() < 1e-3
    other = polycrystal_map((48, 48), 60, seed=9)
    with pytest.raises(ValueError, match="another map or other settings"):
        run(reconstruct(other, SMALL, checkpoint=path, resume=True))
    (tmp_path / "no.h5").write_bytes(b"nothing")
    with pytest.raises(UnreadableFile):
        run(reconstruct(reference, SMALL, checkpoint=tmp_path / "no.h5", resume=True))


def test_controls_stop_and_change_weights(reference):
    controls, seen = Controls(), []

    def watch(event):
        if is_loss(event):
            seen.append(event.value)
            if len(seen) == 2:
                controls.weights = Weights(two_point=0)
            controls.stop = len(seen) == 4

    endless = SMALL.model_copy(update={"evaluations": 10_000, "plateau": 0.0})
    field = run(reconstruct(reference, endless, controls=controls), watch)
    assert "two-point" in seen[0].parts
    assert "two-point" not in seen[3].parts
    assert field.shape == (24, 24)


def test_the_best_of_several_seeds(reference):
    config = SMALL.model_copy(update={"seeds": 3, "evaluations": 10})
    best = run(reconstruct(reference, config))
    each = [
        run(reconstruct(reference, SMALL.model_copy(update={"seed": s, "evaluations": 10})))
        for s in range(3)
    ]
    found = [one.provenance["paper_loss"] for one in each]
    assert best.provenance["paper_loss"] == pytest.approx(min(found), rel=1e-3)
    assert best.provenance["seed"] == int(np.argmin(found))


def test_grains_of_a_field():
    made = polycrystal_map((40, 40), 25, seed=4, periodic=True)
    noise = np.random.default_rng(0).normal(scale=0.007, size=made.quaternions.shape)
    q = made.quaternions + noise
    q[::7, ::5] = random_orientations(1, 5)[0]
    rough = replace(made, quaternions=q / np.linalg.norm(q, axis=-1, keepdims=True), properties={})
    clean = run(consolidate(rough))
    off = misorientation_angle(clean.quaternions, made.quaternions, "m-3m")
    assert np.mean(off < 2) > 0.97
    assert len(np.unique(clean.properties["grain"])) <= 27


def test_grains_have_the_size_of_the_reference_and_the_descriptors():
    """The reference itself, roughened, becomes grains of its own size with hardly any loss."""
    made = polycrystal_map((48, 48), 50, seed=4, periodic=True)
    config = SMALL.model_copy(update={"size": (48, 48), "consolidate": True, "evaluations": 150})
    field = run(reconstruct(made, config))
    facts = field.provenance["consolidated"]
    assert facts["after"]["section_diameter"] == pytest.approx(facts["diameter_wanted"], rel=0.1)
    assert facts["after"]["loss"] < 20 * facts["before"]["loss"] + 1e-5
    grain = field.properties["grain"]
    for n in np.unique(grain):
        assert np.ptp(field.quaternions[grain == n], axis=0).max() < 1e-12
    assert 30 < facts["grains"] < 70


def test_merging_takes_the_most_alike_first():
    labels = np.repeat(np.arange(1, 5, dtype=np.int32), 4)[None].repeat(4, 0)
    values = np.array([0.0, 5.0, 5.1, 9.0], np.float32)[labels - 1][..., None]
    merges = merge_tree(values, labels, (False, False))
    assert set(merges[0]) == {2, 3}
    assert len(merges) == 3
    assert len(np.unique(cut_tree(labels, merges, 1))) == 3
    assert (cut_tree(labels, merges, 3) == 1).all()
    assert section_diameter(labels) == pytest.approx(2 * np.sqrt(16 / np.pi))
    half = cut_where(labels, merges, section_diameter, 5.6)
    assert len(np.unique(half)) == 3


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda m: replace(m, phase_id=np.full(m.shape, -1)), "Nothing of the reference"),
        (lambda m: replace(m, quaternions=np.broadcast_to(m.quaternions[0, 0], (48, 48, 4))),
         "no two grains"),
        (lambda m: replace(m, quaternions=m.quaternions[:3], phase_id=m.phase_id[:3],
                           done=m.done[:3], properties={}), "too small for a window"),
        (lambda m: polycrystal_map((9, 9, 9), 5), "give a section"),
    ],
)  # fmt: skip
def test_references_that_cannot_be_taken(reference, change, words):
    with pytest.raises(ValueError, match=words):
        run(reconstruct(change(reference), SMALL))


def test_nan_is_left_out(reference):
    q = reference.quaternions.copy()
    q[3, 4] = np.nan
    field = run(reconstruct(replace(reference, quaternions=q), SMALL))
    assert np.isfinite(field.quaternions).all()


def test_a_run_that_diverges_keeps_its_last_state(reference, tmp_path):
    path = tmp_path / "state.h5"
    config = SMALL.model_copy(update={"weights": Weights(three_point=1e300), "method": "SGD"})
    with pytest.raises(FloatingPointError, match="diverged"):
        run(reconstruct(reference, config, checkpoint=path))


@pytest.mark.parametrize("method", ["SGD", "Adam", "L-BFGS"])
def test_from_its_last_state_it_goes_on(reference, tmp_path, monkeypatch, method):
    path, config = tmp_path / "state.h5", SMALL.model_copy(update={"method": method})
    whole = Objective.__call__

    def broken(self, field):
        value = whole(self, field)
        lost = float("nan") if self.evaluations > 8 else 1.0
        return value._replace(loss=lost * value.loss, gradient=lost * value.gradient)

    monkeypatch.setattr(Objective, "__call__", broken)
    with pytest.raises(FloatingPointError, match="diverged"):
        run(reconstruct(reference, config, checkpoint=path))
    monkeypatch.setattr(Objective, "__call__", whole)
    last = load_state(path)
    assert torch.isfinite(last.quaternions).all()
    assert not last.memory
    field = run(reconstruct(reference, config, checkpoint=path, resume=True))
    assert field.provenance["loss"] < last.history[-1][3]


def test_a_field_that_was_stopped_is_no_rival_of_what_becomes_of_it(tmp_path, monkeypatch):
    """Its loss on a coarse stage is of fewer numbers, and may be lower than any later one."""
    monkeypatch.setattr("napari_orient.reconstruction.reconstruct._SHOW", 0.0)
    made = polycrystal_map((48, 48), 60, "Mg", seed=1)
    config = SMALL.model_copy(update={"evaluations": 60, "levels": 1, "scales": 1})
    path, controls = tmp_path / "state.h5", Controls()

    def watch(event):
        controls.stop |= is_loss(event) and event.value.evaluations >= 50  # on the first stage

    stopped = run(reconstruct(made, config, checkpoint=path, controls=controls), watch)
    resumed = run(reconstruct(made, config, checkpoint=path, resume=True))
    whole = run(reconstruct(made, config))
    assert stopped.provenance["paper_loss"] < 0.5 * whole.provenance["paper_loss"]
    assert resumed.provenance["evaluations"] >= 60
    assert resumed.provenance["paper_loss"] == resumed.provenance["seeds"][0][1]
    assert resumed.provenance["paper_loss"] < 1.5 * whole.provenance["paper_loss"]
    again = run(reconstruct(made, config, checkpoint=path, resume=True))
    assert len(again.provenance["seeds"]) == 1


def test_a_plateau_is_seen_across_an_interruption(reference, tmp_path, monkeypatch):
    monkeypatch.setattr("napari_orient.reconstruction.reconstruct._SHOW", 0.0)
    path = tmp_path / "state.h5"
    config = SMALL.model_copy(update={"evaluations": 900, "plateau": 0.3})
    whole = run(reconstruct(reference, config)).provenance["evaluations"]
    assert 25 < whole < 900
    job = reconstruct(reference, config, checkpoint=path)
    next(e for e in job if is_loss(e) and e.value.evaluations > whole - 8)
    job.close()
    resumed = run(reconstruct(reference, config, checkpoint=path, resume=True))
    assert resumed.provenance["evaluations"] == whole


def test_weights_that_are_raised_do_not_end_the_grid(reference, tmp_path, monkeypatch):
    monkeypatch.setattr("napari_orient.reconstruction.reconstruct._SHOW", 0.0)
    path, controls, seen = tmp_path / "state.h5", Controls(), []
    config = SMALL.model_copy(update={"evaluations": 40, "plateau": 0.0})
    job = reconstruct(reference, config, checkpoint=path, controls=controls)
    for event in job:
        if is_loss(event):
            seen.append(event.value)
            if len(seen) == 2:
                controls.weights = Weights(three_point=100.0)
            if event.value.evaluations > 25:
                break
    job.close()
    assert seen[3].loss > seen[1].loss  # of other weights
    assert seen[-1].loss < seen[3].loss
    field = run(reconstruct(reference, config, checkpoint=path, resume=True))
    assert field.provenance["weights"]["three_point"] == 100
    assert field.provenance["evaluations"] >= 40


def test_memory_of_an_optimiser_goes_to_its_device():
    own = [torch.ones(2), torch.ones(3)]
    placed = _placed({"d": torch.ones(2), "step": torch.ones(()), "old_dirs": own, "t": 1.0},
                     torch.device("meta"))  # fmt: skip
    assert placed["d"].is_meta
    assert all(one.is_meta for one in placed["old_dirs"])
    assert not placed["step"].is_meta
    assert placed["t"] == 1.0


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_grains_are_made_beside_a_loss_on_a_gpu(reference):
    config = SMALL.model_copy(update={"device": "cuda", "consolidate": True})
    assert run(reconstruct(reference, config)).provenance["consolidated"]["grains"] > 1


def test_a_state_of_another_version_is_refused(reference, tmp_path):
    path = tmp_path / "state.h5"
    run(reconstruct(reference, SMALL.model_copy(update={"evaluations": 2}), checkpoint=path))
    with h5py.File(path, "a") as file:
        file.attrs["version"] = 99
    with pytest.raises(UnreadableFile, match="another version"):
        load_state(path)


@pytest.mark.skipif(sys.platform == "win32", reason="counts otherwise")
def test_a_mac_counts_memory_in_bytes(monkeypatch):
    here = peak_mb()
    other = "linux" if sys.platform == "darwin" else "darwin"
    monkeypatch.setattr("napari_orient.reconstruction.memory.sys.platform", other)
    ratio = peak_mb() / here
    assert (ratio if other == "linux" else 1 / ratio) == pytest.approx(1024, rel=0.1)


def test_memory_that_will_not_fit_is_said_before(reference):
    huge = ReconstructConfig(size=(4096, 4096, 4096), levels=1, scales=1)
    with pytest.raises(MemoryError, match=r"4096 x 4096 x 4096 points needs about .* GB"):
        next(_Run(huge, Controls(), None).prepare(_material_of(reference, huge)))
    small = needed_mb(ReconstructConfig(size=(64, 64)), 9, 1)
    assert 500 < small < needed_mb(ReconstructConfig(size=(64, 64, 64)), 9, 1) < 1500


def _material_of(reference, config):
    """What is measured does not depend on the size, but for the name of the finest grid."""
    material = run(measure(reference, config.model_copy(update={"size": (24, 24, 24)})))
    return replace(material, grids=(material.grids[0]._replace(shape=config.size),))


def test_settings_that_cannot_be():
    for wrong in ({"size": (5,)}, {"window": 4}, {"method": "Newton"}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            ReconstructConfig(**wrong)


def test_grains_of_another_field_of_an_ensemble(reference):
    config = SMALL.model_copy(update={"seeds": 2})
    seen = []
    best = run(
        reconstruct(reference, config),
        lambda e: seen.append(e.value) if isinstance(e, Partial) and e.name == "seed" else None,
    )
    assert [one.seed for one in seen] == [0, 1]
    tried = dict(best.provenance["seeds"])
    assert tried == {one.seed: one.paper_loss for one in seen}
    assert best.provenance["seed"] == min(tried, key=tried.get)
    assert best.provenance["paper_loss"] == min(tried.values())
    other = replace(best, quaternions=seen[1].quaternions)
    made = run(grains_of(reference, other, config))
    assert len(np.unique(made.properties["grain"])) == made.provenance["consolidated"]["grains"]
    with pytest.raises(ValueError, match="points"):
        run(grains_of(reference, other, config.model_copy(update={"size": (12, 12)})))


@pytest.mark.parametrize("counted", [True, False])
def test_waiting_is_not_counted(reference, monkeypatch, counted):
    config = SMALL.model_copy(update={"time_limit": 500.0})
    controls, clock = Controls(), [0.0]
    monkeypatch.setattr(
        "napari_orient.reconstruction.reconstruct.time",
        SimpleNamespace(perf_counter=lambda: clock[0]),
    )

    def hold(event):
        if is_loss(event) and not clock[0]:
            clock[0] = 1000.0
            controls.waited = 1000.0 * counted

    field = run(reconstruct(reference, config, controls=controls), hold)
    assert (field.provenance["evaluations"] >= 20) == counted


def test_a_full_disk_is_said_and_the_run_goes_on(reference, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("napari_orient.reconstruction.reconstruct.save_state", full)
    monkeypatch.setattr("napari_orient.reconstruction.reconstruct.Every.due", lambda _: True)
    seen = []
    field = run(
        reconstruct(reference, SMALL, checkpoint=tmp_path / "part.h5"),
        lambda e: seen.append(e.value) if isinstance(e, Partial) and e.name == "note" else None,
    )
    assert len(seen) == 1
    assert "No space left" in seen[0]
    assert seen[0] in field.provenance["notes"]
    assert field.provenance["evaluations"] >= 20


def test_weights_that_were_changed_stay(reference):
    config = SMALL.model_copy(update={"size": (32, 32), "levels": 2, "evaluations": 15})
    controls = Controls(weights=Weights(two_point=0.0))
    field = run(reconstruct(reference, config, controls=controls))
    assert field.provenance["weights"]["two_point"] == 0
    assert "two-point" not in field.provenance["parts"]
