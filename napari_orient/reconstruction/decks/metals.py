"""Which lattice and which constants does a solver take for a phase?

The constants are in ``resources/solver_metals.yaml``, each with its source.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from orix.crystal_map import Phase

LATTICES = ("cF", "cI", "hP", "tI")
"""The lattices of DAMASK 3."""
_SYSTEMS = (
    (2, "triclinic"), (15, "monoclinic"), (74, "orthorhombic"), (142, "tetragonal"),
    (167, "trigonal"), (194, "hexagonal"), (230, "cubic"),
)  # fmt: skip
_LETTERS = {"tetragonal": "t", "hexagonal": "h", "cubic": "c"}


@dataclass(frozen=True)
class Metal:
    """Constants of a metal, in Pa, by DAMASK's names."""

    name: str
    lattice: str
    elastic: dict[str, Any]
    plastic: dict[str, Any] | None


def load_metals() -> dict[str, tuple[Metal, tuple[str, ...]]]:
    """Return the metals by symbol, each with the names that a phase may have."""
    import yaml

    from napari_orient.crystal.phases import resource

    text = resource("solver_metals.yaml").read_text(encoding="utf-8")
    return {
        symbol: (
            Metal(symbol, facts["lattice"], facts["elastic"], facts.get("plastic")),
            tuple(facts["names"]),
        )
        for symbol, facts in yaml.safe_load(text).items()
    }


def metal_of(phase: Phase, lattice: str | None, name: str | None = None) -> Metal | None:
    """Return the constants for a phase; None where they are not known.

    Parameters
    ----------
    phase
        The crystal; without ``name`` its own name says which metal it is.
    lattice
        One of :data:`LATTICES`; constants of another lattice are not taken. None: any.
    name
        Symbol of the metal whose constants are asked for.

    Raises
    ------
    ValueError
        If ``name`` is not known, or has another lattice.
    """
    metals = load_metals()
    if name is None:
        called = " ".join((phase.name or "").lower().replace("_", " ").replace("-", " ").split())
        fits = [metal for metal, names in metals.values() if called in names]
        return fits[0] if fits and lattice in (None, fits[0].lattice) else None
    if name not in metals:
        raise ValueError(f"no constants are known of {name!r}; there are {', '.join(metals)}")
    metal = metals[name][0]
    if lattice not in (None, metal.lattice):
        raise ValueError(f"the constants of {name} are for {metal.lattice}, not for {lattice}")
    return metal


def lattice_of(phase: Phase, lattice: str | None = None) -> str:
    """Return DAMASK's lattice of a phase: cF, cI, hP or tI.

    Parameters
    ----------
    phase
        The crystal; its space group says what its lattice is.
    lattice
        Said by the user, for phases that have a point group alone.

    Raises
    ------
    ValueError
        If DAMASK has no such lattice, or it is not known which one it is.
    """
    system, centring = _system(phase)
    if system not in _LETTERS:
        raise ValueError(
            f"DAMASK has no lattice for {phase.name or 'this phase'}, which is {system}: it knows "
            "cF, cI, hP and tI. Export the geometry alone (--geometry-only), or dream3d or abaqus"
        )
    if lattice is not None:
        if lattice not in LATTICES or lattice[0] != _LETTERS[system]:
            raise ValueError(f"lattice {lattice!r} is not one of {LATTICES} for a {system} crystal")
        return lattice
    if centring is None and system == "hexagonal":
        return "hP"  # the only hexagonal lattice
    if centring is None:
        known = metal_of(phase, None)
        if known is not None and known.lattice[0] == _LETTERS[system]:
            return known.lattice
        choice = "cF or cI" if system == "cubic" else "tI"
        raise ValueError(
            f"{phase.name or 'the phase'} has no space group, so its lattice is not known: say "
            f"which it is (--lattice {choice})"
        )
    found = _LETTERS[system] + centring
    if found not in LATTICES:
        raise ValueError(
            f"DAMASK has no lattice {found} ({phase.name}): it knows cF, cI, hP and tI. Export the "
            "geometry alone (--geometry-only), or dream3d or abaqus"
        )
    return found


def _system(phase: Phase) -> tuple[str, str | None]:
    """Crystal system, and the letter of the centring or None where no space group is known."""
    if phase.space_group is not None:
        number = int(phase.space_group.number)
        system = next(name for last, name in _SYSTEMS if number <= last)
        return system, str(phase.space_group.short_name)[0]
    if phase.point_group is None:
        raise ValueError(
            f"phase {phase.name!r} has no symmetry: choose its crystal when you open the volume"
        )
    return str(phase.point_group.laue.system).lower(), None
