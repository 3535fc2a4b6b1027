"""How is a training started, watched and ended? Its folder, its progress, and what came of it."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING

from napari.utils.history import get_save_history, update_save_history
from napari.utils.notifications import show_error
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QFileDialog, QHBoxLayout, QLabel, QLineEdit, QVBoxLayout, QWidget

from napari_orient.plugin.index.rows import Said
from napari_orient.plugin.load.prepare_panel import button
from napari_orient.plugin.paths import file_name
from napari_orient.plugin.terms import in_terms
from napari_orient.plugin.train.bar import TrainBar
from napari_orient.plugin.train.learn import Order, learn
from napari_orient.plugin.train.places import Place, free_folder, place_of
from napari_orient.plugin.worker import refusable

if TYPE_CHECKING:
    from napari_orient.data.maps import OrientationMap
    from napari_orient.data.scan import Scan
    from napari_orient.jobs import Partial
    from napari_orient.learning.config import TrainConfig
    from napari_orient.learning.folder import Model


class RunPanel(QWidget):
    """The folder of the model and the training.

    Emits ``asked(resume)``, ``found(Place)`` when a folder with a training is chosen,
    ``stepped(rounds, loss)``, ``validated(history)`` and ``finished(Model or None)``.
    """

    asked = Signal(bool)
    found = Signal(object)
    stepped = Signal(float, float)
    validated = Signal(object)
    finished = Signal(object)
    chosen = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.model: Model | None = None
        self._stop = threading.Event()
        self._order: Order | None = None
        self._proposed = ""
        self._name = "model"
        self.line = QLineEdit()
        self.line.setToolTip("Folder of the model: weights, settings and card; it is made")
        self.browse = button("…", "Choose the folder of the model, or of a training", self._ask)
        self.new = button("New", "Propose a new folder beside it", self.propose)
        self.holds, self.said, self.done = Said(), Said("#e06c5c"), Said()
        self.bar = TrainBar()
        self.start_button = button(
            "Train", "Train the network from the start",
            lambda: self.asked.emit(False),
        )  # fmt: skip
        self.resume_button = button(
            "Resume", "Go on with the training that lies in the folder",
            lambda: self.asked.emit(True),
        )  # fmt: skip
        self.use = button(
            "Predict with it", "Take this model in the Predict dock",
            lambda: self.chosen.emit(self.line.text()),
        )  # fmt: skip
        self._arrange()
        self.bar.running.connect(self._on_running)
        self.bar.failed.connect(self._on_failed)
        self.bar.kept.connect(lambda: self._stop.set())
        self.line.editingFinished.connect(self._on_typed)
        self._on_running(False)

    def _arrange(self) -> None:
        folder, buttons = QHBoxLayout(), QHBoxLayout()
        self._folder_label = QLabel("Folder")
        self._folder_label.setToolTip(self.line.toolTip())
        for widget in (self._folder_label, self.line, self.browse, self.new):
            folder.addWidget(widget, 1 if widget is self.line else 0)
        for widget in (self.start_button, self.resume_button, self.use):
            buttons.addWidget(widget, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addLayout(folder)
        for widget in (self.holds, self.said, self.done, self.bar):
            layout.addWidget(widget)
        layout.addLayout(buttons)

    # --- the folder -----------------------------------------------------------------------------

    @property
    def folder(self) -> Path:
        """Where the model is to lie."""
        return Path(self.line.text().strip()).expanduser()

    def suggest(self, phase: str, network: str) -> None:
        """Propose a folder for what is to be learned, until the user chooses one."""
        self._name = file_name("-".join(part for part in (phase, network) if part))
        if self.line.text() == self._proposed and not self.bar.is_running and not self.model:
            self.propose()

    def propose(self) -> None:
        """Propose a folder that does not exist yet, beside the last one."""
        typed = self.line.text().strip()
        beside = self.folder.parent if typed and typed != self._proposed else get_save_history()[0]
        self._proposed = str(free_folder(beside, self._name))
        self.line.setText(self._proposed)
        self.look()

    def choose(self, folder: str) -> None:
        """Take a folder; a training in it is offered to be gone on with."""
        self.line.setText(folder)
        self._on_typed()

    def look(self) -> Place:
        """Look into the folder, and say what there is."""
        place = place_of(self.folder)
        self.holds.setText(in_terms(place.said))
        self.resume_button.setVisible(place.kind == "training" and not self.bar.is_running)
        self.start_button.setVisible(place.kind != "training" and not self.bar.is_running)
        return place

    def _on_typed(self) -> None:
        self.model = None
        self.use.hide()
        for label in (self.said, self.done):
            label.clear()
        place = self.look()
        if place.kind == "training":
            self.found.emit(place)

    def _ask(self) -> None:
        start = str(self.folder.parent) if self.line.text() else get_save_history()[0]
        folder = QFileDialog.getExistingDirectory(self, "Folder of the model", start)
        if folder:
            update_save_history(folder)
            self.choose(folder)

    # --- the run --------------------------------------------------------------------------------

    def run(
        self, config: TrainConfig, scan: Scan | None, labels: OrientationMap | None, *, resume: bool
    ) -> bool:
        """Train; False where the folder does not serve."""
        self.said.clear()
        self.done.clear()
        if not self.line.text().strip():
            self.propose()
        place = self.look()
        if place.kind != ("training" if resume else "free"):
            self.refuse(place.said or f"{place.path} holds no training to go on with.")
            return False
        self.model = None
        self._stop = threading.Event()
        self._order = Order(config, place.path, resume, self._stop, scan, labels)
        update_save_history(str(place.path))
        self.bar.run(
            refusable(learn(self._order)),
            text="Training",
            on_partial=self._on_partial,
            on_result=lambda answer: self._on_result(*answer),
            on_end=self._on_end,
        )
        return True

    def refuse(self, text: str) -> None:
        """Say why nothing is trained."""
        text = in_terms(text)
        self.said.setText(text)
        show_error(text)

    def _on_partial(self, partial: Partial) -> None:
        if partial.name == "history":
            self.validated.emit(partial.value)
        elif partial.name == "loss":
            self.stepped.emit(*partial.value)

    def _on_result(self, model: Model | None, refusal: str) -> None:
        if refusal:
            self.refuse(refusal)
            return
        self.model = model
        if model is not None:
            self.done.setText(_summed(model))

    def _on_end(self) -> None:
        """Say what is left of a training that did not come to its end."""
        order, self._order = self._order, None
        place = self.look()
        if self.model is not None:
            self.holds.clear()  # it is said better below
            self.use.show()
        elif order is not None and not self.said.text():
            left = place.kind == "training"
            self.done.setText(
                f"Stopped. The model of round {place.history[-1]['round']} is kept, and the "
                "training can be resumed."
                if left and place.history
                else "Stopped before the first validation: nothing is kept."
            )
            self.use.setVisible(left)
        self.finished.emit(self.model)

    def _on_failed(self, error: Exception) -> None:
        folder = self._order.folder if self._order is not None else self.folder
        if isinstance(error, OSError):
            why = error.strerror or error
            text = (
                f"{folder} cannot be written ({why}): take another folder, or make room on the "
                "disk. What the last validation wrote is kept."
            )
        else:
            text = f"The training ended early: {error}"
        self.said.setText(in_terms(text))

    def _on_running(self, running: bool) -> None:
        for widget in (self.line, self.browse, self.new):
            widget.setEnabled(not running)
        if running:
            for widget in (self.start_button, self.resume_button, self.use):
                widget.hide()
            self.holds.clear()
        else:
            self.use.hide()
            self.start_button.show()
            self.resume_button.hide()


def _summed(model: Model) -> str:
    parts = []
    for part in ("validation", "test"):
        if scores := model.scores.get(part):
            parts.append(
                f"{part.capitalize()}: median {scores['median_deg']:.2f}° (modulo beam "
                f"{scores['median_deg_modulo_beam']:.2f}°), {100 * scores['within_5deg']:.0f} % "
                f"within 5° ({100 * scores['within_5deg_modulo_beam']:.0f} %), "
                f"R² {scores['r2']:.3f}"
            )
    return "<br>".join((f"<b>Finished</b>: {model.folder}", *parts))
