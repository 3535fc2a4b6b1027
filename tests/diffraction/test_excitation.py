"""Batched spots are the compiled ones, whatever the batch, the type and the microscope."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.spatial import cKDTree

from napari_orient.crystal.phases import get_phase
from napari_orient.crystal.rotations import random_orientations
from napari_orient.diffraction import excitation
from napari_orient.diffraction.excitation import batched_spots, join_patterns, mix_patterns
from napari_orient.diffraction.simulate import reflections, spots

LINIO2 = reflections(get_phase("LiNiO2"), 1.5)
Q = random_orientations(60, 1)


@pytest.mark.parametrize(("thickness", "precession"), [(20.0, 0.0), (60.0, 0.6), (8.0, 1.5)])
def test_the_same_spots_as_one_after_the_other(thickness: float, precession: float) -> None:
    known = spots(LINIO2, Q, 200.0, thickness_nm=thickness, precession_deg=precession)
    found = batched_spots(
        LINIO2, torch.tensor(Q), 200.0, thickness_nm=thickness, precession_deg=precession
    )
    counts = np.diff(known.starts)
    np.testing.assert_array_equal(np.bincount(found.pattern, minlength=60), counts)
    np.testing.assert_array_equal(found.reflection, known.reflection)
    np.testing.assert_allclose(found.xy, known.xy, atol=2e-7)
    np.testing.assert_allclose(found.intensity, known.intensity, rtol=1e-6)
    assert counts.sum() > 400


def test_float32_keeps_four_digits() -> None:
    exact = batched_spots(LINIO2, torch.tensor(Q), precession_deg=0.6)
    short = batched_spots(LINIO2, torch.tensor(Q, dtype=torch.float32), precession_deg=0.6)
    assert short.intensity.dtype == short.xy.dtype == torch.float32
    assert len(exact.intensity) == len(short.intensity)
    np.testing.assert_allclose(short.xy, exact.xy, atol=5e-7)
    np.testing.assert_allclose(short.intensity, exact.intensity, atol=1e-4)


def test_agrees_with_diffsims() -> None:
    """At 80 kV the Ewald sphere is curved enough that a wrong sign takes other reflections."""
    from diffsims.generators.simulation_generator import SimulationGenerator
    from orix.quaternion import Rotation

    known = reflections(get_phase("Si"), 1.5)
    theirs = SimulationGenerator(80).calculate_diffraction2d(
        get_phase("Si"),
        rotation=Rotation(Q[:6]),
        reciprocal_radius=2.2,
        max_excitation_error=0.02,
        shape_factor_width=1 / 150,
        with_direct_beam=False,
    )
    ours = batched_spots(known, torch.tensor(Q[:6]), 80.0, thickness_nm=15, min_intensity=1e-6)
    number = 0
    for i, vectors in enumerate(theirs.coordinates):
        near = np.linalg.norm(vectors.data, axis=1) <= 1.5
        strong = near & (vectors.intensity > 1e-6 * known.intensity.max())
        own = (ours.pattern == i).numpy()
        assert strong.sum() == own.sum()
        distance, index = cKDTree(ours.xy[own].numpy()).query(vectors.data[strong, :2])
        assert distance.max() < 1e-6
        expected = vectors.intensity[strong] / known.intensity.max()
        mine = ours.intensity[own].numpy()
        np.testing.assert_allclose(mine[index], expected, rtol=1e-4, atol=1e-8)
        number += len(index)
    assert number > 20


def test_every_pattern_has_a_microscope_of_its_own() -> None:
    thickness, precession = torch.linspace(5, 90, 60), torch.linspace(0, 1.2, 60)
    factor = torch.linspace(0, 2.5, 60)
    together = batched_spots(
        LINIO2, torch.tensor(Q), thickness_nm=thickness, precession_deg=precession,
        debye_waller=factor, min_intensity=1e-6,
    )  # fmt: skip
    for i in (0, 17, 59):
        alone = spots(
            LINIO2, Q[i], thickness_nm=float(thickness[i]), precession_deg=float(precession[i]),
            min_intensity=0.0,
        )  # fmt: skip
        length = np.linalg.norm(LINIO2.g[alone.reflection], axis=1)
        damped = alone.intensity * np.exp(-2 * float(factor[i]) * (length / 2) ** 2)
        own = together.pattern == i
        assert set(together.reflection[own].tolist()) <= set(alone.reflection.tolist())
        np.testing.assert_allclose(together.intensity[own], damped[damped >= 1e-6], rtol=1e-5)


def test_chunks_leave_no_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    thickness = torch.linspace(5, 90, 60)
    whole = batched_spots(LINIO2, torch.tensor(Q), thickness_nm=thickness)
    monkeypatch.setattr(excitation, "_CHUNK", 7 * len(LINIO2))
    cut = batched_spots(LINIO2, torch.tensor(Q), thickness_nm=thickness)
    assert cut.size == whole.size == 60
    for name in ("pattern", "xy", "intensity", "reflection"):
        torch.testing.assert_close(getattr(cut, name), getattr(whole, name), rtol=1e-12, atol=1e-15)


def test_gradients_reach_the_orientation() -> None:
    q = torch.tensor(Q[:3], requires_grad=True)
    batched_spots(LINIO2, q, precession_deg=0.6).intensity.sum().backward()
    assert q.grad is not None
    assert torch.isfinite(q.grad).all()
    step = 1e-6
    up, down = (q.detach().clone() for _ in range(2))
    up[1, 2] += step
    down[1, 2] -= step
    sums = [float(batched_spots(LINIO2, x, precession_deg=0.6).totals()[1]) for x in (up, down)]
    assert (sums[0] - sums[1]) / (2 * step) == pytest.approx(float(q.grad[1, 2]), rel=1e-3)


def test_mixed_patterns_hold_the_shares_of_their_crystals() -> None:
    one = batched_spots(LINIO2, torch.tensor(Q[:3]))
    other = batched_spots(reflections(get_phase("Ni"), 1.5), torch.tensor(Q[:2]))
    crystals = join_patterns([one, other]).levelled(0.5)
    target, weight = torch.tensor([0, 2, 1, 2, 0]), torch.tensor([0.7, 0.4, 1.0, 0.6, 0.3])
    mixed = mix_patterns(crystals, target, weight, 4)
    alone = crystals.totals()
    expected = [0.7 * alone[0] + 0.3 * alone[4], alone[2], 0.4 * alone[1] + 0.6 * alone[3], 0.0]
    np.testing.assert_allclose(mixed.totals(), expected, rtol=1e-6)
    assert (mixed.pattern.diff() >= 0).all()
    own = mixed.xy[mixed.pattern == 0]
    parts = [one.xy[one.pattern == 0], other.xy[other.pattern == 1]]
    torch.testing.assert_close(own, torch.cat(parts))


def test_nothing_to_do_and_nonsense() -> None:
    empty = batched_spots(LINIO2, torch.zeros(0, 4))
    assert (empty.size, len(empty.xy)) == (0, 0)
    one = torch.tensor(Q[:1])
    with pytest.raises(ValueError, match=r"shape \(N, 4\)"):
        batched_spots(LINIO2, one[0])
    with pytest.raises(ValueError, match="positive"):
        batched_spots(LINIO2, one, thickness_nm=torch.tensor([0.0]))
    with pytest.raises(ValueError, match="negative"):
        batched_spots(LINIO2, one, precession_deg=-0.1)
