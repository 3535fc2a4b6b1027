"""How does the loss go? Its points over all grids and fields of a run, and the fields in a list."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from napari_orient.reconstruction.reconstruct import Trace

MOST = 1500  # points: of more, every second one of the older half is dropped


class Point(NamedTuple):
    """A point of the curve: evaluations since the field began, and what is drawn of its trace."""

    at: int
    trace: Trace


@dataclass(frozen=True)
class Field:
    """What became of one random start."""

    seed: int
    loss: float
    paper_loss: float
    evaluations: int
    seconds: float


class Course:
    """The traces of a run, in their order.

    Attributes
    ----------
    points
        Of the field that is made now.
    fields
        Those that are done, and the one that is made now.
    """

    def __init__(self, seed: int = 0) -> None:
        self.first = seed
        self.points: list[Point] = []
        self.fields: list[Field] = []
        self._before = 0  # evaluations of this field on grids that are done

    @property
    def last(self) -> Trace | None:
        """The newest trace."""
        return self.points[-1].trace if self.points else None

    @property
    def pace(self) -> float:
        """Seconds of an evaluation on this grid; 0 where it is not known yet."""
        last = self.last
        return last.seconds / last.evaluations if last is not None and last.evaluations else 0.0

    def add(self, trace: Trace) -> None:
        """Take up what the run yields. A grid, or a number, that falls back is another field."""
        last = self.last
        if last is not None and (
            trace.grid < last.grid
            or (trace.grid == last.grid and trace.evaluations < last.evaluations)
        ):
            self.points, self._before, last = [], 0, None
        if last is not None and trace.grid > last.grid:
            self._before += last.evaluations
        if last is None:
            self.fields.append(Field(self.first + len(self.fields), 0.0, 0.0, 0, 0.0))
        self.points.append(Point(self._before + trace.evaluations, trace))
        self.fields[-1] = Field(
            self.fields[-1].seed, trace.loss, trace.paper_loss, self.points[-1].at, trace.seconds
        )
        if len(self.points) > MOST:
            half = len(self.points) // 2
            self.points[:half] = self.points[:half:2]


def in_numbers(course: Course) -> str:
    """Return the newest loss and its pace as rich text."""
    last = course.last
    if last is None:
        return ""
    return (
        f"<b>Loss {last.loss:.2e}</b> (as the publication counts it {last.paper_loss:.1e}), "
        f"{course.pace:.2g} s an evaluation"
    )


def parts_of(course: Course) -> str:
    """Return what the newest loss is made of, the largest part first, in lines."""
    last = course.last
    parts = sorted(last.parts.items(), key=lambda part: -part[1]) if last is not None else []
    return "\n".join(f"{name.replace(' x', ' ×')}: {value:.2e}" for name, value in parts)


def list_of_fields(course: Course) -> str:
    """Return the fields and their losses as rich text; "" where there is but one."""
    if len(course.fields) < 2:
        return ""
    best = min(course.fields[:-1], key=lambda f: f.paper_loss)
    lines = []
    for one in course.fields:
        now = one is course.fields[-1]
        said = f"Field of seed {one.seed}: loss {one.loss:.2e} ({one.paper_loss:.1e})"
        said += ", now" if now else ", the best so far" if one is best else ""
        lines.append(f"<b>{said}</b>" if one is best else said)
    return "<br>".join(lines)
