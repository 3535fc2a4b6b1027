"""What does the network see in one pattern? Its answers in words and drawn: no Qt, in a thread."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_orient.crystal.rotations import beam_operator, misorientation_angle, multiply
from napari_orient.data.indices import euler_of, name_orientation
from napari_orient.data.maps import is_hexagonal
from napari_orient.data.reciprocal import scan_to_pattern, to_pattern
from napari_orient.diffraction.matching.index import checked_region, match_scan, sample_patterns
from napari_orient.diffraction.overlay import Overlay, spot_overlay
from napari_orient.jobs import Job, Progress
from napari_orient.learning.patterns import network_images
from napari_orient.learning.predict import PredictConfig, Predictor, build_predictor
from napari_orient.plugin.index.look import AWAY, DIM, DRAWN, FAINT, NEAR, measure
from napari_orient.plugin.index.look import verdict as matched

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_orient.data.maps import OrientationMap
    from napari_orient.data.scan import Calibration, Scan
    from napari_orient.diffraction.matching.match import Match
    from napari_orient.learning.folder import Model

MAP = "map"  # what stands in the table for the answer that the map gets
NO_SPOTS = "No spots are drawn: the scan is not calibrated."
UNCHECKED = "not checked against the pattern"


@dataclass(frozen=True, eq=False)
class Prepared:
    """A network brought together with a scan, what for, and how fast it is."""

    model: Model  # as it was read; that of the predictor may lie on another device
    predictor: Predictor
    calibration: Calibration
    shape: tuple[int, int]
    config: PredictConfig
    rate: float  # patterns per second

    def serves(self, scan: Scan, model: Model, config: PredictConfig) -> bool:
        """Say whether it was made for this."""
        return (
            self.model is model
            and (self.calibration, self.shape) == (scan.calibration, scan.pattern_shape)
            and config == self.config
        )


@dataclass(frozen=True, eq=False)
class Question:
    """Which position, with what; ``answer`` where only the drawing is to be new."""

    scan: Scan
    at: tuple[int, int]
    prepared: Prepared
    row: int = 0
    answer: Answer | None = None


@dataclass(frozen=True)
class Line:
    """One orientation in words: what the map gets, or an answer of the network as it is."""

    name: str
    quaternion: NDArray[np.float64]
    q: float  # percent; NaN where it is not checked
    indices: str
    euler: tuple[float, float, float]
    away: float | None  # degrees from what the map gets
    beam_twin: bool


@dataclass(frozen=True, eq=False)
class Answer:
    """What was found at a position, and the spots of the line that was asked for."""

    match: Match
    probability: float  # percent, of the network's first answer
    spread: float  # degrees that it is off on average, by its own account; NaN where it says none
    lines: tuple[Line, ...]
    overlay: Overlay | None


def prepare(scan: Scan, at: tuple[int, int], model: Model, config: PredictConfig) -> Job[Prepared]:
    """Bring a model and a scan together and measure the speed on patterns from a row on."""
    yield Progress(0, 0, f"does {model.name} fit {scan.name}?")
    predictor = build_predictor(
        model, scan.calibration, scan.pattern_shape, config, sample_patterns(scan)
    )
    yield Progress(0, 0, "trying it (the first time on this computer, code is compiled: a minute)")
    y, x = at
    predictor.match(scan.pattern(y, x)[None], np.array([at]))
    yield Progress(0, 0, "measuring the speed")
    rate = measure(predictor, scan, y)
    return Prepared(model, predictor, scan.calibration, scan.pattern_shape, config, rate)


def predict(
    scan: Scan, prepared: Prepared, region: NDArray[np.bool_] | None
) -> Job[OrientationMap]:
    """Predict a scan; the map says which model it is from."""
    wanted = checked_region(scan, region)
    return (yield from match_scan(scan, prepared.predictor, wanted, "predict"))


# --- one pattern --------------------------------------------------------------------------------


def look(question: Question) -> Answer:
    """Read the pattern of a position, and draw the line that is asked for."""
    predictor, answer = question.prepared.predictor, question.answer
    if answer is None:
        answer = _read(question.scan.pattern(*question.at)[None], question.at, predictor)
    overlay = None
    if question.row < len(answer.lines) and predictor.ground is not None:
        overlay = draw(question, answer.lines[question.row].quaternion)
    return replace(answer, overlay=overlay)


def _read(pattern: NDArray[Any], at: tuple[int, int], predictor: Predictor) -> Answer:
    where = np.array([at])
    match = predictor.match(pattern, where)
    model, phase = predictor.model, predictor.model.phase
    images = network_images(pattern, model.config.input, predictor.calibration, where)
    said = model.predict(images)
    # each answer of the network as it is, with its own Q
    plain = predictor.config.model_copy(
        update={"answer": "network", "candidates": said.probability.shape[1]}
    )
    raw = replace(predictor, config=plain).match(pattern, where)
    checked = predictor.ground is not None
    lines = []
    if match.phase_id[0, 0] >= 0 and np.isfinite(match.quaternions[0, 0]).all():
        lines.append(_line(MAP, match.quaternions[0, 0], float(match.q[0]), None, phase))
        for k, (p, spread) in enumerate(zip(said.probability[0], said.spread_deg[0], strict=True)):
            q = 100 * float(raw.score[0, k]) if checked else math.nan
            name = f"{100 * p:.0f} %" + (f" ± {spread:.1f}°" if np.isfinite(spread) else "")
            first = match.quaternions[0, 0]
            lines.append(_line(name, said.quaternions[0, k], q, first, phase))
    sure, spread = 100 * float(said.probability[0, 0]), float(said.spread_deg[0, 0])
    return Answer(match, sure, spread, tuple(lines), None)


def _line(
    name: str,
    quaternion: NDArray[np.float64],
    q: float,
    best: NDArray[np.float64] | None,
    phase: Any,
) -> Line:
    from orix.quaternion import Quaternion

    matrix = Quaternion(quaternion).to_matrix()[0]
    first, tilt, third = (float(a) for a in euler_of(matrix))
    text, _ = name_orientation(phase, matrix, four=is_hexagonal(phase))
    away, twin = None, False
    if best is not None:
        group = phase.point_group
        away = float(misorientation_angle(best, quaternion, group))
        turned = multiply(best, beam_operator())
        twin = float(misorientation_angle(turned, quaternion, group)) < min(NEAR, away / 2)
    return Line(name, quaternion, q, text, (first, tilt, third), away, twin)


def draw(question: Question, quaternion: NDArray[np.float64]) -> Overlay:
    """Draw the spots of an orientation, and the square that the network looks at."""
    predictor = question.prepared.predictor
    settings = predictor.ground[0].config  # looked at only where there is ground
    spots = spot_overlay(
        _reflections(predictor.model.phase, DRAWN), quaternion, predictor.calibration,
        at=question.at, shape=question.scan.pattern_shape,
        thickness_nm=settings.thickness_nm, precession_deg=settings.precession_deg or 0.0,
        min_intensity=FAINT ** (1 / settings.power), max_excitation=AWAY,
    )  # fmt: skip
    square = _square(predictor, question.at)
    return replace(spots, curves=square, opacities=(DIM,) * len(square))


def _square(predictor: Predictor, at: tuple[int, int]) -> tuple[NDArray[np.float64], ...]:
    """Return the edge of what the network sees; a whole pattern needs none."""
    seen = predictor.model.config.input
    if seen.pixel_size is None:
        return ()
    reach = seen.size * seen.pixel_size / 2
    y, x = reach * np.array([[-1, -1, 1, 1, -1], [-1, 1, 1, -1, -1]])
    gy, gx = scan_to_pattern(predictor.calibration, y, x)
    return (np.stack(to_pattern(predictor.calibration, gy, gx, at=at), axis=-1),)


@lru_cache(maxsize=8)
def _reflections(phase: Any, max_g: float) -> Any:
    from napari_orient.diffraction.simulate import reflections

    return reflections(phase, max_g)


# --- in words -----------------------------------------------------------------------------------


def certainty(answer: Answer) -> str:
    """Return how sure the network is and how well its answer fits."""
    q = float(answer.match.q[0])
    fits = f"Q {q:.0f} %" if np.isfinite(q) else UNCHECKED
    if not np.isfinite(answer.spread):
        return f"the network does not say how sure it is; {fits}"
    return (
        f"the network: {answer.probability:.0f} % sure, off by {answer.spread:.1f}° on average by "
        f"its own account; {fits}"
    )


def short(answer: Answer) -> str:
    """Return the same in one line."""
    q = float(answer.match.q[0])
    said = f"Q {q:.0f} %" if np.isfinite(q) else UNCHECKED
    if not answer.match.indexed[0]:
        said = f"<b>not indexed</b>, {said}"
    if np.isfinite(answer.spread):
        said += f"; network {answer.probability:.0f} % sure, ± {answer.spread:.1f}°"
    return said


def verdict(answer: Answer, config: PredictConfig, phase: str) -> str:
    """Return what the check against the pattern says."""
    if not answer.match.indexed[0]:
        return f"<b>Not indexed</b>: no {phase} is recognised in this pattern."
    if not np.isfinite(answer.match.q[0]):
        return NO_SPOTS
    return matched(answer.match) if config.answer == "refine" else ""
