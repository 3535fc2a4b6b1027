"""Which frame belongs to which position? A stack of frames arranged as a scan, without a copy.

A recorder counts frames; it does not know rows. An :class:`Arrangement` says which frames are the
scan's: where it starts, what is recorded while the beam flies back, whether every second line runs
backwards (a *snake*), and by how much those are shifted. A *line* is what the beam writes in one go
along the fast axis: a row of the scan, or a column where the fast axis is y.
"""

from __future__ import annotations

import bisect
import math
import re
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pydantic import Field, field_validator, model_validator

from napari_orient.config import Config
from napari_orient.data.views import LazyView, Span, Stacked, fetch, slice_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_orient.data.scan import Scan

Snake = Literal["none", "second", "first"]
_WORDS = re.compile(
    r"arranged as (?P<rows>\d+) x (?P<columns>\d+) from frame (?P<start>\d+)"
    r"(?:, flyback (?P<flyback>\d+))?(?:, snake \((?P<snake>second|first)\))?"
    r"(?:, hysteresis (?P<hysteresis>-?\d+))?(?:, fast (?P<fast>y))?"
)


class Arrangement(Config):
    """How the frames of a stack make a scan; frames before the start and after the end stay out.

    Whole lines at the start or the end are left out by a later ``start`` and fewer rows.
    """

    rows: int = Field(1, ge=1, description="rows of the scan (y)")
    columns: int = Field(1, ge=1, description="columns of the scan (x)")
    start: int = Field(0, ge=0, description="first frame of the scan, counted from 0")
    flyback: int = Field(0, ge=0, description="frames after each line that are left out")
    snake: Snake = Field(
        "none",
        description="lines that run backwards: none, every second one, or the first and then "
        "every second one",
    )
    hysteresis: int = Field(
        0,
        description="positions by which lines that run backwards are moved towards higher x (or "
        "y, if that is the fast axis); positions that some lines then lack are left out of all",
    )
    fast: Literal["x", "y"] = Field("x", description="axis along which the beam runs first")

    @field_validator("snake", mode="before")
    @classmethod
    def _accept_yes_and_no(cls, value: Any) -> Any:
        return {True: "second", False: "none"}[value] if isinstance(value, bool) else value

    @model_validator(mode="after")
    def _check_hysteresis(self) -> Arrangement:
        if self.hysteresis and self.snake == "none":
            raise ValueError("hysteresis moves lines that run backwards: only a snake has them")
        if abs(self.hysteresis) >= self.length:
            raise ValueError(
                f"a hysteresis of {self.hysteresis} leaves nothing of {self.length} positions"
            )
        return self

    @property
    def length(self) -> int:
        """Positions of a line."""
        return self.columns if self.fast == "x" else self.rows

    @property
    def lines(self) -> int:
        """Number of lines."""
        return self.rows if self.fast == "x" else self.columns

    @property
    def period(self) -> int:
        """Frames from the start of a line to that of the next one."""
        return self.length + self.flyback

    @property
    def stop(self) -> int:
        """The frame after the last one that is needed; the last flyback may be missing."""
        return self.start + self.lines * self.period - self.flyback

    @property
    def shape(self) -> tuple[int, int]:
        """(y, x) of the scan: without the positions that hysteresis takes."""
        kept = self.length - abs(self.hysteresis)
        return (self.lines, kept) if self.fast == "x" else (kept, self.lines)

    @property
    def origin(self) -> tuple[int, int]:
        """Where the first position lies in the recorded grid, (y, x) in steps."""
        lost = max(0, self.hysteresis)
        return (0, lost) if self.fast == "x" else (lost, 0)

    def is_backwards(self, line: int) -> bool:
        """Say whether the beam runs backwards in a line."""
        return self.snake != "none" and line % 2 == (self.snake == "second")

    def run(self, line: int) -> tuple[int, int]:
        """Return the frame of the first position of a line, and the step (1 or -1) to the next.

        Before it is cut, position c of a line that runs backwards holds the (c - hysteresis)-th
        frame from its end: the sign is that of rosettasciio's reader of TVIPS files.
        """
        begin, low = self.start + line * self.period, max(0, self.hysteresis)
        if self.is_backwards(line):
            return begin + self.length - 1 - (low - self.hysteresis), -1
        return begin + low, 1

    def frames(self) -> NDArray[np.int64]:
        """Return the number of the frame at each position, (y, x)."""
        runs = np.array([self.run(line) for line in range(self.lines)], np.int64)
        kept = np.arange(self.length - abs(self.hysteresis))
        index = runs[:, :1] + runs[:, 1:] * kept
        return index if self.fast == "x" else np.ascontiguousarray(index.T)

    def problem(self, frames: int) -> str | None:
        """Say in words why a stack of ``frames`` cannot be arranged like this; None if it can."""
        if self.stop <= frames:
            return None
        return f"{self.count()} need {self.stop} frames, there are {frames}"

    def count(self) -> str:
        """Say how many frames the scan has: "200 x 200 = 40000 frames from frame 13 on"."""
        text = f"{self.rows} x {self.columns} = {self.rows * self.columns} frames"
        text += f" from frame {self.start} on" if self.start else ""
        return text + (f", with {self.flyback} of flyback after each line" if self.flyback else "")

    def __str__(self) -> str:
        words = [f"arranged as {self.rows} x {self.columns} from frame {self.start}"]
        words += [f"flyback {self.flyback}"] * bool(self.flyback)
        words += [f"snake ({self.snake})"] * (self.snake != "none")
        words += [f"hysteresis {self.hysteresis}"] * bool(self.hysteresis)
        words += [f"fast {self.fast}"] * (self.fast != "x")
        return ", ".join(words)


def arrangement_in(words: str) -> Arrangement | None:
    """Read an arrangement from its words (a line of a scan's history); None if it is none."""
    found = _WORDS.fullmatch(words)
    given = {k: v for k, v in found.groupdict().items() if v is not None} if found else {}
    return Arrangement.checked(given) if found else None


class Frames:
    """The frames of several stacks, or of the rows of a scan, one after another.

    Parameters
    ----------
    data
        Stacks (frames, ky, kx), or one array-like (y, x, ky, kx).
    """

    def __init__(self, data: Any) -> None:
        self._scan: Any = None if isinstance(data, list | tuple) else data
        self.parts: tuple[Any, ...] = tuple(data) if self._scan is None else (data,)
        sizes = [len(part) for part in self.parts]
        if self._scan is not None:
            sizes = [int(self._scan.shape[1])] * int(self._scan.shape[0])
        self._ends: list[int] = np.cumsum(sizes).tolist()
        pattern = self.parts[0].shape[-2:]
        self.shape: tuple[int, int, int] = (self._ends[-1], int(pattern[0]), int(pattern[1]))
        self.dtype = np.dtype(self.parts[0].dtype)
        chunks = _plain_chunks(self.parts[0])
        self.chunks = chunks[-3:] if chunks else None

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, where: tuple[slice, slice, slice]) -> NDArray[Any]:
        key, ky, kx = where
        first, stop, step = key.indices(len(self))
        pieces, frame = [], first
        while frame < stop:
            index = bisect.bisect_right(self._ends, frame)
            begin = self._ends[index - 1] if index else 0
            end = min(stop, self._ends[index])
            local = slice(frame - begin, end - begin, step)
            if self._scan is None:
                pieces.append(fetch(self.parts[index], local, ky, kx))
            else:
                pieces.append(fetch(self._scan, slice(index, index + 1), local, ky, kx)[0])
            frame += math.ceil((end - frame) / step) * step
        return pieces[0] if len(pieces) == 1 else np.concatenate(pieces)


def _plain_chunks(data: Any) -> tuple[int, ...] | None:
    """Shape of a chunk as numbers, also of dask, which lists all of them."""
    chunks = getattr(data, "chunks", None)
    return tuple(int(c[0] if isinstance(c, tuple) else c) for c in chunks) if chunks else None


class Arranged(LazyView):
    """A scan whose lines are read one by one from a stack (frames, ky, kx); nothing is copied."""

    def __init__(self, frames: Any, arrangement: Arrangement) -> None:
        self.arrangement = arrangement
        self.shape = (*arrangement.shape, int(frames.shape[1]), int(frames.shape[2]))
        self.dtype = np.dtype(frames.dtype)
        chunks = _plain_chunks(frames)
        if chunks:
            along = min(chunks[0], arrangement.length - abs(arrangement.hysteresis))
            scan_chunk = (1, along) if arrangement.fast == "x" else (along, 1)
            self.chunks = (*scan_chunk, *chunks[1:])
        self.parts = (frames,)

    def read_box(self, y: Span, x: Span, ky: Span, kx: Span) -> NDArray[Any]:
        """Read line by line; those that run backwards are turned."""
        along_x = self.arrangement.fast == "x"
        lines, places = (y, x) if along_x else (x, y)
        out = np.empty((y[1], x[1], ky[1], kx[1]), dtype=self.dtype)
        if not out.size:
            return out
        for i in range(lines[1]):
            first, step = self.arrangement.run(lines[0] + i * lines[2])
            run = self._run(first + step * places[0], places[1], step * places[2])
            piece = fetch(self.parts[0], run, slice_of(ky), slice_of(kx))
            where = i if along_x else (slice(None), i)
            out[where] = piece if step > 0 else piece[::-1]
        return out

    @staticmethod
    def _run(first: int, number: int, step: int) -> slice:
        """Frames of a run as an ascending slice, which every kind of array takes."""
        last = first + (number - 1) * step
        return slice(min(first, last), max(first, last) + 1, abs(step))


def frames_of(data: Any) -> Any:
    """Return all frames behind a scan's data in the order of acquisition, (frames, ky, kx).

    A stack is returned as it is, and of stacks that were arranged before all frames come back, also
    those that were left out. Of an array (y, x, ky, kx) they come row by row.
    """
    if len(data.shape) == 3:
        return data
    if isinstance(data, Stacked):
        return data.parts[0] if len(data.parts) == 1 else Frames(data.parts)
    if isinstance(data, Arranged):
        return data.parts[0]
    if isinstance(data, np.ndarray) and data.shape[0] == 1:
        return data[0]
    if isinstance(data, np.ndarray) and data.strides[0] == data.shape[1] * data.strides[1]:
        return _strided(data, (data.shape[0] * data.shape[1],), data.strides[1:2])
    return Frames(data)


def _strided(data: NDArray[Any], shape: tuple[int, ...], strides: tuple[int, ...]) -> NDArray[Any]:
    """View patterns (the last two axes) of an array in other axes; a memory map stays one."""
    view: NDArray[Any] = np.lib.stride_tricks.as_strided(
        data, (*shape, *data.shape[-2:]), (*strides, *data.strides[-2:]), subok=True
    )
    return view


def arrange(stack: Any, arrangement: Arrangement) -> Any:
    """Arrange frames as a scan (y, x, ky, kx), lazily.

    Parameters
    ----------
    stack
        Array-like (frames, ky, kx), or the data of a scan, whose frames are arranged anew (see
        :func:`frames_of`).
    arrangement
        Which frame goes where.

    Returns
    -------
    A view of a numpy array or memory map where all lines run forwards, contiguous if there is no
    flyback; else an :class:`Arranged`. Its shape is ``arrangement.shape``: positions that
    hysteresis takes from some lines are left out of all, so that every pattern was measured.

    Raises
    ------
    ValueError
        If there are not enough frames.
    """
    frames = frames_of(stack)
    problem = arrangement.problem(len(frames))
    if problem:
        raise ValueError(problem)
    if not isinstance(frames, np.ndarray) or arrangement.snake != "none":
        return Arranged(frames, arrangement)
    one = frames.strides[0]
    shape, strides = (arrangement.lines, arrangement.length), (arrangement.period * one, one)
    if arrangement.fast == "y":
        shape, strides = shape[::-1], strides[::-1]
    return _strided(frames[arrangement.start :], shape, strides)


def rearranged(scan: Scan, arrangement: Arrangement, stack: Scan | None = None) -> Scan:
    """Return a scan whose frames are arranged anew; step, calibration and notes stay.

    Parameters
    ----------
    scan
        Any scan.
    arrangement
        Which frame goes where.
    stack
        All frames of the file, from :func:`napari_orient.data.formats.open_stack`, where the scan
        is just as its file has it; by default the frames behind the scan.

    Raises
    ------
    ValueError
        If there are not enough frames.
    """
    source = scan if stack is None else stack
    data = arrange(source.data, arrangement)
    before = () if stack is not None else scan.history
    before = tuple(words for words in before if arrangement_in(words) is None)
    notes = tuple(n for n in scan.notes if "guessed" not in n and "pauses" not in n)
    return scan.replaced(
        data,
        history=(*before, str(arrangement)),
        origin=arrangement.origin,
        notes=(*notes, *remarks_on(arrangement, len(frames_of(source.data)))),
        owner=source._owner,
    )


def remarks_on(arrangement: Arrangement, frames: int) -> tuple[str, ...]:
    """Say what of a stack of ``frames`` an arrangement leaves out."""
    said = []
    left = frames - arrangement.stop
    if arrangement.start or left:
        said.append(f"{arrangement.start} frames before the scan and {left} after it are left out")
    lost = abs(arrangement.hysteresis)
    if lost:
        words = "columns" if arrangement.fast == "x" else "rows"
        said.append(f"hysteresis: {lost} {words} that only every second line has are left out")
    return tuple(said)
