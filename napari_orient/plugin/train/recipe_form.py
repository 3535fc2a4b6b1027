"""How does the network learn? Batch, rate of learning and when to stop; empty: as suits it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from napari.utils.history import get_save_history
from qtpy.QtCore import QObject, Signal
from qtpy.QtWidgets import QFileDialog, QLineEdit, QWidget

from napari_orient.learning.config import TrainConfig
from napari_orient.learning.networks.registry import variant
from napari_orient.plugin.index.rows import DeviceRow
from napari_orient.plugin.load.prepare_panel import button
from napari_orient.plugin.train.lines import Folded, Lines, page
from napari_orient.plugin.train.rows import ChoiceRow, NumberRow, OpenRow, Row, tip

SCHEDULES = {
    None: "as suits the network",
    "constant": "constant",
    "epoch": "falls slowly, by rounds (Eq. 1)",
    "step": "falls slowly, by steps (Eq. 1)",
    "cosine": "falls to 0 along a cosine",
}
PRECISIONS = {"auto": "automatic", "float32": "float32", "bfloat16": "bfloat16"}
OFTEN = {True: 1, False: TrainConfig.model_fields["validate_every"].default}
"""Rounds between two validations: simulated rounds are long, and there are no two alike."""


class RecipeForm(QObject):
    """The page of the recipe; emits ``changed()``."""

    changed = Signal()

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        every = OpenRow(TrainConfig, "validate_every", "", none="automatic")
        self.rows: dict[str, Any] = {
            "batch": OpenRow(TrainConfig, "batch", " patterns", none="automatic"),
            "learning_rate": OpenRow(TrainConfig, "learning_rate", "", 6, 1e-4, none="automatic"),
            "schedule": ChoiceRow(TrainConfig, "schedule", SCHEDULES),
            "epochs": NumberRow(TrainConfig, "epochs"),
            "epoch_patterns": NumberRow(TrainConfig, "epoch_patterns", " patterns", 0, 1024),
            "validate_every": every,
            "patience": OpenRow(TrainConfig, "patience", "", none="never"),
            "time_limit_s": OpenRow(
                TrainConfig, "time_limit_s", " min", 1, 5, none="none", factor=60
            ),
            "target_r2": OpenRow(TrainConfig, "target_r2", "", 3, 0.01, none="go on"),
            "precision": ChoiceRow(TrainConfig, "precision", PRECISIONS),
            "device": DeviceRow(),
            "seed": NumberRow(TrainConfig, "seed"),
            "start": _FolderRow(),
        }
        rows = self.rows
        self.lines = Lines(
            ("Batch", rows["batch"]), ("Learning rate", rows["learning_rate"]),
            ("Schedule", rows["schedule"]), ("Rounds", rows["epochs"]),
            ("Round has", rows["epoch_patterns"]), ("Validate every", every),
            ("Patience", rows["patience"]), ("Time limit", rows["time_limit_s"]),
            ("Stop above R²", rows["target_r2"]),
        )  # fmt: skip
        more = Lines(
            ("Precision", rows["precision"]), ("Device", rows["device"]), ("Seed", rows["seed"]),
            ("Start from", rows["start"]),
        )  # fmt: skip
        self.page = page(self.lines, Folded(more))
        rows["target_r2"].set_value(TrainConfig.model_fields["target_r2"].default)
        for row in rows.values():
            row.changed.connect(self.changed)

    @property
    def values(self) -> dict[str, Any]:
        """What the page says, as a configuration takes it."""
        values = {name: row.value() for name, row in self.rows.items()}
        values["validate_every"] = self.rows["validate_every"].shown
        return values

    def set_config(self, config: TrainConfig) -> None:
        """Show a configuration."""
        for name, row in self.rows.items():
            row.set_value(getattr(config, name))

    def suit(self, network: str, head: str, *, simulated: bool) -> None:
        """Show what suits a network, and what its data need."""
        kind, suits = variant(network), f"suits {variant(network).label}"
        self.rows["batch"].show_known(kind.batch, suits)
        self.rows["learning_rate"].show_known(kind.learning_rate, suits)
        words = SCHEDULES[kind.schedule]
        self.rows["schedule"].say(None, f"{words} ({suits})")
        self.rows["validate_every"].show_known(OFTEN[simulated], "rounds")
        self.lines.show_line(self.rows["epoch_patterns"], simulated)
        self.lines.show_line(self.rows["target_r2"], head == "euler")


class _FolderRow(Row):
    """The folder of a model to start from, or none."""

    def __init__(self) -> None:
        self.box = QLineEdit()
        self.box.setPlaceholderText("random weights")
        self.box.setToolTip(tip(TrainConfig, "start"))
        super().__init__(self.box, button("…", "Choose the folder of a model", self._ask))
        self.box.editingFinished.connect(self._emit)

    def value(self) -> str | None:
        """Return the folder, or None."""
        return self.box.text().strip() or None

    def set_value(self, folder: str | None) -> None:
        """Show a folder."""
        self.box.setText(folder or "")

    def _ask(self) -> None:
        folder = QFileDialog.getExistingDirectory(
            self, "Model to start from", get_save_history()[0]
        )
        if folder:
            self.set_value(str(Path(folder)))
            self.changed.emit()
