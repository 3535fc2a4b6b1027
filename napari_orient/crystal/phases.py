"""Which crystals are known by name, and how is one read from a .cif file? Always whole unit cells.

Crystal axes are orix's: e1 || a, e3 || c*. orix moves the atoms of a structure to these axes by
keeping their *cartesian* positions in diffpy's axes, so that on hexagonal cells
``phase.structure.xyz`` are no fractional coordinates any more; :func:`fractional_coordinates`
gives them. ``ReciprocalLatticeVector.sanitise_phase`` reads them as fractional and fills the cell
with false atoms (LiNiO2: 156 instead of 12): never call it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from napari_orient.files import UnreadableFile, check_file

if TYPE_CHECKING:
    from diffpy.structure import Structure
    from numpy.typing import NDArray
    from orix.crystal_map import Phase

Site = tuple[str, tuple[float, float, float]]


@dataclass(frozen=True)
class _Crystal:
    """A catalogue entry: space group, a and c in angstrom, one atom of each Wyckoff site."""

    space_group: int
    a: float
    c: float
    sites: tuple[Site, ...]
    hexagonal: bool
    color: str


def _cubic(group: int, a: float, color: str, *sites: Site) -> _Crystal:
    return _Crystal(group, a, a, sites, False, color)


def _hexagonal(group: int, a: float, c: float, color: str, *sites: Site) -> _Crystal:
    return _Crystal(group, a, c, sites, True, color)


_ORIGIN = (0.0, 0.0, 0.0)
_HALF = (0.5, 0.5, 0.5)
_QUARTER = (0.25, 0.25, 0.25)
_HCP = (1 / 3, 2 / 3, 0.25)

# Lattice parameters at room temperature: International Tables / CRC Handbook values. Of the two
# origins of Fd-3m (Si) the one on an atom is meant.
_CATALOGUE = {
    "LiNiO2": _hexagonal(
        166, 2.878, 14.19, "tab:blue",
        ("Ni", _ORIGIN), ("Li", (0.0, 0.0, 0.5)), ("O", (0.0, 0.0, 0.2585)),
    ),
    "Al": _cubic(225, 4.0495, "tab:cyan", ("Al", _ORIGIN)),
    "Ni": _cubic(225, 3.5238, "tab:green", ("Ni", _ORIGIN)),
    "NiO": _cubic(225, 4.1771, "tab:orange", ("Ni", _ORIGIN), ("O", _HALF)),
    "Cu": _cubic(225, 3.6149, "tab:brown", ("Cu", _ORIGIN)),
    "Fe": _cubic(229, 2.8665, "tab:red", ("Fe", _ORIGIN)),
    "Ti": _hexagonal(194, 2.9508, 4.6855, "tab:purple", ("Ti", _HCP)),
    "Mg": _hexagonal(194, 3.2094, 5.2108, "tab:olive", ("Mg", _HCP)),
    "Au": _cubic(225, 4.0782, "gold", ("Au", _ORIGIN)),
    "Si": _cubic(227, 5.4310, "tab:gray", ("Si", _ORIGIN)),
    "GaAs": _cubic(216, 5.6533, "tab:pink", ("Ga", _ORIGIN), ("As", _QUARTER)),
}  # fmt: skip

PHASES: tuple[str, ...] = tuple(_CATALOGUE)
"""Names that :func:`get_phase` knows."""


def get_phase(name_or_cif: str | Path) -> Phase:
    """Return a phase of the catalogue, or read one from a .cif file, with its unit cell filled.

    Parameters
    ----------
    name_or_cif
        One of :data:`PHASES` (upper or lower case), or the path of a .cif file.

    Returns
    -------
    orix.crystal_map.Phase
        With space group, lattice (angstrom, e1 || a, e3 || c*) and all atoms of the cell.

    Raises
    ------
    ValueError
        If the name is neither in the catalogue nor ends in .cif; the message lists the names.
    UnreadableFile
        If the .cif file is missing, cannot be parsed, or lacks cell, atoms or symmetry.
    """
    if str(name_or_cif).lower().endswith(".cif"):
        return _read_cif(Path(name_or_cif))
    known = {name.lower(): name for name in PHASES}
    name = known.get(str(name_or_cif).strip().lower())
    if name is None:
        raise ValueError(
            f"no phase is called {str(name_or_cif)!r}; known are {', '.join(PHASES)}, "
            "or give the path of a .cif file"
        )
    return _from_catalogue(name, _CATALOGUE[name])


def _from_catalogue(name: str, crystal: _Crystal) -> Phase:
    from diffpy.structure import Atom, Lattice, Structure
    from diffpy.structure.spacegroups import GetSpaceGroup
    from diffpy.structure.symmetryutilities import expandPosition
    from orix.crystal_map import Phase

    a, c, gamma = crystal.a, crystal.c, 120 if crystal.hexagonal else 90
    group = GetSpaceGroup(crystal.space_group)
    atoms = [
        Atom(element, xyz)
        for element, site in crystal.sites
        for xyz in expandPosition(group, np.array(site))[0]
    ]
    structure = Structure(atoms, Lattice(a, a, c, 90, 90, gamma), title=name)
    return Phase(name, crystal.space_group, structure=structure, color=crystal.color)


def _read_cif(path: Path) -> Phase:
    import warnings

    from diffpy.structure.parsers.p_cif import P_cif
    from orix.crystal_map import Phase

    check_file(path)
    cure = "Export the structure again as CIF with cell, atom sites and space group."
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            parser = P_cif()
            structure = parser.parseFile(str(path))
            group = getattr(parser.spacegroup, "number", None)
    except Exception as error:  # diffpy lets many kinds through: the file is the one cause
        said = " ".join(str(error).split()) or type(error).__name__
        raise UnreadableFile(path, f"is not a valid CIF file ({said[:120]})", cure) from error
    if not structure or group is None:
        missing = "space group" if structure else "atom"
        raise UnreadableFile(path, f"contains no {missing} that can be read", cure)
    _check_axes(path, group, structure)
    _name_elements(path, structure)
    return Phase(path.stem, group % 1000, structure=structure)


def _check_axes(path: Path, group: int, structure: Structure) -> None:
    """Refuse rhombohedral axes: the symmetry operators here are those of hexagonal axes."""
    if 143 <= group % 1000 <= 167 and not np.isclose(structure.lattice.gamma, 120, atol=0.1):
        raise UnreadableFile(
            path,
            "describes a trigonal crystal in rhombohedral axes",
            "Export it in the hexagonal setting (gamma = 120 degrees).",
        )


def _name_elements(path: Path, structure: Structure) -> None:
    """Turn ions and site labels (Ni3+, O2-) into elements with a scattering factor.

    diffsims gives an unknown symbol the scattering factor zero without a word.
    """
    from diffsims.utils.sim_utils import get_scattering_params_dict

    known = get_scattering_params_dict("lobato")
    for atom in structure:
        letters = re.match(r"[A-Za-z]{0,2}", str(atom.element))
        symbol = letters.group().capitalize() if letters else ""
        symbol = {"D": "H", "T": "H"}.get(symbol, symbol)
        if symbol not in known:
            raise UnreadableFile(
                path,
                f"names an atom {atom.element!r}, which is no element",
                "Correct _atom_site_type_symbol in the file.",
            )
        atom.element = symbol


def fractional_coordinates(phase: Phase) -> NDArray[np.float64]:
    """Return the fractional coordinates (n, 3) of all atoms of ``phase``, in its lattice a, b, c.

    Undoes orix's change of axes, with the same matrix as diffsims.
    """
    lattice = phase.structure.lattice
    xyz: NDArray[np.float64] = phase.structure.xyz @ np.linalg.inv(
        lattice.stdbase @ lattice.recbase
    )
    return xyz


def resource(name: str) -> Path:
    """Return the path of a file in ``resources/``, from a wheel or from the repository."""
    from importlib.resources import files

    packed = Path(str(files("napari_orient"))) / "resources" / name
    return packed if packed.exists() else Path(__file__).parents[2] / "resources" / name
