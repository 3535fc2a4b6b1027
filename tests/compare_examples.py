"""Two maps of the sample scan: the truth, and a copy with errors that are known."""

from __future__ import annotations

import numpy as np


def perturbed(reference, *, degrees=1.0, seed=3):
    """Return a copy with known errors: noise, one grain turned about the beam, one far off.

    Each pixel is turned by up to ``degrees`` about a random axis; grain 0 by 180 degrees about the
    beam as well, grain 1 by 20 degrees about it; a symmetry operator, which changes nothing, is
    applied everywhere. The first row is not indexed. Q falls with the noise, R is low in grain 0.
    """
    import dataclasses

    from napari_orient.crystal.rotations import (
        beam_operator,
        from_axis_angle,
        laue_operators,
        multiply,
    )
    from napari_orient.data.candidates import Candidates

    random = np.random.default_rng(seed)
    shape, grain = reference.shape, reference.properties["grain"]
    group = reference.phases[0].point_group
    share = random.random(shape)
    noise = from_axis_angle(random.normal(size=(*shape, 3)), degrees * share)
    q = multiply(noise, reference.quaternions)
    turned = np.where((grain == 0)[..., None], multiply(q, beam_operator()), q)
    twenty = from_axis_angle(np.array([0.0, 0.0, 1.0]), 20.0)
    turned = np.where((grain == 1)[..., None], multiply(q, twenty), turned)
    operators = laue_operators(group)
    operator = operators[random.integers(len(operators), size=shape)]
    found = multiply(operator, turned)
    phase_id = np.zeros(shape, np.int32)
    phase_id[0] = -1
    candidates = np.stack([found, multiply(found, beam_operator()), multiply(noise, found)], axis=2)
    score = np.broadcast_to([0.9, 0.88, 0.5], (*shape, 3))
    split = np.zeros(shape, np.int32)
    split[:, shape[1] // 2 :] = 2
    return dataclasses.replace(
        reference,
        quaternions=found,
        phase_id=phase_id,
        properties={
            "Q": (100 - 50 * share).astype(np.float32),
            "R": np.where(grain == 0, 5.0, 40.0).astype(np.float32),
            "split": split,
        },
        candidates=Candidates(candidates, score, np.zeros((*shape, 3), np.int32)),
        source="somewhere/found.h5",
    )
