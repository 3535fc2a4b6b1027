"""Descriptors against plain loops, periodic and masked, and their gradients."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from napari_orient.reconstruction.descriptors import (
    field_pairs,
    mean_variation,
    pooled,
    two_point,
    variogram,
)
from napari_orient.reconstruction.estimates import (
    Piece,
    estimate,
    pooled_pieces,
    sublattices,
)
from napari_orient.reconstruction.variogram import (
    loss_and_gradient,
    three_point,
    three_point_loss,
)
from napari_orient.reconstruction.windows import window_lags


def drawn(*shape, seed=0, dtype=torch.float64):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def at(field, y, x):
    return field[..., y % field.shape[-2], x % field.shape[-1]]


def test_lags_of_a_window():
    half, full = window_lags(17), window_lags(17, "full")
    assert len(half) == 144
    assert len(full) == 288
    both = {tuple(r) for r in half} | {tuple(-r) for r in half}
    assert both == {tuple(r) for r in full}
    for wrong in (4, 1, 0, -3):
        with pytest.raises(ValueError, match="odd number of points"):
            window_lags(wrong)


@pytest.mark.parametrize("shape", [(6, 7), (5, 8), (4, 4)])
def test_two_point_by_counting(shape):
    fields = drawn(2, 3, *shape)
    found = two_point(fields, 5)
    for slice_, own in enumerate(fields):
        for pair, (a, b) in enumerate(zip(*field_pairs(3), strict=True)):
            for i in range(5):
                for j in range(5):
                    r = (i - 2, j - 2)
                    expected = np.mean(
                        [
                            float(own[a, y, x] * at(own[b], y + r[0], x + r[1]))
                            for y in range(shape[0])
                            for x in range(shape[1])
                        ]
                    )
                    assert float(found[slice_, pair, i, j]) == pytest.approx(expected, abs=1e-12)


def test_three_point_by_counting():
    """Eq. 21; with r1 = r2 it is the semi-variogram of order 2 (Eq. 20)."""
    field = drawn(6, 5)
    lags = window_lags(5)
    found = three_point(field, lags)
    for n, r1 in enumerate(lags):
        for m, r2 in enumerate(lags):
            expected = sum(
                abs(float(field[y, x] - at(field, y + r1[0], x + r1[1])))
                * abs(float(field[y, x] - at(field, y + r2[0], x + r2[1])))
                for y in range(6)
                for x in range(5)
            ) / (2 * 30)
            assert float(found[n, m]) == pytest.approx(expected, abs=1e-12)
    second = variogram(field, lags, order=2.0)
    assert torch.allclose(found.diagonal(), second)


def test_variation_by_counting():
    field = drawn(6, 5)
    expected = np.mean(
        [
            float(((at(field, y + 1, x) - field[y, x]) ** 2
                   + (at(field, y, x + 1) - field[y, x]) ** 2).sqrt())
            for y in range(6) for x in range(5)
        ]
    )  # fmt: skip
    assert float(mean_variation(field)) == pytest.approx(expected)
    flat = torch.zeros(4, 4, dtype=torch.float64, requires_grad=True)
    mean_variation(flat).backward()
    assert torch.equal(flat.grad, torch.zeros_like(flat))


@pytest.mark.parametrize("window", [3, 5, 9])
@pytest.mark.parametrize("shape", [(12, 9), (8, 32), (7, 40)])
def test_the_fast_way_is_the_plain_one(shape, window):
    fields, lags = drawn(2, 3, *shape), window_lags(window)
    target = three_point(drawn(3, *shape, seed=1), lags)
    plain = fields.clone().requires_grad_()
    loss = ((three_point(plain, lags) - target) ** 2).mean()
    loss.backward()
    arrays = fields.float().numpy(), target.float().numpy()
    for threads in (1, 2):
        found, gradient = loss_and_gradient(*arrays, lags, threads=threads)
        assert found == pytest.approx(float(loss.detach()), rel=1e-5)
        assert np.abs(gradient - plain.grad.numpy()).max() < 1e-5 * np.abs(gradient).max()
    single = fields.float().requires_grad_()
    three_point_loss(single, target.float(), lags).backward()
    apart = np.linalg.norm(single.grad.numpy() - plain.grad.numpy())
    assert apart < 5e-3 * np.linalg.norm(plain.grad.numpy())  # bfloat16, where it is fast


def numerical(function, x, places, step=1e-6):
    found = []
    for place in places:
        ahead, behind = x.clone(), x.clone()
        ahead[place] += step
        behind[place] -= step
        found.append((float(function(ahead)) - float(function(behind))) / (2 * step))
    return torch.tensor(found, dtype=torch.float64)


@pytest.mark.parametrize(
    "function",
    [
        lambda z: (two_point(z, 5) ** 2).sum(),
        lambda z: (three_point(z, window_lags(5)) ** 2).sum(),
        lambda z: (mean_variation(z) ** 2).sum(),
        lambda z: (variogram(z, window_lags(5), 1.0) ** 2).sum(),
        lambda z: (two_point(pooled(z), 3) ** 2).sum(),
    ],
    ids=["two-point", "three-point", "variation", "variogram", "pooled"],
)
def test_gradients_against_differences(function):
    z = drawn(1, 2, 8, 10)
    free = z.clone().requires_grad_()
    function(free).backward()
    places = [(0, k % 2, (3 * k) % 8, (7 * k) % 10) for k in range(12)]
    own = torch.stack([free.grad[p] for p in places])
    assert torch.allclose(own, numerical(function, z, places), rtol=1e-5, atol=1e-8)


# --- estimates of maps -----------------------------------------------------------------------


def test_a_periodic_map_has_the_descriptors_of_the_field():
    fields, lags = drawn(3, 12, 14), window_lags(5)
    found = estimate([Piece(fields, torch.ones(12, 14, dtype=torch.bool), True)], 5, lags)
    assert torch.allclose(found.two_point, two_point(fields[None], 5)[0])
    assert torch.allclose(found.three_point, three_point(fields, lags))
    assert torch.allclose(found.variation, mean_variation(fields))


def test_masked_estimates_by_counting():
    fields = drawn(2, 7, 6)
    known = torch.rand(7, 6, generator=torch.Generator().manual_seed(3)) > 0.2
    lags = window_lags(3)
    found = estimate([Piece(torch.where(known, fields, 0.0), known)], 3, lags)

    def there(y, x):
        return 0 <= y < 7 and 0 <= x < 6 and bool(known[y, x])

    places = [(y, x) for y in range(7) for x in range(6) if there(y, x)]
    for n, (a, b) in enumerate(lags):
        for m, (c, d) in enumerate(lags):
            terms = [
                abs(float(fields[0, y, x] - fields[0, y + a, x + b]))
                * abs(float(fields[0, y, x] - fields[0, y + c, x + d]))
                for y, x in places
                if there(y + a, x + b) and there(y + c, x + d)
            ]
            assert float(found.three_point[0, n, m]) == pytest.approx(np.mean(terms) / 2)
    for i in range(3):
        for j in range(3):
            terms = [
                float(fields[0, y, x] * fields[1, y + i - 1, x + j - 1])
                for y, x in places
                if there(y + i - 1, x + j - 1)
            ]
            assert float(found.two_point[1, i, j]) == pytest.approx(np.mean(terms))
    terms = [
        float(((fields[1, y + 1, x] - fields[1, y, x]) ** 2
               + (fields[1, y, x + 1] - fields[1, y, x]) ** 2).sqrt())
        for y, x in places if there(y + 1, x) and there(y, x + 1)
    ]  # fmt: skip
    assert float(found.variation[1]) == pytest.approx(np.mean(terms))


def test_masked_estimates_have_no_bias():
    """Over many windows of one large field they average to what the field has."""
    whole = torch.nn.functional.avg_pool2d(drawn(1, 402, 402), 3, 1)
    lags = window_lags(5)
    truth = three_point(whole, lags)[0]
    pieces = []
    for n in range(0, 400, 40):
        for m in range(0, 400, 40):
            known = torch.rand(40, 40, generator=torch.Generator().manual_seed(n + m)) > 0.3
            own = whole[:, n : n + 40, m : m + 40]
            pieces.append(Piece(torch.where(known, own, 0.0), known))
    found = estimate(pieces, 5, lags).three_point[0]
    assert torch.allclose(found, truth, rtol=0.02)


def test_sublattices_see_every_second_point():
    """Their descriptors at a lag are those of the map at twice the lag."""
    fields = drawn(2, 12, 16)
    piece = Piece(fields, torch.ones(12, 16, dtype=torch.bool), True)
    lags = window_lags(5)
    found = estimate(sublattices(piece, 2), 5, lags)
    assert torch.allclose(found.three_point, three_point(fields, 2 * lags))
    assert len(sublattices(piece, 2)) == 4
    wide = two_point(fields[None], 9)[0][:, ::2, ::2]
    assert torch.allclose(found.two_point, wide)


def test_pooled_pieces_are_means_of_what_is_known():
    fields = drawn(1, 5, 6)
    known = torch.ones(5, 6, dtype=torch.bool)
    known[0, 0] = False
    parts = pooled_pieces(Piece(fields, known))
    assert [tuple(p.known.shape) for p in parts] == [(2, 3), (2, 2), (2, 3), (2, 2)]
    assert not parts[0].known[0, 0]
    assert parts[3].known.all()
    assert float(parts[3].fields[0, 0, 0]) == pytest.approx(float(fields[0, 1:3, 1:3].mean()))


def test_a_map_smaller_than_the_window_is_refused():
    piece = Piece(drawn(1, 6, 20), torch.ones(6, 20, dtype=torch.bool))
    with pytest.raises(ValueError, match="too small for a window of 17"):
        estimate([piece], 17, window_lags(17))
