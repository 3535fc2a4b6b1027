"""Errors of maps with known differences, and against a recomputation with matrices."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from error_examples import (
    BEAM,
    CELLS,
    ORDERS,
    active,
    brute_force,
    euler,
    map_of,
    matrices,
    operators,
    phase,
    quaternions,
    random_matrices,
    small_turns,
)

from napari_orient.analysis import errors
from napari_orient.analysis.errors import compare_maps
from napari_orient.analysis.scores import score
from napari_orient.crystal.phases import get_phase
from napari_orient.data.maps import OrientationMap, from_vendor, turn_crystal_axes
from napari_orient.data.vendors.open import open_map
from napari_orient.jobs import Progress, run
from napari_orient.samples import polycrystal_map

TIGHT = {"rtol": 0, "atol": 1e-9}
FIELDS = ("angle", "angle_modulo_beam", "tilt", "in_plane")


def agree(comparison, expected):
    """Whether all fields are those of a recomputation; a map's Euler angles have nine decimals."""
    valid = comparison.valid
    for name in FIELDS:
        np.testing.assert_allclose(getattr(comparison, name)[valid], expected[name], **TIGHT)
    for name in ("euler_raw", "euler_nearest"):
        np.testing.assert_allclose(
            getattr(comparison, name)[valid], expected[name], rtol=0, atol=2e-9
        )
    normalised = (expected["euler_raw"] / (360, 180, 360)).mean(axis=1)
    np.testing.assert_allclose(comparison.mae[valid], normalised, **TIGHT)


@pytest.mark.parametrize("group", CELLS)
def test_all_fields_agree_with_matrices(group):
    rng = np.random.default_rng(list(CELLS).index(group))
    g = random_matrices(rng, 8, 5)
    h = g @ small_turns(rng, 5, 8, 5)  # a turn of the lab
    symmetry = operators(group)
    assert len(symmetry) == ORDERS[group]
    h[:4] = symmetry[rng.integers(len(symmetry), size=(4, 5))] @ h[:4]
    h[2:6] = h[2:6] @ BEAM
    h[7] = random_matrices(rng, 5)
    comparison = run(compare_maps(map_of(g, group), map_of(h, group)))
    expected = brute_force(g.reshape(-1, 3, 3), h.reshape(-1, 3, 3), group)
    agree(comparison, expected)
    truth, raw = euler(g).reshape(-1, 3), expected["euler_raw"]
    scores = score(comparison)
    np.testing.assert_allclose(
        (scores.r2, scores.mse, scores.mae, scores.median_deg, scores.mean_deg),
        (1 - (raw**2).sum() / ((truth - truth.mean()) ** 2).sum(), (raw**2).mean(), raw.mean(),
         np.median(expected["angle"]), expected["angle"].mean()), rtol=1e-9,
    )  # fmt: skip


def test_the_sample_agrees_with_matrices():
    made = polycrystal_map((16, 24), grains=12, phase="LiNiO2", unit="nm")
    rng = np.random.default_rng(3)
    g = matrices(made.quaternions)
    h = g @ small_turns(rng, 2, 16, 24)
    h[:, 12:18] = h[:, 12:18] @ BEAM
    missing = rng.random(made.shape) < 0.1
    other = replace(made, quaternions=quaternions(h), phase_id=np.where(missing, -1, 0))
    comparison = run(compare_maps(made, other))
    np.testing.assert_array_equal(comparison.valid, ~missing)
    assert np.isnan(comparison.angle[missing]).all()
    assert np.isnan(comparison.euler_nearest[missing]).all()
    agree(comparison, brute_force(g[~missing], h[~missing], "-3m"))


@pytest.mark.parametrize("group", CELLS)
def test_symmetry_is_no_error_and_half_a_turn_about_the_beam_is_none_modulo_the_beam(group):
    rng = np.random.default_rng(1)
    symmetry = operators(group)
    g = np.broadcast_to(random_matrices(rng, 3, 1), (3, len(symmetry), 3, 3))
    same = run(compare_maps(map_of(g, group), map_of(symmetry @ g, group)))
    assert same.angle.max() < 1e-9
    assert same.tilt.max() < 1e-9
    assert same.euler_nearest.max() < 3e-9
    turned = run(compare_maps(map_of(g, group), map_of(symmetry @ g @ BEAM, group)))
    assert turned.angle_modulo_beam.max() < 1e-9
    assert turned.angle.max() > 30
    if len(symmetry) > 1:  # on the lab's side an operator of the crystal is an error
        lab = run(compare_maps(map_of(g, group), map_of(g @ symmetry, group)))
        assert lab.angle[:, 1:].max() > 30
        assert same.euler_raw.max() > 30


def test_tilt_and_in_plane_are_those_put_in():
    g = random_matrices(np.random.default_rng(2), 6, 6)
    turn = active((0, 0, 1), 2.0) @ active((1, 2, 0), 3.0)
    comparison = run(compare_maps(map_of(g, "m-3m"), map_of(g @ turn, "m-3m")))
    np.testing.assert_allclose(comparison.tilt, 3.0, **TIGHT)
    np.testing.assert_allclose(comparison.in_plane, 2.0, **TIGHT)


def from_angles(*angles, group="-1", **fields):
    """A map (1, n) of Bunge angles in degrees."""
    from orix.quaternion import Rotation

    q = Rotation.from_euler(np.array(angles, float), degrees=True).data
    return OrientationMap(q.reshape(1, -1, 4), {0: phase(group)}, **fields)


def test_raw_angles_know_no_period_and_the_nearest_do():
    comparison = run(compare_maps(
        from_angles((359, 50, 10), (10, 1, 20), (10, 179, 20)),
        from_angles((1, 50, 350), (190, 1, 200), (190, 179, 200)),
    ))  # fmt: skip
    raw = [(358, 0, 340), (180, 0, 180), (180, 0, 180)]
    np.testing.assert_allclose(comparison.euler_raw[0], raw, atol=2e-9)
    nearest = [(2, 0, 20), (0, 2, 0), (0, 2, 0)]
    np.testing.assert_allclose(comparison.euler_nearest[0], nearest, atol=2e-9)
    np.testing.assert_allclose(comparison.mae[0, :2], [698 / 1080, 1 / 3], atol=1e-9)


def test_scores_by_hand():
    first = from_angles((10, 20, 30), (40, 50, 60))
    second = from_angles((11, 20, 28), (40, 53, 60))
    scores = score(run(compare_maps(first, second)))
    # T = 10 20 30 40 50 60, of mean 35; e = 1 0 2 0 3 0
    assert scores.mae == pytest.approx(1.0, abs=1e-8)
    assert scores.mse == pytest.approx(14 / 6, abs=1e-8)
    assert scores.r2 == pytest.approx(1 - 14 / 1750, abs=1e-9)
    assert scores.r2_per_angle == pytest.approx((1 - 1 / 450, 1 - 9 / 450, 1 - 4 / 450), abs=1e-9)
    assert scores.mae_per_angle == pytest.approx((0.5, 1.5, 1.0), abs=1e-8)
    assert scores.mse_per_angle == pytest.approx((0.5, 4.5, 2.0), abs=1e-8)
    assert scores.n == 2
    one = score(run(compare_maps(first, second)), np.array([[True, False]]))
    assert one.fraction_kept == 0.5
    assert one.mae == pytest.approx(1.0, abs=1e-8)
    assert np.isnan(one.r2_per_angle).all()  # a single value has no variance
    assert one.summary()["r2_per_angle"] == [None] * 3


def test_scores_over_the_nearest_representative_and_of_tilt_by_hand():
    """350 and 10 degrees are 340 apart, and 20 over the period."""
    first = from_angles((350, 20, 30), (40, 50, 60), (70, 80, 90))
    second = from_angles((10, 20, 30), (40, 53, 60), (71, 80, 90))
    scores = score(run(compare_maps(first, second)))
    truth = np.array([350, 20, 30, 40, 50, 60, 70, 80, 90.0])
    spread = ((truth - truth.mean()) ** 2).sum()
    assert scores.mae == pytest.approx(344 / 9, abs=1e-8)
    assert scores.mae_nearest == pytest.approx(24 / 9, abs=1e-8)
    assert scores.mse_nearest == pytest.approx(410 / 9, abs=1e-7)
    assert scores.r2_nearest == pytest.approx(1 - 410 / spread, abs=1e-9)
    assert scores.mae_nearest_per_angle == pytest.approx((7, 1, 0), abs=1e-8)
    assert scores.normalised_mae == pytest.approx((340 / 360 + 3 / 180 + 1 / 360) / 9, abs=1e-9)
    # phi1 is a turn about the beam, Phi (with one phi2) the tilt
    assert (scores.mean_tilt_deg, scores.median_tilt_deg) == pytest.approx((1, 0), abs=1e-6)
    assert (scores.mean_in_plane_deg, scores.median_in_plane_deg) == pytest.approx((7, 1), abs=1e-6)


def test_fractions_count_what_is_below():
    g = np.broadcast_to(random_matrices(np.random.default_rng(0)), (1, 5, 3, 3))
    turns = np.array([active((1, 2, 3), a) for a in (1, 1.9, 2.1, 4.9, 5.1)])
    scores = score(run(compare_maps(map_of(g, "6/m"), map_of(g @ turns, "6/m"))))
    assert (scores.fraction_below_2deg, scores.fraction_below_5deg) == (0.4, 0.8)
    assert scores.median_deg == pytest.approx(2.1, abs=1e-9)
    half = score(run(compare_maps(map_of(g, "6/m"), map_of(g @ turns @ BEAM, "6/m"))))
    assert half.fraction_below_5deg == 0
    assert half.fraction_below_5deg_modulo_beam == 0.8
    assert half.median_deg_modulo_beam == pytest.approx(2.1, abs=1e-9)


def test_angles_of_the_vendors_file():
    """In the map's axes the angles are others, and so are their differences."""
    first, second = (350.0, 40.0, 15.0), (10.0, 60.0, 45.0)
    frame = (0.0, 0.5**0.5, 0.5**0.5, 0.0)
    turned = []
    for angles in (first, second):
        made = from_angles(angles, group="-3m")
        q = turn_crystal_axes(made.quaternions, made.phase_id, made.phases, to="a")
        q = from_vendor(q, frame)
        turned.append(replace(made, quaternions=q, frame=frame, crystal_axes="a*"))
    vendor = run(compare_maps(*turned, axes="vendor"))
    np.testing.assert_allclose(vendor.euler_raw[0, 0], (340, 20, 30), atol=2e-9)
    np.testing.assert_allclose(vendor.euler_nearest[0, 0], (20, 20, 30), atol=2e-9)
    ours = run(compare_maps(*turned))
    assert not np.allclose(ours.euler_raw, vendor.euler_raw, atol=1)
    np.testing.assert_allclose(ours.angle, vendor.angle, **TIGHT)
    with pytest.raises(ValueError, match="refer to different axes"):
        run(compare_maps(turned[0], replace(turned[1], frame=(1, 0, 0, 0)), axes="vendor"))


def two_phases(numbers, names=("Ni", "Ti"), **fields):
    """A map (2, 4) of the identity: nickel, nickel, titanium, not indexed."""
    q = np.tile((1.0, 0, 0, 0), (2, 4, 1))
    phase_id = np.tile((numbers[0], numbers[0], numbers[1], -1), (2, 1))
    phases = dict(zip(numbers, map(get_phase, names), strict=True))
    return OrientationMap(q, phases, phase_id, **fields)


def test_phases_are_known_by_their_crystal():
    first, second = two_phases((0, 1)), two_phases((7, 3))
    second.phases[7].name = "Nickel (fcc)"
    second.phase_id[1] = (7, 3, 3, 7)
    comparison = run(compare_maps(first, second))
    np.testing.assert_array_equal(
        comparison.valid, [[True, True, True, False], [True, False, True, False]]
    )
    np.testing.assert_array_equal(np.argwhere(comparison.phase_differs), [(1, 1)])
    assert len(comparison.notes) == 1
    assert "Ni (m-3m; 3.524" in comparison.notes[0]
    assert "Nickel (fcc)" in comparison.notes[0]
    scores = score(comparison)
    assert (scores.n, scores.fraction_kept, scores.phase_agreement) == (5, 1.0, 5 / 6)
    first_row = score(comparison, np.array([[True] * 4, [False] * 4]))
    assert (first_row.n, first_row.fraction_kept, first_row.phase_agreement) == (3, 0.6, 1.0)
    assert scores.coverage == 1
    second.phase_id[0, :2] = -1
    assert score(run(compare_maps(first, second))).coverage == 4 / 6
    assert score(run(compare_maps(second, first))).coverage == 4 / 5  # of the reference's points
    second.done[0] = False
    assert score(run(compare_maps(first, second))).coverage == 1


def test_a_phase_of_one_map_alone_is_said():
    first, second = two_phases((0, 1)), two_phases((0, 1), ("Ni", "NiO"))
    comparison = run(compare_maps(first, second))
    assert comparison.phase_differs.sum() == 2
    assert comparison.notes == (
        "Only the first map has Ti (6/mmm; 2.951, 2.951, 4.686, 90, 90, 120).",
        "Only the second map has NiO (m-3m; 4.177, 4.177, 4.177, 90, 90, 90).",
    )


def test_of_several_that_fit_the_name_decides():
    first, second = two_phases((0, 1), ("Al", "Au")), two_phases((0, 1), ("Au", "Al"))
    comparison = run(compare_maps(first, second))
    assert not comparison.valid.any()
    assert comparison.phase_differs.sum() == 6
    scores = score(comparison)
    assert (scores.n, scores.phase_agreement) == (0, 0.0)
    assert "no point in common" in scores.note


def test_a_phase_has_one_partner():
    """The name decides for aluminium; gold, which fits as well, is another phase."""
    first, second = two_phases((0, 1), ("Al", "Ti")), two_phases((0, 1), ("Al", "Au"))
    first.phase_id[:, :3] = 0
    comparison = run(compare_maps(first, second))
    np.testing.assert_array_equal(comparison.valid, [[True, True, False, False]] * 2)
    assert comparison.notes == (
        "Only the second map has Au (m-3m; 4.078, 4.078, 4.078, 90, 90, 90).",
    )


def one_point(group, cell=None, name="stuff", **fields):
    made = phase(group, name)
    if cell is not None:
        made.structure.lattice.setLatPar(*cell)
    return OrientationMap(np.array([[(1.0, 0, 0, 0)]]), {0: made}, **fields)


def test_maps_that_cannot_be_compared_are_refused_in_words():
    ok = one_point("m-3m")
    refused = {
        r"The sizes differ: 1 x 1 and 2 x 4 points.*crop or bin": two_phases((0, 1)),
        r"The steps differ: 1 x 1 um and 2 x 2 um": one_point("m-3m", step=(2, 2)),
        r"The steps differ: 1 x 1 um and 1 x 1 nm": one_point("m-3m", unit="nm"),
        r"stuff \(m-3m; 3, 3, 3, .*other \(m-3; .*symmetry differs\.": one_point(
            "m-3", name="other"
        ),
        r"no crystal in common.*lattices differ\. Choose": one_point("m-3m", (4, 4, 4, 90, 90, 90)),
        r"symmetry and lattices differ": one_point("-3m"),
        r"has no indexed point": one_point("m-3m", phase_id=np.array([[-1]])),
    }  # fmt: skip
    for words, other in refused.items():
        with pytest.raises(ValueError, match=words):
            run(compare_maps(ok, other))
        with pytest.raises(ValueError, match=words.split(":")[0][:15]):
            run(compare_maps(other, ok))
    bent = one_point("-1", (3, 4, 5, 80, 95, 108))
    with pytest.raises(ValueError, match=r"lattices differ\."):
        run(compare_maps(one_point("-1"), bent))
    nameless = one_point("m-3m")
    nameless.phases[0].point_group = None
    with pytest.raises(ValueError, match="'stuff' has no point group"):
        run(compare_maps(ok, nameless))
    same = one_point("m-3m", step=(1000, 1000), unit="nm")
    assert run(compare_maps(ok, same)).valid.all()


def test_settings_of_one_class_are_told_apart():
    """Diads along a (321) and between (312), or along b (121) and along c (112)."""
    for one, other in (("321", "312"), ("121", "112")):
        first, second = one_point("-3m"), one_point("-3m")
        first.phases[0].point_group, second.phases[0].point_group = one, other
        with pytest.raises(ValueError, match="symmetry differs"):
            run(compare_maps(first, second))
        assert run(compare_maps(second, second)).angle.max() == 0


def test_what_a_map_says_against_itself_is_repeated():
    doubtful = one_point("m-3m", provenance={"exploratory": "The pixel size is a guess."})
    comparison = run(compare_maps(one_point("m-3m"), doubtful))
    assert comparison.notes == ("The other map is exploratory: The pixel size is a guess.",)


def test_maps_in_different_axes_are_suspected():
    made = polycrystal_map((20, 20), grains=15)
    turned = replace(made, quaternions=from_vendor(made.quaternions, (0.0, 0.6, 0.8, 0.0)))
    assert "the axes of one are not" in score(run(compare_maps(made, turned))).note
    assert score(run(compare_maps(made, made))).note == ""


def test_masked_out_altogether():
    made = one_point("m-3m")
    comparison = run(compare_maps(made, made))
    scores = score(comparison, np.zeros((1, 1), bool))
    assert (scores.n, scores.fraction_kept, scores.note) == (0, 0.0, "No point passes the mask.")
    assert scores.summary()["median_deg"] is None
    with pytest.raises(ValueError, match=r"mask: shape \(1, 1\) expected"):
        score(comparison, np.zeros((2, 1), bool))


def test_volumes_and_their_sections_agree():
    rng = np.random.default_rng(4)
    g = random_matrices(rng, 2, 3, 4)
    h = g @ small_turns(rng, 3, 2, 3, 4)
    step = {"step": (1, 1, 1)}
    whole = run(compare_maps(map_of(g, "-3", **step), map_of(h, "-3", **step)))
    for i in range(2):
        part = run(compare_maps(map_of(g[i], "-3"), map_of(h[i], "-3")))
        for name in (*FIELDS, "euler_raw", "euler_nearest", "mae"):
            np.testing.assert_allclose(getattr(whole, name)[i], getattr(part, name), **TIGHT)


def test_progress_counts_points_and_the_job_can_be_stopped(monkeypatch):
    monkeypatch.setattr(errors, "_CHUNK", 100)
    made = polycrystal_map((11, 12), grains=5)
    events = []
    whole = run(compare_maps(made, made), events.append)
    counted = [e for e in events if isinstance(e, Progress) and e.total == made.phase_id.size]
    assert [e.step for e in counted] == [0, 100]
    assert whole.angle.max() < 1e-9
    job = compare_maps(made, made)
    next(job)
    job.close()


def test_real_maps_compare_with_themselves(shared_data):
    for name in ("in100/in100_slice1_shuffled.ang", "astar_acom/ACOM.ang", "mg_twins/twins.ctf"):
        made = open_map(shared_data / name)
        comparison = run(compare_maps(made, made))
        np.testing.assert_array_equal(comparison.valid, made.indexed)
        scores = score(comparison)
        assert scores.mean_deg < 1e-9
        assert (scores.mae, scores.r2, scores.phase_agreement) == (0, 1, 1)
        assert np.nanmin(comparison.boundary_distance) == 0.5
