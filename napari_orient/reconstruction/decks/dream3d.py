"""How does DREAM.3D take a volume? As HDF5, version 8 (DREAM3D-NX), with an XDMF file beside it.

Groups and attributes: those that simplnx (https://github.com/BlueQuartzSoftware/simplnx) writes and
its reader asks for; each object has a number, a type and its sizes, the slowest axis first. Grain 0
and phase 0 are no grain and no phase. Euler angles are Bunge's, passive, in radians, float32;
hexagonal crystals have x || a, as DREAM.3D itself (the convention of TSL).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import escape

import numpy as np

from napari_orient.jobs import Progress
from napari_orient.reconstruction.decks.volume import CRYSTAL, FRAME, Found

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_orient.jobs import Job
    from napari_orient.reconstruction.decks.volume import DeckVolume

GEOMETRY = "DataContainer"
CELLS, FEATURES, ENSEMBLES = "CellData", "CellFeatureData", "CellEnsembleData"
_CRYSTALS = {
    "6/mmm": 0, "m-3m": 1, "6/m": 2, "m-3": 3, "-1": 4, "2/m": 5, "mmm": 6, "4/m": 7, "4/mmm": 8,
    "-3": 9, "-3m": 10,
}  # fmt: skip
_NO_CRYSTAL = 999
_MICROMETRE = 6  # place in simplnx's list of units of length
_KINDS = {"f4": "float32", "i4": "int32", "u4": "uint32", "u1": "uint8"}
_XDMF = {"f4": ("Float", 4), "i4": ("Int", 4), "u1": ("UChar", 1)}


class _Writer:
    """Writes objects with the attributes that DREAM.3D asks for, and counts them."""

    def __init__(self) -> None:
        self.next = 1

    def describe(self, item: Any, kind: str) -> int:
        """Give an object its type and number; return the number."""
        number = self.next
        item.attrs["ObjectType"] = np.bytes_(kind)
        item.attrs["ObjectId"] = np.array([number], np.uint64)
        item.attrs["Importable"] = np.array([1], np.int32)
        self.next += 1
        return number

    def matrix(self, parent: Any, name: str, shape: tuple[int, ...]) -> tuple[Any, int]:
        """Make an attribute matrix, a group of arrays (shape, components)."""
        group = parent.create_group(name)
        group.attrs["TupleDims"] = np.array(shape, np.uint64)
        return group, self.describe(group, "AttributeMatrix")

    def array(self, group: Any, name: str, values: NDArray[Any], tuples: int) -> None:
        """Write an array whose first ``tuples`` axes are those of its matrix."""
        if values.ndim == tuples:
            values = values[..., None]
        made = group.create_dataset(name, data=values)
        made.attrs["TupleDimensions"] = np.array(values.shape[:tuples], np.uint64)
        made.attrs["ComponentDimensions"] = np.array(values.shape[tuples:], np.uint64)
        self.describe(made, f"DataArray<{_KINDS[values.dtype.str[1:]]}>")

    def words(self, group: Any, name: str, words: list[str]) -> None:
        """Write strings."""
        import h5py

        made = group.create_dataset(name, data=words, dtype=h5py.string_dtype())
        made.attrs["TupleDimensions"] = np.array([len(words)], np.uint64)
        self.describe(made, "StringArray")


def write_dream3d(volume: DeckVolume, folder: Path, name: str) -> Job[tuple[str, ...]]:
    """Write ``name`` and an .xdmf beside it into a folder; return the names of both."""
    import h5py

    yield Progress(0, 2, "Writing")
    with h5py.File(folder / name, "w") as file:
        file.attrs["FileVersion"] = np.bytes_("8.0")
        file.attrs["napari-orient"] = f"{FRAME} Lengths in micrometres. {CRYSTAL}"
        _no_pipeline(file)
        writer = _Writer()
        top = file.create_group("DataStructure")
        image = top.create_group(GEOMETRY)
        writer.describe(image, "ImageGeom")
        image.attrs["_DIMENSIONS"] = np.array(volume.cells, np.uint64)
        image.attrs["_ORIGIN"] = np.zeros(3, np.float32)
        image.attrs["_SPACING"] = np.array([s * 1e6 for s in volume.spacing], np.float32)
        image.attrs["Units"] = np.array([_MICROMETRE], np.uint32)
        group, number = writer.matrix(image, CELLS, volume.ids.shape)
        image.attrs["Cell Data ID"] = np.array([number], np.uint64)
        _write_cells(writer, group, volume)
        _write_features(writer, image, volume)
        _write_ensembles(writer, image, volume)
        top.attrs["NextObjectId"] = np.array([writer.next], np.uint64)
    xdmf = f"{name.rsplit('.', 1)[0]}.xdmf"
    (folder / xdmf).write_text(_xdmf(volume, name), encoding="utf-8", newline="\n")
    return (name, xdmf)


def _no_pipeline(file: Any) -> None:
    """Leave the history of filters empty: DREAM3D-NX looks for it when it opens a file."""
    group = file.create_group("Pipeline")
    group.attrs["Current Pipeline"] = np.bytes_("napari-orient")
    group.attrs["Pipeline Version"] = np.array([3], np.int32)
    text = '{"isDisabled":false,"name":"napari-orient","pipeline":[],"version":1}'
    group.create_dataset("Pipeline", data=np.bytes_(text))


def _euler(volume: DeckVolume) -> NDArray[np.float32]:
    from napari_orient.crystal.rotations import to_euler

    return np.asarray(np.radians(to_euler(volume.quaternions)), np.float32)


def _write_cells(writer: _Writer, group: Any, volume: DeckVolume) -> None:
    writer.array(group, "FeatureIds", volume.ids + np.int32(1), 3)
    writer.array(group, "Phases", np.ones(volume.ids.shape, np.int32), 3)
    writer.array(group, "EulerAngles", _euler(volume)[volume.ids], 3)
    if volume.phase.point_group is not None:
        writer.array(group, "IPFColors", _colours(volume)[volume.ids], 3)


def _colours(volume: DeckVolume) -> NDArray[np.uint8]:
    from napari_orient.crystal.colors import ipf_colors

    rgb = ipf_colors(volume.quaternions, volume.phase.point_group, "Z")
    return np.asarray(np.rint(255 * rgb), np.uint8)


def _write_features(writer: _Writer, image: Any, volume: DeckVolume) -> None:
    """Grains from 1; row 0 is that of no grain."""
    count = len(volume.quaternions)
    group, _ = writer.matrix(image, FEATURES, (count + 1,))
    sizes = np.bincount(volume.ids.ravel(), minlength=count).astype(np.int32)
    zero = np.zeros((1, 3), np.float32)
    writer.array(group, "EulerAngles", np.concatenate([zero, _euler(volume)]), 1)
    writer.array(group, "Phases", np.minimum(np.arange(count + 1), 1).astype(np.int32), 1)
    writer.array(group, "NumElements", np.concatenate([[0], sizes]).astype(np.int32), 1)
    numbers = np.concatenate([[0], volume.grains]).astype(np.int32)
    writer.array(group, "GrainNumbers", numbers, 1)


def _write_ensembles(writer: _Writer, image: Any, volume: DeckVolume) -> None:
    group, _ = writer.matrix(image, ENSEMBLES, (2,))
    symmetry = volume.phase.point_group
    laue = _NO_CRYSTAL if symmetry is None else _CRYSTALS.get(symmetry.laue.name, _NO_CRYSTAL)
    writer.array(group, "CrystalStructures", np.array([_NO_CRYSTAL, laue], np.uint32), 1)
    writer.array(group, "PhaseTypes", np.array([_NO_CRYSTAL, 0], np.uint32), 1)
    cell = np.zeros((2, 6), np.float32)
    cell[1] = volume.phase.structure.lattice.abcABG()
    writer.array(group, "LatticeConstants", cell, 1)
    writer.words(group, "PhaseName", ["Unknown Phase Type", volume.phase.name or "phase"])


def _xdmf(volume: DeckVolume, name: str) -> str:
    """Description for ParaView; sizes are given in the order z, y, x."""
    cells = volume.ids.shape
    corners = " ".join(str(n + 1) for n in cells)
    edges = " ".join(repr(float(np.float32(s * 1e6))) for s in volume.step)
    attributes = [("FeatureIds", 1, "i4"), ("Phases", 1, "i4"), ("EulerAngles", 3, "f4")]
    if volume.phase.point_group is not None:
        attributes.append(("IPFColors", 3, "u1"))
    lines = [
        '<?xml version="1.0"?>', '<!DOCTYPE Xdmf SYSTEM "Xdmf.dtd"[]>',
        f"<!-- {FRAME} Lengths in micrometres. {CRYSTAL} -->".replace("||", "along"),
        '<Xdmf Version="2.2">', " <Domain>", f'  <Grid Name="{GEOMETRY}" GridType="Uniform">',
        f'   <Topology TopologyType="3DCoRectMesh" Dimensions="{corners}"/>',
        '   <Geometry GeometryType="ORIGIN_DXDYDZ">',
        '    <DataItem Format="XML" Dimensions="3">0 0 0</DataItem>',
        f'    <DataItem Format="XML" Dimensions="3">{edges}</DataItem>', "   </Geometry>",
    ]  # fmt: skip
    for array, components, code in attributes:
        kind, precision = _XDMF[code]
        size = " ".join(map(str, (*cells, components)))
        shown = "Scalar" if components == 1 else "Vector"
        place = f"{escape(name)}:/DataStructure/{GEOMETRY}/{CELLS}/{array}"
        lines += [
            f'   <Attribute Name="{array}" AttributeType="{shown}" Center="Cell">',
            f'    <DataItem Format="HDF" Dimensions="{size}" NumberType="{kind}" '
            f'Precision="{precision}">{place}</DataItem>',
            "   </Attribute>",
        ]
    return "\n".join([*lines, "  </Grid>", " </Domain>", "</Xdmf>", ""])


def read_dream3d(folder: Path, name: str) -> Job[Found]:
    """Read the file, by h5py, and by the ``damask`` package where it is installed.

    Raises
    ------
    ValueError
        If voxels and grains, or the XDMF file and this one, do not agree.
    """
    import h5py

    from napari_orient.crystal.rotations import from_euler, to_matrix
    from napari_orient.reconstruction.decks.damask import damask_package

    yield Progress(1, 2, "Reading it back")
    with h5py.File(folder / name, "r") as file:
        image = file["DataStructure"][GEOMETRY]
        ids = image[CELLS]["FeatureIds"][..., 0] - 1
        euler = np.asarray(image[FEATURES]["EulerAngles"][1:], np.float64)
        spacing = tuple(float(s) * 1e-6 for s in image.attrs["_SPACING"])
        cells = np.asarray(image[CELLS]["EulerAngles"][()], np.float64)
    if not np.array_equal(cells, euler[ids]):
        raise ValueError("Euler angles of voxels and of their grains differ")
    _check_xdmf(folder, name)
    matrices = np.asarray(to_matrix(from_euler(np.degrees(euler))))
    package = damask_package()
    if package is None:
        return Found(ids, spacing, matrices, "h5py")
    path = str(folder / name)
    grid = package.GeomGrid.load_DREAM3D(path, feature_IDs="FeatureIds", cell_data=CELLS)
    config = package.ConfigMaterial.load_DREAM3D(path, grain_data=FEATURES, cell_data=CELLS)
    q = np.array([entry["constituents"][0]["O"] for entry in config["material"]][1:])
    matrices = np.asarray(package.Rotation.from_quaternion(q).as_matrix())
    spacing = tuple(np.asarray(grid.size / grid.cells, np.float64) * 1e-6)
    ids = grid.material.transpose(2, 1, 0) - 1
    return Found(ids, spacing, matrices, f"damask {package.version}")


def _check_xdmf(folder: Path, name: str) -> None:
    """Raise ValueError if the XDMF names data that is not there, or of another size."""
    import xml.etree.ElementTree as Xml

    import h5py

    root = Xml.parse(folder / f"{name.rsplit('.', 1)[0]}.xdmf").getroot()
    with h5py.File(folder / name, "r") as file:
        for item in root.iterfind(".//Attribute/DataItem"):
            place = (item.text or "").rpartition(":")[2]
            size = tuple(int(n) for n in item.attrib["Dimensions"].split())
            if place not in file or file[place].shape != size:
                raise ValueError(f"the XDMF file names {place} {size}, which is not there")
