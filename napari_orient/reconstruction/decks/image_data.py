"""How is a volume written as VTK ImageData (.vti), and read again?

XML with inline base64 (https://docs.vtk.org/en/latest/vtk_file_formats/vtkxml_file_format.html):
the data of each array on a line of its own, x fastest, raw or in zlib blocks. This is all that
DAMASK's solver reads; its own files are of this kind too.
"""

from __future__ import annotations

import base64
import re
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from xml.sax.saxutils import escape

import numpy as np

from napari_orient.files import UnreadableFile, check_file

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

_TYPES = {
    "Int8": "<i1", "UInt8": "<u1", "Int16": "<i2", "UInt16": "<u2", "Int32": "<i4", "UInt32": "<u4",
    "Int64": "<i8", "UInt64": "<u8", "Float32": "<f4", "Float64": "<f8",
}  # fmt: skip
_BLOCK = 32768


class ImageData(NamedTuple):
    """Cells (nx, ny, nz), spacing and origin along x, y, z; arrays (z, y, x[, components])."""

    cells: tuple[int, ...]
    spacing: tuple[float, ...]
    origin: tuple[float, ...]
    arrays: dict[str, NDArray[Any]]
    comments: tuple[str, ...]


def write_image_data(
    path: str | Path,
    arrays: Mapping[str, NDArray[Any]],
    spacing: Sequence[float],
    comments: Sequence[str] = (),
    *,
    compress: bool = True,
) -> None:
    """Write cell data, with its corner at the origin.

    Parameters
    ----------
    path
        The file.
    arrays
        Name -> (z, y, x) or (z, y, x, components).
    spacing
        Edges of a voxel along x, y, z.
    comments
        Lines of text, ASCII; VTK shows them as the field "comments".
    """
    shape = next(iter(arrays.values())).shape[:3]
    extent = " ".join(f"0 {n}" for n in shape[::-1])
    edges = " ".join(repr(float(s)) for s in spacing)
    packed = ' compressor="vtkZLibDataCompressor"' if compress else ""
    lines = [
        '<?xml version="1.0"?>',
        '<VTKFile type="ImageData" version="0.1" byte_order="LittleEndian" header_type="UInt32"'
        f"{packed}>",
        f'  <ImageData WholeExtent="{extent}" Origin="0 0 0" Spacing="{edges}" '
        'Direction="1 0 0 0 1 0 0 0 1">',
        *_field(comments),
        f'    <Piece Extent="{extent}">', "      <PointData>", "      </PointData>",
        "      <CellData>",
    ]  # fmt: skip
    for name, array in arrays.items():
        lines += _array(name, array, compress)
    lines += ["      </CellData>", "    </Piece>", "  </ImageData>", "</VTKFile>", ""]
    Path(path).write_text("\n".join(lines), encoding="ascii", newline="\n")


def _field(comments: Sequence[str]) -> list[str]:
    """Comments as VTK stores strings: the codes of their letters, each string ended by 0."""
    if not comments:
        return []
    codes = " ".join(str(c) for line in comments for c in (*line.encode("ascii", "replace"), 0))
    head = f'<Array type="String" Name="comments" NumberOfTuples="{len(comments)}" format="ascii">'
    return ["    <FieldData>", f"      {head}", f"        {codes}", "      </Array>",
            "    </FieldData>"]  # fmt: skip


def _array(name: str, array: NDArray[Any], compress: bool) -> list[str]:
    kind = next((k for k, code in _TYPES.items() if np.dtype(code) == array.dtype), None)
    if kind is None:
        raise ValueError(f"{name}: VTK has no type for {array.dtype}")
    several = f' NumberOfComponents="{array.shape[3]}"' if array.ndim == 4 else ""
    raw = np.ascontiguousarray(array, _TYPES[kind]).tobytes()
    head = f'<DataArray type="{kind}" Name="{escape(name)}"{several} format="binary">'
    text = _zipped(raw) if compress else _plain(raw)
    return [f"        {head}", f"          {text}", "        </DataArray>"]


def _plain(raw: bytes) -> str:
    return base64.b64encode(np.uint32(len(raw)).tobytes() + raw).decode("ascii")


def _zipped(raw: bytes) -> str:
    """Number of blocks, their size, that of the last one, the packed sizes; then the blocks."""
    blocks = [zlib.compress(raw[i : i + _BLOCK]) for i in range(0, len(raw), _BLOCK)]
    head = [len(blocks), _BLOCK, len(raw) % _BLOCK, *map(len, blocks)]
    parts = (np.array(head, "<u4").tobytes(), b"".join(blocks))
    return "".join(base64.b64encode(part).decode("ascii") for part in parts)


def read_image_data(path: str | Path) -> ImageData:
    """Read a file that :func:`write_image_data` or DAMASK wrote.

    Raises
    ------
    UnreadableFile
        If it is not such a file.
    """
    import xml.etree.ElementTree as Xml

    path = check_file(path)
    try:
        root = Xml.parse(path).getroot()
        image = root.find("ImageData")
        if image is None:
            raise ValueError("it holds no ImageData")
        extent = [int(n) for n in image.attrib["WholeExtent"].split()]
        cells = tuple(extent[1::2])
        wide = root.get("header_type") == "UInt64"
        packed = root.get("compressor") is not None
        arrays = {}
        for item in image.iterfind("Piece/CellData/DataArray"):
            flat = _values(item.text or "", _TYPES[item.attrib["type"]], packed, wide)
            tail = (-1,) if int(item.get("NumberOfComponents", 1)) > 1 else ()
            arrays[item.attrib["Name"]] = flat.reshape(*cells[::-1], *tail)
        spacing, origin = (
            tuple(float(n) for n in image.attrib[name].split()) for name in ("Spacing", "Origin")
        )
        return ImageData(cells, spacing, origin, arrays, _comments(image, packed, wide))
    except (Xml.ParseError, ValueError, KeyError, zlib.error, IndexError) as error:
        raise UnreadableFile(
            path, f"is no VTK ImageData that can be read ({error})", "Write it again."
        ) from error


def _comments(image: Any, packed: bool, wide: bool) -> tuple[str, ...]:
    item = image.find("FieldData/Array[@Name='comments']")
    if item is None:
        return ()
    if item.get("format") == "ascii":
        raw = bytes(int(n) for n in item.text.split())
    else:
        raw = _values(item.text, "<u1", packed, wide).tobytes()
    return tuple(part.decode("utf-8") for part in raw.split(b"\0")[:-1])


def _values(text: str, kind: str, packed: bool, wide: bool) -> NDArray[Any]:
    """Undo base64, and zlib where the data is packed."""
    text = re.sub(r"\s", "", text)
    word = np.dtype("<u8" if wide else "<u4")
    if not packed:
        return np.frombuffer(base64.b64decode(text)[word.itemsize :], kind)
    first = base64.b64decode(text[: -(-word.itemsize // 3) * 4])
    count = int(np.frombuffer(first[: word.itemsize], word)[0])
    length = -(-(3 + count) * word.itemsize // 3) * 4
    sizes = np.frombuffer(base64.b64decode(text[:length]), word)[3 : 3 + count]
    data, start, blocks = base64.b64decode(text[length:]), 0, []
    for size in sizes.tolist():
        blocks.append(zlib.decompress(data[start : start + size]))
        start += size
    return np.frombuffer(b"".join(blocks), kind)
