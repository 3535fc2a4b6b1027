"""Match patterns with pyxem, in an environment of its own; started by ``matching_speed.py``.

    python pyxem_matching.py FOLDER

FOLDER holds patterns.npy (n, ky, kx) with the background off and intensities levelled,
directions.npy (T, 4) and task.json; written there are found_{own,same}.npy (n, 4) and result.json.
Two libraries: pyxem's own sampling at the spacing, as its users take it, and the very directions of
the other program. pyxem mirrors both in the plane. Seconds are those of the processor; compilation
is left out.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from pathlib import Path

import dask
import hyperspy.api as hs
import numpy as np
from diffpy.structure import Atom, Lattice, Structure
from diffsims.generators.simulation_generator import SimulationGenerator
from orix.crystal_map import Phase
from orix.quaternion import Rotation
from orix.sampling import get_sample_reduced_fundamental
from pyxem.signals import ElectronDiffraction2D


def phase_of(task: dict) -> Phase:
    atoms = [Atom(a["element"], a["xyz"]) for a in task["atoms"]]
    structure = Structure(atoms, Lattice(*task["lattice"]))
    return Phase(task["phase"], task["space_group"], structure=structure)


def match(polar: object, phase: Phase, rotations: Rotation, task: dict) -> tuple[dict, np.ndarray]:
    start = time.process_time()
    generator = SimulationGenerator(
        accelerating_voltage=task["voltage_kv"], precession_angle=task["precession_deg"],
        minimum_intensity=1e-4, approximate_precession=True,
    )  # fmt: skip
    simulation = generator.calculate_diffraction2d(
        phase, rotation=rotations, reciprocal_radius=task["max_g"], max_excitation_error=0.02,
        with_direct_beam=False,
    )  # fmt: skip
    built = time.process_time() - start
    polar.inav[:, :1].get_orientation(simulation, n_best=1, frac_keep=1.0)  # compiled once
    start = time.process_time()
    result = polar.get_orientation(simulation, n_best=1, frac_keep=1.0)
    found = result.to_single_phase_orientations()
    seconds = time.process_time() - start
    # its y axis points up: half a turn about x
    found = Rotation(found.data) * Rotation([0, 1, 0, 0])
    quaternions = np.asarray(found.data).reshape(task["n"], -1, 4)[:, 0]
    told = {
        "templates": int(rotations.size), "build_seconds": built,
        "patterns_per_second": task["n"] / seconds,
    }  # fmt: skip
    return told, quaternions


def main() -> None:
    dask.config.set(scheduler="single-threaded")
    hs.preferences.General.show_progressbar = False
    folder = Path(sys.argv[1])
    task = json.loads((folder / "task.json").read_text())
    patterns = np.load(folder / "patterns.npy")
    task["n"] = len(patterns)
    phase = phase_of(task)
    signal = ElectronDiffraction2D(patterns.reshape(-1, 8, *patterns.shape[1:]))
    signal.set_diffraction_calibration(task["pixel_size"])
    signal.calibration.center = None
    unroll = {"npt": task["rings"], "npt_azim": 360, "radial_range": (task["min_g"], task["max_g"])}
    signal.get_azimuthal_integral2d(mean=True, **unroll)
    start = time.process_time()
    polar = signal.get_azimuthal_integral2d(mean=True, **unroll)
    prepared = time.process_time() - start
    libraries = {
        "own": get_sample_reduced_fundamental(task["spacing_deg"], point_group=phase.point_group),
        "same": Rotation(np.load(folder / "directions.npy")),
    }
    told = {}
    for name, rotations in libraries.items():
        one, found = match(polar, phase, rotations, task)
        rate = 1 / (1 / one["patterns_per_second"] + prepared / task["n"])
        told[name] = {**one, "patterns_per_second": rate}
        np.save(folder / f"found_{name}.npy", found)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    (folder / "result.json").write_text(json.dumps({"libraries": told, "peak_mb": peak}))


if __name__ == "__main__":
    main()
