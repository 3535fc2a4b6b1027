"""Made-up crystals, one of each Laue class, that have its symmetry and no more."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

# space group (symmorphic), a, b, c in angstrom, alpha, beta, gamma in degrees. The diad of 2/m is
# along c (unique axis c), those of -3m are along a: as orix has them
CRYSTALS = {
    "-1": ("P -1", 5.1, 5.9, 6.8, 78, 94, 107),
    "2/m": ("P 1 1 2/m", 5.2, 5.9, 6.7, 90, 90, 104),
    "mmm": ("P m m m", 5.1, 5.8, 6.6, 90, 90, 90),
    "-3": ("P -3", 5.3, 5.3, 6.9, 90, 90, 120),
    "-3m": ("P -3 m 1", 5.3, 5.3, 6.9, 90, 90, 120),
    "4/m": ("P 4/m", 5.2, 5.2, 6.5, 90, 90, 90),
    "4/mmm": ("P 4/m m m", 5.2, 5.2, 6.5, 90, 90, 90),
    "6/m": ("P 6/m", 5.5, 5.5, 6.3, 90, 90, 120),
    "6/mmm": ("P 6/m m m", 5.5, 5.5, 6.3, 90, 90, 120),
    "m-3": ("P m -3", 5.7, 5.7, 5.7, 90, 90, 90),
    "m-3m": ("P m -3 m", 5.7, 5.7, 5.7, 90, 90, 90),
}

# Ni is on no symmetry element, 15 degrees from the mirrors that the lattices of -3, 4/m and 6/m
# have: what is lower than the symmetry of the lattice is plain to see
_CIF = """data_{name}
_symmetry_space_group_name_H-M '{group}'
_cell_length_a {a}
_cell_length_b {b}
_cell_length_c {c}
_cell_angle_alpha {alpha}
_cell_angle_beta {beta}
_cell_angle_gamma {gamma}
loop_
_atom_site_label
_atom_site_type_symbol
_atom_site_fract_x
_atom_site_fract_y
_atom_site_fract_z
Fe1 Fe 0 0 0
Ni1 Ni 0.24 0.065 0.31
"""


def write_crystal(laue: str, folder: Path) -> Path:
    """Write the crystal of a Laue class as a .cif file."""
    group, a, b, c, alpha, beta, gamma = CRYSTALS[laue]
    name = laue.replace("/", "-over-")
    path = folder / f"{name}.cif"
    path.write_text(
        _CIF.format(name=name, group=group, a=a, b=b, c=c, alpha=alpha, beta=beta, gamma=gamma)
    )
    return path
