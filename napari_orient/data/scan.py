"""What is a scan? A lazy (y, x, ky, kx) array and a calibration whose values say their source.

Axes: scan ``(y, x)``, pattern ``(ky, kx)``, origin top-left, y and ky down. Pattern coordinates are
pixels with centres at integers. Reciprocal lengths are in 1/angstrom, without the factor 2 pi.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pydantic import Field, FiniteFloat, field_validator

from napari_orient.config import Config

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import ArrayLike, NDArray

Provenance = Literal["file", "measured", "typed", "simulated", "default"]


class Quantity(Config):
    """A calibrated value, its unit and where it comes from."""

    value: FiniteFloat | tuple[FiniteFloat, FiniteFloat]
    unit: str = ""
    source: Provenance = "default"
    note: str = Field("", description="how the value was found, in words")

    @property
    def pair(self) -> tuple[float, float]:
        """The value as (first, second) = (y, x); a single number counts for both."""
        return self.value if isinstance(self.value, tuple) else (self.value, self.value)

    @property
    def number(self) -> float:
        """The value as one number: the mean of a pair."""
        return sum(self.pair) / 2

    def __str__(self) -> str:
        parts = self.value if isinstance(self.value, tuple) else (self.value,)
        return f"{' x '.join(f'{part:.5g}' for part in parts)} {self.unit} ({self.source})"


class Descan(Config):
    """Drift of the direct beam over the scan, relative to ``Calibration.centre``.

    At scan position (y, x), with v = y - origin y and u = x - origin x in steps of this scan, the
    beam lies at centre + (ky . t, kx . t), t = (v, u) for a plane and (v, u, v v, v u, u u) for a
    surface of second order. At ``origin``, usually the middle of the scan, it is on the centre.
    """

    ky: tuple[FiniteFloat, ...] = Field(description="drift along ky, in px per step (and step^2)")
    kx: tuple[FiniteFloat, ...] = Field(description="drift along kx, in px per step (and step^2)")
    origin: tuple[FiniteFloat, FiniteFloat] = Field(
        (0.0, 0.0), description="scan position (y, x) without drift, in steps"
    )
    rms: FiniteFloat | None = Field(None, description="scatter of the beam about this fit, in px")
    source: Provenance = "default"
    note: str = Field("", description="how the drift was found, in words")

    @field_validator("ky", "kx")
    @classmethod
    def _check_order(cls, terms: tuple[float, ...]) -> tuple[float, ...]:
        if len(terms) not in (2, 5):
            raise ValueError(f"2 terms (a plane) or 5 (second order) are needed, not {len(terms)}")
        return terms

    def drift(self, y: ArrayLike, x: ArrayLike) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return the drift (ky, kx) in px at scan positions (y, x) in steps."""
        v, u = np.asarray(y, float) - self.origin[0], np.asarray(x, float) - self.origin[1]
        powers = (v, u, v * v, v * u, u * u)
        ky, kx = (
            np.asarray(sum(c * p for c, p in zip(terms, powers, strict=False)))
            for terms in (self.ky, self.kx)
        )
        return ky, kx

    def moved(self, y: float, x: float) -> Descan:
        """Return the same drift counted from another origin; its value there goes into a centre."""
        v, u = y - self.origin[0], x - self.origin[1]

        def terms(old: tuple[float, ...]) -> tuple[float, ...]:
            if len(old) == 2:
                return old
            a, b, c, d, e = old
            return a + 2 * c * v + d * u, b + d * v + 2 * e * u, c, d, e

        changes = {"ky": terms(self.ky), "kx": terms(self.kx), "origin": (y, x)}
        return self.model_copy(update=changes)

    def scaled(self, factor: float) -> Descan:
        """Return the drift in pixels ``factor`` times as small (a factor of 2 for half pixels)."""
        rms = None if self.rms is None else self.rms * factor
        ky, kx = (tuple(c * factor for c in terms) for terms in (self.ky, self.kx))
        return self.model_copy(update={"ky": ky, "kx": kx, "rms": rms})

    def __str__(self) -> str:
        slopes = ", ".join(f"{1e3 * c:.3g}" for c in (*self.ky[:2], *self.kx[:2]))
        return f"({slopes}) px per 1000 steps ({self.source})"


class Calibration(Config):
    """Calibration of a scan; ``None`` means unknown, never a made-up number.

    An ellipse keeps areas: a ring of radius g is an ellipse with half axes sqrt(ratio) g and
    g / sqrt(ratio), in units of the pixel size, which therefore belongs to the geometric mean of
    the longest and the shortest radius. :mod:`napari_orient.data.reciprocal` applies it.
    """

    step: Quantity | None = Field(None, description="scan step (y, x), in nm")
    pixel_size: Quantity | None = Field(None, description="pattern pixel (ky, kx), in 1/angstrom")
    centre: Quantity | None = Field(None, description="direct beam (ky, kx), in pixels")
    ellipse: Quantity | None = Field(
        None,
        description="stretch of the patterns: (long over short axis, angle of the long axis from "
        "kx towards ky in degrees); unknown counts as round",
    )
    descan: Descan | None = Field(None, description="drift of the direct beam over the scan")
    voltage: Quantity | None = Field(None, description="acceleration voltage, in kV")
    camera_length: Quantity | None = Field(None, description="camera length, in mm")
    precession: Quantity | None = Field(
        None, description="precession angle of the beam, in degrees; 0 = it stands still"
    )
    convergence: Quantity | None = Field(
        None, description="semi-convergence angle, the radius of the disks, in mrad"
    )
    rotation: Quantity = Field(
        Quantity(value=0.0, unit="deg"),
        description="angle from the scan's x axis to the pattern's kx (to kx reversed, where the "
        "pattern is mirrored), x towards y, in degrees",
    )
    flip: Quantity = Field(
        Quantity(value=0.0), description="1 if the pattern is mirrored (kx reversed), else 0"
    )

    @field_validator("step", "pixel_size", "voltage", "camera_length")
    @classmethod
    def _check_sign(cls, quantity: Quantity | None) -> Quantity | None:
        if quantity is not None and min(quantity.pair) <= 0:
            raise ValueError(f"a positive number is needed, not {quantity}")
        return quantity

    @field_validator("precession", "convergence")
    @classmethod
    def _check_angle(cls, quantity: Quantity | None) -> Quantity | None:
        if quantity is not None and min(quantity.pair) < 0:
            raise ValueError(f"an angle of at least 0 is needed, not {quantity}")
        return quantity

    @field_validator("ellipse")
    @classmethod
    def _check_ellipse(cls, quantity: Quantity | None) -> Quantity | None:
        if quantity is not None and not (
            isinstance(quantity.value, tuple) and quantity.value[0] >= 1
        ):
            raise ValueError(f"a ratio of at least 1 and an angle are needed, not {quantity}")
        return quantity

    def centre_at(self, y: ArrayLike, x: ArrayLike) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return the direct beam (ky, kx) in px at scan positions (y, x), descan included.

        Raises
        ------
        ValueError
            If the centre is unknown.
        """
        if self.centre is None:
            raise ValueError("the calibration has no beam centre")
        ky, kx = self.descan.drift(y, x) if self.descan else (np.zeros(np.shape(y)),) * 2
        return self.centre.pair[0] + ky, self.centre.pair[1] + kx

    def set(self, **quantities: Quantity | Descan | None) -> Calibration:
        """Return a copy with the named quantities replaced."""
        values = {name: getattr(self, name) for name in type(self).model_fields}
        return Calibration(**{**values, **quantities})


def electron_wavelength(voltage: float) -> float:
    """Relativistic electron wavelength in angstrom for ``voltage`` in kV."""
    volts = voltage * 1e3
    # h / sqrt(2 m e V (1 + e V / 2 m c^2)) with CODATA constants
    return 12.264259661 / math.sqrt(volts * (1 + 0.978475598e-6 * volts))


class Scan:
    """A 4D-STEM scan that may be larger than the memory.

    Parameters
    ----------
    data
        Array of shape (y, x, ky, kx): a numpy array or memmap, an h5py dataset, a zarr or dask
        array; anything that slices lazily and turns into numpy.
    calibration
        What is known about lengths and angles. A missing centre is set to the middle of the
        pattern, N/2, with the source "default".
    name
        Short name for layers.
    source
        The file, ``file.h5::/dataset`` where there are several, or "" when there is none.
    phase
        Name of the phase, where the file states one.
    history
        What was done to the data since the file, in words ("binned 4 x 4").
    origin
        Where the first position lies in the whole scan, (y, x) in steps, after a crop.
    notes
        Remarks about the file: what was not understood, guessed or found damaged.
    owner
        The open file behind ``data``, closed by :meth:`close`.

    Raises
    ------
    ValueError
        If ``data`` is not four-dimensional, is empty, or is not made of real numbers.
    """

    def __init__(
        self,
        data: Any,
        calibration: Calibration | None = None,
        *,
        name: str = "scan",
        source: str | Path = "",
        phase: str | None = None,
        history: tuple[str, ...] = (),
        origin: tuple[int, int] = (0, 0),
        notes: tuple[str, ...] = (),
        owner: Any = None,
    ) -> None:
        if len(data.shape) != 4:
            raise ValueError(f"a scan has four axes (y, x, ky, kx), not shape {tuple(data.shape)}")
        if 0 in data.shape:
            raise ValueError(f"the scan has no pixels: shape {tuple(data.shape)}")
        if np.dtype(data.dtype).kind not in "uifb":
            raise ValueError(f"patterns must be real numbers, not {data.dtype}")
        calibration = calibration or Calibration()
        if calibration.centre is None:
            middle = (data.shape[2] / 2, data.shape[3] / 2)
            note = "middle of the pattern"
            calibration = calibration.set(centre=Quantity(value=middle, unit="px", note=note))
        self.data = data
        self.calibration = calibration
        self.name = name
        self.source = str(source)
        self.phase = phase
        self.history = history
        self.origin = origin
        self.notes = notes
        self._owner = owner

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """(y, x, ky, kx)."""
        y, x, ky, kx = (int(n) for n in self.data.shape)
        return y, x, ky, kx

    @property
    def scan_shape(self) -> tuple[int, int]:
        """(y, x)."""
        return self.shape[:2]

    @property
    def pattern_shape(self) -> tuple[int, int]:
        """(ky, kx)."""
        return self.shape[2:]

    @property
    def dtype(self) -> np.dtype[Any]:
        """Number type of the patterns."""
        dtype: np.dtype[Any] = np.dtype(self.data.dtype)
        return dtype

    @property
    def nbytes(self) -> int:
        """Size of the whole scan, uncompressed, in bytes."""
        return math.prod(self.shape) * self.dtype.itemsize

    @property
    def in_memory(self) -> bool:
        """True if the data are a plain numpy array (a memory map counts as a file)."""
        return isinstance(self.data, np.ndarray) and not isinstance(self.data, np.memmap)

    @property
    def chunks(self) -> tuple[int, int, int, int] | None:
        """Shape of a chunk on disk (the first one), or None for contiguous data."""
        chunks = getattr(self.data, "chunks", None)
        if not chunks:
            return None
        y, x, ky, kx = (c[0] if isinstance(c, tuple) else int(c) for c in chunks)
        return y, x, ky, kx

    def read(self, *where: slice | int) -> NDArray[Any]:
        """Read ``data[where]`` into memory.

        Raises
        ------
        OSError
            If the file behind the scan disappeared or is damaged there.
        """
        piece = self.data[where]
        if hasattr(piece, "compute"):
            piece = piece.compute()
        return np.asarray(piece)

    def pattern(self, y: int, x: int) -> NDArray[Any]:
        """Return the pattern (ky, kx) at one scan position.

        Raises
        ------
        IndexError
            If the position lies outside the scan.
        """
        if not (0 <= y < self.shape[0] and 0 <= x < self.shape[1]):
            raise IndexError(f"({y}, {x}) lies outside the scan of {self.scan_shape}")
        return self.read(y, x)

    def replaced(self, data: Any = None, **changes: Any) -> Scan:
        """Return a scan with other data, calibration, name and so on; the rest is kept."""
        keep = ("calibration", "name", "source", "phase", "history", "origin", "notes")
        values = {name: getattr(self, name) for name in keep} | {"owner": self._owner}
        return Scan(self.data if data is None else data, **{**values, **changes})

    def summary(self) -> dict[str, Any]:
        """Facts about the scan as plain JSON types; ``kind`` is "scan"."""
        known = {n: getattr(self.calibration, n) for n in Calibration.model_fields}
        return {
            "kind": "scan",
            "name": self.name,
            "source": self.source,
            "shape": list(self.shape),
            "dtype": str(self.dtype),
            "bytes": self.nbytes,
            "chunks": list(self.chunks) if self.chunks else None,
            "calibration": {n: q.model_dump(mode="json") if q else None for n, q in known.items()},
            "phases": [self.phase] if self.phase else [],
            "history": list(self.history),
            "notes": list(self.notes),
        }

    def close(self) -> None:
        """Close the file behind the scan; afterwards the data cannot be read."""
        if self._owner is not None:
            self._owner.close()
            self._owner = None

    def __repr__(self) -> str:
        y, x, ky, kx = self.shape
        return f"<Scan {self.name}: {y} x {x} positions, {ky} x {kx} px, {self.dtype}>"
