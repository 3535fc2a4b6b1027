"""Batched images are the compiled ones; shifts, ellipses, blur and noise do what they say."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from napari_orient.crystal.phases import get_phase
from napari_orient.crystal.rotations import random_orientations
from napari_orient.data.reciprocal import scan_to_pattern, to_pattern
from napari_orient.data.scan import Calibration, Quantity
from napari_orient.diffraction import patterns
from napari_orient.diffraction.excitation import SpotBatch, batched_spots
from napari_orient.diffraction.patterns import count_electrons, detector_matrix, draw_patterns
from napari_orient.diffraction.simulate import pattern_images, reflections, spots

LINIO2 = reflections(get_phase("LiNiO2"), 1.5)
Q = random_orientations(24, 1)
ROUND = torch.eye(2, dtype=torch.float64) / 0.02


def one_spot(x: float, y: float) -> SpotBatch:
    none = torch.zeros(1, dtype=torch.int64)
    xy = torch.tensor([[x, y]], dtype=torch.float64)
    return SpotBatch(none, xy, torch.ones(1, dtype=torch.float64), none, 1)


def middle(image: torch.Tensor) -> tuple[float, float]:
    ky, kx = (torch.arange(n, dtype=image.dtype) for n in image.shape)
    total = image.sum()
    return float(image.sum(1) @ ky / total), float(image.sum(0) @ kx / total)


@pytest.mark.parametrize("profile", ["disk", "gaussian"])
@pytest.mark.parametrize(("dtype", "close"), [(torch.float64, 1e-6), (torch.float32, 1e-4)])
def test_the_same_images_as_one_after_the_other(profile: Any, dtype: Any, close: float) -> None:
    known = spots(LINIO2, Q, precession_deg=0.6)
    look = {"spot_counts": 900.0, "direct_counts": 4000.0, "background_counts": 2000.0}
    images = pattern_images(
        known, (60, 72), 0.02, centre=(31.3, 34.8), radius=0.05, profile=profile, power=0.5,
        background_width=0.3, dtype=np.float64, **look,
    )  # fmt: skip
    found = batched_spots(LINIO2, torch.tensor(Q, dtype=dtype), precession_deg=0.6)
    drawn = draw_patterns(
        found.levelled(0.5), (60, 72), ROUND, torch.tensor([31.3, 34.8], dtype=torch.float64),
        radius=2.5, profile=profile, background_width=15.0, **look,
    )  # fmt: skip
    assert drawn.dtype == dtype
    np.testing.assert_allclose(drawn, images, atol=close * images.max())


def test_spots_lie_where_the_calibration_says() -> None:
    known = Calibration(
        pixel_size=Quantity(value=(0.02, 0.025)),
        centre=Quantity(value=(40.2, 37.6)),
        rotation=Quantity(value=33.0),
        flip=Quantity(value=1.0),
        ellipse=Quantity(value=(1.08, 20.0)),
    )
    x, y = 0.31, -0.22
    ky, kx = to_pattern(known, *scan_to_pattern(known, y, x))
    centre = torch.tensor(known.centre.pair if known.centre else ())
    matrix = torch.tensor(detector_matrix(known))
    image = draw_patterns(one_spot(x, y), (80, 80), matrix, centre, radius=3.0)[0]
    assert middle(image) == pytest.approx((float(ky), float(kx)), abs=0.02)
    assert float(image.sum()) == pytest.approx(1, abs=1e-9)


def test_every_pattern_has_its_own_detector(monkeypatch: pytest.MonkeyPatch) -> None:
    found = batched_spots(LINIO2, torch.tensor(Q))
    n = found.size
    own = {
        "matrix": ROUND * torch.linspace(0.9, 1.1, n, dtype=torch.float64)[:, None, None],
        "centre": torch.rand(n, 2, dtype=torch.float64) * 6 + 29,
    }
    names = ("radius", "spot_counts", "direct_counts", "background_counts", "blur")
    numbers = {name: torch.rand(n, dtype=torch.float64) * 3 + 0.5 for name in names}
    numbers["background_width"] = torch.linspace(8, 20, n)
    monkeypatch.setattr(patterns, "_CHUNK", 2000)
    together = draw_patterns(found, (64, 66), **own, **numbers)
    for i in (0, 9, n - 1):
        here = found.pattern == i
        alone = SpotBatch(
            torch.zeros(int(here.sum()), dtype=torch.int64), found.xy[here],
            found.intensity[here], found.reflection[here], 1,
        )  # fmt: skip
        single = {name: float(values[i]) for name, values in numbers.items()}
        image = draw_patterns(alone, (64, 66), own["matrix"][i], own["centre"][i], **single)[0]
        torch.testing.assert_close(together[i], image, rtol=1e-6, atol=1e-7)


def test_blur_is_a_gaussian_and_keeps_electrons() -> None:
    centre = torch.tensor([32.0, 32.0])
    sharp, soft = (
        draw_patterns(one_spot(0.1, 0.0), (64, 64), ROUND, centre, radius=2.0, blur=blur)[0]
        for blur in (0.0, 1.7)
    )
    assert float(soft.sum()) == pytest.approx(float(sharp.sum()), rel=1e-4)
    assert middle(soft) == pytest.approx(middle(sharp), abs=1e-6)
    ky = torch.arange(64.0)[:, None]
    spread = [float((image * (ky - 32) ** 2).sum()) for image in (sharp, soft)]
    assert spread[1] - spread[0] == pytest.approx(1.7**2, rel=2e-3)


def test_blur_brings_electrons_in_from_outside() -> None:
    """A disk just outside the edge is not seen, but its tail is."""
    centre = torch.tensor([32.0, 32.0])
    away = (32 + 3.2) * 0.02
    sharp, soft = (
        draw_patterns(one_spot(away, 0.0), (64, 64), ROUND, centre, radius=2.0, blur=blur)[0]
        for blur in (0.0, 1.0)
    )
    assert float(sharp.sum()) == 0
    assert 1e-3 < float(soft.sum()) < 0.1
    assert int(soft.sum(0).argmax()) == 63


def test_counts_add_up_with_a_margin() -> None:
    look = {"direct_counts": 300.0, "background_counts": 500.0, "spot_counts": 0.0}
    image = draw_patterns(
        one_spot(0, 0), (64, 64), ROUND, torch.tensor([32.0, 30.0]), radius=2.0, blur=0.8, **look
    )
    assert float(image.sum()) == pytest.approx(800, rel=2e-3)


def test_noise_is_seeded_and_poisson() -> None:
    expected = torch.full((40, 32, 32), 2.3)
    first, again, other = (
        count_electrons(expected, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert float(first.mean()) == pytest.approx(2.3, rel=0.02)
    assert float(first.var()) == pytest.approx(2.3, rel=0.04)
    assert torch.equal(first, first.round())


@pytest.mark.parametrize(
    ("wrong", "words"),
    [({"radius": 0.0}, "positive"), ({"spot_counts": -1.0}, "negative"),
     ({"blur": -1.0}, "negative"), ({"background_width": torch.tensor([0.0])}, "positive")],
)  # fmt: skip
def test_nonsense_is_refused(wrong: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        draw_patterns(one_spot(0, 0), (8, 8), ROUND, torch.zeros(2), **{"radius": 1.0} | wrong)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_the_same_on_a_gpu() -> None:
    q = torch.tensor(Q)
    images = [
        draw_patterns(
            batched_spots(LINIO2, q.to(device)), (64, 64), ROUND, torch.tensor([32.0, 32.0]),
            radius=2.5, background_counts=100.0, blur=0.5,
        ).cpu()
        for device in ("cpu", "cuda")
    ]  # fmt: skip
    torch.testing.assert_close(images[0], images[1], rtol=1e-9, atol=1e-9)
