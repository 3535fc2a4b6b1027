"""What does the matcher see in one pattern? The work of the preview: no Qt, in a thread."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_orient.crystal.rotations import beam_operator, misorientation_angle, multiply
from napari_orient.data.indices import euler_of, name_orientation
from napari_orient.data.maps import is_hexagonal
from napari_orient.data.reciprocal import to_pattern
from napari_orient.data.scan import Calibration, Quantity
from napari_orient.diffraction.matching.match import BEAM, CRYSTAL
from napari_orient.diffraction.overlay import Overlay, spot_overlay
from napari_orient.jobs import Job, Progress
from napari_orient.plugin.questions import in_words

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_orient.data.scan import Scan
    from napari_orient.diffraction.matching.config import IndexConfig
    from napari_orient.diffraction.matching.match import Match

TIMED = 64  # patterns on which the speed is measured
NEAR = 10.0  # degrees off half a turn about the beam, as far as a fit may move a solution
FAINT = 0.01  # of the strongest spot, as the matching weighs them; fainter ones are not drawn
DIM = 0.5  # opacity of the circles around the range that counts
AWAY = 0.04  # 1/angstrom, excitation error of the farthest spots that are drawn
DRAWN = 2.0  # 1/angstrom: spots beyond the range that counts are drawn too, up to here


@dataclass(frozen=True)
class Prepared:
    """A matcher, what it was built for, and how fast it is."""

    matcher: Any
    calibration: Calibration
    shape: tuple[int, int]
    config: IndexConfig
    rate: float  # patterns per second

    @property
    def size(self) -> str:
        """How large the library is, in words."""
        libraries = self.matcher.libraries
        count, nbytes = sum(map(len, libraries)), sum(x.nbytes for x in libraries)
        return f"{count} templates, {in_words(nbytes)}"

    def adapted(self, scan: Scan, config: IndexConfig) -> Prepared | None:
        """Return it for other settings, itself if they are its own; None if they need another."""
        from napari_orient.diffraction.matching.index import adapted

        if (self.calibration, self.shape) != (scan.calibration, scan.pattern_shape):
            return None
        if config == self.config:
            return self
        matcher = adapted(self.matcher, config)
        return None if matcher is None else replace(self, matcher=matcher, config=config)


@dataclass(frozen=True)
class Question:
    """Which position, with which matcher; ``match`` where only the drawing is to be new."""

    scan: Scan
    at: tuple[int, int]
    prepared: Prepared
    config: IndexConfig
    rank: int = 0
    match: Match | None = None


@dataclass(frozen=True)
class Solution:
    """One candidate in words."""

    phase: str
    score: float
    euler: tuple[float, float, float]
    indices: str
    off: tuple[float, float]
    away: float | None  # degrees from the best one; None for another phase
    beam_twin: bool  # nearly the best one turned by 180 degrees about the beam


@dataclass(frozen=True)
class Answer:
    """What was found at a position, and the spots of the solution that was asked for."""

    match: Match
    solutions: tuple[Solution, ...]
    overlay: Overlay | None


def prepare(scan: Scan, at: tuple[int, int], config: IndexConfig) -> Job[Prepared]:
    """Build the matcher of a scan and measure its speed on patterns from a row on."""
    from napari_orient.diffraction.matching.index import sample_patterns
    from napari_orient.diffraction.matching.matcher import build_matcher

    yield Progress(0, 0, f"reading {scan.name}")
    sample = sample_patterns(scan)
    matcher = yield from build_matcher(scan.calibration, scan.pattern_shape, config, sample=sample)
    yield Progress(0, 0, "trying it (the first time on this computer, code is compiled: minutes)")
    y, x = at
    matcher.match(scan.pattern(y, x)[None], np.array([at]))
    yield Progress(0, 0, "measuring the speed")
    rate = measure(matcher, scan, y)
    return Prepared(matcher, scan.calibration, scan.pattern_shape, config, rate)


def measure(matcher: Any, scan: Scan, y: int) -> float:
    """Return patterns per second of a run, from some rows around a row."""
    from napari_orient.diffraction.matching.index import batches, match_batches, thread_memory

    rows, columns = scan.scan_shape
    few = np.zeros(scan.scan_shape, np.bool_)
    first = max(0, min(y, rows - -(-TIMED // columns)))
    few[first:].flat[:TIMED] = True
    most = max(4, TIMED // (2 * (matcher.config.threads or 1)))  # there is work for all threads
    count, start = int(few.sum()), time.perf_counter()
    for _ in match_batches(matcher, batches(scan, few, thread_memory(matcher), most)):
        pass
    return count / max(time.perf_counter() - start, 1e-6)


def look(question: Question) -> Answer:
    """Match the pattern of a position, and draw the solution that is asked for."""
    scan, at, matcher = question.scan, question.at, question.prepared.matcher
    match = question.match
    if match is None:
        match = matcher.match(scan.pattern(*at)[None], np.array([at]))
    solutions = tuple(_solution(match, rank, matcher.phases) for rank in range(_count(match)))
    overlay = None
    if question.rank < len(solutions):
        overlay = draw(question, match, matcher)
    return Answer(match, solutions, overlay)


def _count(match: Match) -> int:
    return int(((match.phase_id[0] >= 0) & np.isfinite(match.score[0])).sum())


def _solution(match: Match, rank: int, phases: Any) -> Solution:
    quaternion, number = match.quaternions[0, rank], int(match.phase_id[0, rank])
    phase = phases[number]
    matrix = _matrix(quaternion)
    first, tilt, third = (float(a) for a in euler_of(matrix))
    text, off = name_orientation(phase, matrix, four=is_hexagonal(phase))
    away, twin = None, False
    if number == int(match.phase_id[0, 0]):
        group, best = phase.point_group, match.quaternions[0, 0]
        away = float(misorientation_angle(best, quaternion, group))
        turned = multiply(best, beam_operator())
        beside = float(misorientation_angle(turned, quaternion, group))
        twin = beside < min(NEAR, away / 2)
    return Solution(
        phase.name, float(match.score[0, rank]), (first, tilt, third), text, off, away, twin
    )


def _matrix(quaternion: NDArray[np.float64]) -> NDArray[np.float64]:
    from orix.quaternion import Quaternion

    matrix: NDArray[np.float64] = Quaternion(quaternion).to_matrix()[0]
    return matrix


def draw(question: Question, match: Match, matcher: Any) -> Overlay:
    """Draw the spots of one solution with the present settings.

    Raises
    ------
    ValueError
        If centre, pixel size or voltage is unknown, in words for the user.
    """
    config, used = question.config, matcher.config
    known = with_typed(matcher.calibration, config)
    phase = matcher.phases[int(match.phase_id[0, question.rank])]
    shape = question.scan.pattern_shape
    spots = spot_overlay(
        _reflections(phase, DRAWN),
        match.quaternions[0, question.rank],
        known,
        at=question.at,
        shape=shape,
        thickness_nm=config.thickness_nm,
        precession_deg=_first(config.precession_deg, known.precession, used.precession_deg),
        min_intensity=FAINT ** (1 / config.power),
        max_excitation=AWAY,
    )
    ends = (config.min_g or used.min_g, config.max_g or used.max_g)
    circles = tuple(_circle(known, g, question.at) for g in ends if g)
    return replace(spots, curves=circles, opacities=(DIM,) * len(circles))


def _circle(known: Calibration, g: float, at: tuple[int, int]) -> NDArray[np.float64]:
    """Return where lengths are ``g``: the range that counts."""
    turn = np.radians(np.linspace(0, 360, 121))
    return np.stack(to_pattern(known, g * np.sin(turn), g * np.cos(turn), at=at), axis=-1)


def with_typed(known: Calibration, config: IndexConfig) -> Calibration:
    """Return a calibration with the values that the configuration states."""
    typed = {
        "voltage": (config.voltage_kv, "kV"),
        "pixel_size": (config.pixel_size, "1/angstrom"),
        "precession": (config.precession_deg, "deg"),
        "convergence": (config.convergence_mrad, "mrad"),
    }
    stated = {
        name: Quantity(value=value, unit=unit, source="typed")
        for name, (value, unit) in typed.items()
        if value is not None
    }
    return known.set(**stated) if stated else known


def _first(typed: float | None, known: Quantity | None, used: float | None) -> float:
    if typed is not None:
        return typed
    return known.number if known is not None else used or 0.0


@lru_cache(maxsize=8)
def _reflections(phase: Any, max_g: float) -> Any:
    from napari_orient.diffraction.simulate import reflections

    return reflections(phase, max_g)


def verdict(match: Match) -> str:
    """Return how sure the match is, in words."""
    if not match.indexed[0]:
        return "<b>Not indexed</b>: none of the phases is recognised in this pattern."
    said = []
    if match.ambiguous[0] & BEAM:
        said.append("180° about the beam cannot be told")
    if match.ambiguous[0] & CRYSTAL:
        said.append("a pseudo-symmetric orientation of the crystal fits as well")
    verdict = "<b>Ambiguous</b>: " + "; ".join(said) + "." if said else "Unambiguous."
    if match.share[0] < 100:
        verdict += (
            f" Two crystals share this pattern: this one has about {match.share[0]:.0f} % of it."
        )
    return verdict


def short(match: Match) -> str:
    """Return the verdict in a word or two."""
    if not match.indexed[0]:
        return "<b>not indexed</b>"
    said = "<b>ambiguous</b>" if match.ambiguous[0] else "unambiguous"
    return f"{said}, overlap" if match.share[0] < 100 else said


def numbers(match: Match) -> str:
    """Return Q, R and the margins in a line."""
    q, r, beam, crystal = (
        percent(values[0]) for values in (match.q, match.r, match.beam_margin, match.crystal_margin)
    )
    return f"Q {q}, R {r}; margin about the beam {beam}, of the crystal {crystal}"


def percent(value: float) -> str:
    """Return a percentage; a margin of 100 means that there is no rival, -inf no solution."""
    return f"{value:.1f} %" if -1e3 < value < 100 else "—"
