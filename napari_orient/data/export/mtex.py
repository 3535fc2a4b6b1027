"""How does MTEX load an exported map as it is here? A script beside the file; not run by us.

MTEX's own readers of vendor files turn the axes by rules that changed between its versions; the
script names the columns instead, turns the orientations by the one rotation that the file needs,
and gives each phase its axes (mtex-toolbox.github.io/CrystalReferenceSystem.html).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

from napari_orient import __version__
from napari_orient.data.export.text import plain_name
from napari_orient.data.maps import is_hexagonal

if TYPE_CHECKING:
    from pathlib import Path

    from orix.crystal_map import Phase

    from napari_orient.data.export.rows import Rows

_COLUMNS = {
    "ang": ("Euler 1", "Euler 2", "Euler 3", "x", "y", "iq", "ci", "phase", "sem", "fit"),
    "astar": ("Euler 1", "Euler 2", "Euler 3", "x", "y", "index", "reliability", "phase", "ninth"),
    "ctf": ("phase", "x", "y", "bands", "error", "Euler 1", "Euler 2", "Euler 3", "mad", "bc",
            "bs"),
}  # fmt: skip


def script_path(path: Path) -> Path:
    """Return ``map_mtex.m`` for ``map.ang``; MATLAB allows letters, digits and _ in such names."""
    name = re.sub(r"\W", "_", path.stem, flags=re.ASCII)
    name = name if name[:1].isalpha() else f"map_{name}"
    return path.with_name(f"{name}_mtex.m")


def mtex_script(rows: Rows, name: str) -> str:
    """Return a MATLAB script that loads the text file ``name`` into MTEX."""
    kind = rows.format.name
    columns = ", ".join(f"'{column}'" for column in _COLUMNS[kind])
    unit = "degree" if rows.format.degrees else "radians"
    lines = [
        f"% Loads {_text(name)} into MTEX. Written by napari-orient {__version__}.",
        "% UNTESTED: MTEX was not at hand when this script was written. Check one known point.",
        "%",
        "% Frame of the map: x right, y down, z into the page (x along the rows of the file).",
        f"% In the file: {rows.axes.words}.",
        "",
        "fname = fullfile(fileparts(mfilename('fullpath')), " + f"'{_quoted(name)}');",
        "",
        "% crystals, with the axes that the Euler angles of the file refer to",
        "CS = {'notIndexed', ...",
        *_symmetries(rows),
        "",
        "% x to the right, z into the page, so that y points down, as in the map",
        "if exist('plottingConvention', 'class') % MTEX 6",
        "  how2plot = plottingConvention(-zvector, xvector);",
        "else",
        "  setMTEXpref('xAxisDirection', 'east');",
        "  setMTEXpref('zAxisDirection', 'intoPlane');",
        "end",
        "",
        "% columns by name: MTEX's own readers of vendor files may turn the axes",
        "ebsd = EBSD.load(fname, CS, 'interface', 'generic', 'Bunge', ...",
        f"  '{unit}', 'header', {_header_lines(rows)}, 'phaseMap', 0:{len(rows.phases)}, ...",
        f"  'ColumnNames', {{{columns}}});",
        f"ebsd.scanUnit = '{rows.format.unit}';",
        "if exist('how2plot', 'var'), ebsd.how2plot = how2plot; end",
        "",
        *_turn(rows),
        "plot(ebsd('indexed'))",
    ]
    return "\n".join(lines) + "\n"


def _symmetries(rows: Rows) -> list[str]:
    made = [_symmetry(p, n, rows.axes.crystal_axes) for n, p in enumerate(rows.phases, start=1)]
    return [f"  {one}{', ...' if n < len(made) else '};'}" for n, one in enumerate(made, start=1)]


def _symmetry(phase: Phase, number: int, crystal_axes: str) -> str:
    a, b, c, *angles = phase.structure.lattice.abcABG()
    axis = "a*" if crystal_axes == "a*" and is_hexagonal(phase) else "a"
    cell = f"[{a:.6g} {b:.6g} {c:.6g}], [{' '.join(f'{v:.6g}' for v in angles)}]*degree"
    group = {"m-3m": "m-3m", "121": "2"}.get(phase.point_group.name, phase.point_group.name)
    mineral = _quoted(plain_name(phase, number))
    return f"crystalSymmetry('{group}', {cell}, 'X||{axis}', 'Z||c*', 'mineral', '{mineral}')"


def _turn(rows: Rows) -> list[str]:
    """Turn the orientations from the file's Euler axes to the map's, where they differ."""
    if abs(rows.axes.frame[0]) > 1 - 1e-12:
        return ["% the Euler angles refer to the axes of the map: nothing is turned", ""]
    numbers = ", ".join(f"{v:.12g}" for v in np.asarray(rows.axes.frame))
    return [
        "% from the Euler axes of the file to the axes of the map; positions stay",
        f"ebsd = rotate(ebsd, rotation(quaternion({numbers})), 'keepXY');",
        "",
    ]


def _header_lines(rows: Rows) -> int:
    from napari_orient.data.export.text import header_of

    return len(header_of(rows))


def _text(text: str) -> str:
    return text.encode("ascii", "replace").decode()


def _quoted(text: str) -> str:
    return _text(text).replace("'", "''")
