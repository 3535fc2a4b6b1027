"""How does the window say what the library says? By the labels of its forms, with one set of signs.

The library speaks to the command line and to scripts as well: it names settings as YAML does.
"""

from __future__ import annotations

from napari_orient.files import UnreadableFile

TERMS = {
    "give it in kV (voltage_kv), or type it in the calibration of the scan": (
        "type it beside Voltage, under Phases, microscope, or in the calibration of the scan "
        "(Load > Calibration)"
    ),
    "or give it in 1/angstrom (pixel_size)": (
        "or type it in 1/angstrom beside Pixel, under Phases, microscope"
    ),
    "check pixel size (": "check Pixel (",
    "Check the pixel size (": "Check Pixel (",
    "semi-convergence and the range of lengths": "Convergence, From g and To g",
    "the semi-convergence and the smallest length": "Convergence and From g",
    "1/angstrom": "1/Å",
    "angstrom": "Å",
}
"""Words of the library -> those of the window, replaced in this order."""
BROKEN = "is not a valid CIF file"


def in_terms(text: object) -> str:
    """Return a message or a description of the library as the window says it."""
    said = str(text)
    for theirs, ours in TERMS.items():
        said = said.replace(theirs, ours)
    return said


def cif_words(error: Exception) -> str:
    """Return why a crystal structure cannot be read; what a parser stumbled over helps nobody."""
    if not isinstance(error, UnreadableFile):
        return in_terms(error)
    broken = error.problem.startswith(BROKEN)
    problem = "is not a CIF file that can be read" if broken else error.problem
    return f"{error.path.name} {problem}. {error.cure}"
