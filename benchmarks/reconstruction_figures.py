"""How do reconstructions look beside their reference? IPF maps, pole figures, curves, faces."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.figure import Figure

from napari_orient.crystal.colors import ColourScheme, colour_image
from napari_orient.crystal.direction_legend import direction_legend

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from napari_orient.analysis.texture.odf import Odf
    from napari_orient.data.maps import OrientationMap

_CELL = 2.0  # inches of one picture
_DISK = 181  # pixels across a pole figure


def save(figure: Figure, folder: str | None, name: str) -> None:
    """Write a figure, where a folder is given."""
    if folder is None:
        return
    path = Path(folder) / f"{name}.png"
    path.parent.mkdir(exist_ok=True, parents=True)
    figure.savefig(path, dpi=110, bbox_inches="tight")
    print(f"figure: {path}")


def coloured(one: OrientationMap) -> NDArray[np.uint8]:
    """IPF colours along Z (y, x, 3); what is not indexed is white."""
    image = np.asarray(colour_image(one, ColourScheme()))
    return np.where(image[..., 3:] > 0, image[..., :3], 255).astype(np.uint8)


def draw_maps(named: Mapping[str, OrientationMap], columns: int = 6, scale: bool = False) -> Figure:
    """IPF maps side by side, with the key of the last."""
    rows = -(-(len(named) + 1) // columns)
    columns = min(columns, len(named) + 1)
    cell = _CELL if columns > 4 else 1.6 * _CELL
    figure = Figure((columns * cell, rows * (cell + 0.25)), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for axis, (name, one) in zip(axes, named.items(), strict=False):
        axis.imshow(coloured(one), interpolation="nearest")
        _bare(axis, name)
    for axis in axes[len(named) :]:
        axis.axis("off")
    _draw_key(axes[len(named)], list(named.values())[-1])
    return figure


def _draw_key(axis: Any, one: OrientationMap) -> None:
    key = direction_legend(next(iter(one.phases.values())).point_group, ColourScheme(), 128)
    axis.imshow(key.image)
    for label in key.labels:
        axis.text(
            label.column, label.row, label.text, fontsize=6,
            ha={"left": "right", "right": "left"}.get(label.side, "center"),
            va={"above": "bottom", "below": "top"}.get(label.side, "center"),
        )  # fmt: skip
    axis.set_title("out of the page", fontsize=7)
    axis.margins(0.4)
    rows, columns = key.image.shape[:2]
    axis.set(xlim=(-0.5 * columns, 1.5 * columns), ylim=(1.5 * rows, -0.5 * rows))


def _bare(axis: Any, name: str) -> None:
    axis.set_title(name, fontsize=7)
    axis.set(xticks=[], yticks=[])


def draw_pole_figures(named: Mapping[str, Odf], poles: Sequence[str]) -> Figure:
    """Equal-area pole figures, a row for each ODF, all on one scale."""
    directions, inside = _disk()
    found = {
        (row, pole): np.where(inside, odf.pole_figure(pole).at(directions), np.nan)
        for row, odf in named.items()
        for pole in poles
    }
    most = max(float(np.nanmax(values)) for values in found.values())
    figure = Figure((len(poles) * _CELL + 0.8, len(named) * (_CELL + 0.1)), layout="constrained")
    axes = figure.subplots(len(named), len(poles), squeeze=False)
    for line, row in zip(axes, named, strict=True):
        for axis, pole in zip(line, poles, strict=True):
            values = found[row, pole]
            shown = axis.imshow(values, vmin=0, vmax=most, cmap="viridis", extent=(-1, 1, 1, -1))
            axis.contour(
                *np.meshgrid(*[np.linspace(-1, 1, _DISK)] * 2), values,
                levels=[1.0], colors="white", linewidths=0.4,
            )  # fmt: skip
            _bare(axis, f"{pole}  {np.nanmin(values):.2f} to {np.nanmax(values):.2f}")
            axis.axis("off")
        line[0].text(-1.15, 0, row, rotation=90, ha="center", va="center", fontsize=8)
    bar = figure.colorbar(shown, ax=axes, shrink=0.6)
    bar.set_label("mrd; white line: 1", fontsize=7)
    bar.ax.tick_params(labelsize=6)
    return figure


def _disk() -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Directions towards the viewer of the map: x right, y down (equal area)."""
    x, y = np.meshgrid(*[np.linspace(-1, 1, _DISK)] * 2)
    radius = np.hypot(x, y)
    tilt = 2 * np.arcsin(np.minimum(radius / np.sqrt(2), 1))
    wide = np.sin(tilt) / np.maximum(radius, 1e-12)
    return np.stack([x * wide, y * wide, -np.cos(tilt)], axis=-1), radius <= 1


def window_image(
    values: NDArray[np.float64], lags: NDArray[np.int64], window: int
) -> NDArray[np.float64]:
    """Values of half the lags as the whole window; NaN in the middle."""
    image = np.full((window, window), np.nan)
    for sign in (1, -1):
        down, right = (sign * lags + window // 2).T
        image[down, right] = values
    return image


def draw_variograms(
    target: NDArray[np.float64], own: NDArray[np.float64], lags: NDArray[np.int64], window: int
) -> Figure:
    """Reference, result and relative error of three harmonics (K, lags), as Fig. 12."""
    shown = (0, len(target) // 2, len(target) - 1)
    error = 100 * np.abs(own - target) / target
    rows = (
        ("reference", target, "viridis"),
        ("result", own, "viridis"),
        ("error, %", error, "magma"),
    )
    figure = Figure((len(shown) * _CELL + 1.2, 3 * _CELL), layout="constrained")
    axes = figure.subplots(3, len(shown))
    far = window // 2
    for line, (name, values, colours) in zip(axes, rows, strict=True):
        for axis, k in zip(line, shown, strict=True):
            most = 15.0 if "error" in name else float(np.nanmax(target[k]))
            picture = axis.imshow(
                window_image(values[k], lags, window), vmin=0, vmax=most, cmap=colours,
                extent=(-far - 0.5, far + 0.5, far + 0.5, -far - 0.5),
            )  # fmt: skip
            axis.set_title(f"{name}, harmonic {k + 1}", fontsize=7)
            axis.set(xticks=(-far, 0, far), yticks=(-far, 0, far))
            axis.tick_params(labelsize=5)
            figure.colorbar(picture, ax=axis, shrink=0.8).ax.tick_params(labelsize=5)
    return figure


def draw_curves(
    panels: Mapping[str, Mapping[str, tuple[Sequence[float], Sequence[float]]]],
    *,
    log_x: bool = False,
    mean: bool = False,
) -> Figure:
    """Losses on a logarithmic axis; ``mean``: all grey, and their geometric mean."""
    figure = Figure((4.2 * len(panels), 3.2), layout="constrained")
    axes = figure.subplots(1, len(panels), squeeze=False)[0]
    for axis, (across, curves) in zip(axes, panels.items(), strict=True):
        for name, (x, y) in curves.items():
            axis.plot(x, y, label=name, linewidth=0.9, color="0.6" if mean else None)
        if mean:
            least = min(len(y) for _, y in curves.values())
            every = np.log([y[:least] for _, y in curves.values()])
            axis.plot(np.arange(1, least + 1), np.exp(every.mean(0)), "k", label="mean of log")
        axis.set(yscale="log", xlabel=across, ylabel="paper's loss")
        if log_x:
            axis.set_xscale("log")
        if not mean:
            axis.legend(fontsize=7)
        axis.grid(alpha=0.3)
    return figure


def draw_mix(
    maps: Mapping[str, OrientationMap], variograms: Sequence[NDArray[np.float64] | None]
) -> Figure:
    """Maps (the two materials at the ends), and below each its target variogram, as Fig. 17."""
    figure = Figure((len(maps) * _CELL, 2 * _CELL + 0.4), layout="constrained")
    axes = figure.subplots(2, len(maps))
    most = max(float(np.nanmax(v)) for v in variograms if v is not None)
    for axis, (name, one) in zip(axes[0], maps.items(), strict=True):
        axis.imshow(coloured(one), interpolation="nearest")
        _bare(axis, name)
    for axis, values in zip(axes[1], variograms, strict=True):
        axis.axis("off")
        if values is not None:
            axis.imshow(values, vmin=0, vmax=most, cmap="viridis")
    return figure


def draw_faces(rows: Mapping[str, Mapping[str, OrientationMap]]) -> Figure:
    """Sections across three axes, a row for each volume, at one number of points per inch."""
    columns = max(len(row) for row in rows.values())
    figure = Figure((columns * 2.4, len(rows) * 2.5), layout="constrained")
    axes = figure.subplots(len(rows), columns, squeeze=False)
    for line, (row, maps) in zip(axes, rows.items(), strict=True):
        for axis, (name, one) in zip(line, maps.items(), strict=True):
            axis.imshow(coloured(one), interpolation="nearest")
            _bare(axis, f"{row}: {name}")
    return figure
