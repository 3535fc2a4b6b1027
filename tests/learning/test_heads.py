"""What a network says, and how wrong it is."""

import numpy as np
import pytest
import torch

from napari_orient.crystal.phases import get_phase
from napari_orient.crystal.rotations import (
    beam_operator,
    from_axis_angle,
    from_euler,
    laue_operators,
    misorientation_angle,
    multiply,
    random_orientations,
    to_6d,
)
from napari_orient.diffraction.matching.pseudo import pseudo_operators
from napari_orient.learning.config import NetworkConfig
from napari_orient.learning.evaluate import accuracy
from napari_orient.learning.heads import Head, euler_ranges, joined, reduced_euler

PHASES = ["LiNiO2", "Au", "Ti"]
N = 50


def head(kind, phase="LiNiO2", modulo=(), **options):
    return Head(NetworkConfig(head=kind, **options), get_phase(phase), modulo)


def say(quaternions, kind, target, sure=5.0):
    """Raw outputs of a network that is right."""
    if kind == "euler":
        return target.targets(torch.from_numpy(quaternions))
    six = torch.from_numpy(to_6d(quaternions)).float()
    if kind == "rotation":
        return 3 * six  # any length
    parts = torch.zeros(len(six), target.hypotheses, 8)
    parts[..., :6] = torch.randn(len(six), target.hypotheses, 6)
    parts[:, 2, :6] = six
    parts[:, 2, 6] = sure
    parts[:, 2, 7] = sure
    return parts.flatten(1)


@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize("kind", ["euler", "rotation", "mixture"])
def test_what_is_said_is_read(kind, phase):
    truth, target = random_orientations(N, seed=0), head(kind, phase)
    raw = say(truth, kind, target)
    assert raw.shape == (N, target.outputs)
    found = target.predict(raw)
    assert (
        misorientation_angle(found.quaternions[:, 0], truth, get_phase(phase).point_group).max()
        < 0.1
    )
    assert (np.diff(found.probability, axis=1) <= 0).all()
    np.testing.assert_allclose(found.probability.sum(axis=1), 1, atol=1e-5)
    assert np.isnan(found.spread_deg).all() == (kind != "mixture")


@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize("kind", ["rotation", "mixture"])
def test_the_loss_knows_the_symmetry_of_the_crystal(kind, phase):
    truth, target = random_orientations(N, seed=1), head(kind, phase)
    raw = say(truth, kind, target)
    right = target.loss(raw, torch.from_numpy(truth))
    for operator in laue_operators(get_phase(phase).point_group):
        same = torch.from_numpy(multiply(operator, truth))
        torch.testing.assert_close(target.loss(raw, same), right, atol=1e-2, rtol=0)
    wrong = torch.from_numpy(multiply(truth, from_axis_angle(np.array([0.3, 1.0, 2.0]), 20.0)))
    assert target.loss(raw, wrong) > right + 0.1
    # symmetry on the other side is no symmetry
    other_side = torch.from_numpy(multiply(truth, laue_operators(get_phase(phase).point_group)[1]))
    assert target.loss(raw, other_side) > right + 0.1


def test_the_chord_is_that_of_the_misorientation():
    a, b, target = random_orientations(N, seed=2), random_orientations(N, seed=3), head("rotation")
    raw = say(a, "rotation", target)
    expected = 2 * np.sin(
        np.radians(misorientation_angle(a, b, get_phase("LiNiO2").point_group)) / 2
    )
    found = [float(target.loss(raw[i : i + 1], torch.from_numpy(b[i : i + 1]))) for i in range(N)]
    np.testing.assert_allclose(found, expected, atol=2e-3)


@pytest.mark.parametrize("kind", ["rotation", "mixture"])
def test_ambiguities_count_as_one_where_that_is_asked_for(kind):
    truth = random_orientations(N, seed=4)
    turned = torch.from_numpy(multiply(truth, beam_operator()))
    like = torch.from_numpy(multiply(pseudo_operators(get_phase("LiNiO2")).operators[0], truth))
    for modulo, good, bad in (
        (("beam",), [turned], [like]),
        (("crystal",), [like], [turned]),
        (("beam", "crystal"), [turned, like], []),
        ((), [], [turned, like]),
    ):
        target = head(kind, modulo=modulo)
        raw = say(truth, kind, target)
        right = target.loss(raw, torch.from_numpy(truth))
        for q in good:
            torch.testing.assert_close(target.loss(raw, q), right, atol=1e-2, rtol=0)
        for q in bad:
            assert target.loss(raw, q) > right + 0.1


def test_gradients_are_numbers_even_where_all_is_right_or_nothing_is_said():
    truth = torch.from_numpy(random_orientations(N, seed=5))
    for kind in ("euler", "rotation", "mixture"):
        target = head(kind)
        for raw in (say(truth.numpy(), kind, target), torch.zeros(N, target.outputs)):
            raw = raw.clone().requires_grad_()
            target.loss(raw, truth).backward()
            assert torch.isfinite(raw.grad).all()


def test_a_mixture_learns_both_of_two_answers():
    """A pattern that is one of two orientations by chance: both are said, with their odds."""
    torch.manual_seed(0)
    a, b = (torch.from_numpy(random_orientations(1, seed=s)) for s in (6, 7))
    target = head("mixture", hypotheses=4)
    raw = torch.randn(1, target.outputs, requires_grad=True)
    optimiser = torch.optim.Adam([raw], 0.05)
    truth = torch.cat([a, a, a, b])
    for _ in range(600):
        optimiser.zero_grad()
        target.loss(raw.expand(4, -1), truth).backward()
        optimiser.step()
    found = target.predict(raw.detach())
    group = get_phase("LiNiO2").point_group
    odds = [
        found.probability[0][
            misorientation_angle(found.quaternions[0], np.repeat(q.numpy(), 4, 0), group) < 3
        ].sum()
        for q in (a, b)
    ]
    np.testing.assert_allclose(odds, [0.75, 0.25], atol=0.03)


@pytest.mark.parametrize(
    ("phase", "ranges"), [("LiNiO2", (360, 90, 120)), ("Au", (360, 90, 90)), ("Ti", (360, 90, 60))]
)
def test_euler_angles_lie_within_the_ranges_of_the_class(phase, ranges):
    crystal = get_phase(phase)
    found = euler_ranges(crystal)
    np.testing.assert_allclose(found, ranges)
    truth, group = random_orientations(500, seed=8), laue_operators(crystal.point_group)
    angles = reduced_euler(truth, group, found)
    assert (angles >= 0).all()
    assert (angles <= found + 1e-6).all()
    assert misorientation_angle(from_euler(angles), truth, crystal.point_group).max() < 1e-5
    for operator in group:
        again = reduced_euler(multiply(operator, truth), group, found)
        np.testing.assert_allclose(again, angles, atol=1e-6)


def test_angles_are_scored_as_they_were_said():
    """A hair outside the ranges is a hair off, and no whole turn."""
    phase, target = get_phase("LiNiO2"), head("euler")
    angles = np.array([[0.5, 40.0, 60.0], [200.0, 30.0, 20.0]])
    said = angles + np.array([[-1.0, 0.0, 0.0], [1.0, 0.0, 0.0]])
    found = target.predict(torch.from_numpy(said / target.ranges))
    np.testing.assert_allclose(found.angles, said, atol=1e-3)
    scores = accuracy(from_euler(angles), found, phase)
    assert scores.mae == pytest.approx(1 / 3, abs=1e-3)
    assert scores.median_deg == pytest.approx(1.0, abs=1e-3)
    both = joined([found, found])
    assert both.angles.shape == (4, 3)
    assert joined([both, both]).quaternions.shape == (8, 1, 4)
