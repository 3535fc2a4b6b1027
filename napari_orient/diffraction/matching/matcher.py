"""What does it take to index the patterns of a scan? Libraries built once, then any number of them.

A pattern goes through four steps: it is prepared, searched for in the libraries of all phases,
refined below their spacing, and judged.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_orient.crystal.phases import get_phase
from napari_orient.diffraction.matching.judge import lowest_q, match_patterns
from napari_orient.diffraction.matching.library import build_library, pick_device
from napari_orient.diffraction.matching.polar import polar_grid, prepare, unroll
from napari_orient.diffraction.matching.refine import SpotModel, spot_model
from napari_orient.diffraction.matching.search import search
from napari_orient.diffraction.matching.settings import FARTHEST, check_reflections, settle
from napari_orient.diffraction.matching.symmetry import check_symmetry
from napari_orient.diffraction.simulate import Reflections, reflections

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray
    from orix.crystal_map import Phase

    from napari_orient.data.scan import Calibration
    from napari_orient.diffraction.matching.config import IndexConfig
    from napari_orient.diffraction.matching.library import Library
    from napari_orient.diffraction.matching.match import Match
    from napari_orient.diffraction.matching.polar import PolarGrid, Prepared
    from napari_orient.diffraction.matching.search import Candidates
    from napari_orient.diffraction.matching.settings import Settings
    from napari_orient.jobs import Job


@dataclass(frozen=True, eq=False)
class Matcher:
    """Finds orientations; from :func:`build_matcher`.

    Attributes
    ----------
    asked
        The settings as they were given.
    settings
        What they became.
    pattern_shape
        (ky, kx).
    grid
        Where on the patterns it is looked.
    libraries, models
        Of each phase, for the search and for the refinement.
    """

    asked: IndexConfig
    settings: Settings
    pattern_shape: tuple[int, int]
    grid: PolarGrid
    libraries: tuple[Library, ...]
    models: tuple[SpotModel, ...]

    @property
    def config(self) -> IndexConfig:
        """The settings, with all that was left open filled in."""
        return self.settings.config

    @property
    def calibration(self) -> Calibration:
        """Of the patterns, with the voltage and the pixel size of the settings."""
        return self.settings.calibration

    @property
    def phases(self) -> tuple[Phase, ...]:
        """Of the libraries, in the order of the settings."""
        return tuple(library.phase for library in self.libraries)

    @property
    def exploratory(self) -> str:
        """Why the calibration is not to be trusted; "" if it is."""
        return self.settings.exploratory

    @property
    def remarks(self) -> tuple[str, ...]:
        """What was measured or assumed, in words."""
        return self.settings.remarks

    def match(self, patterns: NDArray[Any], positions: ArrayLike | None = None) -> Match:
        """Find the orientations of patterns.

        Parameters
        ----------
        patterns
            (n, ky, kx) counts of any real type.
        positions
            (n, 2) scan positions (y, x) in steps, for the descan; None takes the beam to be on the
            calibration's centre.

        Returns
        -------
        Match
            In the frame of the scan.
        """
        config = self.config

        def searched(prepared: Prepared, positions: ArrayLike | None) -> Candidates:
            return search(
                unroll(prepared, self.grid, positions), self.libraries, config.candidates,
                spacing_deg=config.spacing_deg, memory_mb=config.memory_mb // (config.threads or 1),
            )  # fmt: skip

        prepared = prepare(patterns, self.grid, positions)
        found = searched(prepared, positions)
        return match_patterns(
            prepared, self.grid, self.models, found.quaternions, found.phase_id, positions,
            search=searched, keep=config.candidates, spacing_deg=config.spacing_deg,
            apart_deg=config.apart_deg, min_q=config.min_q, move=config.refine,
        )  # fmt: skip


def build_matcher(
    calibration: Calibration,
    pattern_shape: tuple[int, int],
    config: IndexConfig,
    *,
    sample: NDArray[Any] | None = None,
) -> Job[Matcher]:
    """Simulate the libraries of all phases.

    Parameters
    ----------
    calibration
        Of the scan.
    pattern_shape
        (ky, kx) in pixels.
    config
        Phases and settings.
    sample
        Some patterns (n, ky, kx) with their beams on the centre, from
        :func:`~napari_orient.diffraction.matching.index.sample_patterns`: the radius of the disks
        is measured in them where neither settings nor calibration know it.

    Yields
    ------
    Progress
        In templates, phase by phase.

    Raises
    ------
    ValueError
        If no phase is given, a phase is unknown, has no atoms or cannot be found in such patterns,
        or the patterns cannot be put to scale; the message names the cure.
    UnreadableFile
        If a .cif file cannot be read.
    """
    if not config.phases:
        raise ValueError("no phase is given: name at least one, or a .cif file")
    phases = [get_phase(name) for name in config.phases]
    twice = {p.name for p in phases if sum(q.name == p.name for q in phases) > 1}
    if twice:
        raise ValueError(f"{', '.join(sorted(twice))} is given twice: phases need different names")
    settings = settle(calibration, pattern_shape, config, sample)
    found = settings.config
    grid = polar_grid(
        settings.calibration, pattern_shape, radius=settings.radius, min_g=_number(found.min_g),
        max_g=_number(found.max_g), power=found.power,
    )  # fmt: skip
    if found.min_q is None:
        update = {"min_q": lowest_q(grid)}
        settings = replace(settings, config=found.model_copy(update=update))
    sources = [_reflections(phase, settings) for phase in phases]  # refused before the long work
    voltage, precession = _number(found.voltage_kv), _number(found.precession_deg)
    device = pick_device(found.device)
    libraries, models = [], []
    for phase, source in zip(phases, sources, strict=True):
        library = yield from build_library(
            phase, grid, voltage_kv=voltage, spacing_deg=found.spacing_deg,
            thickness_nm=found.thickness_nm, precession_deg=precession, device=device,
        )  # fmt: skip
        libraries.append(library)
        models.append(
            spot_model(
                phase, source, voltage_kv=voltage,
                thickness_nm=found.thickness_nm, precession_deg=precession,
                levelling=found.levelling,
            )
        )  # fmt: skip
    shape = (int(pattern_shape[0]), int(pattern_shape[1]))
    return Matcher(config, settings, shape, grid, tuple(libraries), tuple(models))


def _number(value: float | None) -> float:
    assert value is not None  # settle has filled it in
    return value


def _reflections(phase: Phase, settings: Settings) -> Reflections:
    """Reflections that the patterns may show; a phase that has none of them is refused."""
    if not len(phase.structure):
        raise ValueError(f"the phase {phase.name} has no atoms: read it from a .cif file")
    high = _number(settings.config.max_g)
    # to where any crystal has some: the words then say how far off they are, and all are checked
    source = reflections(phase, max(high, FARTHEST))
    seen = np.linalg.norm(source.g, axis=1) <= high
    found = Reflections(source.hkl[seen], source.g[seen], source.intensity[seen])
    check_reflections(phase.name, found, settings)
    check_symmetry(phase, source)
    return found
