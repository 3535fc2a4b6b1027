"""What does a study show? The score of each training against each setting that was varied."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_orient.files import replace_atomically

if TYPE_CHECKING:
    from pathlib import Path

    from napari_orient.learning.study import StudyConfig

PLOTS = ("plot.png", "plot.svg")
_DOT, _MEAN, _BEST = "#4dabf7", "#1c3d5a", "#e8590c"
_WORDS = {"r2": "R² (validation)", "median_deg": "Median error (°, validation)"}


def plot_study(study: StudyConfig, table: list[dict[str, Any]], folder: Path) -> None:
    """Write the plot of a table, one panel for each setting; nothing where all trainings failed.

    R² is drawn for Euler angles, as in the paper, and else the median misorientation: the R² of
    angles that jump says little of a network that finds orientations.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    euler = {row.get("network.head", _head(study)) for row in table} == {"euler"}
    score = "r2" if euler else "median_deg"
    rows = [row for row in table if np.isfinite(row.get(f"validation {score}", np.nan))]
    if not rows:
        return
    values = np.array([row[f"validation {score}"] for row in rows], float)
    best = int(np.argmax(values) if euler else np.argmin(values))
    names = list(study.grid)
    columns = min(3, len(names))
    lines = -(-len(names) // columns)
    size = (3.6 * columns + 0.6, 2.9 * lines + 0.7)
    figure = Figure(figsize=size, dpi=150, layout="constrained")
    FigureCanvasAgg(figure)
    panels: Any = figure.subplots(lines, columns, sharey=True, squeeze=False)
    for number, axes in enumerate(panels.flat):
        if number >= len(names):
            axes.set_axis_off()
            continue
        _panel(axes, names[number], study.grid[names[number]], rows, values, best)
        axes.set_ylabel(_WORDS[score] if number % columns == 0 else "")
    failed = f", {len(table) - len(rows)} failed" if len(table) > len(rows) else ""
    handles, words = panels.flat[0].get_legend_handles_labels()
    figure.legend(handles, words, loc="outside lower center", ncols=3, frameon=False, fontsize=8)
    figure.suptitle(f"{len(rows)} trainings{failed}", fontsize=9)
    for name in PLOTS:
        with replace_atomically(folder / name) as path:
            figure.savefig(path)


def _head(study: StudyConfig) -> str:
    """Return what the networks of a study learn, where that is not varied."""
    from napari_orient.learning.config import NetworkConfig

    return str((study.base.get("network") or {}).get("head", NetworkConfig().head))


def _panel(
    axes: Any, name: str, tried: list[Any], rows: list[dict[str, Any]], values: Any, best: int
) -> None:
    """Draw all trainings over the values of a setting, evenly spaced: these may be words."""
    texts = [str(value) for value in tried]
    place = np.array([texts.index(str(row[name])) for row in rows])
    means = [values[place == k].mean() if (place == k).any() else np.nan for k in range(len(tried))]
    axes.plot(place, values, "o", color=_DOT, markersize=4, alpha=0.8, label="a training")
    axes.plot(means, "-_", color=_MEAN, markersize=14, linewidth=1, label="mean")
    axes.plot(
        place[best], values[best], "o", color=_BEST, markersize=7, fillstyle="none", label="best"
    )
    crowded = sum(map(len, texts)) > 24
    axes.set_xticks(range(len(texts)), texts, rotation=25 if crowded else 0, fontsize=8)
    if crowded:
        for label in axes.get_xticklabels():
            label.set_ha("right")
    axes.set_xlim(-0.5, len(texts) - 0.5)
    axes.tick_params(axis="y", labelsize=8)
    axes.grid(axis="y", alpha=0.25)
    axes.set_xlabel(name.split(".")[-1].replace("_", " "))
