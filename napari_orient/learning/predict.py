"""Which orientations does a network see in a scan? Its answers, checked against the patterns.

Where the scan is calibrated each answer is simulated again and compared with its pattern, by the
score of template matching: Q says how well it fits. Its probable answers can be moved to the best
orientation nearby, and the one that fits best is taken; what shows none of the phase is not
indexed.
"""

from __future__ import annotations

import copy
import zlib
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pydantic import Field

from napari_orient.config import Config
from napari_orient.diffraction.matching.config import IndexConfig
from napari_orient.diffraction.matching.foreign import explained
from napari_orient.diffraction.matching.index import checked_region, match_scan, sample_patterns
from napari_orient.diffraction.matching.judge import lowest_q, match_patterns
from napari_orient.diffraction.matching.match import Match
from napari_orient.diffraction.matching.polar import polar_grid, prepare
from napari_orient.diffraction.matching.refine import climb, filtered, spot_model
from napari_orient.diffraction.matching.settings import available_cores, check_reflections, settle
from napari_orient.diffraction.simulate import reflections
from napari_orient.jobs import Progress
from napari_orient.learning.nearby import best_nearby, starts
from napari_orient.learning.patterns import input_geometry, network_images, seen_share
from napari_orient.learning.precision import pick_device

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray
    from orix.crystal_map import Phase
    from torch import nn

    from napari_orient.data.maps import OrientationMap
    from napari_orient.data.scan import Calibration, Scan
    from napari_orient.diffraction.matching.polar import PolarGrid
    from napari_orient.diffraction.matching.refine import SpotModel
    from napari_orient.diffraction.matching.settings import Settings
    from napari_orient.jobs import Job
    from napari_orient.learning.folder import Model
    from napari_orient.learning.heads import Prediction

_SPACING_DEG = 1.0  # of the starts of a refinement, nearly
_LEAST_SEEN = 0.6  # of the network's pixels must lie on the detector
_OFF = 0.1  # share by which voltage and pixel size may differ from those of the training


class PredictConfig(Config):
    """Settings of a prediction. ``None`` is taken from the scan."""

    answer: Literal["refine", "network"] = Field(
        "refine",
        description="refine: its probable answers are moved to the best orientations nearby, and "
        "the one that fits the pattern best is taken; network: the most probable one as it is",
    )
    voltage_kv: float | None = Field(None, gt=0, description="acceleration voltage, in kV")
    pixel_size: float | None = Field(None, gt=0, description="pattern pixel, in 1/angstrom")
    thickness_nm: float = Field(30.0, gt=0, le=1000, description="thickness of the foil, in nm")
    levelling: float = Field(
        0.5, gt=0, le=1, description="exponent on the simulated intensities, as in Index"
    )
    candidates: int = Field(5, ge=1, le=20, description="solutions kept for each position")
    min_q: float | None = Field(
        None, ge=0, le=100, description="lower Q is not indexed; empty: from the patterns"
    )
    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="where it is computed")
    memory_mb: int = Field(400, ge=100, description="working memory, in MB")
    threads: int | None = Field(
        None, ge=1, le=256, description="batches read side by side; empty: one for each core"
    )


@dataclass(frozen=True, eq=False)
class Predictor:
    """Finds orientations as a matcher does, by a network; from :func:`build_predictor`.

    Attributes
    ----------
    model
        The network.
    config
        Settings, threads filled in.
    calibration
        Of the patterns, with the voltage and the pixel size of the settings.
    ground
        Settings, grid and spot model by which answers are checked; None where the patterns cannot
        be put to scale.
    exploratory, remarks
        As of a matcher.
    """

    model: Model
    config: PredictConfig
    calibration: Calibration
    ground: tuple[Settings, PolarGrid, SpotModel] | None
    exploratory: str
    remarks: tuple[str, ...]

    @cached_property
    def origin(self) -> dict[str, Any]:
        """Which model it was, and a checksum of its weights, for the provenance of the map."""
        return {"model": self.model.about(), "weights": _checksum(self.model.network)}

    @property
    def phases(self) -> tuple[Phase, ...]:
        """The one that the model knows."""
        return (self.model.phase,)

    def match(self, patterns: NDArray[Any], positions: ArrayLike | None = None) -> Match:
        """Read patterns (n, ky, kx) at positions (n, 2)."""
        images = network_images(patterns, self.model.config.input, self.calibration, positions)
        said = self.model.predict(images)
        extra = {
            "probability": (100 * said.probability[:, 0]).astype(np.float32),
            "spread": said.spread_deg[:, 0].astype(np.float32),
        }
        constant = images.max(axis=(1, 2)) == 0
        keep = self.config.candidates
        if self.ground is None:
            return _unchecked(said, ~constant, extra, keep)
        settings, grid, model = self.ground
        prepared = prepare(patterns, grid, positions)
        min_q = settings.config.min_q or 0.0
        ready = filtered(prepared, grid, positions)
        if self.config.answer == "refine":
            beam = "beam" in self.model.config.modulo
            start, number = starts(said, ready, grid, model, beam=beam)
            found = match_patterns(
                prepared, grid, (model,), start, number, positions,
                keep=keep, spacing_deg=_SPACING_DEG, min_q=min_q,
            )  # fmt: skip
            return replace(found, extra=extra)
        q = said.quaternions
        number = np.zeros(q.shape[:2], np.int32)
        score = climb(ready, grid, (model,), q, number, move=False).score
        first = np.where(np.isfinite(score[:, 0]), score[:, 0], 0)
        # an answer is off by a degree or two: is there a crystal, turned nearly so?
        near, reached = best_nearby(q[:, 0], ready, grid, model)
        foreign = explained(prepared.images, grid, (model,), near, number[:, 0], positions)
        indexed = (100 * reached >= min_q) & ~foreign.foreign & ~constant
        return _answers(q[:, :keep], score[:, :keep], 100 * first, indexed, extra)


def build_predictor(
    model: Model,
    calibration: Calibration,
    pattern_shape: tuple[int, int],
    config: PredictConfig,
    sample: NDArray[Any] | None = None,
) -> Predictor:
    """Bring a model and a scan together.

    Parameters
    ----------
    model
        The network; it computes on the device of the settings, wherever it was read to.
    calibration, pattern_shape, sample
        Of the scan, as in :func:`napari_orient.diffraction.matching.matcher.build_matcher`.
    config
        Settings.

    Raises
    ------
    ValueError
        If they do not fit: a model for another voltage or scale, a detector that does not reach as
        far as the network looks, a scan without the calibration that the model needs; or the device
        is not there. The message names the cure.
    """
    model = _on_device(model, config.device)
    asked = IndexConfig(
        phases=(model.phase.name,), voltage_kv=config.voltage_kv, pixel_size=config.pixel_size,
        thickness_nm=config.thickness_nm, levelling=config.levelling, min_q=config.min_q,
        threads=config.threads,
    )  # fmt: skip
    threads = config.threads or available_cores()
    settled = config.model_copy(update={"threads": threads})
    scaled = model.config.input.pixel_size is not None
    if not scaled and not _known(calibration, config):
        remark = (
            "the scan is not calibrated: answers are not checked against the patterns, and vacuum "
            "cannot be told"
        )
        return Predictor(
            model, settled.model_copy(update={"answer": "network"}), calibration, None, "",
            (remark,),
        )  # fmt: skip
    settings = settle(calibration, pattern_shape, asked, sample)
    remarks = (*settings.remarks, *_check(model, settings, pattern_shape))
    chosen = settings.config
    grid = polar_grid(
        settings.calibration, pattern_shape, radius=settings.radius, min_g=chosen.min_g or 0.0,
        max_g=chosen.max_g or 0.0, power=chosen.power,
    )  # fmt: skip
    min_q = lowest_q(grid) if chosen.min_q is None else chosen.min_q
    chosen = chosen.model_copy(update={"min_q": min_q})
    settings = replace(settings, config=chosen)
    source = reflections(model.phase, chosen.max_g or 0.0)
    check_reflections(model.phase.name, source, settings)
    spots = spot_model(
        model.phase, source, voltage_kv=chosen.voltage_kv or 0.0,
        thickness_nm=chosen.thickness_nm, precession_deg=chosen.precession_deg or 0.0,
        levelling=chosen.levelling,
    )  # fmt: skip
    ground = (settings, grid, spots)
    return Predictor(model, settled, settings.calibration, ground, settings.exploratory, remarks)


def predict_scan(
    scan: Scan,
    model: Model,
    config: PredictConfig | None = None,
    *,
    region: NDArray[np.bool_] | None = None,
    start: OrientationMap | None = None,
) -> Job[OrientationMap]:
    """Find the orientation at each position of a scan with a network.

    Parameters
    ----------
    scan, region, start
        As in :func:`napari_orient.diffraction.matching.index.index_scan`.
    model
        From :func:`napari_orient.learning.folder.load_model`.
    config
        Settings; None takes the defaults.

    Yields
    ------
    Progress, Partial
        As :func:`napari_orient.diffraction.matching.index.index_scan`.

    Returns
    -------
    OrientationMap
        As of template matching, with two more properties: "probability" (percent) of the network's
        first answer, and "spread", how many degrees it is off on average by its own account.

    Raises
    ------
    ValueError
        As :func:`build_predictor`, or if the region is empty, or ``start`` was made otherwise.
    """
    wanted = checked_region(scan, region)
    yield Progress(0, 0, f"reading {scan.name}")
    predictor = build_predictor(
        model, scan.calibration, scan.pattern_shape, config or PredictConfig(),
        sample_patterns(scan),
    )  # fmt: skip
    return (yield from match_scan(scan, predictor, wanted, "predict", start))


def _on_device(model: Model, asked: str) -> Model:
    """Return the model where it is to compute: itself, or a copy."""
    device = pick_device(asked)
    there = next(model.network.parameters()).device.type
    if there == device:
        return model
    return replace(model, network=copy.deepcopy(model.network).to(device))


def _checksum(network: nn.Module) -> str:
    found = 0
    for value in network.state_dict().values():
        found = zlib.crc32(value.detach().cpu().float().contiguous().numpy(), found)
    return f"{found:08x}"


def _known(calibration: Calibration, config: PredictConfig) -> bool:
    size = config.pixel_size or calibration.pixel_size
    voltage = config.voltage_kv or calibration.voltage
    return bool(size and voltage and calibration.centre)


def _check(model: Model, settings: Settings, shape: tuple[int, int]) -> list[str]:
    """Refuse a scan that is not what the model has learned; return what is doubtful."""
    voltage = settings.config.voltage_kv or 0.0
    trained = model.facts.get("voltage_kv")
    if trained and abs(voltage / trained - 1) > _OFF:
        raise ValueError(
            f"{model.name} has learned patterns of {trained:g} kV, and the scan was taken at "
            f"{voltage:g} kV: correct the voltage if it is wrong, or train a model for it"
        )
    remarks = []
    seen = model.config.input
    if seen.pixel_size is not None:
        share = float(seen_share(input_geometry(shape, seen, settings.calibration)).mean())
        reach = seen.size * seen.pixel_size / 2
        if share < _LEAST_SEEN:
            raise ValueError(
                f"{model.name} looks at patterns to {reach:.2g} 1/angstrom, and the detector shows "
                f"{100 * share:.0f} % of that: check the pixel size "
                f"({settings.config.pixel_size:.3g} 1/angstrom), or train a model for this camera "
                "length"
            )
        if share < 1:
            remarks.append(f"the detector shows {100 * share:.0f} % of what the network looks at")
    elif (before := model.facts.get("pixel_size")) and settings.config.pixel_size:
        now = settings.config.pixel_size * max(shape) / seen.size
        if abs(now / before - 1) > _OFF:
            raise ValueError(
                f"{model.name} has learned patterns of {before:.3g} 1/angstrom a pixel, and "
                f"those of the scan have {now:.3g} (at {seen.size} pixels): train a model for this "
                "camera length"
            )
    return remarks


def _answers(
    quaternions: NDArray[np.float64],
    score: NDArray[np.float32],
    q: NDArray[np.float32],
    indexed: NDArray[np.bool_],
    extra: dict[str, NDArray[np.float32]],
) -> Match:
    """Answers without alternatives that were looked for: no margins."""
    n, unknown = len(q), np.full(len(q), np.nan, np.float32)
    found = np.zeros(score.shape, np.int32)
    full = np.full(n, 100, np.float32)
    return Match(
        quaternions, score, found, q.astype(np.float32), unknown, unknown, unknown,
        np.zeros(n, np.uint8), full, indexed, extra,
    )  # fmt: skip


def _unchecked(
    said: Prediction, indexed: NDArray[np.bool_], extra: dict[str, NDArray[np.float32]], keep: int
) -> Match:
    odds = said.probability[:, :keep].astype(np.float32)
    q = np.full(len(odds), np.nan, np.float32)
    return _answers(said.quaternions[:, :keep], odds, q, indexed, extra)
