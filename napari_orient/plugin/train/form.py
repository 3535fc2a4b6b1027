"""Which settings has the training? Its whole configuration as pages, in the order of the work."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject, Signal
from qtpy.QtWidgets import QButtonGroup, QHBoxLayout, QRadioButton, QStackedWidget, QWidget

from napari_orient.config import ConfigError
from napari_orient.learning.config import TrainConfig
from napari_orient.plugin.train.lines import page
from napari_orient.plugin.train.network_form import NetworkForm
from napari_orient.plugin.train.recipe_form import RecipeForm
from napari_orient.plugin.train.scan_form import ScanForm
from napari_orient.plugin.train.simulation_form import SimulationForm

if TYPE_CHECKING:
    from napari_orient.data.scan import Scan
    from napari_orient.session import Session


class TrainForm(QObject):
    """Network, data and recipe; emits ``changed()``."""

    changed = Signal()

    def __init__(self, viewer: Any, session: Session, parent: QWidget) -> None:
        super().__init__(parent)
        self.session = session
        self.network = NetworkForm(parent)
        self.labels = ScanForm(viewer, session, parent)
        self.simulation = SimulationForm(parent)
        self.recipe = RecipeForm(parent)
        self.from_scan = QRadioButton("Scan and labels")
        self.from_scan.setToolTip("Patterns of a scan, with the orientations of a map")
        self.simulated = QRadioButton("Simulated patterns")
        self.simulated.setToolTip("Patterns simulated while the network learns: exact labels")
        self._group = QButtonGroup(self)
        self.stack = QStackedWidget()
        choice = QWidget()
        row = QHBoxLayout(choice)
        row.setContentsMargins(0, 0, 0, 0)
        for place, (radio, one) in enumerate(
            ((self.from_scan, self.labels.page), (self.simulated, self.simulation.page))
        ):
            self._group.addButton(radio, place)
            row.addWidget(radio)
            self.stack.addWidget(one)
        self.from_scan.setChecked(True)
        self.data_page = page(choice, last=self.stack)
        self._group.idToggled.connect(self._on_source)
        for part in (self.network, self.labels, self.simulation, self.recipe):
            part.changed.connect(self._on_changed)
        self._follow()

    @property
    def is_simulated(self) -> bool:
        """Whether patterns are simulated, not read."""
        return self.simulated.isChecked()

    @property
    def scan(self) -> Scan | None:
        """The scan whose patterns are learned, or looked at beside simulated ones."""
        return self.session.scan if self.is_simulated else self.labels.scan

    @property
    def config(self) -> TrainConfig:
        """What the controls say; what nobody typed is None.

        Raises
        ------
        ConfigError
            If a value is out of range, in words for the user.
        """
        source = {"simulation": self.simulation.values} if self.is_simulated else {}
        source = source or {"scan": self.labels.values}
        values = {**self.network.values, **self.recipe.values, **source}
        return TrainConfig.checked(values, "settings")

    def refusal(self) -> str:
        """Return why these settings cannot be trained, in words; "" if they can."""
        data = self.simulation if self.is_simulated else self.labels
        if said := data.refusal() or self.network.refusal():
            return said
        try:
            self.config  # noqa: B018
        except ConfigError as error:
            return str(error)
        return ""

    def set_config(self, config: TrainConfig) -> str:
        """Show a configuration; return what has to be opened for it, in words."""
        self.blockSignals(True)
        said = ""
        self.network.set_config(config)
        self.recipe.set_config(config)
        if config.simulation is not None:
            self.simulated.setChecked(True)
            self.simulation.set_config(config.simulation)
        elif config.scan is not None:
            self.from_scan.setChecked(True)
            said = self.labels.set_config(config.scan)
        self.blockSignals(False)
        self._on_changed()
        return said

    def follow_scan(self) -> None:
        """Offer what the open scan knows."""
        self.simulation.show_scan(self.session.scan)
        self._on_changed()

    def set_active(self, on: bool) -> None:
        """Draw what is seen, or wait until somebody looks."""
        self.labels.set_active(on and not self.is_simulated)
        self.simulation.view.set_active(on and self.is_simulated)

    def look(self) -> None:
        """Simulate some patterns anew, beside those that are shown of the scan."""
        if not self.is_simulated:
            return
        view, said = self.simulation.view, self.refusal()
        if said:
            view.look_at(None, None, None, None, said)
            return
        config = self.config
        view.look_at(config.simulation, config.input, self.session.scan, self.session.shown)

    def _on_source(self, place: int, on: bool) -> None:
        if on:
            self.stack.setCurrentIndex(place)
            self._on_changed()

    def _on_changed(self) -> None:
        self._follow()
        self.look()
        self.changed.emit()

    def _follow(self) -> None:
        """Let the parts know of each other."""
        scan = self.scan
        size = scan.calibration.pixel_size if scan is not None else None
        whole = size.number * max(scan.pattern_shape) if scan is not None and size else None
        self.network.suggest_pixel(
            whole, "as wide as the scan's patterns", needed=self.is_simulated
        )
        self.recipe.suit(
            self.network.name.value(), self.network.head.value(), simulated=self.is_simulated
        )
        self.labels.seed = self.recipe.rows["seed"].value()
