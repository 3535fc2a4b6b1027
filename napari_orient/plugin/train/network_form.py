"""Which network is trained, what does it say, and what does it see of a pattern?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari.utils.history import get_open_history, update_open_history
from qtpy.QtCore import QObject, Signal
from qtpy.QtWidgets import QFileDialog, QHBoxLayout, QLineEdit, QWidget

from napari_orient.learning.config import InputConfig, NetworkConfig
from napari_orient.learning.networks.registry import NETWORKS, variant
from napari_orient.plugin.index.rows import Said
from napari_orient.plugin.load.prepare_panel import button
from napari_orient.plugin.train.lines import Folded, Lines, page
from napari_orient.plugin.train.rows import ChoiceRow, NumberRow, OpenRow, TickRow, tip

if TYPE_CHECKING:
    from napari_orient.learning.config import TrainConfig

HEADS = {
    "mixture": "several rotations, with probabilities",
    "rotation": "one rotation",
    "euler": "three Euler angles, as in the paper",
}
ABOUT = {
    "mixture": "Where two orientations give one pattern the network says both, and how sure it is.",
    "rotation": "The angle to the true orientation is made small, over the crystal's symmetry.",
    "euler": "Angles that jump (359° and 1° are neighbours) are learned as plain numbers. This "
    "reproduces the paper; the others are better.",
}
WEIGHTS = {"densenet": "densenet121-a639ec97.pth", "swin": "swin_t-704ceda3.pth"}
WHOLE = "the whole pattern"


class NetworkForm(QObject):
    """The page of the network; emits ``changed()``."""

    changed = Signal()

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        labels = {name: kind.label for name, kind in NETWORKS.items()}
        self.name = ChoiceRow(NetworkConfig, "name", labels)
        self.head = ChoiceRow(NetworkConfig, "head", HEADS)
        self.hypotheses = OpenRow(NetworkConfig, "hypotheses", none="automatic")
        self.kernel_size = NumberRow(NetworkConfig, "kernel_size", " px")
        self.conv_layers = NumberRow(NetworkConfig, "conv_layers")
        self.clamp = TickRow("clamp to [0, 1]", tip(NetworkConfig, "clamp"))
        self.beam = TickRow(
            "180° about the beam",
            "Learn orientations that differ by half a turn about the beam as one: where the "
            "patterns, or the labels, do not tell them apart",
        )
        self.crystal = TickRow(
            "pseudo-symmetry", "Learn orientations under pseudo-symmetries of the crystal as one"
        )
        self.size = OpenRow(InputConfig, "size", " px", none="automatic")
        self.pixel = OpenRow(InputConfig, "pixel_size", " 1/Å", 5, 1e-3, none=WHOLE)
        self.about, self.missing = Said(), Said("#e0a030")
        self.weights = _WeightsLine()
        self.lines = Lines(
            ("Network", self.name), ("Learns", self.head), ("Rotations", self.hypotheses),
            ("Sees", self.size), ("Pixel", self.pixel), ("Clamp", self.clamp),
        )  # fmt: skip
        self.same = Lines(("Count as one", self.beam), ("", self.crystal))
        self.depth = Lines(("Kernel", self.kernel_size), ("Convolutions", self.conv_layers))
        self.more = Folded(page(self.same, self.depth))
        self.page = page(self.lines, self.weights, self.missing, self.about, self.more)
        for row in (
            self.name, self.head, self.hypotheses, self.kernel_size, self.conv_layers, self.clamp,
            self.beam, self.crystal, self.size, self.pixel, self.weights,
        ):  # fmt: skip
            row.changed.connect(self._on_changed)
        self._suggestion: tuple[float, str] | None = None
        self._needed = False
        self._show()

    @property
    def values(self) -> dict[str, Any]:
        """What the page says, as a configuration takes it."""
        name, head = self.name.value(), self.head.value()
        return {
            "network": {
                "name": name,
                "head": head,
                "hypotheses": self.hypotheses.value(),
                "kernel_size": self.kernel_size.value(),
                "conv_layers": self.conv_layers.value(),
                "clamp": self.clamp.value() and head == "euler",
                "weights": self.weights.value() if variant(name).pretrained else None,
            },
            "input": {"size": self.size.shown, "pixel_size": self.pixel.shown},
            "modulo": () if head == "euler" else self._modulo(),
        }

    def _modulo(self) -> tuple[str, ...]:
        rows = {"beam": self.beam, "crystal": self.crystal}
        return tuple(name for name, row in rows.items() if row.value())

    def set_config(self, config: TrainConfig) -> None:
        """Show a configuration."""
        for name, value in config.network.model_dump().items():
            getattr(self, name).set_value(value)
        self.beam.set_value("beam" in config.modulo)
        self.crystal.set_value("crystal" in config.modulo)
        self.size.set_value(config.input.size)
        self.pixel.set_value(config.input.pixel_size)
        self._show()

    def suggest_pixel(self, whole: float | None, source: str, *, needed: bool) -> None:
        """Take the pixel in which a pattern (``whole`` 1/angstrom wide) is seen whole.

        ``needed`` where patterns are simulated: they have a scale, those of a scan may keep theirs.
        """
        self._suggestion = None if whole is None else (whole, source)
        self._needed = needed
        self._show()

    def refusal(self) -> str:
        """Return why the network cannot be trained; "" if it can."""
        kind = variant(self.name.value())
        if kind.pretrained and not self.weights.value():
            return (
                f"{kind.label} starts from ImageNet weights: give their file ({_file(kind.name)}, "
                "under Network), or take a network that starts without."
            )
        if self._needed and self.pixel.shown is None:
            return (
                "Simulated patterns need a scale: type the pixel under Network, or open a scan "
                "with a pixel size."
            )
        return ""

    def _on_changed(self) -> None:
        self._show()
        self.changed.emit()

    def _show(self) -> None:
        kind = variant(self.name.value())
        if kind.mixtures_only:
            self.head.set_value("mixture")
        self.head.setEnabled(not kind.mixtures_only)
        head = self.head.value()
        self.hypotheses.show_known(kind.hypotheses, f"suits {kind.label}")
        self.size.show_known(kind.size, f"suits {kind.label}")
        if self._needed and self._suggestion is not None:
            whole, source = self._suggestion
            self.pixel.show_known(round(whole / (self.size.shown or kind.size), 5), source)
        else:
            self.pixel.show_known(None, "")
        self.lines.show_line(self.hypotheses, head == "mixture")
        self.lines.show_line(self.clamp, head == "euler")
        self.same.setVisible(head != "euler")
        self.depth.setVisible(kind.name == "cnn")
        self.more.setVisible(head != "euler" or kind.name == "cnn")
        self.about.setText(ABOUT[head])
        self.weights.setVisible(kind.pretrained)
        lacking = kind.pretrained and not self.weights.value()
        self.missing.setText(
            f"This network starts from ImageNet weights, which are not shipped: download "
            f"torchvision's {_file(kind.name)} (download.pytorch.org/models) and choose it here, "
            "or take a plain network."
            if lacking
            else ""
        )


def _file(name: str) -> str:
    return next(file for start, file in WEIGHTS.items() if name.startswith(start))


class _WeightsLine(QWidget):
    """The file with ImageNet weights; emits ``changed()``."""

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.line = QLineEdit()
        self.line.setPlaceholderText("ImageNet weights: .safetensors or .pth")
        self.line.setToolTip(tip(NetworkConfig, "weights"))
        self.line.editingFinished.connect(self.changed.emit)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.line, 1)
        layout.addWidget(button("Choose …", "Choose the file of the weights", self._ask))

    def value(self) -> str | None:
        return self.line.text().strip() or None

    def set_value(self, path: str | None) -> None:
        self.line.setText(path or "")

    def _ask(self) -> None:
        path, _ = QFileDialog.getOpenFileName(
            self, "ImageNet weights", get_open_history()[0], "Weights (*.safetensors *.pth)"
        )
        if path:
            update_open_history(path)
            self.set_value(path)
            self.changed.emit()
