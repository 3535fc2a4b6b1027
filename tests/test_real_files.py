"""Every file of the data folder opens from the command line with the facts that it holds.

The facts were read in the files themselves: their headers, and their numbers of rows and bytes.
"""

from __future__ import annotations

import json

import numpy as np
import pytest

from napari_orient.cli import main
from napari_orient.crystal.phases import get_phase
from napari_orient.data.export.check import turns
from napari_orient.data.vendors.open import open_map
from napari_orient.data.vendors.text_maps import ColumnChoice, text_phase

CHOICE = ColumnChoice(
    columns=("x", "y", "q0", "q1", "q2", "q3"), phases=(text_phase(1, get_phase("Ni")),)
)

CUBIC = [90.0, 90.0, 90.0]
HEXAGONAL = [90.0, 90.0, 120.0]
OXFORD, EDAX, EDAX_2 = [0, 1, 0, 0], [0, 0.5**0.5, 0.5**0.5, 0], [0, 0.5**0.5, -(0.5**0.5), 0]

# kind, shape, step, unit, phase, point group, Laue group, space group, lattice, indexed points,
# frame, crystal x axis, properties
MAPS = {
    "ni_edax/EdaxAngOnly.h5": (
        "map", [151, 186], 1.5, "um", "Nickel", "432", "m-3m", None, [3.56] * 3 + CUBIC, 28086,
        EDAX_2, "a", {"CI", "IQ", "fit", "SEM"},
    ),
    "in100/in100_slices_1_2.h5ebsd": (
        "volume", [2, 201, 189], 0.25, "um", "Nickel", "432", "m-3m", None, [3.52] * 3 + CUBIC,
        62009, EDAX, "a", {"CI", "IQ", "fit", "SEM"},
    ),
    "in100/in100_slice1_shuffled.ang": (
        "map", [201, 189], 0.25, "um", "Nickel", "432", "m-3m", None, [3.52] * 3 + CUBIC, 31063,
        EDAX, "a", {"CI", "IQ", "fit", "SEM"},
    ),
    "copper/copperSquare.crc": (
        "map", [296, 293], 2.0, "um", "Copper", "432", "m-3m", 214, [3.61] * 3 + CUBIC, 86680,
        OXFORD, "a*", {"BC", "BS", "MAD", "bands", "error"},
    ),
    "copper/copperSquare.cpr": (
        "map", [296, 293], 2.0, "um", "Copper", "432", "m-3m", 214, [3.61] * 3 + CUBIC, 86680,
        OXFORD, "a*", {"BC", "BS", "MAD", "bands", "error"},
    ),
    "ti64/Ti64-200x200.ang": (
        "map", [200, 200], 0.4999, "um", "Titanium", "622", "6/mmm", None,
        [2.95, 2.95, 4.686, *HEXAGONAL], 40000, EDAX, "a", {"CI", "IQ"},
    ),
    "mg_twins/twins.ctf": (
        "map", [137, 167], 0.3, "um", "Magnesium", "6/mmm", "6/mmm", 194,
        [3.2089, 3.2089, 5.2101, *HEXAGONAL], 22833, OXFORD, "a*",
        {"BC", "BS", "MAD", "bands", "error"},
    ),
    "astar_acom/ACOM.ang": (
        "map", [15, 15], 2.0, "nm", "Phase 22474944", "432", "m-3m", None, [3.891] * 3 + CUBIC,
        225, [1, 0, 0, 0], "a", {"Q", "R"},
    ),
}  # fmt: skip

# shape, step in nm, voltage in kV, camera length in mm
SCANS = {
    "blockfile/test1.blo": ([3, 2, 144, 144], 12.8, 200.0, 200.0),
    "merlin/001_4x2_6bit.mib": ([2, 4, 256, 256], None, None, None),
    "merlin/002_4x2_6bit_roi128.mib": ([2, 4, 128, 256], None, None, None),
}

# an array of quaternions, which says nothing of its crystal
FIELD = "reference_field/cubic_128x128_quaternions.npy"

# read through another file, or no file of a scan or a map by itself
OTHERS = {
    "README.md",
    "merlin/001_4x2_6bit.hdr",
    "merlin/002_4x2_6bit_roi128.hdr",
}


def info(capsys, path):
    assert main(["info", str(path), "--json"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    return json.loads(out)


def test_no_file_is_forgotten(shared_data):
    there = {p.relative_to(shared_data).as_posix() for p in shared_data.rglob("*") if p.is_file()}
    assert there == {*MAPS, *SCANS, *OTHERS, FIELD}


@pytest.mark.parametrize("name", MAPS)
def test_maps(shared_data, capsys, name):
    (kind, shape, step, unit, phase, group, laue, space, lattice, indexed, frame, crystal,
     properties) = MAPS[name]  # fmt: skip
    facts = info(capsys, shared_data / name)
    assert (facts["kind"], facts["shape"], facts["unit"]) == (kind, shape, unit)
    assert facts["step"] == pytest.approx([step] * len(shape))
    (only,) = facts["phases"]
    assert (only["name"], only["point_group"], only["laue_group"]) == (phase, group, laue)
    assert (only["space_group"], only["points"]) == (space, indexed)
    assert only["lattice"] == pytest.approx(lattice)
    assert facts["frame"] == pytest.approx(frame)
    assert facts["crystal_axes"] == crystal
    assert properties <= set(facts["properties"])
    assert "verified" in facts["frame_note"].lower()


@pytest.mark.parametrize("name", SCANS)
def test_scans(shared_data, capsys, name):
    shape, step, voltage, camera_length = SCANS[name]
    facts = info(capsys, shared_data / name)
    assert (facts["kind"], facts["shape"], facts["dtype"]) == ("scan", shape, "uint8")
    found = facts["calibration"]
    for key, value in (("step", step), ("voltage", voltage), ("camera_length", camera_length)):
        assert (found[key] and found[key]["value"]) == value
        assert value is None or found[key]["source"] == "file"


def test_a_field_of_quaternions_needs_its_crystal(shared_data, capsys):
    path = str(shared_data / FIELD)
    assert main(["info", path, "--json"]) == 1
    assert "does not say which crystal is phase 1" in capsys.readouterr().err
    assert main(["info", path, "--phase", "Ni", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert (facts["kind"], facts["shape"], facts["indexed_fraction"]) == ("map", [128, 128], 1.0)
    assert facts["phases"][0]["laue_group"] == "m-3m"
    np.testing.assert_allclose(
        turns(open_map(path, columns=CHOICE).quaternions, np.load(path)), 0, atol=1e-6
    )
