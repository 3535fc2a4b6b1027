"""Text files with columns: names, units, delimiters, phases, gaps, and words when it fails."""

from __future__ import annotations

import numpy as np
import pytest
from orix.quaternion import Rotation

from napari_orient.crystal.phases import get_phase
from napari_orient.data.export.check import turns
from napari_orient.data.vendors.open import open_map, sniff_map
from napari_orient.data.vendors.text_maps import (
    ColumnChoice,
    UnknownColumns,
    describe_choice,
    guess_columns,
    phase_numbers,
    read_text_table,
    text_phase,
    what_is_missing,
)
from napari_orient.files import UnreadableFile

NI, LNO = text_phase(1, get_phase("Ni")), text_phase(2, get_phase("LiNiO2"))
SHAPE, STEP = (4, 6), (0.5, 0.25)
COLUMNS = ("x", "y", "phi1", "Phi", "phi2", "phase", "IQ")


def points(seed=0):
    """A row a point: x, y, three Euler angles in degrees, phase (0 = not indexed), IQ."""
    random = np.random.default_rng(seed)
    y, x = np.indices(SHAPE).reshape(2, -1)
    angles = random.uniform((0, 0, 0), (360, 180, 360), (24, 3))
    phase = np.where(np.arange(24) % 7 == 3, 0, 1 + np.arange(24) % 2)
    return np.column_stack([x * STEP[1], y * STEP[0], angles, phase, np.arange(24) * 10])


def write(path, table, header="x,y,phi1,Phi,phi2,phase,IQ", delimiter=",", change=None):
    lines = [delimiter.join(f"{v:.10g}" for v in row) for row in table]
    text = "\n".join([header, *lines] if header else lines) + "\n"
    path.write_text(change(text) if change else text, encoding="utf-8")
    return path


def choice(**fields):
    return ColumnChoice(columns=COLUMNS, phases=(NI, LNO), **fields)


def expected(table):
    return Rotation.from_euler(table[:, 2:5].reshape(*SHAPE, 3), degrees=True).data


# --- what is read --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "delimiter", "change"),
    [
        ("a.csv", ",", None),
        ("a.csv", ";", lambda t: t.replace(".", ",")),  # decimal commas
        ("a.tsv", "\t", None),
        ("a.txt", "   ", None),
        ("a.dat", "\t", lambda t: t.replace(".", ",").replace("\n", "\r\n")),
        ("a.csv", ",", lambda t: "# made by me\n\n# at noon\n" + t),
        ("a.csv", ",", lambda t: t.replace("\n", ",\n")),  # a delimiter at the end
        ("a.txt", " ", lambda t: "%" + t.replace("\n0.25 0 ", "\n\n# a remark\n0.25 0 ", 1)),
    ],
)
def test_delimiters_commas_and_comments(tmp_path, name, delimiter, change):
    header = "x,y,phi1,Phi,phi2,phase,IQ".replace(",", delimiter)
    table = points()
    path = write(tmp_path / name, table, header, delimiter, change)
    assert sniff_map(path)
    made = open_map(path, columns=choice())
    indexed = table[:, 5].reshape(SHAPE) > 0
    assert made.shape == SHAPE
    assert made.step == pytest.approx(STEP)
    assert (made.unit, made.indexed.tolist()) == ("um", indexed.tolist())
    np.testing.assert_array_equal(made.properties["IQ"].ravel(), table[:, 6])
    assert turns(made.quaternions, expected(table))[indexed].max() < 1e-6
    assert [p.name for p in made.phases.values()] == ["Ni", "LiNiO2"]
    assert made.phases[2].space_group.number == 166
    assert "angles in degrees" in made.frame_note
    assert made.frame_note.count("crystal x || a") <= 1


@pytest.mark.parametrize(
    ("names", "roles"),
    [
        ("X (µm),Y (µm),Euler1 (deg),Euler2 (deg),Euler3 (deg),Phase ID,MAD",
         ("x", "y", "phi1", "Phi", "phi2", "phase", "MAD")),
        ("x_pos;y_pos;qw;qx;qy;qz;phase_id", ("x", "y", "q0", "q1", "q2", "q3", "phase")),
        ("x,y,q1,q2,q3,q4,phase", ("x", "y", "q0", "q1", "q2", "q3", "phase")),
        ("a,b,PHI1,PHI,PHI2,x,y", ("a", "b", "phi1", "Phi", "phi2", "x", "y")),
        ("x,x,y,e1,e2,e3,", ("x", "x (2)", "y", "phi1", "Phi", "phi2", "")),
    ],
)  # fmt: skip
def test_names_become_roles(tmp_path, names, roles):
    delimiter = ";" if ";" in names else ","
    path = write(tmp_path / "a.csv", points(), names, delimiter)
    assert guess_columns(read_text_table(path)).columns == roles


def test_units_are_seen(tmp_path):
    table = points()
    table[:, 2:5] = np.radians(table[:, 2:5])
    guess = guess_columns(read_text_table(write(tmp_path / "a.csv", table)))
    assert (guess.angle_unit, guess.unit) == ("radians", "um")
    made = open_map(tmp_path / "a.csv", columns=guess.model_copy(update={"phases": (NI, LNO)}))
    assert turns(made.quaternions, expected(points()))[made.indexed].max() < 1e-6
    header = "X [nm],y,phi1 (deg),Phi,phi2,phase,IQ"
    guess = guess_columns(read_text_table(write(tmp_path / "b.csv", table, header)))
    assert (guess.angle_unit, guess.unit) == ("degrees", "nm")


def test_quaternions_and_their_conjugates(tmp_path):
    table = points()
    q = expected(table).reshape(-1, 4)
    q[5] = 0  # no answer
    rows = np.column_stack([table[:, :2], q])
    columns = ("x", "y", "q0", "q1", "q2", "q3")
    path = write(tmp_path / "a.csv", rows, ",".join(columns))
    made = open_map(path, columns=ColumnChoice(columns=columns, phases=(NI,)))
    assert made.indexed.sum() == 23
    assert turns(made.quaternions, expected(table))[made.indexed].max() < 1e-6
    assert "1 points with the quaternion 0" in made.frame_note
    turned = ColumnChoice(columns=columns, phases=(NI,), quaternions="crystal2lab")
    conjugate = expected(table) * (1, -1, -1, -1)
    made = open_map(path, columns=turned)
    assert turns(made.quaternions, conjugate)[made.indexed].max() < 1e-6
    q[7] *= 1.1
    path = write(tmp_path / "b.csv", np.column_stack([table[:, :2], q]), ",".join(columns))
    with pytest.raises(UnreadableFile, match=r"not of length 1 \(1 rows; line 9 has length 1.1\)"):
        open_map(path, columns=turned)


def test_phase_0_means_no_answer_only_beside_others(tmp_path):
    table = points()
    path = write(tmp_path / "a.csv", table)
    assert guess_columns(read_text_table(path)).not_indexed == (-1, 0)
    table[:, 5] = 0
    one = read_text_table(write(tmp_path / "b.csv", table))
    assert guess_columns(one).not_indexed == (-1,)
    assert phase_numbers(one, guess_columns(one)) == [0]


def test_shuffled_and_missing_rows(tmp_path):
    table = points()
    there = np.delete(np.random.default_rng(2).permutation(24), [3, 4, 5])
    made = open_map(write(tmp_path / "a.csv", table[there]), columns=choice())
    gone = np.setdiff1d(np.arange(24), there)
    indexed = table[:, 5] > 0
    indexed[gone] = False
    assert made.shape == SHAPE
    np.testing.assert_array_equal(made.indexed.ravel(), indexed)
    assert turns(made.quaternions, expected(table))[made.indexed].max() < 1e-6
    assert "3 grid points without a row are not indexed" in made.frame_note
    measured = np.where(np.isin(np.arange(24), gone), np.nan, table[:, 6])
    np.testing.assert_array_equal(made.properties["IQ"].ravel(), measured)


def test_not_indexed_rows_may_be_empty(tmp_path):
    table = points()
    table[table[:, 5] == 0, 2:5] = np.nan
    path = write(tmp_path / "a.csv", table, change=lambda t: t.replace("nan", ""))
    assert open_map(path, columns=choice()).indexed.sum() == (table[:, 5] > 0).sum()
    made = open_map(path, columns=choice(not_indexed=(0, 2)))
    assert made.indexed.sum() == (table[:, 5] == 1).sum()


def test_axes_are_chosen(tmp_path):
    path = write(tmp_path / "a.csv", points())
    made = open_map(path, columns=choice(frame="y up", crystal_axes="a*"))
    again = open_map(path, "y up", "a*", columns=choice())
    np.testing.assert_allclose(made.quaternions, again.quaternions, atol=1e-12)
    assert (made.crystal_axes, made.frame) == ("a*", (0, 1, 0, 0))
    angles = points()[:, 2:5].reshape(*SHAPE, 3)
    vendors = made.euler_degrees("vendor")
    np.testing.assert_allclose(vendors[made.indexed], angles[made.indexed], atol=1e-6)


def test_a_choice_is_kept_as_yaml(tmp_path):
    made = choice(angle_unit="radians", frame="y up")
    made.to_yaml(tmp_path / "c.yaml")
    assert ColumnChoice.from_yaml(tmp_path / "c.yaml") == made


def test_a_real_map_as_text(shared_data, tmp_path):
    """in100, whose rows are shuffled: the text file opens as the .ang does."""
    source = shared_data / "in100" / "in100_slice1_shuffled.ang"
    theirs = open_map(source, frame="as is")
    path = write(tmp_path / "a.txt", np.loadtxt(source)[:, :8], "", " ")
    assert not sniff_map(path)
    columns = ("phi1", "Phi", "phi2", "x", "y", "IQ", "CI", "phase")
    nickel = text_phase(0, theirs.phases[1])  # EDAX's number of a single phase
    made = open_map(path, columns=ColumnChoice(
        columns=columns, angle_unit="radians", phases=(nickel,), not_indexed=(),
    ))  # fmt: skip
    assert (made.indexed == theirs.indexed).all()
    assert made.shape == theirs.shape == (201, 189)
    assert made.step == pytest.approx((0.25, 0.25))
    there = made.indexed & theirs.indexed
    assert there.sum() > 30_000
    assert turns(made.quaternions, theirs.quaternions)[there].max() < 1e-6


# --- what is asked -------------------------------------------------------------------------------


def test_what_is_open_is_asked(tmp_path):
    path = write(tmp_path / "a.csv", points())
    with pytest.raises(UnknownColumns, match="which crystal is phase 1, 2") as caught:
        open_map(path)
    error = caught.value
    assert error.table.names == COLUMNS
    assert phase_numbers(error.table, error.guess) == [1, 2]
    answer = error.guess.model_copy(update={"phases": (NI, LNO)})
    assert what_is_missing(error.table, answer) == ""
    assert open_map(path, columns=answer).shape == SHAPE


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        (("x", "y", "", "", "", "", ""), "which columns are the orientations"),
        (("x", "y", "phi1", "", "phi2", "", ""), "which column is Phi"),
        (("x", "", "phi1", "Phi", "phi2", "", ""), "which column is y"),
        (("x", "x", "y", "phi1", "Phi", "phi2", ""), "which of two columns is x"),
        (("x", "y", "phi1", "Phi", "phi2", "", ""), "which crystal is phase 1"),
    ],
)
def test_what_is_missing_in_a_choice(tmp_path, columns, words):
    path = write(tmp_path / "a.csv", points())
    with pytest.raises(UnknownColumns, match=words):
        open_map(path, columns=ColumnChoice(columns=columns))


def test_columns_must_fit_the_file(tmp_path):
    path = write(tmp_path / "a.csv", points())
    with pytest.raises(ValueError, match="7 columns, but 2 were named"):
        open_map(path, columns=ColumnChoice(columns=("x", "y")))
    with pytest.raises(ValueError, match="choose one of"):
        open_map(path, columns=choice(frame="sideways"))
    (tmp_path / "a.ang").write_text("# GRID: SqrGrid\n")
    with pytest.raises(ValueError, match="columns are named for"):
        open_map(tmp_path / "a.ang", columns=choice())


# --- what goes wrong -----------------------------------------------------------------------------


def change_row(number, column, value):
    def changed(table):
        table[number, column] = value
        return table

    return changed


@pytest.mark.parametrize(
    ("change", "fields", "words"),
    [
        (lambda t: t.replace("\n0.5,0,", "\n0.5,0,nickel,", 1), {}, "word in line 4"),
        (lambda t: t.replace("\n0.5,0,", "\n0.5,0,3,", 1), {}, "8 columns in line 4 where 7"),
        (lambda t: "x,y\n", {}, "no table of numbers"),
        (lambda t: "dear diary\nit rained\n", {}, "no table of numbers"),
        (lambda t: "", {}, "is empty"),
        (lambda t: "\x00" * 100, {}, "not a text file"),
        (lambda t: t, {"angle_unit": "radians"}, "beyond two turns, if they are radians"),
        (lambda t: t.replace("\n0.5,0,", "\n0.6,0.1,"), {}, "grid of step"),
        (lambda t: t.replace("\n0.5,0,", "\n0.25,0,"), {}, "two rows for one point"),
        (lambda t: t.replace("\n0.5,0,", "\n,0,"), {}, "no number for x in line 4"),
    ],
)
def test_broken_text(tmp_path, change, fields, words):
    path = write(tmp_path / "a.csv", points(), change=change)
    with pytest.raises(UnreadableFile, match=words) as caught:
        open_map(path, columns=choice(**fields))
    assert "a.csv" in str(caught.value)
    assert not isinstance(caught.value, UnknownColumns)


def test_angles_and_quaternions_that_are_none(tmp_path):
    table = points()
    table[8, 3] = np.nan
    path = write(tmp_path / "a.csv", table)
    with pytest.raises(UnreadableFile, match=r"no number for Phi in line 10 \(1 such rows\)"):
        open_map(path, columns=choice())
    columns = ("x", "y", "q0", "q1", "q2", "phase", "q3")
    with pytest.raises(UnreadableFile, match="not of length 1"):
        open_map(write(tmp_path / "b.csv", points()), columns=ColumnChoice(
            columns=columns, phases=(NI, LNO)))  # fmt: skip


def test_rows_without_any_angle_are_not_indexed(tmp_path):
    table = points()
    blank = np.flatnonzero(table[:, 5] > 0)[3]
    before = int((table[:, 5] > 0).sum())
    table[blank, 2:5] = np.nan
    made = open_map(write(tmp_path / "a.csv", table), columns=choice())
    assert made.indexed.sum() == before - 1
    assert not made.indexed.ravel()[blank]
    assert "1 rows without any angle are not indexed" in made.frame_note
    assert made.properties["IQ"].ravel()[blank] == table[blank, 6]


def test_a_table_that_is_cut_short_is_said_to_be(tmp_path):
    few = np.random.default_rng(1).permutation(points())[:9]
    few[:2, :2] = (0, 0), (1.25, 1.5)  # shuffled: the corners are there
    path = write(tmp_path / "a.csv", few)
    with pytest.raises(UnreadableFile, match=r"fills 3\d % of its 4 x 6 grid.*cut short"):
        open_map(path, columns=choice())
    words, complete = describe_choice(read_text_table(path), choice())
    assert "is the file cut short" in words
    assert not complete


def test_other_peoples_tables_are_not_ours(tmp_path):
    for name, text in {
        "a.csv": "index,axis-0,axis-1\n0,1.0,2.0\n1,3.0,4.0\n",  # napari's points
        "b.csv": "x,y,intensity\n0,0,1\n1,0,2\n",
        "c.txt": "hello\n",
        "d.dat": "",
        "e.csv": "phi1,Phi,phi2\n1,2,3\n",
    }.items():
        (tmp_path / name).write_text(text)
        assert not sniff_map(tmp_path / name)
    assert not sniff_map(tmp_path / "gone.csv")
    assert not sniff_map(tmp_path)


def test_a_choice_is_described_as_it_is_made(tmp_path):
    path = write(tmp_path / "a.csv", points())
    table = read_text_table(path)
    words, complete = describe_choice(table, guess_columns(table))
    assert not complete
    assert words.startswith("4 x 6 points, step 0.5 x 0.25 um, 100 % of the grid filled; phi1 ")
    assert words.endswith("still open: which crystal is phase 1, 2")
    assert describe_choice(table, choice())[1]
    wrong = ColumnChoice(columns=("phi1", "y", "x", "Phi", "phi2", "phase", ""), phases=(NI, LNO))
    words, complete = describe_choice(table, wrong)
    assert "x and y lie on no grid" in words
    assert not complete
