"""Which settings has the run? Size and quality, and under a button all the rest."""

from __future__ import annotations

from qtpy.QtCore import QSignalBlocker, Signal
from qtpy.QtWidgets import QComboBox, QHBoxLayout, QLabel, QVBoxLayout, QWidget

from napari_orient.config import ConfigError
from napari_orient.plugin.calibrate.fields import words
from napari_orient.plugin.reconstruct.expert_form import ExpertForm
from napari_orient.plugin.reconstruct.presets import CUSTOM, PRESETS, filled, quality_of
from napari_orient.plugin.reconstruct.size_form import SizeForm
from napari_orient.plugin.settings_files import SettingsFiles
from napari_orient.plugin.train.lines import Folded
from napari_orient.reconstruction.config import ReconstructConfig

OWN_WORDS = "Your own settings, under Expert settings."


class ReconstructForm(QWidget):
    """The configuration of a run; emits ``changed()``."""

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.size = SizeForm()
        self.expert = ExpertForm()
        self.quality = QComboBox()
        self.quality.addItems([name.capitalize() for name in (*PRESETS, CUSTOM)])
        self.quality.setToolTip(
            "Fills in the expert settings:\n" + "\n".join(p.words for p in PRESETS.values())
        )
        self.said = words()
        self.files = SettingsFiles(ReconstructConfig, "reconstruct", self._quiet)
        inside = QWidget()
        column = QVBoxLayout(inside)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.expert)
        column.addWidget(self.files)
        self.folded = Folded(inside, "Expert settings")
        row = QHBoxLayout()
        label = QLabel("Quality")
        label.setBuddy(self.quality)
        label.setToolTip(self.quality.toolTip())
        row.addWidget(label)
        row.addWidget(self.quality, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addWidget(self.size)
        layout.addLayout(row)
        layout.addWidget(self.said)
        layout.addWidget(self.folded)
        self.set_config(filled(ReconstructConfig(), "standard"))
        self.quality.activated.connect(self._on_quality)
        self.size.changed.connect(self._on_changed)
        self.expert.changed.connect(self._on_changed)
        self.files.loaded.connect(self._on_loaded)

    @property
    def config(self) -> ReconstructConfig:
        """What the controls say.

        Raises
        ------
        ConfigError
            If a value is out of range, in words for the user.
        """
        values = {**self.expert.values, "size": self.size.size, "step": self.size.step.value()}
        return ReconstructConfig.checked(values, "settings")

    def set_config(self, config: ReconstructConfig) -> None:
        """Show a configuration."""
        with QSignalBlocker(self):
            self.size.set_size(config.size)
            self.size.step.set_value(config.step)
            self.expert.set_config(config)
        self._on_changed()

    def _quiet(self) -> ReconstructConfig | None:
        try:
            return self.config
        except ConfigError:
            return None

    def _on_loaded(self, config: ReconstructConfig) -> None:
        self.set_config(config)

    def _on_quality(self, number: int) -> None:
        names = list(PRESETS)
        config = self._quiet()
        if number < len(names):
            base = config or ReconstructConfig(size=self.size.size, step=self.size.step.value())
            self.set_config(filled(base, names[number]))
        else:
            self.folded.button.setChecked(True)
            self._on_changed()

    def _on_changed(self) -> None:
        config = self._quiet()
        name = quality_of(config) if config is not None else CUSTOM
        with QSignalBlocker(self.quality):
            self.quality.setCurrentText(name.capitalize())
        self.said.setText(PRESETS[name].words if name in PRESETS else OWN_WORDS)
        self.changed.emit()
