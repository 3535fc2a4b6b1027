"""What else can be set? All of the configuration that quality presets fill in."""

from __future__ import annotations

import re
from typing import Any

from qtpy.QtCore import QSignalBlocker, Signal
from qtpy.QtWidgets import QLineEdit, QVBoxLayout, QWidget

from napari_orient.plugin.train.lines import Lines
from napari_orient.plugin.train.rows import ChoiceRow, NumberRow, OpenRow, Row, TickRow, tip
from napari_orient.reconstruction.config import ReconstructConfig, Weights

METHODS = {
    "L-BFGS": "L-BFGS (torch)", "L-BFGS-B": "L-BFGS-B (SciPy)", "TNC": "TNC (SciPy)",
    "Adam": "Adam", "SGD": "SGD",
}  # fmt: skip
ASSUMED = {
    "": "not so", "equiaxed": "alike on all sides", "fibre x": "alike all around x",
    "fibre y": "alike all around y",
}  # fmt: skip
WEIGHTS = {
    "two_point": "Two-point", "three_point": "Three-point", "variation": "Variation",
    "texture": "Texture",
}  # fmt: skip


class ExpertForm(QWidget):
    """Controls of window, weights, grids and optimiser; emits ``changed()``."""

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        model = ReconstructConfig
        self.rows: dict[str, Any] = {
            "window": NumberRow(model, "window", " points", 0, 2),
            "lags": ChoiceRow(model, "lags", {"half": "half the window", "full": "all of it"}),
            "degrees": DegreesRow("degrees"),
            "texture_degrees": DegreesRow("texture_degrees"),
            "levels": OpenRow(model, "levels", none="automatic"),
            "scales": OpenRow(model, "scales", none="automatic"),
            "phases": ChoiceRow(
                model, "phases", {"main": "the most frequent one", "all": "all, beside each other"}
            ),
            "assume": ChoiceRow(model, "assume", ASSUMED),
            "bands": NumberRow(model, "bands"),
            "method": ChoiceRow(model, "method", METHODS),
            "evaluations": NumberRow(model, "evaluations", "", 0, 100),
            "plateau": NumberRow(model, "plateau", "", 5, 1e-4),
            "tolerance": NumberRow(model, "tolerance", "", 9, 1e-7),
            "time_limit": OpenRow(model, "time_limit", " min", 1, 5, none="none", factor=60),
            "seed": NumberRow(model, "seed"),
            "seeds": NumberRow(model, "seeds"),
            "consolidate": TickRow("Make grains", tip(model, "consolidate")),
            "device": DeviceRow(),
            "threads": OpenNumber(model, "threads"),
            "precision": ChoiceRow(model, "precision", {"auto": "automatic", "float32": "float32"}),
        }
        self.weights = {name: NumberRow(Weights, name, "", 3, 0.1) for name in WEIGHTS}
        lines = Lines(
            *((title, self.rows[name]) for title, name in (
                ("Window", "window"), ("Lags", "lags"), ("Degrees", "degrees"),
                ("Texture by", "texture_degrees"),
            )),
            *((title, self.weights[name]) for name, title in WEIGHTS.items()),
            *((title, self.rows[name]) for title, name in (
                ("Levels", "levels"), ("Scales", "scales"), ("Phases", "phases"),
                ("Elongated", "assume"), ("Bands", "bands"), ("Method", "method"),
                ("Evaluations", "evaluations"),
                ("Plateau", "plateau"), ("Loss", "tolerance"), ("Time limit", "time_limit"),
                ("Seed", "seed"), ("Seeds", "seeds"), ("Grains", "consolidate"),
                ("Device", "device"), ("Threads", "threads"), ("Precision", "precision"),
            )),
        )  # fmt: skip
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(lines)
        for row in (*self.rows.values(), *self.weights.values()):
            row.changed.connect(self.changed)

    @property
    def values(self) -> dict[str, Any]:
        """What the controls say, as the configuration takes it."""
        weights = {name: row.value() for name, row in self.weights.items()}
        return {**{name: row.value() for name, row in self.rows.items()}, "weights": weights}

    def set_config(self, config: ReconstructConfig) -> None:
        """Show a configuration."""
        for name, row in self.rows.items():
            row.set_value(getattr(config, name))
        for name, row in self.weights.items():
            row.set_value(getattr(config.weights, name))


class OpenNumber(NumberRow):
    """A number whose 0 says that the program chooses."""

    def __init__(self, model: Any, name: str) -> None:
        super().__init__(model, name)
        self.box.setSpecialValueText("automatic")


class DegreesRow(Row):
    """Some even numbers, or none."""

    def __init__(self, name: str) -> None:
        self.box = QLineEdit()
        self.box.setPlaceholderText("automatic")
        self.box.setToolTip(tip(ReconstructConfig, name) + ". As in 8 or 4, 8")
        super().__init__(self.box)
        self.box.editingFinished.connect(self._emit)

    def value(self) -> tuple[int, ...]:
        """Return the numbers."""
        return tuple(int(word) for word in re.findall(r"\d+", self.box.text()))

    def set_value(self, value: tuple[int, ...]) -> None:
        """Show numbers."""
        with QSignalBlocker(self.box):
            self.box.setText(", ".join(map(str, value)))


class DeviceRow(ChoiceRow):
    """Where it is computed; a graphics card that is not there cannot be chosen."""

    def __init__(self) -> None:
        super().__init__(ReconstructConfig, "device", {"cpu": "CPU", "cuda": "GPU (CUDA)"})

    def showEvent(self, event: Any) -> None:
        """Look for a graphics card when the row is first seen: Qt calls."""
        import torch

        there = torch.cuda.is_available()
        self.box.model().item(1).setEnabled(there)
        self.say("cuda", "GPU (CUDA)" if there else "GPU: none here")
        super().showEvent(event)
