"""Kinds of boundaries: laws against published values, made boundaries against what they are."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from twin_maps import bicrystal, made_map

from napari_orient.analysis.boundary_classes import (
    BRANDON,
    CSL,
    FIRST_LAW,
    HIGH_ANGLE,
    LOW_ANGLE,
    PHASE_BOUNDARY,
    class_names,
    classify,
    csl,
    deviation,
    equivalents,
    is_law,
    parse_law,
    usual_laws,
)
from napari_orient.analysis.boundary_map import boundary_map
from napari_orient.analysis.twins import laws_for
from napari_orient.crystal.phases import get_phase
from napari_orient.crystal.rotations import (
    from_axis_angle,
    laue_operators,
    misorientation,
    misorientation_angle,
    multiply,
    random_orientations,
)
from napari_orient.data.maps import OrientationMap
from napari_orient.data.vendors.open import open_map
from napari_orient.jobs import run

NI, MG, TI, FE = (get_phase(name) for name in ("Ni", "Mg", "Ti", "Fe"))

# Grimmer, Bollmann and Warrington (1974): angle and axis of the disorientation
KNOWN = {
    "3": (60.00, (1, 1, 1)), "5": (36.87, (0, 0, 1)), "7": (38.21, (1, 1, 1)),
    "9": (38.94, (0, 1, 1)), "11": (50.48, (0, 1, 1)), "13a": (22.62, (0, 0, 1)),
    "13b": (27.80, (1, 1, 1)), "15": (48.19, (0, 1, 2)), "17a": (28.07, (0, 0, 1)),
    "17b": (61.93, (1, 2, 2)), "19a": (26.53, (0, 1, 1)), "19b": (46.83, (1, 1, 1)),
    "21a": (21.79, (1, 1, 1)), "21b": (44.42, (1, 1, 2)), "23": (40.46, (1, 1, 3)),
    "25a": (16.26, (0, 0, 1)), "25b": (51.68, (1, 3, 3)), "27a": (31.59, (0, 1, 1)),
    "27b": (35.43, (0, 1, 2)), "29a": (43.60, (0, 0, 1)), "29b": (46.40, (1, 2, 2)),
}  # fmt: skip


def misoriented(law, phase, n=60, off=0.0, seed=1):
    """Pairs of crystals that have a law, ``off`` degrees beside it, as any equivalents."""
    rng = np.random.default_rng(seed)
    q = random_orientations(n, seed)
    axes = rng.normal(size=(n, 3))
    turn = multiply(from_axis_angle(axes, np.full(n, off)), np.array(law.turn))
    other = multiply(turn, q)
    operators = laue_operators(phase.point_group)
    a, b = (multiply(operators[rng.integers(len(operators), size=n)], one) for one in (q, other))
    swap = rng.random(n) < 0.5
    return np.where(swap[:, None], b, a), np.where(swap[:, None], a, b)


@pytest.mark.parametrize("sigma", CSL)
def test_coincidence_site_lattices(sigma):
    law = csl(sigma, NI)
    angle, axis = KNOWN[sigma]
    found = misorientation(np.array(law.turn), np.array([1.0, 0, 0, 0]), "m-3m")
    assert found.angle == pytest.approx(angle, abs=0.006)
    np.testing.assert_allclose(
        np.sort(np.abs(found.axis)), np.array(axis) / np.linalg.norm(axis), atol=1e-9
    )
    number = int(sigma.rstrip("ab"))
    assert law.tolerance == pytest.approx(BRANDON / np.sqrt(number))
    # sigma itself: that many lattice points for each that both crystals share
    from napari_orient.crystal.rotations import to_matrix

    matrix = to_matrix(np.array(law.turn))
    whole = number * matrix
    np.testing.assert_allclose(whole, np.rint(whole), atol=1e-9)


@pytest.mark.parametrize(
    ("law", "phase"),
    [(csl(s, NI), NI) for s in ("3", "5", "9", "27b")]
    + [(parse_law("{10-12}", MG), MG), (parse_law("{11-21}", TI), TI)],
)
def test_a_law_is_found_in_any_equivalent_and_either_sense(law, phase):
    np.testing.assert_allclose(deviation(*misoriented(law, phase), law, phase), 0, atol=1e-5)
    beside = deviation(*misoriented(law, phase, off=3.0), law, phase)
    np.testing.assert_allclose(beside, 3.0, atol=1e-5)
    assert is_law(*misoriented(law, phase, off=law.tolerance - 0.01), law, phase).all()
    tight = replace(law, tolerance=2.99)  # two equivalents of {10-12} are 7.4 degrees apart
    assert not is_law(*misoriented(law, phase, off=3.0), tight, phase).any()


def test_deviation_against_all_operators_one_by_one():
    law = csl("9", NI)
    a, b = random_orientations(40, 3), random_orientations(40, 4)
    operators = laue_operators("m-3m")
    smallest = np.full(40, 180.0)
    for one, other in ((a, b), (b, a)):
        for s in operators:
            turned = multiply(np.array(law.turn), multiply(s, other))
            smallest = np.minimum(smallest, misorientation_angle(one, turned, "m-3m"))
    np.testing.assert_allclose(deviation(a, b, law, NI), smallest, atol=1e-9)


def test_the_axis_counts_not_only_the_angle():
    q = random_orientations(20, 2)
    for axis, fits in (((1, 1, 1), True), ((1, 1, 0), False), ((1, 0, 0), False)):
        turned = multiply(from_axis_angle(np.array(axis, float), 60.0), q)
        assert (is_law(q, turned, csl(3, NI), NI) == fits).all()
    mg = parse_law("86.3 [11-20]", MG)
    wrong = multiply(from_axis_angle(np.array([0.0, 1.0, 0.0]), 86.3), q)  # [10-10]
    right = multiply(from_axis_angle(np.array([1.0, 0.0, 0.0]), 86.3), q)  # [2-1-10]
    assert is_law(q, right, mg, MG).all()
    assert not is_law(q, wrong, mg, MG).any()


def test_equivalents_are_counted_once():
    # (operators of the group)^2 / operators that the two crystals share (6 about the common axis)
    assert len(equivalents(csl(3, NI), NI)) == 24 * 24 // 6
    assert len(equivalents(csl(5, NI), NI)) == 24 * 24 // 4
    assert len(equivalents(parse_law("{10-12}", MG), MG)) == 12 * 12 // 2


@pytest.mark.parametrize(
    ("text", "phase", "angle"),
    [
        ("sigma 3", NI, 60.0),
        ("Sigma5", NI, 36.87),
        ("Σ 13a", NI, 22.62),
        ("CSL 9", NI, 38.94),
        ("{111}", NI, 60.0),
        ("{111}, sigma 3", NI, 60.0),
        ("60 <111>", NI, 60.0),
        ("{10-12}", MG, 86.3),
        ("{10-12}", TI, 85.0),
        ("{102}", MG, 86.3),
        ("86.3° [11-20]", MG, 86.3),
        ("{112}", FE, 60.0),
    ],
)
def test_laws_are_read(text, phase, angle):
    assert parse_law(text, phase).angle(phase) == pytest.approx(angle, abs=0.15)


def test_ways_to_write_one_law_agree():
    for first, second, phase in (
        ("{111}", "sigma 3", NI), ("60 <111>", "sigma 3", NI), ("86.3 [11-20]", "{10-12}", MG),
    ):  # fmt: skip
        one, other = parse_law(first, phase), parse_law(second, phase)
        assert deviation(*misoriented(one, phase, 1), other, phase).max() < 0.02
    assert parse_law("sigma 3", NI).tolerance == pytest.approx(8.66, abs=0.01)
    assert parse_law("sigma 3 within 4", NI).tolerance == 4
    assert parse_law("86.3 [11-20] ± 3°", MG).tolerance == 3
    assert parse_law("{10-12} +- 2.5", MG).tolerance == 2.5
    assert [law.name for law in usual_laws(MG)] == [law.name for law in laws_for(MG)]


@pytest.mark.parametrize(
    ("text", "phase", "words"),
    [
        ("sigma 3", MG, "lattice of cubic crystals"),
        ("sigma 4", NI, "not in the table"),
        ("{10-12}", NI, "four indices are for hexagonal axes"),
        ("{10-22}", MG, "add up to zero"),
        ("twin", NI, "is no law"),
        ("", NI, "is no law"),
        ("400 [111]", NI, "0.1 to 180"),
        ("6.0.3 [111]", NI, "is no number"),
        ("sigma 3 within much", NI, "is no number"),
        ("60 [11]", NI, "three or four"),
    ],
)
def test_what_is_no_law(text, phase, words):
    with pytest.raises(ValueError, match=words):
        parse_law(text, phase)


def test_classes_of_pairs():
    q = random_orientations(1, 5)[0]
    laws = usual_laws(NI)
    names = class_names(laws)

    def kind(axis, degrees):
        turned = multiply(from_axis_angle(np.array(axis, float), degrees), q)
        return names[classify(q[None], turned[None], laws, NI)[0]]

    assert kind((1, 2, 3), 1.9) == "none"
    assert kind((1, 2, 3), 10) == "low-angle, 2–15°"
    assert kind((1, 2, 3), 25) == "high-angle, > 15°"
    assert kind((1, 1, 1), 60) == "sigma 3"
    assert kind((1, 1, 1), 60 - 8) == "sigma 3"  # Brandon: 8.66
    assert kind((1, 1, 1), 60 - 9) == "high-angle, > 15°"
    assert kind((1, 0, 0), 36.87 + 6) == "sigma 5"  # 6.71
    assert kind((1, 1, 0), 38.94) == "sigma 9"
    nothing = np.full((3, 4), np.nan)
    assert classify(nothing, np.tile(q, (3, 1)), laws, NI).tolist() == [0, 0, 0]


def test_random_crystals_have_the_known_share_of_sigma_3():
    # Brandon's criterion covers 96 caps of the rotation group: 96 (w - sin w) / pi, w = 8.66
    a, b = random_orientations(100_000, 6), random_orientations(100_000, 7)
    w = np.radians(BRANDON / np.sqrt(3))
    share = np.mean(classify(a, b, (csl(3, NI),), NI) == FIRST_LAW)
    expected = 96 * (w - np.sin(w)) / np.pi  # 0.0176
    assert share == pytest.approx(expected, abs=4 * np.sqrt(expected / 100_000))


# --- maps ----------------------------------------------------------------------------------------


def striped(periodic=(False, False)):
    """Three stripes of Ni, 4, 3 and 3 columns: sigma 3, then 10 degrees; 5 rows."""
    q = random_orientations(1, 9)[0]
    twin = multiply(from_axis_angle(np.array([1.0, 1, 1]), 60.0), q)
    near = multiply(from_axis_angle(np.array([1.0, 2, 3]), 10.0), twin)
    columns = np.array([q] * 4 + [twin] * 3 + [near] * 3)
    return OrientationMap(
        np.tile(columns, (5, 1, 1)), {0: NI}, step=(0.5, 2.0), periodic=periodic
    )  # fmt: skip


def test_a_map_of_stripes():
    made = striped()
    found = run(boundary_map(made, {0: usual_laws(NI)}))
    _, across = found.between
    assert across.dtype == np.uint8
    assert (across[:, 3] == FIRST_LAW).all()  # the boundary is to the right of column 3
    assert (across[:, 6] == LOW_ANGLE).all()
    assert sum(np.count_nonzero(classes) for classes in found.between) == 10
    doubled = found.doubled()
    assert doubled.shape == (9, 19)
    assert (doubled[:, 7] == FIRST_LAW).all()  # whole lines, the crossings too
    assert (doubled[:, 13] == LOW_ANGLE).all()
    assert np.count_nonzero(doubled) == 18
    assert list(found.listed().values()) == [
        "low-angle, 2–15°", "other high-angle, > 15°", "sigma 3", "sigma 5", "sigma 9"
    ]  # fmt: skip
    assert run(boundary_map(made, {})).listed()[HIGH_ANGLE] == "high-angle, > 15°"
    assert found.extent_unit == "µm"
    extents = dict(zip(found.names, found.extents(), strict=True))
    assert extents["sigma 3"] == 5 * 0.5  # the rows' height, not the columns' width
    assert found.shares()["sigma 3"] == 0.5


def test_a_periodic_map_has_boundaries_across_its_border():
    found = run(boundary_map(striped((True, True)), {0: usual_laws(NI)}))
    assert (found.between[1][:, 9] > 0).all()
    assert found.extents().sum() == 3 * 5 * 0.5
    only_rows = run(boundary_map(striped((True, False)), {0: usual_laws(NI)}))
    assert only_rows.extents().sum() == 2 * 5 * 0.5


def test_what_is_not_indexed_has_no_boundary():
    made = striped()
    made.phase_id[:, 3] = -1
    made.quaternions[0, 7] = np.nan
    found = run(boundary_map(made, {0: usual_laws(NI)}))
    assert found.extents().sum() == 4 * 0.5
    labels = np.ones(made.shape, np.int32)
    assert run(boundary_map(made, {}, labels=labels)).extents().sum() == 0
    labels[:, 7:] = 2
    assert run(boundary_map(made, {}, labels=labels)).extents().sum() == 4 * 0.5


def test_two_phases_of_different_symmetry():
    q = np.tile(random_orientations(1, 1)[0], (6, 6, 1))
    phase_id = np.zeros((6, 6), np.int32)
    phase_id[:, 3:] = 4
    q[2, :3] = multiply(from_axis_angle(np.array([1.0, 1, 1]), 60.0), q[2, :3])
    q[2, 3:] = multiply(np.array(parse_law("{10-12}", MG).turn), q[2, 3:])
    made = OrientationMap(q, {0: NI, 4: MG}, phase_id)
    found = run(boundary_map(made, {0: usual_laws(NI), 4: usual_laws(MG)}))
    extents = dict(zip(found.names, found.extents(), strict=True))
    assert extents["between phases"] == 6
    assert extents["Ni: sigma 3"] == extents["Mg: {10-12}"] == 6
    assert sum(extents.values()) == 18
    assert found.between[1][0, 2] == PHASE_BOUNDARY
    assert found.listed()[PHASE_BOUNDARY] == "between phases"
    with pytest.raises(ValueError, match="not in the map"):
        run(boundary_map(made, {7: ()}))


def test_half_turns_about_the_beam_can_be_left_out():
    q = np.tile(random_orientations(1, 3)[0], (4, 6, 1))
    q[:, 3:] = multiply(q[:, 3:], np.array([0.0, 0, 0, 1]))
    made = made_map("Mg", q)
    assert run(boundary_map(made, {})).extents().sum() == 4
    assert run(boundary_map(made, {}, modulo_beam=True)).extents().sum() == 0


def test_a_volume_and_a_single_row():
    q = np.tile(random_orientations(1, 3)[0], (3, 4, 5, 1))
    q[:, :, 2:] = random_orientations(1, 4)[0]
    made = OrientationMap(q, {0: NI}, step=(1.0, 2.0, 3.0))
    found = run(boundary_map(made, {0: usual_laws(NI)}))
    assert found.extents().sum() == 12 * 2.0  # faces of 1 by 2
    assert (found.doubled()[:, :, 3] == found.doubled()[0, 0, 3]).all()
    assert np.count_nonzero(found.doubled()) == 5 * 7
    assert found.extent_unit == "µm²"
    row = run(boundary_map(made_map("Ni", q[0, :1]), {}))
    assert row.doubled().shape == (1, 9)
    assert row.extents().sum() == 1


def test_made_twins_are_found():
    for name, law in (("Ni", "sigma 3"), ("Mg", "{10-12}")):
        phase = get_phase(name)
        made = made_map(name, bicrystal(name, 30))
        found = run(boundary_map(made, {0: usual_laws(phase)}))
        assert found.shares()[law] == 1


def test_real_maps(shared_data):
    nickel = open_map(shared_data / "ni_edax/EdaxAngOnly.h5")
    found = run(boundary_map(nickel, {n: usual_laws(p) for n, p in nickel.phases.items()}, low=5))
    assert 0.4 < found.shares()["sigma 3"] < 0.5
    magnesium = open_map(shared_data / "mg_twins/twins.ctf")
    laws = {n: usual_laws(p) for n, p in magnesium.phases.items()}
    found = run(boundary_map(magnesium, laws, low=5))
    # 1760 pairs of neighbours share K1 with the misorientation of {10-12}
    pairs = sum(np.count_nonzero(classes == FIRST_LAW) for classes in found.between)
    assert pairs == pytest.approx(1760, rel=0.02)
    assert found.shares()["{10-12}"] > 0.5
