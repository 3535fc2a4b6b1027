"""What do patterns look like when electrons scatter many times? A Bloch-wave set, as truth.

    ABTEM_PYTHON benchmarks/bloch.py check
    ABTEM_PYTHON benchmarks/bloch.py make [--crystal LiNiO2|Au] [--first N --last N] --out FILE.npz
    ABTEM_PYTHON benchmarks/bloch.py join PART.npz ... --out benchmarks/data/bloch_LiNiO2.npz

It shares no code with the package: structure factors and the Bloch-wave equation are abTEM's, which
lives in an environment of its own; files are .npz without pickle, read by :func:`load` with numpy
alone. abTEM builds a structure matrix anew for each tilt of the beam; here one matrix serves all
tilts of an orientation (only the excitation errors on its diagonal change) and one
eigendecomposition all thicknesses, which is 30 times faster. ``check`` compares with abTEM's own
``BlochWaves``, with the formula of two beams and with sums that must be 1.

Frame: that of ``napari_orient.diffraction.simulate``. x right, y down, z into the page, the beam
along -z (the Ewald sphere has its centre on +z), quaternions lab2crystal. abTEM's beam goes along
+z: its coordinates are (x, -y, -z), a proper rotation.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

DATA = Path(__file__).parent / "data"
LINIO2 = Path(__file__).parents[1] / "resources" / "LiNiO2.cif"
TO_ABTEM = np.diag([1.0, -1.0, -1.0])

VOLTAGE_KV = 300.0
PRECESSION_DEG = 0.6
CONVERGENCE_MRAD = 1.6
THICKNESS_NM = (2.0, 20.0, 50.0, 100.0, 150.0)  # 2 nm: the kinematical limit
TILTS = 384  # beam directions on the precession ring, each somewhere in the convergence disk
KEPT_G = 1.85  # reflections that are stored, 1/angstrom: the corner of the sample's detector
LEAST = 1e-4  # of the incident electrons: weaker spots at every thickness are not stored
SEED = 20261121

# Typical values at room temperature, B in angstrom^2
DEBYE_WALLER = {"Li": 1.0, "Ni": 0.4, "O": 0.6, "Au": 0.62}
# reflections that take part: length and smallest |s| over all tilts, 1/angstrom
BEAMS = {"LiNiO2": (2.5, 0.06), "Au": (3.3, 0.08)}
RANDOM, NEAR = 500, 100  # orientations: anywhere, and of each neighbourhood
NEAR_DEG = 5.0
ZONES = {  # cartesian crystal directions, e1 || a, e3 || c*
    "LiNiO2": {
        "[10-10]": (math.sqrt(3) / 2, 0.5, 0.0),
        "[1-100]": (math.sqrt(3) / 2, -0.5, 0.0),
        "[0001]": (0.0, 0.0, 1.0),
    },
    "Au": {"[001]": (0.0, 0.0, 1.0), "[011]": (0.0, 1.0, 1.0), "[111]": (1.0, 1.0, 1.0)},
}


@dataclass(frozen=True, eq=False)
class BlochSet:
    """Patterns of n orientations at several thicknesses, as spots.

    Attributes
    ----------
    quaternions
        (n, 4) lab2crystal.
    group
        (n,) name of the set: "random" or a zone axis.
    starts
        (n + 1,) pattern i owns the spots ``starts[i]:starts[i + 1]``.
    hkl
        (m, 3) Miller indices, (000) among them.
    xy
        (m, 2) positions in 1/angstrom, x right, y down.
    intensity
        (m, thicknesses) share of the incident electrons, mean over precession and convergence.
    thickness_nm
        Thicknesses of the columns.
    meta
        All settings, versions, seed.
    """

    quaternions: np.ndarray
    group: np.ndarray
    starts: np.ndarray
    hkl: np.ndarray
    xy: np.ndarray
    intensity: np.ndarray
    thickness_nm: np.ndarray
    meta: dict[str, Any]

    def __len__(self) -> int:
        return len(self.quaternions)


def load(path: Path) -> BlochSet:
    """Read a set; positions are the stored lattice of each pattern times the indices."""
    with np.load(path, allow_pickle=False) as file:
        part = {name: file[name] for name in file.files}
    meta = json.loads(str(part["meta"]))
    owner = np.repeat(np.arange(len(part["quaternions"])), np.diff(part["starts"]))
    hkl = part["hkl"].astype(np.int64)
    xy = np.einsum("mi,mij->mj", hkl.astype(np.float64), part["lattice"].astype(np.float64)[owner])
    return BlochSet(
        part["quaternions"], np.array(meta["groups"])[part["group"]], part["starts"], hkl, xy,
        part["intensity"].astype(np.float64), np.array(meta["thickness_nm"]), meta,
    )  # fmt: skip


# --- orientations ---------------------------------------------------------------------------------


def quaternion_product(p: np.ndarray, q: np.ndarray) -> np.ndarray:
    a, b = p[..., :1], q[..., :1]
    u, v = p[..., 1:], q[..., 1:]
    return np.concatenate(
        [a * b - (u * v).sum(-1, keepdims=True), a * v + b * u + np.cross(u, v)], axis=-1
    )


def matrices(quaternions: np.ndarray) -> np.ndarray:
    """(n, 3, 3): crystal vector = matrix @ lab vector."""
    scalar, vector = quaternions[:, 0, None, None], quaternions[:, 1:]
    cross = np.cross(np.eye(3)[None], vector[:, None])  # cross @ e = v x e
    outer = vector[:, :, None] * vector[:, None, :]
    square = scalar**2 - (vector**2).sum(-1)[:, None, None]
    return square * np.eye(3) + 2 * outer + 2 * scalar * cross


def turn_between(start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """Quaternion (4,) of the smallest rotation that takes one direction to the other."""
    a, b = start / np.linalg.norm(start), end / np.linalg.norm(end)
    q = np.append(1 + a @ b, np.cross(a, b))
    return q / np.linalg.norm(q)


def orientations(crystal: str) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Quaternions (n, 4), group numbers (n,) and group names of a crystal's set."""
    random = np.random.default_rng(SEED)
    found = random.normal(size=(RANDOM, 4))
    parts = [found / np.linalg.norm(found, axis=1, keepdims=True)]
    for zone in ZONES[crystal].values():
        near = np.cos(np.radians(NEAR_DEG))
        height = random.uniform(near, 1, NEAR)  # uniform in the cap of the sphere
        phi, spin = random.uniform(0, 2 * np.pi, (2, NEAR))
        flat = np.sqrt(1 - height**2)
        beam = np.stack([flat * np.cos(phi), flat * np.sin(phi), height], axis=1)
        # lab z goes to a direction near e3, and with e3 to one near the zone axis
        to_zone = turn_between(np.array([0.0, 0.0, 1.0]), np.array(zone))
        tilt = np.array([turn_between(np.array([0.0, 0.0, 1.0]), d) for d in beam])
        spun = np.stack([np.cos(spin / 2), 0 * spin, 0 * spin, np.sin(spin / 2)], axis=1)
        parts.append(quaternion_product(to_zone, quaternion_product(tilt, spun)))
    names = ["random", *ZONES[crystal]]
    group = np.repeat(np.arange(len(parts)), [len(p) for p in parts]).astype(np.uint8)
    return np.concatenate(parts), group, names


# --- Bloch waves ----------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Crystal:
    """What scatters: reciprocal lattice (rows a*, b*, c*) and U_g of all differences of beams."""

    name: str
    lattice: np.ndarray
    hkl: np.ndarray
    potential: np.ndarray  # U[h, k, l], 1/angstrom^2; negative indices wrap
    wavelength: float


def build_crystal(name: str, max_g: float, debye_waller: dict[str, float]) -> Crystal:
    """Structure factors of abTEM (Lobato), made into the U_g of its structure matrix."""
    import abtem
    from abtem.bloch.dynamical import StructureFactor
    from abtem.core.constants import kappa
    from abtem.core.energy import energy2sigma, energy2wavelength

    abtem.config.set({"precision": "float64"})
    energy = VOLTAGE_KV * 1e3
    atoms = build_atoms(name)
    sigma = {el: math.sqrt(b / (8 * math.pi**2)) for el, b in debye_waller.items()}
    factors = StructureFactor(
        atoms, 2 * max_g + 0.2, thermal_sigma=sigma if sigma else 0.0, centering="P"
    )
    array = factors.build(lazy=False)
    wavelength = float(energy2wavelength(energy))
    values = np.asarray(array.array) * energy2sigma(energy) / (kappa * wavelength * np.pi)
    if np.abs(values.imag).max() > 1e-6 * np.abs(values).max():
        raise ValueError(f"{name} has no inversion centre at the origin: U_g would be complex")
    size = 2 * np.abs(factors.hkl).max(axis=0) + 1
    potential = np.zeros(size)
    potential[tuple(factors.hkl.T)] = values.real
    lattice = np.linalg.inv(np.asarray(atoms.cell)).T
    strong = np.abs(values) > 1e-9 * np.abs(values).max()  # lattice centring takes these out
    short = np.linalg.norm(factors.hkl @ lattice, axis=1) <= max_g
    return Crystal(name, lattice, factors.hkl[strong & short], potential, wavelength)


def build_atoms(name: str) -> Any:
    """Unit cell as ase has it, a || x and c* || z."""
    import ase
    import ase.io

    if name == "Au":
        a = 4.0782
        places = a * np.array([[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]])
        return ase.Atoms("Au4", positions=places, cell=[a, a, a], pbc=True)
    return ase.io.read(LINIO2)


def beam_tilts(count: int, precession_deg: float, convergence_mrad: float) -> np.ndarray:
    """Small beam tilts (count, 2) in radians: the ring of precession, blurred by the disk.

    Quasi-random (golden ratio) in the disk: intensities integrated over a diffraction disk.
    """
    i = np.arange(count)
    azimuth = 2 * np.pi * (i + 0.5) / count
    ring = math.radians(precession_deg) * np.stack([np.cos(azimuth), np.sin(azimuth)], axis=1)
    radius = 1e-3 * convergence_mrad * np.sqrt(((i * 0.5545497) + 0.5) % 1)
    angle = 2 * np.pi * ((i * 0.3080785 + 0.25) % 1)
    return ring + radius[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)


def tilted(g: np.ndarray, tilts: np.ndarray) -> np.ndarray:
    """Vectors (tilts, n, 3) after turning the crystal against the beam's tilts, |g| kept."""
    angle = np.linalg.norm(tilts, axis=1)
    axis = np.zeros((len(tilts), 3))
    moved = angle > 0
    axis[moved, 0] = -tilts[moved, 1] / angle[moved]
    axis[moved, 1] = tilts[moved, 0] / angle[moved]
    cos, sin = np.cos(angle)[:, None, None], np.sin(angle)[:, None, None]
    across = np.cross(axis[:, None], g[None])
    along = axis[:, None] * (axis @ g.T)[..., None]
    return cos * g[None] + sin * across + (1 - cos) * along


def excitation(g: np.ndarray, wavelength: float) -> np.ndarray:
    """Excitation errors s, 1/angstrom, of vectors (..., 3) in abTEM's frame (beam along +z)."""
    return -g[..., 2] - 0.5 * wavelength * (g**2).sum(-1)


def diffract(
    crystal: Crystal,
    to_crystal: np.ndarray,
    thickness_nm: np.ndarray,
    tilts: np.ndarray,
    max_s: float,
    max_g: float,
) -> tuple[np.ndarray, np.ndarray]:
    """Indices (n, 3) of the beams, the first is (000), and mean intensities (n, thicknesses).

    The matrix of Bloch waves, 2 K s_g on the diagonal and U_{g-h} elsewhere, divided by
    sqrt((1 + g_z / K) (1 + h_z / K)): Spence and Zuo, Electron Microdiffraction (1992), chapter 3.
    """
    g = crystal.hkl @ crystal.lattice @ to_crystal @ TO_ABTEM
    moved = tilted(g, tilts)
    s = excitation(moved, crystal.wavelength)
    keep = (np.abs(s).min(axis=0) <= max_s) & (np.linalg.norm(g, axis=1) <= max_g)
    keep &= np.abs(crystal.hkl).any(axis=1)
    hkl = np.vstack([np.zeros((1, 3), int), crystal.hkl[keep]])
    s = np.hstack([np.zeros((len(tilts), 1)), s[:, keep]])
    g_z = np.hstack([np.zeros((len(tilts), 1)), moved[:, keep, 2]])
    metric = 1 / np.sqrt(1 + crystal.wavelength * g_z)
    differences = hkl[:, None] - hkl[None]
    shared = crystal.potential[tuple(np.moveaxis(differences, -1, 0))]
    diagonal = np.arange(len(hkl))
    intensity = np.zeros((len(hkl), len(thickness_nm)))
    for tilt in range(len(tilts)):
        matrix = shared * np.outer(metric[tilt], metric[tilt])
        matrix[diagonal, diagonal] = 2 / crystal.wavelength * s[tilt] * metric[tilt] ** 2
        values, vectors = np.linalg.eigh(matrix)
        phase = np.pi * crystal.wavelength * np.outer(values, 10 * thickness_nm)
        waves = vectors @ (vectors[0, :, None] * np.exp(1j * phase))
        intensity += np.abs(metric[tilt, :, None] * waves) ** 2
    return hkl, intensity / len(tilts)


# --- the set --------------------------------------------------------------------------------------


def make(name: str, first: int, last: int, out: Path) -> None:
    """Compute the orientations first to last of a crystal's set, and write them."""
    max_g, max_s = BEAMS[name]
    crystal = build_crystal(name, max_g, debye_waller(name))
    quaternions, group, names = orientations(name)
    quaternions, group = quaternions[first:last], group[first:last]
    tilts = beam_tilts(TILTS, PRECESSION_DEG, CONVERGENCE_MRAD)
    lattices, indices, intensities, beams = [], [], [], 0
    started = time.perf_counter()
    for to_crystal in matrices(quaternions):
        hkl, intensity = diffract(crystal, to_crystal, np.array(THICKNESS_NM), tilts, max_s, max_g)
        beams += len(hkl)
        lattice = crystal.lattice @ to_crystal
        stored = np.linalg.norm((hkl @ lattice)[:, :2], axis=1) <= KEPT_G
        stored &= intensity.max(axis=1) >= LEAST
        lattices.append(lattice[:, :2])
        indices.append(hkl[stored])
        intensities.append(intensity[stored])
    took = time.perf_counter() - started
    meta = settings(name, names) | {"mean_beams": beams / len(quaternions), "seconds": took}
    write(
        out, meta, quaternions, group, np.array([len(h) for h in indices]),
        np.concatenate(indices), np.concatenate(intensities), np.array(lattices),
    )  # fmt: skip
    print(
        f"{name} {first}-{first + len(quaternions)}: {took:.0f} s, {meta['mean_beams']:.0f} beams"
    )


def debye_waller(name: str) -> dict[str, float]:
    return {el: DEBYE_WALLER[el] for el in set(build_atoms(name).get_chemical_symbols())}


def settings(name: str, groups: list[str]) -> dict[str, Any]:
    import abtem

    return {
        "crystal": name, "groups": groups, "library": f"abTEM {abtem.__version__}",
        "voltage_kv": VOLTAGE_KV, "precession_deg": PRECESSION_DEG,
        "convergence_mrad": CONVERGENCE_MRAD, "thickness_nm": THICKNESS_NM, "tilts": TILTS,
        "max_g": BEAMS[name][0], "max_s": BEAMS[name][1], "kept_g": KEPT_G, "least": LEAST,
        "debye_waller": debye_waller(name), "seed": SEED, "near_deg": NEAR_DEG,
        "frame": "x right, y down, z into the page, beam along -z; lab2crystal, scalar first",
    }  # fmt: skip


def write(
    out: Path, meta: dict[str, Any], quaternions: np.ndarray, group: np.ndarray,
    counts: np.ndarray, hkl: np.ndarray, intensity: np.ndarray, lattice: np.ndarray,
) -> None:  # fmt: skip
    if np.abs(hkl).max() > 127:
        raise ValueError("Miller indices do not fit 8 bits")
    np.savez_compressed(
        out,
        meta=np.array(json.dumps(meta)),
        quaternions=quaternions,
        group=group,
        starts=np.append(0, np.cumsum(counts)),
        hkl=hkl.astype(np.int8),
        intensity=intensity.astype(np.float16),
        lattice=lattice.astype(np.float32),
    )


def join(parts: list[Path], out: Path) -> None:
    """Put the parts of one set together."""
    files = [np.load(part, allow_pickle=False) for part in parts]
    metas = [json.loads(str(file["meta"])) for file in files]
    sizes = [len(file["quaternions"]) for file in files]
    same = [{k: v for k, v in m.items() if k not in ("mean_beams", "seconds")} for m in metas]
    if any(other != same[0] for other in same):
        raise ValueError("the parts were made with different settings")
    beams = float(np.average([m["mean_beams"] for m in metas], weights=sizes))
    meta = same[0] | {"mean_beams": beams, "seconds": sum(m["seconds"] for m in metas)}
    whole = {
        name: np.concatenate([file[name] for file in files])
        for name in ("quaternions", "group", "hkl", "intensity", "lattice")
    }
    counts = np.concatenate([np.diff(file["starts"]) for file in files])
    expected, group, _ = orientations(meta["crystal"])
    if not (
        np.array_equal(whole["quaternions"], expected) and np.array_equal(whole["group"], group)
    ):
        raise ValueError("the parts are not the whole set, in its order")
    write(out, meta, whole["quaternions"], group, counts, whole["hkl"], whole["intensity"],
          whole["lattice"])  # fmt: skip
    print(f"{out}: {sum(sizes)} patterns, {out.stat().st_size / 1e6:.2f} MB")


# --- checks ---------------------------------------------------------------------------------------


def check_against_abtem(crystal: Crystal, quaternions: np.ndarray) -> float:
    """Largest difference of an intensity from abTEM's own BlochWaves, without precession."""
    from abtem.bloch.dynamical import BlochWaves, StructureFactor

    max_g, max_s = BEAMS[crystal.name]
    sigma = {el: math.sqrt(b / (8 * math.pi**2)) for el, b in debye_waller(crystal.name).items()}
    factors = StructureFactor(
        build_atoms(crystal.name), 2 * max_g + 0.2, thermal_sigma=sigma, centering="P"
    )
    thickness, worst = np.array(THICKNESS_NM), 0.0
    for to_crystal in matrices(quaternions):
        waves = BlochWaves(
            factors, VOLTAGE_KV * 1e3, max_s, max_g, centering="P",
            orientation_matrix=(to_crystal @ TO_ABTEM).T,
        )  # fmt: skip
        theirs = waves.calculate_diffraction_patterns(10 * thickness, lazy=False)
        known = {tuple(h): i for h, i in zip(waves.hkl, np.asarray(theirs.array).T, strict=True)}
        ours = diffract(crystal, to_crystal, thickness, np.zeros((1, 2)), max_s, max_g)
        for hkl, intensity in zip(*ours, strict=True):
            worst = max(worst, np.abs(intensity - known.pop(tuple(hkl))).max())
        # beams that abTEM has and we have not are those that the centring forbids
        worst = max([worst, *(np.abs(i).max() for i in known.values())])
    return float(worst)


def check_two_beams(crystal: Crystal) -> float:
    """Largest gap to sin^2(pi t sqrt(s^2 + 1/xi^2)) / (1 + (s xi)^2), xi = 1 / (lambda U_g)."""
    g = np.array([0, 0, 3] if crystal.name == "LiNiO2" else [2, 0, 0])
    length = float(np.linalg.norm(g @ crystal.lattice))
    only = Crystal(crystal.name, crystal.lattice, g[None], crystal.potential, crystal.wavelength)
    xi = 1 / (crystal.wavelength * abs(crystal.potential[tuple(g)]))
    thickness = np.linspace(1, 150, 80)
    along, worst = g @ crystal.lattice / length, 0.0
    for s in (0.0, 5e-4, -2e-3, 5e-3):
        # lab x along g, tilted until g has this s; lab z of any direction across
        z = -s - 0.5 * crystal.wavelength * length**2  # in abTEM's frame
        to_x = turn_between(np.array([1.0, 0, 0]), along)
        tilt = math.asin(-z / length)  # our z is abTEM's -z
        tilted_q = quaternion_product(
            to_x, np.array([math.cos(tilt / 2), 0, math.sin(tilt / 2), 0])
        )
        _, ours = diffract(only, matrices(tilted_q[None])[0], thickness, np.zeros((1, 2)), 1, 9)
        root = np.sqrt(s**2 + 1 / xi**2)
        theory = np.sin(np.pi * 10 * thickness * root) ** 2 / (xi * root) ** 2
        worst = max(worst, np.abs(ours[1] - theory).max())
    return worst


def check_friedel(crystal: Crystal) -> float:
    """Largest difference of I_g and I_-g at the zone axis [0001] or [001], zero layer only."""
    flat = Crystal(
        crystal.name, crystal.lattice, crystal.hkl[crystal.hkl[:, 2] == 0], crystal.potential,
        crystal.wavelength,
    )  # fmt: skip
    thickness = np.array(THICKNESS_NM)
    hkl, found = diffract(flat, np.eye(3), thickness, np.zeros((1, 2)), *BEAMS[crystal.name][::-1])
    known = {tuple(h): i for h, i in zip(hkl, found, strict=True)}
    return float(max(np.abs(i - known[tuple(-h)]).max() for h, i in zip(hkl, found, strict=True)))


def difference(a: tuple[np.ndarray, np.ndarray], b: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    """Sum |I - I'| / sum I' of the diffracted beams within ``KEPT_G``, for each thickness."""
    known = {tuple(h): i for h, i in zip(*a, strict=True)}
    gap, total = 0.0, 0.0
    for hkl, intensity in zip(b[0][1:], b[1][1:], strict=True):
        gap = gap + np.abs(known.pop(tuple(hkl), 0 * intensity) - intensity)
        total = total + intensity
    return np.asarray(gap / total)


def check_convergence(crystal: Crystal, quaternions: np.ndarray) -> None:
    """Print how much intensities change with more beams and more tilts."""
    max_g, max_s = BEAMS[crystal.name]
    wide = build_crystal(crystal.name, 1.25 * max_g, debye_waller(crystal.name))
    thickness = np.array(THICKNESS_NM)
    few, many = (beam_tilts(n, PRECESSION_DEG, CONVERGENCE_MRAD) for n in (TILTS, 4 * TILTS))
    rows: dict[str, list[np.ndarray]] = {"length x 1.25": [], "|s| x 1.5": [], "tilts x 4": []}
    for m in matrices(quaternions):
        used = diffract(crystal, m, thickness, few, max_s, max_g)
        rows["length x 1.25"].append(
            difference(used, diffract(wide, m, thickness, few, max_s, 1.25 * max_g))
        )
        rows["|s| x 1.5"].append(
            difference(used, diffract(crystal, m, thickness, few, 1.5 * max_s, max_g))
        )
        rows["tilts x 4"].append(
            difference(used, diffract(crystal, m, thickness, many, max_s, max_g))
        )
    for what, values in rows.items():
        shown = " ".join(f"{100 * v:5.1f}" for v in np.mean(values, axis=0))
        print(f"  {what:>14}: sum |dI| / sum I at {THICKNESS_NM} nm: {shown} %", flush=True)


def check() -> None:
    for name, (max_g, max_s) in BEAMS.items():
        crystal = build_crystal(name, max_g, debye_waller(name))
        quaternions, group, _ = orientations(name)
        some = np.concatenate([quaternions[group == g][:3] for g in np.unique(group)])
        print(f"{name}: {len(crystal.hkl)} reflections within {max_g} 1/angstrom")
        print(
            f"  largest difference from abTEM's BlochWaves {check_against_abtem(crystal, some):.1e}"
        )
        print(f"  largest difference from two beams' formula {check_two_beams(crystal):.1e}")
        print(f"  largest difference of Friedel pairs {check_friedel(crystal):.1e}")
        tilts = beam_tilts(8, PRECESSION_DEG, CONVERGENCE_MRAD)
        sums = [
            diffract(crystal, m, np.array(THICKNESS_NM), tilts, max_s, max_g)[1].sum(axis=0)
            for m in matrices(some)
        ]
        print(
            f"  intensities add up to 1 within {np.abs(np.array(sums) - 1).max():.1e}", flush=True
        )
        check_convergence(crystal, some[::2])


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=("check", "make", "join"))
    parser.add_argument("parts", nargs="*", type=Path)
    parser.add_argument("--crystal", choices=tuple(BEAMS), default="LiNiO2")
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--last", type=int)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    if options.what == "check":
        check()
        return
    out = options.out or DATA / f"bloch_{options.crystal}.npz"
    if options.what == "join":
        join(options.parts, out)
    else:
        total = RANDOM + NEAR * len(ZONES[options.crystal])
        make(options.crystal, options.first, options.last or total, out)


if __name__ == "__main__":
    main()
