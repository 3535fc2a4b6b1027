"""The network that looks at a pattern from all sides."""

import math

import numpy as np
import pytest
import torch

from napari_orient.crystal.phases import get_phase
from napari_orient.crystal.rotations import (
    from_axis_angle,
    misorientation_angle,
    multiply,
    random_orientations,
)
from napari_orient.learning.config import InputConfig, NetworkConfig, SimulationConfig
from napari_orient.learning.heads import Head
from napari_orient.learning.networks.polar import VIEWS, Polar, rings
from napari_orient.learning.simulated import PatternSource

SIZE = 32
BEAM = np.array([0.0, 0.0, 1.0])
SETTINGS = {"name": "polar", "head": "mixture"}


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return Polar(8 * VIEWS, SIZE, width=16, blocks=2, orders=16).eval()


def said(network, images):
    with torch.inference_mode():
        return network(images).view(len(images), VIEWS, 8)


def test_a_crystal_turned_about_the_beam_turns_its_pattern_as_the_network_takes_it(monkeypatch):
    """x right, y down: Rz on the lab side by 90 degrees takes right to down."""
    sharp = SimulationConfig(
        shift_px=0, scale=0, overlap=0, dose=(1e9, 1e9), thickness_nm=(30, 30),
        precession_deg=(0.6, 0.6), convergence_mrad=(1.6, 1.6), power=(0.5, 0.5),
        spot_share=(0.1, 0.1), background_share=(0.2, 0.2), background_width=(0.4, 0.4),
    )  # fmt: skip
    source = PatternSource(sharp, InputConfig(size=64, pixel_size=0.04))
    q = random_orientations(3, seed=1)
    images = []
    for orientations in (q, multiply(q, from_axis_angle(BEAM, 90.0))):
        monkeypatch.setattr(
            source, "_orientations", lambda n, random, o=orientations: torch.from_numpy(o[:n])
        )
        images.append(source.draw(3, torch.Generator().manual_seed(2))[0])
    for k in (-1, 1):
        near = (torch.rot90(images[0], k, (1, 2)) - images[1]).abs().mean()
        assert (near < 0.01) == (k == 1)  # the lab turns against the crystal


def test_what_is_said_of_a_turned_pattern_is_the_turned_orientation(network):
    torch.manual_seed(1)
    images = torch.rand(4, 1, SIZE, SIZE)
    plain, turned = said(network, images), said(network, torch.rot90(images, 1, (2, 3)))
    # counterclockwise on the screen, y down: the views shift back by a quarter, and the crystal is
    # turned by Rz(90) on the lab side, which takes its columns x, y to y, -x
    expected = plain.roll(-VIEWS // 4, 1)
    torch.testing.assert_close(turned[..., 6:], expected[..., 6:], atol=1e-5, rtol=0)
    columns = torch.cat([expected[..., 3:6], -expected[..., :3]], -1)
    torch.testing.assert_close(turned[..., :6], columns, atol=1e-5, rtol=0)


def test_coefficients_on_rings_are_those_of_a_wave():
    matrix, radii = rings(SIZE, 8)
    y, x = torch.meshgrid(*[torch.arange(SIZE) - (SIZE - 1) / 2] * 2, indexing="ij")
    wave = torch.cos(3 * torch.atan2(y, x) - 0.7)  # of order 3
    waves = (wave.flatten() @ matrix).view(8, 2, radii)[:, :, 6:]
    strength = waves.pow(2).sum(1).sqrt().mean(1) / math.sqrt(8 * 8)
    assert abs(strength[3] - 0.5) < 0.02
    assert strength[[0, 1, 2, 4, 5, 6, 7]].max() < 0.01
    angle = torch.atan2(waves[3, 1], waves[3, 0]).mean()
    assert abs(angle + 0.7) < 0.02


def test_it_answers_with_mixtures_alone():
    for outputs in (3, 6, 8 * 6):
        with pytest.raises(ValueError, match="set head to 'mixture' and hypotheses to 32"):
            Polar(outputs, SIZE)
    assert Head(NetworkConfig(**SETTINGS), get_phase("Au")).hypotheses == VIEWS
    assert Head(NetworkConfig(name="cnn"), get_phase("Au")).hypotheses == 8


@pytest.mark.parametrize("modulo", [(), ("beam",)])
def test_rotations_that_say_the_same_are_one_answer(modulo):
    phase = get_phase("LiNiO2")
    group = phase.point_group
    head = Head(NetworkConfig(**SETTINGS), phase, modulo)
    rng = np.random.default_rng(0)
    a, b = random_orientations(2, seed=3)
    half = from_axis_angle(BEAM, 180.0)
    near = from_axis_angle(rng.normal(size=(VIEWS, 3)), rng.normal(scale=0.5, size=VIEWS))
    q = multiply(np.where(np.arange(VIEWS)[:, None] % 2, a, multiply(a, half)), near)
    q[5:8] = multiply(b, near[5:8])
    q = multiply(head.group[rng.integers(len(head.group), size=VIEWS)], q)  # any representative
    odds = np.full(VIEWS, 0.8 / (VIEWS - 3))
    odds[5:8] = 0.2 / 3
    found = head._distinct(q[None], torch.from_numpy(odds)[None], torch.full((1, VIEWS), 2.0))
    answers, p, spread = (x.double().numpy()[0] for x in found)
    truth = [a, b] if modulo else [a, multiply(a, half), b]
    expected = [0.8, 0.2] if modulo else [0.8 * 15 / 29, 0.8 * 14 / 29, 0.2]
    np.testing.assert_allclose(np.sort(p)[::-1][: len(truth)], np.sort(expected)[::-1], atol=1e-5)
    assert (p[len(truth) :] == 0).all()
    np.testing.assert_allclose(answers[len(truth) :], answers[:1].repeat(8 - len(truth), 0))
    for one in truth:
        away = misorientation_angle(answers, np.tile(one, (8, 1)), group, modulo_beam=bool(modulo))
        assert away.min() < 0.4  # the mean of many is better than each
    np.testing.assert_allclose(spread, 2.0, rtol=1e-5)
