"""Misorientations of boundaries: measured, compared, and brought about by turning grains."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from napari_orient.analysis.grains.config import GrainConfig
from napari_orient.analysis.grains.find import find_grains
from napari_orient.crystal.rotations import (
    laue_operators,
    misorientation_angle,
    multiply,
    random_orientations,
)
from napari_orient.jobs import run
from napari_orient.reconstruction.boundaries import (
    LEVELS,
    Boundaries,
    _equivalents,
    measure_boundaries,
)
from napari_orient.reconstruction.config import ReconstructConfig
from napari_orient.reconstruction.material import measure
from napari_orient.reconstruction.reconstruct import reconstruct
from napari_orient.samples import polycrystal_map

SIGMA_3 = np.array([np.sqrt(3) / 2, *np.full(3, 0.5 / np.sqrt(3))])


@pytest.fixture(scope="module")
def twinned():
    """A polycrystal of which half of the grains are twins of a grain beside them."""
    made = polycrystal_map((60, 60), 120, "Ni", seed=4)
    grains = run(find_grains(made, GrainConfig(smallest=1, edge_grains=True)))
    q, random = grains.means.copy(), np.random.default_rng(0)
    free = np.ones(len(grains), bool)
    for a, b in random.permutation(grains.contacts.pairs - 1).tolist():
        if free[a] and free[b]:
            s = laue_operators("m-3m")[random.integers(24)]
            q[b] = multiply(SIGMA_3, multiply(s, q[a]))
            free[[a, b]] = False
    return replace(made, quaternions=q[grains.labels - 1])


def found(one):
    return run(find_grains(one, GrainConfig(smallest=1, edge_grains=True)))


def sigma_3(grains):
    """Share of the boundaries within Brandon's 8.66 degrees."""
    a, b = (grains.means[grains.contacts.pairs[:, side] - 1] for side in (0, 1))
    near = np.min(
        [
            misorientation_angle(a, multiply(SIGMA_3, multiply(s, b)), "m-3m")
            for s in laue_operators("m-3m")
        ],
        axis=0,
    )
    return grains.contacts.extent[near < 8.66].sum() / grains.contacts.extent.sum()


def test_the_peak_of_twins_is_found(twinned):
    one = measure_boundaries(found(twinned))
    assert len(one.centres) == 2
    distance = np.abs(_equivalents(SIGMA_3, "m-3m") @ one.centres[1]).max()
    assert distance > np.cos(np.radians(0.5))
    held = np.interp(np.radians(5), one.quantiles[1], LEVELS)
    assert held == pytest.approx(sigma_3(found(twinned)), abs=0.05)
    assert len(measure_boundaries(found(polycrystal_map((60, 60), 150, seed=5))).centres) == 1


def test_angles_are_those_of_misorientations():
    a, b = random_orientations(50, seed=0), random_orientations(50, seed=1)
    angles = np.sort(misorientation_angle(a, b, "m-3m"))
    flat = np.interp(LEVELS, (np.arange(50) + 0.5) / 50, np.radians(angles))
    own = Boundaries("m-3m", np.array([[1.0, 0, 0, 0]]), flat[None])
    a, b = torch.as_tensor(a), torch.as_tensor(b)
    assert float(own.distance(a, b, torch.ones(50))) < 2e-5
    moved = replace(own, quantiles=own.quantiles + 0.1)
    assert float(moved.distance(a, b, torch.ones(50))) == pytest.approx(0.01, rel=0.05)
    # which of the equivalents they are, their length, and the order do not matter
    s = laue_operators("m-3m")[7]
    turned = torch.as_tensor(multiply(s, a.numpy()))
    assert float(moved.distance(2 * b, turned, torch.ones(50))) == pytest.approx(0.01, rel=0.05)


def test_its_gradient():
    a, b = (torch.as_tensor(random_orientations(12, seed=n)) for n in (2, 3))
    own = Boundaries(
        "m-3m", np.stack([[1.0, 0, 0, 0], SIGMA_3]), np.stack([0.3 + 0.6 * LEVELS, 0.5 * LEVELS])
    )
    extent = torch.rand(12, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    free = a.clone().requires_grad_()
    own.distance(free, b, extent).backward()
    for place in [(0, 0), (3, 2), (7, 3)]:
        ahead, behind = a.clone(), a.clone()
        ahead[place] += 1e-6
        behind[place] -= 1e-6
        slope = float(own.distance(ahead, b, extent) - own.distance(behind, b, extent)) / 2e-6
        assert float(free.grad[place]) == pytest.approx(slope, rel=1e-3, abs=1e-8)


def test_operators_give_each_boundary_once():
    assert len(_equivalents(np.array([1.0, 0, 0, 0]), "m-3m")) == 24
    general = _equivalents(random_orientations(1, seed=0)[0], "m-3m")
    assert len(general) == 24 * 24 * 2
    inner = np.abs(general @ general.T) - np.eye(len(general))
    assert inner.max() < 1 - 1e-6


def test_twins_come_back(twinned):
    config = ReconstructConfig(
        size=(40, 40), window=9, evaluations=40, consolidate=True, threads=1, levels=1
    )
    share = sigma_3(found(twinned))
    assert share > 0.15
    made = run(reconstruct(twinned, config))
    assert sigma_3(found(made)) == pytest.approx(share, rel=0.35)
    material = run(measure(twinned, config))
    without = run(reconstruct(replace(material, boundaries=(None,)), config))
    assert sigma_3(found(without)) < 0.5 * share
