"""What do the labels show a network, and how far must it reach? Words and a small picture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_orient.crystal.rotations import random_orientations
from napari_orient.learning.coverage import label_coverage, nearest_label, zone_points
from napari_orient.learning.labels import label_patterns
from napari_orient.learning.splits import split_labels

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_orient.data.maps import OrientationMap
    from napari_orient.data.scan import Scan
    from napari_orient.learning.config import ScanDataConfig

CELL = 10.0  # degrees
_MOST = 2000  # points that are drawn, or looked up, of each part
_OUTLINE = 4000  # orientations that show where the zone ends
_SIDES = ((0, 1), (0, 2))
_zones: dict[str, Any] = {}
_COLOURS = ("#4dabf7", "#ff922b")  # training, test


@dataclass(frozen=True, eq=False)
class Question:
    """Labels as they are asked for, and the picture's style."""

    scan: Scan
    map: OrientationMap
    config: ScanDataConfig
    seed: int
    style: dict[str, Any]


@dataclass(frozen=True, eq=False)
class Answer:
    """What a split gives.

    Attributes
    ----------
    counts
        Patterns for training, validation and test.
    split, coverage
        In sentences.
    picture
        (rows, columns, 4) uint8, or None without labels.
    """

    counts: tuple[int, int, int]
    split: str
    coverage: str
    picture: Any


def answer(asked: Question) -> Answer:
    """Split the labels, and see what the training part covers.

    Raises
    ------
    ValueError
        If map and scan do not fit, or nothing is left.
    """
    wanted = asked.config
    found = label_patterns(
        asked.scan, asked.map, wanted.phase, min_q=wanted.min_q, min_r=wanted.min_r
    )
    parts = split_labels(found, wanted.split, wanted.shares, asked.seed)
    q = asked.map.quaternions
    learned, test = q[parts.mask("train")], q[parts.mask("test")]
    said = " ".join((str(parts), *parts.notes, *found.notes))
    if not len(learned):
        return Answer(parts.counts, said, "", None)
    covered = label_coverage(learned, found.group, CELL)
    share = f"{100 * covered.share:.1f} % of all orientations ({CELL:g}° cells)"
    words = f"The training labels fill {share}"
    if len(test):
        random = np.random.default_rng(0)
        test = test[random.permutation(len(test))[:_MOST]]
        away = nearest_label(test, learned, found.group)
        words += f"; test labels are {np.median(away):.1f}° (median) from the nearest of them"
    picture = _drawn(learned, test, found.group, **asked.style)
    return Answer(parts.counts, said, f"{words}.", picture)


def _outline(group: Any) -> NDArray[np.float64]:
    """Return points (n, 3) all over the fundamental zone of a point group."""
    if group.name not in _zones:
        _zones[group.name] = zone_points(random_orientations(_OUTLINE, 0), group)
    return _zones[group.name]


def _drawn(
    learned: NDArray[np.float64],
    test: NDArray[np.float64],
    group: Any,
    *,
    ink: str,
    width: float,
    height: float,
    dpi: float,
) -> Any:
    """Return the fundamental zone, axis times angle, from two sides."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from scipy.spatial import ConvexHull

    figure = Figure(figsize=(width / dpi, height / dpi), dpi=dpi)
    figure.patch.set_alpha(0)
    figure.subplots_adjust(left=0.02, right=0.98, bottom=0.1, top=0.99, wspace=0.05)
    random = np.random.default_rng(1)
    clouds = [
        zone_points(q[random.permutation(len(q))[:_MOST]], group) for q in (learned, test) if len(q)
    ]
    zone = _outline(group)
    for place, (a, b) in enumerate(_SIDES):
        axes: Any = figure.add_subplot(1, 2, place + 1)
        axes.patch.set_alpha(0)
        axes.set_aspect("equal")
        axes.axis("off")
        edge = zone[:, [a, b]][ConvexHull(zone[:, [a, b]]).vertices]
        axes.fill(*edge.T, facecolor=ink, alpha=0.1)
        for cloud, colour, name, size in zip(
            clouds, _COLOURS, ("training", "test"), (4.0, 1.5), strict=False
        ):
            axes.plot(
                cloud[:, a],
                cloud[:, b],
                "o",
                color=colour,
                markersize=size,
                markeredgewidth=0,
                label=name,
            )
        axes.text(
            0.5, -0.06, "along c" if b == 1 else "along b", color=ink, fontsize=8,
            ha="center", transform=axes.transAxes,
        )  # fmt: skip
    if clouds:
        figure.axes[0].legend(
            fontsize=7, frameon=False, labelcolor=ink, loc="upper left", markerscale=1.2,
            borderpad=0, handletextpad=0.1, bbox_to_anchor=(-0.02, 1.0),
        )  # fmt: skip
    canvas: Any = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba()).copy()
