"""What does ParaView show of a volume? A .vti file with grains, orientations and colours."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_orient.jobs import Progress
from napari_orient.reconstruction.decks.image_data import read_image_data, write_image_data
from napari_orient.reconstruction.decks.volume import CRYSTAL, FRAME, METRES

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_orient.data.maps import OrientationMap
    from napari_orient.jobs import Job


def write_fields(volume: OrientationMap, folder: Path, name: str) -> Job[tuple[str, ...]]:
    """Write ``name`` into a folder; return its name.

    Cell data: "quaternion" (lab2crystal, scalar first), "euler" (Bunge, degrees; NaN where not
    indexed), "phase" (-1: not indexed), "ipf_x", "ipf_y", "ipf_z" (RGB, black where not indexed)
    and the properties of the volume. Lengths are in the volume's own unit.
    """
    arrays = orientation_fields(volume)
    for step, direction in enumerate("XYZ"):
        yield Progress(step, 4, f"Colouring along {direction}")
        arrays[f"ipf_{direction.lower()}"] = _colours(volume, direction)
    said = (
        f"napari-orient: {FRAME} Lengths in {volume.unit}.",
        f"{CRYSTAL} quaternion: passive, from the axes of the volume to those of the crystal, "
        "scalar first. euler: Bunge (phi1, Phi, phi2) in degrees.",
        *(f"phase {n}: {p.name}" for n, p in volume.phases.items()),
    )
    yield Progress(3, 4, "Writing")
    write_image_data(folder / name, arrays, volume.step[::-1], said)
    return (name,)


def orientation_fields(volume: OrientationMap) -> dict[str, NDArray[Any]]:
    """Orientations, phases and properties (z, y, x[, components]), in types that VTK knows."""
    arrays: dict[str, NDArray[Any]] = {
        "quaternion": volume.quaternions,
        "euler": volume.euler_degrees(),
        "phase": np.where(volume.indexed, volume.phase_id, -1).astype(np.int32),
    }
    for name, values in volume.properties.items():
        if values.dtype == bool:
            values = values.astype(np.uint8)
        elif values.dtype.kind not in "iuf" or values.dtype.itemsize not in (1, 4, 8):
            values = values.astype(np.float64)
        arrays.setdefault(name, values.astype(values.dtype.newbyteorder("<")))
    return arrays


def _colours(volume: OrientationMap, direction: Any) -> NDArray[np.uint8]:
    from napari_orient.crystal.colors import ipf_image

    return np.ascontiguousarray(ipf_image(volume, direction)[..., :3])


def read_fields(
    folder: Path, name: str, unit: str
) -> Job[tuple[dict[str, NDArray[Any]], tuple[float, ...], str]]:
    """Read the file: cell data, voxel edges x, y, z in metres, and who read it.

    By VTK where it is installed.
    """
    yield Progress(4, 4, "Reading it back")
    image = read_image_data(folder / name)
    arrays, spacing, reader = image.arrays, image.spacing, "napari-orient"
    try:
        from vtkmodules.util.numpy_support import vtk_to_numpy
        from vtkmodules.vtkCommonCore import vtkVersion
        from vtkmodules.vtkIOXML import vtkXMLImageDataReader
    except ImportError:
        pass
    else:
        source = vtkXMLImageDataReader()
        source.SetFileName(str(folder / name))
        source.Update()
        seen = source.GetOutput()
        cells, data = image.cells[::-1], seen.GetCellData()
        flat = {n: vtk_to_numpy(data.GetArray(n)) for n in arrays}
        arrays = {n: a.reshape(*cells, *a.shape[1:]) for n, a in flat.items()}
        spacing, reader = seen.GetSpacing(), f"vtk {vtkVersion.GetVTKVersion()}"
    return arrays, tuple(s * METRES[unit] for s in spacing), reader
