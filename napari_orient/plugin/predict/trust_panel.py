"""How far is the network's own account to be trusted? Plot and words, where labels are open."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QSize, Qt
from qtpy.QtGui import QImage, QPixmap
from qtpy.QtWidgets import QGridLayout, QLabel, QSizePolicy, QVBoxLayout, QWidget

from napari_orient.plugin.calibrate.fields import words
from napari_orient.plugin.compare.pickers import MapPicker
from napari_orient.plugin.live import Live
from napari_orient.plugin.load.prepare_panel import button
from napari_orient.plugin.maps.layers import open_maps, show_property
from napari_orient.plugin.predict.models import predict_terms
from napari_orient.plugin.predict.trust import Trust, Wish, trust
from napari_orient.plugin.sessions import follow

if TYPE_CHECKING:
    from napari_orient.data.maps import OrientationMap

EMPTY = (
    "Predict first. Where a map that is believed (labels, the truth of a simulation) is open, "
    "how often the network is right is plotted here against how sure it is."
)
NO_LABELS = "Open or choose a map of this scan that is believed: labels, or a matched map."
SURE = "probability"
MARGIN, HEIGHT = 4, 200  # px: around the page, and of the plot


class TrustPanel(QWidget):
    """The predicted map beside labels; ``changed`` tells that the labels are others."""

    def __init__(self, viewer: Any, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.viewer = viewer
        self.predicted: OrientationMap | None = None
        self.trust: Trust | None = None
        self._active = False
        self._drawn: tuple[Any, ...] = ()
        self._live = Live(trust, self, name="orient-predict-trust")
        self._live.answered.connect(self._show)
        self._live.failed.connect(lambda _, error: self._say(predict_terms(error)))
        self.labels = MapPicker(viewer, "The map that is believed")
        self.labels.changed.connect(self.refresh)
        self.layer = button(
            "Probability as a layer",
            "Show how sure the network is, at each position",
            self.show_probability,
        )
        self.said = words(EMPTY)
        self.picture = QLabel()
        self.picture.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.picture.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.picture.setFixedHeight(HEIGHT)
        grid = QGridLayout()
        grid.addWidget(QLabel("Labels"), 0, 0)
        grid.addWidget(self.labels, 0, 1)
        grid.addWidget(self.layer, 0, 2)
        grid.setColumnStretch(1, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(MARGIN, MARGIN, MARGIN, MARGIN)
        layout.addLayout(grid)
        layout.addWidget(self.picture)
        layout.addWidget(self.said)
        layout.addStretch(1)
        follow(self, viewer.layers.events.inserted, self._on_layers)
        self.set_predicted(None)

    def minimumSizeHint(self) -> QSize:
        """Be as narrow as the other pages: Qt asks."""
        return QSize(200, 300)

    # --- the two maps ---------------------------------------------------------------------------

    def set_predicted(self, predicted: OrientationMap | None) -> None:
        """Judge this map."""
        self.predicted = predicted
        self.layer.setEnabled(predicted is not None and SURE in predicted.properties)
        self._find_labels()
        self.refresh()

    def _on_layers(self, event: Any = None) -> None:
        self._find_labels()

    def _find_labels(self) -> None:
        """Take the first map of this grid that no network made, until the user chooses one."""
        if self.predicted is None or self.labels.chosen not in (None, self.predicted):
            return
        self.labels.refresh()  # the layer may be newer than its list
        for one in open_maps(self.viewer):
            fits = one.shape == self.predicted.shape and one is not self.predicted
            if fits and one.provenance.get("task") != "predict":
                self.labels.choose(one)
                return

    # --- the plot -------------------------------------------------------------------------------

    def set_active(self, on: bool) -> None:
        """Draw, or wait until the dock is in front again."""
        self._active = on
        self.refresh()

    def refresh(self, *_: Any) -> None:
        """Draw again where something changed and it can be seen."""
        if self.predicted is None:
            self._say(EMPTY)
            return
        labels = self.labels.chosen
        if labels is None or labels is self.predicted:
            self._say(NO_LABELS)
            return
        if not (self._active and self.isVisible()):
            return
        ratio = self.devicePixelRatioF()
        style = {
            "ink": self.palette().windowText().color().name(),
            # the picture's own width is an old one while it is hidden
            "width": max(self.width() - 2 * MARGIN, 180) * ratio,
            "height": HEIGHT * ratio,
            "dpi": 96 * ratio,
        }
        wanted = (labels, self.predicted, *style.values())
        if len(wanted) != len(self._drawn) or any(
            a is not b and a != b for a, b in zip(wanted, self._drawn, strict=True)
        ):
            self._drawn = wanted
            self._live.request(Wish(labels, self.predicted, style))

    def _show(self, wish: Wish, answer: Trust) -> None:
        if wish.predicted is not self.predicted or wish.reference is not self.labels.chosen:
            return
        self.trust = answer
        self.said.setText(answer.words)
        height, width = answer.picture.shape[:2]
        image = QImage(
            answer.picture.tobytes(), width, height, 4 * width, QImage.Format.Format_RGBA8888
        )
        image.setDevicePixelRatio(self.devicePixelRatioF())
        self.picture.setPixmap(QPixmap.fromImage(image))
        self.picture.setVisible(bool(len(answer.strict.n)))

    def _say(self, text: str) -> None:
        self._live.forget()
        self._drawn = ()
        self.trust = None
        self.said.setText(text)
        self.picture.hide()

    def show_probability(self) -> None:
        """Show the probability of the map as a layer, with its scale."""
        if self.predicted is not None:
            show_property(self.viewer, self.predicted, SURE)

    def resizeEvent(self, event: Any) -> None:
        """Use the room: Qt calls."""
        super().resizeEvent(event)
        self.refresh()

    def showEvent(self, event: Any) -> None:
        """Draw what changed while nobody looked: Qt calls."""
        super().showEvent(event)
        self.refresh()
