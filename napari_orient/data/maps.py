"""Which crystal, in which orientation, is at each point? A map (y, x) or a volume (z, y, x).

Conventions. The map frame: x right (columns), y down (rows), z = x cross y (into the page).
Orientations are unit quaternions, scalar first, orix's ``lab2crystal`` (Bunge, passive): they turn
components in the map frame into components in crystal axes e1 || a, e3 || c*. What the vendor's
file means by its Euler angles is stored beside them: ``frame`` takes components in the vendor's
Euler axes to components in the map frame, ``crystal_axes`` names the vendor's crystal axes.

The file layout (HDF5, version 1) has our arrays at the top and orix's own group ``crystal_map``
with the same orientations, so that ``orix.io.load`` reads it too.
"""

from __future__ import annotations

import io
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Literal

import numpy as np

from napari_orient.data.candidates import Candidates, read_candidates, write_candidates
from napari_orient.data.indices import euler_of, name_orientation
from napari_orient.files import UnreadableFile, open_h5, replace_atomically
from napari_orient.jobs import Progress

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray
    from orix.crystal_map import CrystalMap, Phase

    from napari_orient.jobs import Job

FORMAT = "napari-orient map"
VERSION = 1
IDENTITY = (1.0, 0.0, 0.0, 0.0)
_AXES = ("z", "y", "x")
_COLOURS = (
    "tab:orange", "tab:green", "tab:red", "tab:purple", "tab:brown", "tab:pink", "tab:olive",
    "tab:cyan", "tab:gray", "tab:blue",
)  # fmt: skip

CrystalAxes = Literal["a", "a*"]


def is_hexagonal(phase: Phase) -> bool:
    """Say whether the lattice has hexagonal axes (a = b, 90, 90, 120 degrees)."""
    lattice = phase.structure.lattice
    angles = np.allclose((lattice.alpha, lattice.beta, lattice.gamma), (90, 90, 120), atol=0.1)
    return bool(angles and np.isclose(lattice.a, lattice.b, rtol=1e-3))


@dataclass(eq=False)
class OrientationMap:
    """Orientations on a regular grid, with phases and measured properties.

    Attributes
    ----------
    quaternions
        (y, x, 4) or (z, y, x, 4) float64, scalar first, ``lab2crystal``, in the map frame; the
        identity where nothing is indexed.
    phases
        Number -> orix ``Phase``. Numbers are 0 or above.
    phase_id
        (y, x) int32, -1 = not indexed. Without it, all points have the first phase.
    properties
        Name -> (y, x) array, by the names of the vendor: "IQ", "CI", "BC", "Q", "R" ...
    step
        (dy, dx) or (dz, dy, dx), in ``unit``.
    unit
        "um" or "nm".
    frame
        Unit quaternion from the vendor's Euler axes to the map frame: v_map = frame * v_vendor.
    frame_note
        What was assumed about the vendor's axes, in words.
    crystal_axes
        The vendor's crystal x axis on hexagonal lattices: "a", or "a*" (30 degrees from it).
    done
        (y, x) bool: False where no result has been computed or measured yet.
    source
        The file or process the map came from.
    origin
        Position of the first point, (y, x) in ``unit``.
    periodic
        Per axis: do opposite edges match (a synthetic map)?
    candidates
        The best few solutions of each point, where the map comes from a search that kept them.
    provenance
        How the map was computed, as plain JSON types: the task, all its settings, the version.
    """

    quaternions: NDArray[np.float64]
    phases: dict[int, Phase]
    phase_id: NDArray[np.int32] = None  # type: ignore[assignment]
    properties: dict[str, NDArray[Any]] = field(default_factory=dict)
    step: tuple[float, ...] = (1.0, 1.0)
    unit: str = "um"
    frame: tuple[float, float, float, float] = IDENTITY
    frame_note: str = "Euler axes are the map's: x right, y down, z into the page."
    crystal_axes: CrystalAxes = "a"
    done: NDArray[np.bool_] = None  # type: ignore[assignment]
    source: str = ""
    origin: tuple[float, ...] = ()
    periodic: tuple[bool, ...] = ()
    candidates: Candidates | None = None
    provenance: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.phases = _told_apart(self.phases)
        self.quaternions = np.asarray(self.quaternions, np.float64)
        if self.quaternions.ndim not in (3, 4) or self.quaternions.shape[-1] != 4:
            raise ValueError(f"quaternions: (y, x, 4) expected, not {self.quaternions.shape}")
        if 0 in self.shape:
            raise ValueError(f"a map needs at least one point, not {self.shape}")
        phase_id: Any = self.phase_id
        done: Any = self.done
        if phase_id is None:
            phase_id = np.full(self.shape, min(self.phases, default=-1))
        self.phase_id = np.asarray(phase_id, np.int32)
        self.done = np.asarray(np.ones(self.shape) if done is None else done, bool)
        self.properties = {name: np.asarray(a) for name, a in self.properties.items()}
        arrays = {"phase_id": self.phase_id, "done": self.done, **self.properties}
        for name, array in arrays.items():
            if array.shape != self.shape:
                raise ValueError(f"{name}: shape {self.shape} expected, not {array.shape}")
        if self.candidates is not None and self.candidates.shape != self.shape:
            said = f"shape {self.shape} expected, not {self.candidates.shape}"
            raise ValueError(f"candidates: {said}")
        unknown = set(np.unique(self.phase_id).tolist()) - {-1, *self.phases}
        if unknown:
            raise ValueError(f"phase_id: no phase is given for {sorted(unknown)}")
        self.step = tuple(float(s) for s in self.step)
        self.origin = tuple(float(o) for o in self.origin) or (0.0,) * len(self.shape)
        self.periodic = tuple(bool(p) for p in self.periodic) or (False,) * len(self.shape)
        for name, values in (("step", self.step), ("origin", self.origin)):
            if len(values) != len(self.shape):
                raise ValueError(f"{name}: one number per axis expected, not {values}")
        if not all(s > 0 for s in self.step):
            raise ValueError(f"step: positive numbers expected, not {self.step}")

    @property
    def shape(self) -> tuple[int, ...]:
        """(y, x) or (z, y, x)."""
        return self.quaternions.shape[:-1]

    @property
    def indexed(self) -> NDArray[np.bool_]:
        """(y, x) bool: done, and some phase was recognised."""
        return self.done & (self.phase_id >= 0)

    @property
    def axes(self) -> tuple[str, ...]:
        """Names of the axes: ("y", "x")."""
        return _AXES[-len(self.shape) :]

    def euler_degrees(self, frame: Literal["map", "vendor"] = "map") -> NDArray[np.float64]:
        """Bunge Euler angles (phi1, Phi, phi2), (..., 3), in degrees; NaN where not indexed.

        Parameters
        ----------
        frame
            "map", or "vendor": the angles of the vendor's file, in its sample and crystal axes.
        """
        from orix.quaternion import Quaternion

        quaternions = self.quaternions
        if frame == "vendor":
            quaternions = to_vendor(quaternions, self.frame)
            if self.crystal_axes == "a*":
                quaternions = turn_crystal_axes(quaternions, self.phase_id, self.phases, to="a*")
        angles = euler_of(Quaternion(quaternions).to_matrix())
        return np.where(self.indexed[..., None], angles, np.nan)

    def describe(self, *index: int) -> dict[str, Any]:
        """Say what is at one point, for a readout under the mouse.

        Returns
        -------
        facts
            "phase"; where indexed "euler" (phi1, Phi, phi2 in degrees, map frame), "orientation"
            "(hkl)[uvw]" (the low-index plane whose normal is nearest to z, into the page, and the
            direction in that plane nearest to x, to the right; four indices on hexagonal axes),
            "off" (how far these two are from z and x, in degrees); "properties", name -> number.

        Raises
        ------
        IndexError
            If the point is outside the map.
        """
        from orix.quaternion import Quaternion

        if len(index) != len(self.shape) or any(
            not 0 <= i < n for i, n in zip(index, self.shape, strict=True)
        ):
            raise IndexError(f"{index} is outside the map {self.shape}")
        if not self.done[index]:  # its properties are no numbers yet
            return {"phase": "not done yet", "properties": {}}
        facts: dict[str, Any] = {
            "properties": {n: a[index].item() for n, a in self.properties.items()}
        }
        number = int(self.phase_id[index])
        if number < 0:
            return {"phase": "not indexed", **facts}
        matrix = Quaternion(self.quaternions[index]).to_matrix()[0]
        first, tilt, third = euler_of(matrix).tolist()
        phase = self.phases[number]
        text, off = name_orientation(phase, matrix, four=is_hexagonal(phase))
        return {
            "phase": phase.name or f"phase {number}",
            "euler": (first, tilt, third),
            "orientation": text,
            "off": off,
            **facts,
        }

    def summary(self) -> dict[str, Any]:
        """Return the facts about this map as plain JSON types."""
        counts = {n: int(np.sum(self.indexed & (self.phase_id == n))) for n in self.phases}
        return {
            "kind": "map" if len(self.shape) == 2 else "volume",
            "shape": list(self.shape),
            "axes": list(self.axes),
            "step": list(self.step),
            "unit": self.unit,
            "phases": [
                {"id": n, "points": counts[n], **_summarise_phase(p)}
                for n, p in self.phases.items()
            ],
            "properties": sorted(self.properties),
            "indexed_fraction": float(np.mean(self.indexed)),
            "done_fraction": float(np.mean(self.done)),
            "frame": [float(f) for f in self.frame],
            "frame_note": self.frame_note,
            "crystal_axes": self.crystal_axes,
            "periodic": list(self.periodic),
            "source": self.source,
            "provenance": self.provenance,
        }

    def to_orix(self) -> CrystalMap:
        """Return an orix ``CrystalMap`` in the map frame; points not indexed have phase -1."""
        from orix.crystal_map import CrystalMap, PhaseList
        from orix.quaternion import Rotation

        if len(self.shape) != 2:
            raise ValueError("orix's maps have two dimensions: take one slice of the volume")
        rows, columns = np.indices(self.shape).reshape(2, -1)
        return CrystalMap(
            rotations=Rotation(self.quaternions.reshape(-1, 4)),
            phase_id=np.where(self.indexed, self.phase_id, -1).ravel(),
            y=rows * self.step[0] + self.origin[0],
            x=columns * self.step[1] + self.origin[1],
            phase_list=PhaseList(phases=dict(self.phases)),
            prop={name: array.ravel() for name, array in self.properties.items()},
            scan_unit=self.unit,
        )

    @classmethod
    def from_orix(cls, crystal_map: CrystalMap, **fields: Any) -> OrientationMap:
        """Take over an orix ``CrystalMap``; its first rotation per point, points left out not done.

        Parameters
        ----------
        crystal_map
            Its rotations are taken as given in the map frame (turn them first where they are not).
        **fields
            Further fields of the map: ``source``, ``frame_note`` ...
        """
        full = crystal_map.is_in_data.size
        rotations = np.asarray(crystal_map._rotations.data, np.float64).reshape(full, -1, 4)[:, 0]
        columns = _coordinates(crystal_map, "x", full)
        rows = _coordinates(crystal_map, "y", full)
        shape = (int(rows[0].max()) + 1, int(columns[0].max()) + 1)
        if shape[0] * shape[1] != full:
            raise ValueError(f"{full} points do not fill a {shape} grid")
        inside = np.asarray(crystal_map.is_in_data)
        place = rows[0] * shape[1] + columns[0]
        order = np.argsort(place)
        phase_id = np.asarray(crystal_map._phase_id, np.int32)[order].reshape(shape)
        phases = {int(n): p for n, p in crystal_map.phases_in_data if n >= 0}
        phases |= {int(n): p for n, p in crystal_map.phases if n >= 0}
        step = (rows[1], columns[1])
        step = (step[0] or step[1] or 1.0, step[1] or step[0] or 1.0)
        made: dict[str, Any] = {
            "properties": {
                str(name): np.asarray(dict.__getitem__(crystal_map.prop, name))[order].reshape(
                    shape
                )
                for name in crystal_map.prop
            },
            "step": step,
            "unit": "um" if crystal_map.scan_unit in ("px", "") else crystal_map.scan_unit,
            "origin": (rows[2], columns[2]),
            "done": inside[order].reshape(shape),
        }
        return cls(rotations[order].reshape(*shape, 4), phases, phase_id, **{**made, **fields})


def _coordinates(
    crystal_map: CrystalMap, axis: str, size: int
) -> tuple[NDArray[np.int64], float, float]:
    """Grid index of all points along an axis, step (0 for a single one) and origin."""
    values = getattr(crystal_map, f"_{axis}")
    if values is None or np.size(values) != size:
        return np.zeros(size, np.int64), 0.0, 0.0
    values = np.asarray(values, np.float64)
    low, gaps = float(values.min()), np.diff(np.unique(values.round(9)))
    if not len(gaps):
        return np.zeros(size, np.int64), 0.0, low
    step = float(np.median(gaps))
    return np.rint((values - low) / step).astype(np.int64), step, low


def turn_crystal_axes(
    quaternions: ArrayLike, phase_id: NDArray[np.integer], phases: dict[int, Phase], *, to: str
) -> NDArray[np.float64]:
    """Return quaternions (..., 4) whose hexagonal phases are turned to crystal axes x || ``to``.

    From x || a* to x || a ("a"), or back ("a*"): 30 degrees about c, on the crystal side.
    """
    from orix.quaternion import Quaternion

    turn = Quaternion((np.cos(np.pi / 12), 0, 0, np.sin(np.pi / 12)))  # from a* to a
    turned = (turn if to == "a" else ~turn) * Quaternion(quaternions)
    there = np.isin(phase_id, [number for number, p in phases.items() if is_hexagonal(p)])
    return np.where(there[..., None], turned.data, np.asarray(quaternions, np.float64))


def from_vendor(quaternions: ArrayLike, frame: ArrayLike) -> NDArray[np.float64]:
    """Turn ``lab2crystal`` quaternions (..., 4) from the vendor's Euler axes to the map frame."""
    from orix.quaternion import Quaternion

    return np.asarray((Quaternion(quaternions) * ~Quaternion(frame)).data)


def to_vendor(quaternions: ArrayLike, frame: ArrayLike) -> NDArray[np.float64]:
    """Undo :func:`from_vendor`."""
    from orix.quaternion import Quaternion

    return np.asarray((Quaternion(quaternions) * Quaternion(frame)).data)


def _structure(lattice: Any, atoms: Any = ()) -> Any:
    from diffpy.structure import Structure

    return Structure(lattice=lattice, atoms=list(atoms))


def _told_apart(phases: dict[int, Phase]) -> dict[int, Phase]:
    """Return phases of different colours: vendors name none, and orix then makes all blue."""
    free = [colour for colour in _COLOURS if colour not in {p.color for p in phases.values()}]
    used: set[str] = set()
    made = {}
    for number, phase in phases.items():
        if phase.color in used and free:
            phase = phase.deepcopy()
            phase.color = free.pop(0)
        used.add(phase.color)
        made[number] = phase
    return made


# --- phases and files ----------------------------------------------------------------------------


def _summarise_phase(phase: Phase) -> dict[str, Any]:
    group = phase.point_group
    return {
        "name": phase.name,
        "point_group": None if group is None else group.name,
        "laue_group": None if group is None else group.laue.name,
        "space_group": None if phase.space_group is None else phase.space_group.number,
        "lattice": [round(float(v), 6) for v in phase.structure.lattice.abcABG()],
    }


def phase_to_json(phase: Phase) -> str:
    """JSON of a phase; atoms and the lattice's base rotation make it the same again in orix."""
    structure = phase.structure
    atoms = [
        {"element": a.element, "xyz": [float(v) for v in a.xyz], "occupancy": float(a.occupancy)}
        for a in structure
    ]
    facts = _summarise_phase(phase)
    facts["lattice"] = [float(v) for v in structure.lattice.abcABG()]
    baserot = np.asarray(structure.lattice.baserot).tolist()
    return json.dumps({**facts, "baserot": baserot, "atoms": atoms, "color": phase.color})


def phase_from_json(text: str) -> Phase:
    """Make the phase that :func:`phase_to_json` wrote."""
    from diffpy.structure import Atom, Lattice
    from orix.crystal_map import Phase

    facts = json.loads(text)
    lattice = Lattice(*facts["lattice"], baserot=np.array(facts["baserot"]))
    atoms = [Atom(a["element"], a["xyz"], occupancy=a["occupancy"]) for a in facts["atoms"]]
    group = {"space_group": facts["space_group"]}
    if facts["space_group"] is None:
        group = {"point_group": facts["point_group"]}
    return Phase(
        name=facts["name"], structure=_structure(lattice, atoms), color=facts["color"], **group
    )


def save_map(orientation_map: OrientationMap, path: str | Path) -> Job[Path]:
    """Write a map or a volume as HDF5; the file appears whole or not at all.

    A two-dimensional map is also readable by ``orix.io.load``.

    Yields
    ------
    Progress
        Without a total: a large map takes seconds.

    Returns
    -------
    Path
        Where it was written.

    Raises
    ------
    UnreadableFile
        If the file cannot be written.
    """
    import h5py

    yield Progress(0, 0)
    made, flat = io.BytesIO(), len(orientation_map.shape) == 2
    if flat:
        save_orix(orientation_map, made)
    with h5py.File(made, "a" if flat else "w") as file:
        fill_group(file, orientation_map)
    try:
        with replace_atomically(path) as temporary:
            # made in memory: HDF5 ends the process where a disk is full
            temporary.write_bytes(made.getbuffer())
    except OSError as error:
        cure = "Choose another folder, or make room there."
        raise UnreadableFile(
            path, f"cannot be written ({error.strerror or error})", cure
        ) from error
    return Path(path)


def save_orix(orientation_map: OrientationMap, path: Path | BinaryIO) -> None:
    """Write a map (y, x) as orix's HDF5, over whatever ``path`` holds: a file, or memory."""
    import h5py
    from orix.io.plugins import orix_hdf5
    from orix.quaternion import Quaternion

    orix_hdf5.file_writer(path, orientation_map.to_orix())
    # orix 0.15 stores other angles than it means at Phi = 180; what it reads is right
    matrices = Quaternion(orientation_map.quaternions.reshape(-1, 4)).to_matrix()
    with h5py.File(path, "a") as file:
        for column, name in enumerate(("phi1", "Phi", "phi2")):
            file[f"crystal_map/data/{name}"][...] = np.radians(euler_of(matrices)[:, column])


def fill_group(file: Any, orientation_map: OrientationMap) -> None:
    """Write a map into an empty HDF5 file or group, in the layout of our map files."""
    m = orientation_map
    packed = {"compression": "gzip", "compression_opts": 1, "shuffle": True}
    for name in ("quaternions", "phase_id", "done"):
        file.create_dataset(name, data=getattr(m, name), **packed)
    properties = file.create_group("properties")
    for number, (name, array) in enumerate(m.properties.items()):
        data = properties.create_dataset(str(number), data=array, **packed)
        data.attrs["name"] = name  # a name may hold a slash, which HDF5 would read as a folder
    if m.candidates is not None:
        write_candidates(file.create_group("candidates"), m.candidates, **packed)
    phases = file.create_group("phases")
    for key, phase in m.phases.items():
        phases.attrs[str(key)] = phase_to_json(phase)
    file.attrs.update(
        {
            "format": FORMAT, "format_version": VERSION, "kind": m.summary()["kind"],
            "axes": json.dumps(m.axes), "step": m.step, "unit": m.unit, "origin": m.origin,
            "periodic": np.array(m.periodic), "frame": m.frame, "frame_note": m.frame_note,
            "crystal_axes": m.crystal_axes, "source": m.source,
            "provenance": json.dumps(m.provenance),
            "convention": "quaternions scalar first, lab2crystal (Bunge, passive); map frame x "
            "right, y down, z into the page; crystal axes e1 || a, e3 || c*",
        }
    )  # fmt: skip


def load_map(path: str | Path) -> OrientationMap:
    """Read a map or volume written by :func:`save_map`.

    Raises
    ------
    UnreadableFile
        If it is no such file, is damaged, or comes from a newer version.
    """
    with open_h5(path) as file:
        if file.attrs.get("format") != FORMAT:
            raise UnreadableFile(
                path,
                "is no map of napari-orient",
                "Open it as a scan, or export it as .ang or .ctf.",
            )
        if int(file.attrs["format_version"]) > VERSION:
            raise UnreadableFile(
                path, "was written by a newer napari-orient", "Update with pip install -U."
            )
        try:
            return read_group(file)
        except (KeyError, ValueError, OSError) as error:
            raise UnreadableFile(
                path, f"is a damaged map ({error})", "Copy it again, or export it again."
            ) from error


def read_group(file: Any) -> OrientationMap:
    """Read a map from an HDF5 file or group in the layout of our map files."""
    attributes = file.attrs
    a, b, c, d = (float(f) for f in attributes["frame"])
    properties = sorted(file["properties"].items(), key=lambda item: int(item[0]))
    phases = {int(key): phase_from_json(text) for key, text in file["phases"].attrs.items()}
    return OrientationMap(
        quaternions=file["quaternions"][()],
        phases=dict(sorted(phases.items())),
        phase_id=file["phase_id"][()],
        properties={str(data.attrs["name"]): data[()] for _, data in properties},
        step=tuple(attributes["step"]),
        unit=str(attributes["unit"]),
        frame=(a, b, c, d),
        frame_note=str(attributes["frame_note"]),
        crystal_axes="a*" if attributes["crystal_axes"] == "a*" else "a",
        done=file["done"][()],
        source=str(attributes["source"]),
        origin=tuple(attributes["origin"]),
        periodic=tuple(attributes["periodic"]),
        # files of older versions have neither
        candidates=read_candidates(file["candidates"]) if "candidates" in file else None,
        provenance=json.loads(attributes.get("provenance", "{}")),
    )
