"""Which orientation has each position of a scan? Patterns are matched as they are read; a job."""

from __future__ import annotations

import json
import math
import time
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from itertools import product
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np
import torch

import napari_orient
from napari_orient.data.candidates import Candidates
from napari_orient.data.maps import IDENTITY, OrientationMap
from napari_orient.data.pages import release
from napari_orient.diffraction.matching.judge import lowest_q
from napari_orient.diffraction.matching.matcher import build_matcher
from napari_orient.diffraction.matching.settings import available_cores
from napari_orient.diffraction.reading import MAPPED_BYTES, bounding_box, plan_reads
from napari_orient.files import split_inside
from napari_orient.jobs import Every, Job, Partial, Progress

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator

    from numpy.typing import ArrayLike, NDArray
    from orix.crystal_map import Phase

    from napari_orient.data.scan import Calibration, Scan
    from napari_orient.diffraction.matching.config import IndexConfig
    from napari_orient.diffraction.matching.match import Match
    from napari_orient.diffraction.matching.matcher import Matcher

_BATCH = 64  # patterns matched at a time: less than half a second, so that a stop is obeyed
_SAMPLE = 32  # patterns in which the disks are measured
_SHOWN = 0.3  # seconds between partial maps, of small maps
_SHOWN_POINT = 4e-6  # seconds a point, of large ones: copies then take 3 % of the time
# settings that libraries do not depend on
LATE = frozenset(("refine", "candidates", "min_q", "apart_deg", "memory_mb", "threads"))
_READ_SHARE = 0.1  # of a thread's memory, for its patterns: matching takes nine times that
_ANYHOW = frozenset(("memory_mb", "threads", "device"))  # settings that change no result


class Batch(NamedTuple):
    """Some patterns (n, ky, kx) and their scan positions (n, 2), (y, x)."""

    positions: NDArray[np.int64]
    patterns: NDArray[Any]


class Finder(Protocol):
    """What finds orientations in patterns: a matcher, or a network."""

    @property
    def config(self) -> Any:
        """Settings; among them candidates, memory_mb and threads."""

    @property
    def calibration(self) -> Calibration:
        """Of the patterns."""

    @property
    def phases(self) -> tuple[Phase, ...]:
        """Phases that ``Match.phase_id`` counts."""

    @property
    def exploratory(self) -> str:
        """Why the calibration is not to be trusted; "" if it is."""

    @property
    def remarks(self) -> tuple[str, ...]:
        """What was measured or assumed, in words."""

    def match(self, patterns: NDArray[Any], positions: ArrayLike | None = None) -> Match:
        """Find the orientations of patterns (n, ky, kx) at positions (n, 2)."""


def index_scan(
    scan: Scan,
    config: IndexConfig,
    *,
    region: NDArray[np.bool_] | None = None,
    matcher: Matcher | None = None,
    start: OrientationMap | None = None,
) -> Job[OrientationMap]:
    """Find the orientation, and the phase, at each position of a scan.

    Parameters
    ----------
    scan
        With voltage, pixel size and centre, if they are not in ``config``.
    config
        Phases and settings.
    region
        (y, x) bool: where to index; elsewhere the map is not done. None takes all.
    matcher
        Made for this scan by :func:`build_matcher`, which saves the time to build one; the settings
        may differ in what :func:`adapted` can change.
    start
        A map of this scan that a run with the same settings did not finish: what it has is kept.

    Yields
    ------
    Progress, Partial
        ``Partial("map", OrientationMap, done)`` as rows finish: a copy of the map so far. The last
        one before a stop lacks at most the patterns of the last 0.3 seconds (of a map of 500 x 500
        points, of the last second).

    Returns
    -------
    OrientationMap
        In the frame of the scan, in nm; "not indexed" where the patterns show none of the phases.
        Properties "Q", "R", "beam margin", "crystal margin", "share" (percent) and "ambiguous"
        (bits BEAM and CRYSTAL); ``candidates``; ``provenance`` with all settings.

    Raises
    ------
    ValueError
        If the region has another shape than the scan or is empty, ``start`` was made otherwise, or
        as :func:`build_matcher`.
    OSError
        If the file behind the scan disappeared or is damaged.
    """
    wanted = checked_region(scan, region)
    if matcher is None:
        yield Progress(0, 0, f"reading {scan.name}")
        sample = sample_patterns(scan)
        matcher = yield from build_matcher(
            scan.calibration, scan.pattern_shape, config, sample=sample
        )
    else:
        matcher = _checked_matcher(matcher, scan, config)
    return (yield from match_scan(scan, matcher, wanted, start=start))


def match_scan(
    scan: Scan,
    matcher: Finder,
    wanted: NDArray[np.bool_],
    task: str = "index",
    start: OrientationMap | None = None,
) -> Job[OrientationMap]:
    """Do what :func:`index_scan` does with anything that finds orientations in patterns.

    Parameters
    ----------
    scan
        Its patterns are read batch by batch.
    matcher
        Finds their orientations, in threads.
    wanted
        (y, x) bool.
    task
        For the provenance.
    start
        As of :func:`index_scan`.
    """
    growing = _Growing(scan, matcher, wanted, task)
    if start is not None:
        growing.go_on(start)
    show, tick = Every(max(_SHOWN, _SHOWN_POINT * wanted.size), 0.0), Every(0.1, 0.0)
    total, text = int(wanted.sum()), f"{task}ing {scan.name}"
    yield Progress(growing.count, total, text)
    if growing.done.all(where=wanted):
        return growing.map()
    todo = wanted & ~growing.done
    matches = match_batches(matcher, batches(scan, todo, thread_memory(matcher)))
    try:
        for positions, match in matches:
            growing.add(positions, match)
            if tick.due():
                yield Progress(growing.count, total, f"{text}: {growing.rate:.0f} patterns/s")
            if show.due():
                yield growing.partial()
    finally:
        matches.close()
        release(scan.data)
    yield growing.partial()
    return growing.map()


def adapted(matcher: Matcher, config: IndexConfig) -> Matcher | None:
    """Return the matcher for other settings, or None where these need other libraries."""
    if config in (matcher.asked, matcher.config):
        return matcher
    now = config.model_dump()
    changed = {name for name, value in matcher.asked.model_dump().items() if value != now[name]}
    if not changed <= LATE:
        return None
    found = {name: now[name] for name in changed}
    if "min_q" in found and config.min_q is None:
        found["min_q"] = lowest_q(matcher.grid)
    if "threads" in found:
        found["threads"] = config.threads or available_cores()
    settled = matcher.settings.config.model_copy(update=found)
    return replace(matcher, asked=config, settings=replace(matcher.settings, config=settled))


def _checked_matcher(matcher: Matcher, scan: Scan, config: IndexConfig) -> Matcher:
    if matcher.pattern_shape != scan.pattern_shape:
        shapes = f"{matcher.pattern_shape} px, and the scan has {scan.pattern_shape}"
        raise ValueError(f"the matcher was built for patterns of {shapes}")
    found = adapted(matcher, config)
    if found is None:
        raise ValueError("the matcher was built with other settings than those given")
    return found


def thread_memory(matcher: Finder) -> int:
    """Return the share of each thread in the working memory, in MB."""
    memory_mb: int = matcher.config.memory_mb
    return max(1, memory_mb // (matcher.config.threads or 1))


def match_batches(
    matcher: Finder, source: Iterator[Batch]
) -> Generator[tuple[NDArray[np.int64], Match], None, None]:
    """Match batches in threads of their own, and hand out the results in order.

    Batches are independent, and most of the work is done without Python's lock. Within a thread
    torch gets one core: its own threads only wait for each other on matrices as small as these.
    """
    workers = matcher.config.threads or 1
    before = torch.get_num_threads()
    pool = ThreadPoolExecutor(workers, "index", initializer=torch.set_num_threads, initargs=(1,))
    waiting: deque[tuple[NDArray[np.int64], Future[Match]]] = deque()
    try:
        for batch in source:
            future = pool.submit(matcher.match, batch.patterns, batch.positions)
            waiting.append((batch.positions, future))
            if len(waiting) > workers:  # one more is read while the others are matched
                positions, future = waiting.popleft()
                yield positions, future.result()
        while waiting:
            positions, future = waiting.popleft()
            yield positions, future.result()
    finally:
        pool.shutdown(cancel_futures=True)
        torch.set_num_threads(before)  # new threads take over the number that was set last


def checked_region(scan: Scan, region: NDArray[np.bool_] | None) -> NDArray[np.bool_]:
    """Return where to index (y, x); None takes all.

    Raises
    ------
    ValueError
        If the region has another shape than the scan or is empty.
    """
    if region is None:
        return np.ones(scan.scan_shape, np.bool_)
    wanted = np.asarray(region, np.bool_)
    if wanted.shape != scan.scan_shape:
        raise ValueError(f"a region of {wanted.shape} is not on a scan of {scan.scan_shape}")
    if not wanted.any():
        raise ValueError("the region is empty: no position of the scan lies in it")
    return wanted


def sample_patterns(scan: Scan, most: int = _SAMPLE) -> NDArray[Any]:
    """Read some patterns (n, ky, kx) from all over a scan, the drift of the beam taken out."""
    rows, columns = scan.scan_shape
    tall, wide = scan.chunks[:2] if scan.chunks else (1, 1)
    # one pattern costs as much as its whole chunk: of large ones a few, and four patterns of each
    down, across = -(-rows // tall), -(-columns // wide)
    side = max(2, math.ceil(math.sqrt(most / (down * across))))  # more, where there are few
    together = (min(side, tall), min(side, wide))
    number = min(-(-most // (together[0] * together[1])), down * across)
    # steps of the golden ratio: spread evenly over columns too, whatever the shape
    flat = np.unique((np.arange(number) * 0.6180339887 % 1 * down * across).astype(int))
    descan, found = scan.calibration.descan, []
    for top, left in ((index // across * tall, index % across * wide) for index in flat):
        ys = range(top, min(top + tall, rows), -(-tall // together[0]))
        xs = range(left, min(left + wide, columns), -(-wide // together[1]))
        patterns = scan.read(slice(ys.start, ys.stop, ys.step), slice(xs.start, xs.stop, xs.step))
        for (y, x), pattern in zip(
            product(ys, xs), patterns.reshape(-1, *scan.pattern_shape), strict=True
        ):
            ky, kx = (0, 0) if descan is None else (round(float(d)) for d in descan.drift(y, x))
            found.append(np.roll(pattern, (-ky, -kx), (0, 1)))
    release(scan.data)
    return np.stack(found[:most])


def batches(
    scan: Scan, wanted: NDArray[np.bool_], memory_mb: int, most: int = 0
) -> Iterator[Batch]:
    """Read the patterns of the wanted positions, chunk after chunk, a few at a time.

    Parameters
    ----------
    scan
        It is read along the borders of its chunks, in the order of rows.
    wanted
        (y, x) bool.
    memory_mb
        Bounds what is read at a time; a single chunk of the file may be more.
    most
        Patterns in a batch; 0 leaves it to the module.
    """
    ky, kx = (slice(0, n) for n in scan.pattern_shape)
    pattern = scan.nbytes // wanted.size
    room = _READ_SHARE * 1e6 * memory_mb
    size = max(1, min(most or _BATCH, int(room / max(pattern, 4 * ky.stop * kx.stop))))
    waiting: list[Batch] = []
    mapped = 0
    for read in plan_reads(scan, ky, kx, size * pattern):
        inside = wanted[read.y, read.x]
        if not (read.last and inside.any()):  # earlier pieces have the same positions
            continue
        waiting.append(_fetch(scan, read.y.start, read.x.start, inside))
        mapped += waiting[-1].patterns.nbytes
        if sum(len(batch.positions) for batch in waiting) >= size:
            *full, rest = _cut(waiting, size)
            yield from full
            waiting = [rest]
        if mapped > MAPPED_BYTES:
            release(scan.data)
            mapped = 0
    yield from _cut(waiting, size)


def _fetch(scan: Scan, top: int, left: int, inside: NDArray[np.bool_]) -> Batch:
    """Read the patterns where ``inside`` of a block of the scan whose corner is (top, left)."""
    rows, columns = bounding_box(inside)
    y = slice(top + rows.start, top + rows.stop)
    x = slice(left + columns.start, left + columns.stop)
    part = inside[rows, columns]
    positions = np.argwhere(part) + np.array([y.start, x.start])
    return Batch(positions, scan.read(y, x)[part])


def _cut(waiting: list[Batch], size: int) -> Iterator[Batch]:
    """Join batches and cut them anew: full ones, and a last one of 1 to ``size`` patterns."""
    positions = np.concatenate([batch.positions for batch in waiting])
    patterns = np.concatenate([batch.patterns for batch in waiting])
    for start in range(0, len(positions), size):
        yield Batch(positions[start : start + size], patterns[start : start + size])


class _Growing:
    """The map so far."""

    def __init__(self, scan: Scan, matcher: Finder, wanted: NDArray[np.bool_], task: str) -> None:
        shape = scan.scan_shape
        self.task = task
        self.scan = scan
        self.matcher = matcher
        self.wanted = wanted
        self.count = self.before = 0
        self.start, self.seconds_before = time.perf_counter(), 0.0
        self.done = np.zeros(shape, np.bool_)
        self.quaternions = np.tile(np.array(IDENTITY), (*shape, 1))
        self.phase_id = np.full(shape, -1, np.int32)
        self.properties: dict[str, NDArray[Any]] = {
            name: np.zeros(shape, np.float32)
            for name in ("Q", "R", "beam margin", "crystal margin", "share")
        }
        self.properties["ambiguous"] = np.zeros(shape, np.uint8)
        self.candidates = Candidates.empty(shape, matcher.config.candidates)

    @property
    def seconds(self) -> float:
        """Spent on the map, those of the run that it goes on from included."""
        return time.perf_counter() - self.start + self.seconds_before

    @property
    def rate(self) -> float:
        """Patterns a second, of this run."""
        return (self.count - self.before) / max(time.perf_counter() - self.start, 1e-9)

    def go_on(self, before: OrientationMap) -> None:
        """Take over what an earlier run has finished.

        Raises
        ------
        ValueError
            If that was another scan, another region, or had other settings; it says which.
        """
        made, now = before.provenance, self.provenance()
        other = [] if before.shape == self.done.shape else ["shape of the scan"]
        if not other and (before.done & ~self.wanted).any():
            other.append("region")
        if _crystals(before.phases.values()) != _crystals(self.matcher.phases):
            other.append("phases")
        other += _differing(made, now)
        if other:
            raise ValueError(
                f"the unfinished map was made otherwise ({', '.join(dict.fromkeys(other))}): give "
                "the same scan and settings, or begin anew"
            )
        self.done, self.phase_id = before.done.copy(), before.phase_id.copy()
        self.quaternions = before.quaternions.copy()
        # in the order of their own, which add() counts on
        self.properties |= {name: array.copy() for name, array in before.properties.items()}
        if before.candidates is not None:
            self.candidates = before.candidates.moved(np.copy)
        self.count = self.before = int(self.done.sum())
        self.seconds_before = float(made["seconds"])

    def add(self, positions: NDArray[np.int64], match: Match) -> None:
        """Take what was found at some positions (n, 2)."""
        y, x = positions.T
        found = match.indexed
        self.quaternions[y[found], x[found]] = match.quaternions[found, 0]
        self.phase_id[y, x] = np.where(found, match.phase_id[:, 0], -1)
        values = (
            match.q, match.r, match.beam_margin, match.crystal_margin, match.share,
            match.ambiguous,
        )  # fmt: skip
        named: list[tuple[str, NDArray[Any]]] = list(zip(self.properties, values, strict=False))
        for name, new in (*named, *match.extra.items()):
            self.properties.setdefault(name, np.zeros(self.done.shape, new.dtype))[y, x] = new
        k = match.score.shape[1]
        there = (match.phase_id >= 0)[..., None]
        self.candidates.quaternions[y, x, :k] = np.where(there, match.quaternions, IDENTITY)
        self.candidates.score[y, x, :k] = match.score
        self.candidates.phase_id[y, x, :k] = match.phase_id
        self.done[y, x] = True
        self.count += len(positions)

    def partial(self) -> Partial:
        return Partial("map", self.map(), self.done.copy())

    def map(self) -> OrientationMap:
        """Return the map so far; it shares nothing with what is still written to."""
        scan, step = self.scan, self.scan.calibration.step
        pair = (1.0, 1.0) if step is None else step.pair
        y, x = scan.origin
        return OrientationMap(
            self.quaternions.copy(),
            dict(enumerate(self.matcher.phases)),
            self.phase_id.copy(),
            properties={name: array.copy() for name, array in self.properties.items()},
            step=pair,
            unit="nm",
            frame_note=_frame_note(scan),
            done=self.done.copy(),
            source=f"{self.task}ed: {scan.source or scan.name}",
            origin=(y * pair[0], x * pair[1]),
            candidates=self.candidates.moved(np.copy),
            provenance=self.provenance(),
        )

    def provenance(self) -> dict[str, Any]:
        """How the map came to be, as plain JSON types."""
        scan, matcher = self.scan, self.matcher
        remarks = list(matcher.remarks)
        if scan.calibration.step is None:
            remarks.append("the step of the scan is unknown: 1 nm is written")
        return {
            "task": self.task,
            "version": napari_orient.__version__,
            "scan": {"source": scan.source, "name": scan.name, "history": list(scan.history)},
            "config": matcher.config.model_dump(mode="json"),
            **getattr(matcher, "origin", {}),
            "calibration": matcher.calibration.model_dump(mode="json"),
            "exploratory": matcher.exploratory,
            "remarks": remarks,
            "region": None if self.wanted.all() else int(self.wanted.sum()),
            "patterns": self.count,
            "seconds": round(self.seconds, 3),
        }


def _crystals(phases: Iterable[Phase]) -> list[Any]:
    """Return what two phases of one name may differ in."""
    return [
        (p.name, p.point_group.name, [round(float(v), 5) for v in p.structure.lattice.abcABG()])
        for p in phases
    ]


def _differing(made: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """Return in which settings two provenances differ; where files lie does not count."""
    facts = [_compared(one) for one in (made, now)]
    names = dict.fromkeys(name for fact in facts for name in fact)
    return [name for name in names if facts[0].get(name) != facts[1].get(name)]


def _compared(made: dict[str, Any]) -> dict[str, Any]:
    made = json.loads(json.dumps(made))  # as it comes out of a file: lists, no tuples
    scan, config, model = (made.get(name, {}) for name in ("scan", "config", "model"))
    file, inside = split_inside(scan.get("source", ""))
    return {
        "task": made.get("task"),
        "scan": file.name or scan.get("name"),
        "dataset of the scan": inside,
        "treatment of the scan": scan.get("history"),
        "calibration": made.get("calibration"),
        "region": made.get("region"),
        **{name: value for name, value in config.items() if name not in _ANYHOW},
        **{f"model ({name})": value for name, value in model.items() if name != "folder"},
        "weights of the model": made.get("weights"),
    }


def _frame_note(scan: Scan) -> str:
    rotation = scan.calibration.rotation
    note = "Axes of the scan: x right, y down, z into the page"
    if rotation.source == "default":
        return f"{note}. The rotation of the patterns is not measured: taken as {rotation.value:g}°"
    mirrored = " and mirrored" if scan.calibration.flip.number else ""
    return f"{note}. Patterns turned by {rotation.number:.2f}° ({rotation.source}){mirrored}."
