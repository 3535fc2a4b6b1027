"""How does the training go? Losses and scores of its validations, as curves and as a row."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_orient.plugin.index.rows import Said
from napari_orient.plugin.live import Live
from napari_orient.plugin.train.picture import Picture

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    History = Sequence[dict[str, Any]]

BLUE, ORANGE, GREEN, VIOLET = "#4dabf7", "#ff922b", "#51cf66", "#b197fc"
PANELS = (
    ("Loss", (("train_loss", BLUE, "training", 1), ("validation_loss", ORANGE, "validation", 1))),
    ("Median (°)", (
        ("median_deg", ORANGE, "strict", 1),
        ("median_deg_modulo_beam", GREEN, "modulo beam", 1),
    )),
    ("Score (%)", (
        ("within_5deg", ORANGE, "within 5°", 100),
        ("within_5deg_modulo_beam", GREEN, "modulo beam", 100),
        ("any_within_5deg", VIOLET, "any answer", 100),
        ("r2", BLUE, "R²", 100),
    )),
)  # fmt: skip
"""Title -> curves: name in a record, colour, words, factor."""
MOST = 2000  # values of the loss between validations; of more, each two become one


class CurvesView(QWidget):
    """The curves of a training, and its last validation in numbers."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.history: list[dict[str, Any]] = []
        self.losses: list[tuple[float, float]] = []
        self.numbers = Said()
        self.picture = Picture(330)
        self._live = Live(drawn, self, name="orient-train-curves")
        self._live.answered.connect(self._on_drawn)
        self._live.failed.connect(self._on_failed)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.picture)
        layout.addWidget(self.numbers)
        self.picture.resized.connect(self._draw)

    def show_history(self, history: History) -> None:
        """Show the records of all validations."""
        self.history = list(history)
        self.numbers.setText(in_numbers(history[-1]) if history else "")
        self._draw()

    def add_loss(self, rounds: float, loss: float) -> None:
        """Show how the loss goes between two validations."""
        self.losses.append((rounds, loss))
        if len(self.losses) > MOST:
            pairs = np.array(self.losses[: MOST // 2 * 2]).reshape(-1, 2, 2).mean(1)
            self.losses[: 2 * len(pairs)] = [(float(x), float(y)) for x, y in pairs]
        self._draw()

    def wait_for_first(self) -> None:
        """Say that there is nothing yet."""
        self.losses = []
        self.show_history(())
        self._live.forget()
        self.picture.setText("The curve of the loss begins in a moment.")

    def _on_drawn(self, asked: Any, rgba: Any) -> None:
        self.picture.show_rgba(rgba)

    def _on_failed(self, asked: Any, error: Exception) -> None:
        self.picture.setText(f"No curves: {error}")

    def _draw(self) -> None:
        if self.history or self.losses:
            self._live.request((list(self.history), list(self.losses), self.picture.room))


def in_numbers(record: dict[str, Any]) -> str:
    """Return a validation in words and numbers."""
    minutes = record["seconds"] / 60
    return (
        f"<b>Round {record['round']}</b>, {minutes:.1f} min: loss "
        f"{record['validation_loss']:.3g} (training {record['train_loss']:.3g}), "
        f"R² {record['r2']:.3f}, median <b>{record['median_deg']:.2f}°</b> "
        f"(modulo beam {record['median_deg_modulo_beam']:.2f}°), "
        f"<b>{100 * record['within_5deg']:.0f} %</b> within 5° "
        f"(modulo beam {100 * record['within_5deg_modulo_beam']:.0f} %), "
        f"{record['n']} patterns"
    )


def drawn(
    asked: tuple[History, Sequence[tuple[float, float]], dict[str, Any]],
) -> NDArray[np.uint8]:
    """Return the curves as (rows, columns, 4): history, losses between, and the style."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    history, losses, style = asked
    ink, dpi = style["ink"], style["dpi"]
    figure = Figure(figsize=(style["width"] / dpi, style["height"] / dpi), dpi=dpi)
    figure.patch.set_alpha(0)
    points = dpi / 72
    figure.subplots_adjust(
        left=46 * points / style["width"], right=1 - 8 * points / style["width"],
        bottom=30 * points / style["height"], top=1 - 6 * points / style["height"], hspace=0.16,
    )  # fmt: skip
    rounds = [record["round"] for record in history]
    last = max([*rounds, *(done for done, _ in losses)])
    best = min(history, key=lambda record: float(record["validation_loss"]), default=None)
    for place, (title, curves) in enumerate(PANELS):
        axes: Any = figure.add_subplot(len(PANELS), 1, place + 1)
        _dress(axes, title, ink, last=place == len(PANELS) - 1)
        if best is not None:
            axes.axvline(best["round"], color=ink, alpha=0.35, linewidth=1, linestyle=":")
        if title == "Loss" and losses:
            axes.plot(*zip(*losses, strict=True), "-", color=BLUE, alpha=0.45, linewidth=0.8)
        for name, colour, words, factor in curves:
            values = [factor * _finite(record[name]) for record in history]
            axes.plot(rounds, values, "o-", color=colour, label=words, markersize=3, linewidth=1.4)
        if title.startswith("Score"):
            axes.set_ylim(-4, 104)
        elif title.startswith("Median"):
            axes.set_ylim(0)
        axes.set_xlim(0, last + max(1, 0.03 * last))
        axes.legend(
            fontsize=7,
            frameon=False,
            labelcolor=ink,
            loc="best",
            borderpad=0.1,
            ncols=1 + len(curves) // 3,
        )
    canvas: Any = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba()).copy()


def _finite(value: float) -> float:
    return value if math.isfinite(value) else math.nan


def _dress(axes: Any, title: str, ink: str, *, last: bool) -> None:
    from matplotlib.ticker import MaxNLocator

    axes.patch.set_alpha(0)
    axes.tick_params(colors=ink, labelsize=8, labelbottom=last)
    for name, spine in axes.spines.items():
        spine.set_color(ink)
        spine.set_visible(name in ("left", "bottom"))
    axes.set_ylabel(title, fontsize=8, color=ink)
    axes.yaxis.set_label_coords(-0.125, 0.5)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=6))
    axes.yaxis.set_major_locator(MaxNLocator(nbins=4))
    if last:
        axes.set_xlabel("Round (dotted: the model that is kept)", fontsize=8, color=ink)
