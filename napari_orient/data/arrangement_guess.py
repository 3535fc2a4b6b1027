"""How were the frames of a stack recorded? A guess with reasons, from headers and likenesses.

Neighbouring positions give similar patterns. So lines of the right length look like the lines
beside them, a seam or a mirror lies where one line ends, and frames of the flyback are dark or
alike in all lines. What is found here is a proposal: whoever opens the file confirms it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_orient.data.arrangement import Arrangement
from napari_orient.data.pages import release
from napari_orient.data.views import fetch
from napari_orient.jobs import Every, Partial, Progress

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from napari_orient.jobs import Job

BLOCK = 8_000_000  # bytes read at a time
MOST_READ = 1_500_000_000  # bytes of a look at a whole file
_PAGE = 4096
_GRID = 4  # features are sums over 4 x 4 blocks of the pattern
_LEAST = 4  # shortest line that is looked for
_LINES = 24  # lines that are compared to find a shift
_SHIFTS = 12  # largest hysteresis that is looked for
_PERIODS = 8
_WINDOW = 6  # frames after a lead that are compared with it
_EXCESS = 6.0  # times the noise by which they must differ
_LEAD = 4000  # frames before the scan, at most


@dataclass(frozen=True)
class Look:
    """What a pass over a stack has seen.

    ``sums`` (frames,) are for a picture, in arbitrary units; ``features`` (frames, 16) say in which
    parts of the pattern the intensity is.
    """

    sums: NDArray[np.float32]
    features: NDArray[np.float32]


@dataclass(frozen=True)
class Guess:
    """A proposal: ``confidence`` from 0 to 1 is a rank, no probability; ``reasons`` are words."""

    arrangement: Arrangement
    confidence: float
    reasons: tuple[str, ...]


def look(frames: Any) -> Job[Look]:
    """Look at all frames (frames, ky, kx), at a part of the pixels where the file is large.

    Yields ``Partial("sums", sums, done)`` three times a second.

    Raises
    ------
    OSError
        If the file behind the stack disappeared.
    """
    number, ky, kx = (int(n) for n in frames.shape)
    row = kx * np.dtype(frames.dtype).itemsize
    sampled = int(np.clip(MOST_READ // (number * max(row, _PAGE)), _GRID, ky))
    rows = slice(0, ky, max(1, ky // sampled))
    features = np.zeros((number, _GRID * _GRID), np.float32)
    sums = np.zeros(number, np.float32)
    many = max(1, BLOCK // (len(range(ky)[rows]) * max(row, _PAGE)))
    show = Every(0.3)
    for first in range(0, number, many):
        part = slice(first, min(first + many, number))
        features[part] = _blocks(fetch(frames, part, rows, slice(None)))
        sums[part] = features[part].sum(axis=1)
        release(frames)
        if show.due():
            yield Progress(part.stop, number, "looking at the frames")
            yield Partial("sums", sums.copy(), np.arange(number) < part.stop)
    return Look(sums, features)


def _blocks(patterns: NDArray[Any]) -> NDArray[np.float32]:
    """Sum patterns (frames, ky, kx) over 4 x 4 blocks: (frames, 16). NaN count as nothing."""
    values = patterns.astype(np.float32)
    if patterns.dtype.kind == "f":
        values = np.nan_to_num(values, nan=0.0, posinf=0.0, neginf=0.0)
    edges = [np.arange(_GRID) * n // _GRID for n in patterns.shape[1:]]
    if min(patterns.shape[1:]) < _GRID:
        out = np.zeros((len(values), _GRID * _GRID), np.float32)
        out[:, 0] = values.sum(axis=(1, 2))
        return out
    blocks = np.add.reduceat(np.add.reduceat(values, edges[0], axis=1), edges[1], axis=2)
    return np.asarray(blocks.reshape(len(values), -1), np.float32)


def guess_arrangement(seen: Look, span: tuple[int, int] = (0, 0), most: int = 8) -> list[Guess]:
    """Rank arrangements of a stack, the likeliest first; never empty.

    Parameters
    ----------
    seen
        A complete :func:`look` at the stack.
    span
        First frame and number of frames that the file's headers mark as the scan's, (0, 0) if
        they do not.
    most
        How many to return.
    """
    number = len(seen.sums)
    known = span[1] > 1
    features = _whitened(seen.features)
    found: list[Guess] = []
    if number >= 4 * _LEAST and features.any():
        for start, stop in _spans(seen.sums, features, span):
            found += _from_likeness(features, seen.sums, start, stop, known)
    found += list(_from_counts(*(span if known else (0, number))))
    found.sort(key=lambda guess: -guess.confidence)
    unique = {str(guess.arrangement): guess for guess in reversed(found)}
    return sorted(unique.values(), key=lambda guess: -guess.confidence)[:most]


def _whitened(features: NDArray[np.float32]) -> NDArray[np.float32]:
    """Give every feature the median 0 and the spread 1; a few odd frames do not spoil it."""
    middle = np.median(features, axis=0)
    spread = 1.4826 * np.median(np.abs(features - middle), axis=0)
    spread = np.where(spread > 0, spread, np.maximum(features.std(axis=0), 1e-12))
    white: NDArray[np.float32] = np.clip((features - middle) / spread, -8, 8).astype(np.float32)
    return white


def _spans(
    sums: NDArray[np.float32], features: NDArray[np.float32], span: tuple[int, int]
) -> list[tuple[int, int]]:
    """Frames (start, stop) between which the scan may lie."""
    number = len(sums)
    if span[1] > 1:
        return [(span[0], span[0] + span[1])]
    lead = _quiet(sums, features)
    tail = _quiet(sums[::-1], features[::-1])
    spans = {(0, number), (lead, number), (lead, number - tail)}
    return sorted(spans)


def _quiet(sums: NDArray[np.float32], features: NDArray[np.float32]) -> int:
    """Count the frames at the start that are alike, and unlike those that follow; 0 if none.

    Dark frames, or such of a parked beam: the mean of what comes after differs from theirs by more
    than the noise, which neighbouring frames tell.
    """
    most = min(_LEAD, len(sums) // 2)
    dark = sums[:most] < 0.5 * np.median(sums)
    if dark[0] and not dark.all():
        return int(np.argmin(dark))
    noise = float(np.median(np.square(np.diff(features, axis=0)).mean(axis=1))) / 2
    total = np.cumsum(features[: most + _WINDOW], axis=0, dtype=np.float64)
    k = np.arange(1, len(total) - _WINDOW + 1)
    before = total[k - 1] / k[:, None]
    after = (total[k + _WINDOW - 1] - total[k - 1]) / _WINDOW
    excess = np.square(after - before).mean(axis=1) / (noise + 1e-9) / (1 / k + 1 / _WINDOW)
    far = np.flatnonzero(excess > _EXCESS)
    if len(far) == 0:
        return 0
    return int(k[far[0] + np.argmax(excess[far[0] : far[0] + _WINDOW])])


def _from_likeness(
    features: NDArray[np.float32],
    sums: NDArray[np.float32],
    start: int,
    stop: int,
    known: bool,
) -> list[Guess]:
    """Arrange the frames start:stop by every likely period, one way and as a snake."""
    found = []
    part = features[start:stop]
    for period in _periods(part):
        flyback, phase = _flyback(sums[start:stop], part, period)
        for snake in (False, True):
            best = _best(part, period, flyback, phase, snake)
            if best is None:
                continue
            made, reasons = best
            score = _likeness(part, made)
            left = len(part) - made.stop
            exact = made.start == 0 and left in (0, made.flyback)
            used = made.rows * made.period / len(sums)
            confidence = 0.75 * score + 0.15 * used + 0.05 * (exact + known)
            turned = ", turned round," * snake
            said = f"lines of {made.columns}{turned} are like the lines beside them ({score:.2f})"
            reasons = (said, *reasons)
            if known:
                reasons += ("start and end are marked in the file's headers",)
            elif start:
                reasons += (f"the {start} frames before are alike, and unlike the scan",)
            if exact:
                reasons += ("no frame is left over",)
            made = made.model_copy(update={"start": made.start + start})
            found.append(Guess(made, float(np.clip(confidence, 0, 1)), reasons))
    return found


def _periods(features: NDArray[np.float32]) -> list[int]:
    """Find likely line lengths: where the autocorrelation of the frames has a narrow peak.

    A snake's autocorrelation peaks at two lines; so halves are likely, too.
    """
    number = len(features)
    size = 1 << (2 * number - 1).bit_length()
    power = np.zeros(size // 2 + 1)
    for column in features.T:
        power += np.abs(np.fft.rfft(column - column.mean(), size)) ** 2
    lags = np.fft.irfft(power)[: number // 2 + 1]
    if lags[0] <= 0 or len(lags) < 2 * _LEAST:
        return []
    lags = lags / lags[0] * number / (number - np.arange(len(lags)))
    from scipy.ndimage import median_filter

    peaks = lags - median_filter(lags, size=7)
    is_peak = np.r_[False, (lags[1:-1] >= lags[:-2]) & (lags[1:-1] >= lags[2:]), False]
    is_peak[:_LEAST] = False
    order = np.argsort(np.where(is_peak, -peaks, np.inf))[:_PERIODS]
    found: list[int] = []
    for lag in order[is_peak[order]]:
        found += [int(lag), int(lag) // 2, (int(lag) + 1) // 2]
    found += [rows for rows, _ in factor_pairs(number)[:3]]
    return [p for p in dict.fromkeys(found) if _LEAST <= p <= number // 2]


def _flyback(
    sums: NDArray[np.float32], features: NDArray[np.float32], period: int
) -> tuple[int, int | None]:
    """Return the number of flyback frames a period, and the frame that follows them, if any.

    They are darker than the others, and alike in all lines.
    """
    lines = len(sums) // period
    folded = sums[: lines * period].reshape(lines, period)
    parts = features[: lines * period].reshape(lines, period, -1)
    spread = parts.var(axis=0).mean(axis=1)
    level = folded.mean(axis=0)
    dark = (level < 0.8 * np.median(level)) & (spread < 0.5 * np.median(spread))
    if not dark.any() or dark.mean() > 0.5:
        return 0, None
    turned = int(np.argmin(dark))  # a bright phase, from which runs of dark ones do not wrap
    edges = np.flatnonzero(np.diff(np.r_[0, np.roll(dark, -turned).astype(np.int8), 0]))
    begin, end = max(edges.reshape(-1, 2), key=lambda run: run[1] - run[0])
    return int(end - begin), int(end + turned) % period


def _best(
    features: NDArray[np.float32], period: int, flyback: int, phase: int | None, snake: bool
) -> tuple[Arrangement, tuple[str, ...]] | None:
    """Find the first frame and the hysteresis for lines of ``period`` frames, with reasons."""
    reasons: tuple[str, ...] = ()
    known = phase is not None
    if known:
        reasons = (f"{flyback} dark frames after every {period - flyback}",)
    elif not snake:
        phase = _seam(features, period)
        if phase:
            reasons = (f"a seam every {period} frames, first at frame {phase}",)
    first = phase or 0
    length, lines = period - flyback, (len(features) - first + flyback) // period
    if length < _LEAST or lines < 2:
        return None
    made = Arrangement(rows=lines, columns=length, start=first, flyback=flyback)
    if not snake:
        return made, reasons
    best = _unsnake(features, made, moves=not known)
    if best.hysteresis:
        reasons += (f"best with a hysteresis of {best.hysteresis}",)
    return best, reasons


def _seam(features: NDArray[np.float32], period: int) -> int:
    """Return the first frame of the first line, 0 if no frame of a period stands out.

    From the end of a line to the start of the next one the beam jumps.
    """
    lines = (len(features) - 1) // period
    jumps = np.square(np.diff(features, axis=0)).mean(axis=1)[: lines * period]
    folded = jumps.reshape(lines, period).mean(axis=0)
    rest = np.sort(folded)[:-1]
    spread = 1.4826 * float(np.median(np.abs(rest - np.median(rest)))) + 1e-9
    if folded.max() < np.median(rest) + 5 * spread or folded.max() < 1.1 * rest[-1]:
        return 0
    return (int(np.argmax(folded)) + 1) % period


def _unsnake(features: NDArray[np.float32], made: Arrangement, moves: bool) -> Arrangement:
    """Find the shift of the lines that run backwards: where each is mirrored into the next.

    A start that is later by one frame looks like a hysteresis of two: another start is taken only
    where a hysteresis alone does not explain the frames (and where it ``moves``).
    """
    period, reach = made.period, min(_SHIFTS, made.length // 4)
    curve = _mirrors(features, period)
    shifts = sorted(range(-reach, reach + 1), key=abs)
    sums = [2 * made.start + period + made.length - 1 + h for h in shifts]
    shift = shifts[int(np.argmax([curve[c % len(curve)] for c in sums]))]
    fixed = made.model_copy(update={"snake": "second", "hysteresis": shift})
    if made.flyback:  # its frames, alike everywhere, disturb the convolution
        few = fixed.model_copy(update={"rows": min(made.rows, _LINES)})
        tries = [few.model_copy(update={"hysteresis": h}) for h in shifts]
        shift = max(tries, key=lambda one: _likeness(features, one)).hysteresis
        fixed = fixed.model_copy(update={"hysteresis": shift})
    if not moves:
        return fixed
    best = int(np.argmax(curve))  # 2 start - 1 + hysteresis, without flyback
    start, shift = (best + 1) // 2 % period, (best + 1) % 2
    rows = (len(features) - start) // period
    if rows < 2:
        return fixed
    moved = fixed.model_copy(update={"start": start, "hysteresis": shift, "rows": rows})
    return moved if _likeness(features, moved) > _likeness(features, fixed) + 0.02 else fixed


def _mirrors(features: NDArray[np.float32], period: int) -> NDArray[np.float64]:
    """Return how alike frames i and j of neighbouring lines are, by (i + j) mod (2 period).

    The convolution of every two lines with themselves, per overlapping frame, summed.
    """
    double = 2 * period
    starts = range(0, len(features) - double + 1, period)
    curve = np.zeros(2 * double)
    for first in starts:
        change = np.fft.rfft(features[first : first + double], 2 * double, axis=0)
        curve += np.fft.irfft((change * change).sum(axis=1), 2 * double)
    c = np.arange(period, 3 * period)
    overlap = np.minimum(c + 1, 2 * double - 1 - c)
    out = np.empty(double)
    out[c % double] = curve[c] / overlap
    return out


def _likeness(features: NDArray[np.float32], made: Arrangement) -> float:
    """Correlation of neighbouring lines, -1 to 1, over all features."""
    lines = features[made.frames()]
    difference = np.square(np.diff(lines, axis=0)).mean()
    spread = 2 * float(lines.var(axis=(0, 1)).mean())
    return float(1 - difference / spread) if spread > 0 else 0.0


def _from_counts(start: int, number: int) -> Iterator[Guess]:
    """Propose rows x columns = number of frames, nearly square ones first."""
    for rank, (rows, columns) in enumerate(factor_pairs(number)):
        shape = "a square" if rows == columns else "no frame is left over"
        confidence = (0.15 if rows == columns else 0.1) * min(rows, columns) / max(rows, columns)
        yield Guess(
            Arrangement(rows=rows, columns=columns, start=start),
            confidence / (1 + rank),
            (f"{rows} x {columns} = {number} frames: {shape}",),
        )


def factor_pairs(number: int) -> list[tuple[int, int]]:
    """Return all (rows, columns) with rows x columns = number, nearly square ones first."""
    small = [n for n in range(1, math.isqrt(number) + 1) if number % n == 0]
    pairs = {pair for n in small for pair in ((n, number // n), (number // n, n))}
    return sorted(pairs, key=lambda pair: (max(pair) / min(pair), pair))
