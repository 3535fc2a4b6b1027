"""Files of frames, written for tests as vendors write them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from pathlib import Path


def axis(index: int, size: int, scale: float = 1.0, units: str = "px", offset: float = 0.0) -> dict:
    return {
        "_type": "UniformDataAxis",
        "name": "yxvu"[index],
        "units": units,
        "navigate": index < 2,
        "is_binned": False,
        "size": size,
        "scale": scale,
        "offset": offset,
        "index_in_array": index,
    }


def signal(
    data: np.ndarray, axes: list[dict] | None = None, tem: dict | None = None
) -> dict[str, Any]:
    """What rosettasciio's writers take."""
    metadata: dict[str, Any] = {"General": {"title": "sample"}, "Signal": {"signal_type": ""}}
    if tem:
        metadata["Acquisition_instrument"] = {"TEM": tem}
    return {
        "data": data,
        "axes": axes or [axis(i, n) for i, n in enumerate(data.shape)],
        "metadata": metadata,
        "original_metadata": {},
        "attributes": {"_lazy": False, "ragged": False},
        "tmp_parameters": {},
        "package_info": {"package": "test", "package_version": "0"},
        "learning_results": {},
        "models": {},
    }


def write_tvips(path: Path, data: np.ndarray, **options: Any) -> None:
    from rsciio.tvips import file_writer

    axes = [axis(0, data.shape[0]), axis(1, data.shape[1])]
    axes += [axis(2, data.shape[2], 1, "1/nm"), axis(3, data.shape[3], 1, "1/nm")]
    tem = {"beam_energy": 200.0, "camera_length": 100.0}
    file_writer(str(path), signal(data, axes, tem), show_progressbar=False, **options)


def write_mrc(path: Path, frames: np.ndarray) -> None:
    """A bare MRC-2014 header and the frames."""
    header = np.zeros(256, dtype="<i4")
    header[:4] = (*frames.shape[::-1], {"uint8": 0, "float32": 2, "uint16": 6}[str(frames.dtype)])
    header[7:10] = frames.shape[::-1]
    header[52] = int.from_bytes(b"MAP ", "little")
    path.write_bytes(header.tobytes() + frames.tobytes())
