"""What will the figure look like? A dialog with its choices and a preview."""

from __future__ import annotations

from typing import Any, NamedTuple

from qtpy.QtCore import Qt, QTimer
from qtpy.QtGui import QImage, QPixmap
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QDoubleSpinBox,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QScrollArea,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from napari_orient.crystal.figure import Picture, Print, preview
from napari_orient.data.images import Shown
from napari_orient.plugin.figure.pattern import picture_of_pattern, shown_pattern
from napari_orient.plugin.figure.save import shown_by
from napari_orient.plugin.figure.view import picture_of_view
from napari_orient.plugin.live import Live

WHAT = {"The whole picture": "all", "What the canvas shows": "seen", "The pattern": "pattern"}
WIDTHS = {"One column, 85 mm": 85.0, "Two columns, 170 mm": 170.0, "Other": None}
PREVIEW = 1200  # pixels of the page's width, made smaller for the screen


class Choice(NamedTuple):
    """What is printed, how, the layers seen in it, and the data to be written beside it."""

    picture: Picture
    how: Print
    layers: list[Any]
    shown: list[Shown]


class FigureDialog(QDialog):
    """Chooses what is printed and how."""

    def __init__(self, viewer: Any, session: Any, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Save figure")
        self.viewer, self.session = viewer, session
        self.picture: Picture | None = None
        self._drawn = QPixmap()
        self.layers: list[Any] = []
        self._live = Live(_preview, self, name="orient-figure")
        self._live.answered.connect(self._show)
        self._live.failed.connect(lambda _, error: self.preview.setText(str(error)))
        self._timer = QTimer(self)  # typing a title must not draw at each letter
        self._timer.setSingleShot(True)
        self._timer.setInterval(200)
        self._timer.timeout.connect(self.refresh)
        self._build()
        self.refresh()

    def _build(self) -> None:
        self.what = _combo(WHAT, "What is printed")
        self.title = QLineEdit()
        self.title.setPlaceholderText("none")
        self.title.setToolTip("Words above the picture")
        self.preset = _combo(WIDTHS, "Width of the figure on paper")
        self.width_mm = QDoubleSpinBox()
        self.width_mm.setRange(30, 400)
        self.width_mm.setDecimals(0)
        self.width_mm.setSuffix(" mm")
        self.width_mm.setValue(85)
        self.width_mm.setToolTip("Width of the figure on paper")
        self.dpi = QSpinBox()
        self.dpi.setRange(72, 1200)
        self.dpi.setValue(600)
        self.dpi.setSuffix(" dpi")
        self.dpi.setToolTip("Pixels per inch; journals ask for 300 to 600")
        self.letters = QDoubleSpinBox()
        self.letters.setRange(4, 20)
        self.letters.setDecimals(1)
        self.letters.setValue(7)
        self.letters.setSuffix(" pt")
        self.letters.setToolTip("Size of the letters on paper; journals ask for 6 to 8 pt")
        self.ground = _combo(("white", "black"), "Colour of points that are not indexed")
        tips = {
            "Scale bar": "Draw a scale bar into the picture",
            "Keys and colour bars": "Draw what the colours mean",
            "Notes": "Write below what is shown, and in which frame",
            "Data beside it": "Also write what the figure shows: all arrays and maps as HDF5, "
            "virtual images as float TIFF",
        }
        self.checks: dict[str, QCheckBox] = {}
        for name, tip in tips.items():
            self.checks[name] = QCheckBox(name)
            self.checks[name].setChecked(True)
            self.checks[name].setToolTip(tip)
        self.preview = QLabel()
        self.preview.setAlignment(Qt.AlignmentFlag.AlignTop | Qt.AlignmentFlag.AlignHCenter)
        self.preview.setWordWrap(True)
        self.buttons = QDialogButtonBox(
            QDialogButtonBox.StandardButton.Save | QDialogButtonBox.StandardButton.Cancel
        )
        self.buttons.button(QDialogButtonBox.StandardButton.Save).setText("Save …")
        self._arrange()
        self._connect()

    def _arrange(self) -> None:
        form = QFormLayout()
        for label, widget in (
            ("Picture", self.what), ("Title", self.title), ("Width", self.preset),
            ("", self.width_mm), ("Resolution", self.dpi), ("Letters", self.letters),
            ("Ground", self.ground),
        ):  # fmt: skip
            form.addRow(label, widget)
        for check in self.checks.values():
            form.addRow("", check)
        left = QVBoxLayout()
        left.addLayout(form)
        left.addStretch(1)
        left.addWidget(self.buttons)
        self.scroll = QScrollArea()
        self.scroll.setWidgetResizable(True)
        self.scroll.setWidget(self.preview)
        self.scroll.setMinimumWidth(480)
        # the page is fitted into the room: a bar that comes and goes would change the room
        self.scroll.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        row = QHBoxLayout(self)
        row.addLayout(left)
        row.addWidget(self.scroll, 1)
        self.resize(980, 820)

    def _connect(self) -> None:
        self.preset.currentTextChanged.connect(self._on_preset)
        self.what.currentIndexChanged.connect(self._timer.start)
        self.title.textChanged.connect(self._timer.start)
        self.ground.currentIndexChanged.connect(self._timer.start)
        for box in (self.width_mm, self.letters):
            box.valueChanged.connect(self._timer.start)
        for check in self.checks.values():
            check.toggled.connect(self._timer.start)
        self.buttons.accepted.connect(self.accept)
        self.buttons.rejected.connect(self.reject)
        self._on_preset(self.preset.currentText())

    def _on_preset(self, name: str) -> None:
        width = WIDTHS[name]
        self.width_mm.setEnabled(width is None)
        if width is not None:
            self.width_mm.setValue(width)

    @property
    def how(self) -> Print:
        """How it is printed."""
        return Print(
            width=self.width_mm.value(),
            dpi=self.dpi.value(),
            font_size=self.letters.value(),
            ground=self.ground.currentText(),
            scale_bar=self.checks["Scale bar"].isChecked(),
            keys=self.checks["Keys and colour bars"].isChecked(),
            notes=self.checks["Notes"].isChecked(),
        )

    @property
    def chosen(self) -> Choice:
        """The answer, which outlives the dialog."""
        shown = self._data() if self.checks["Data beside it"].isChecked() else []
        return Choice(self.picture, self.how, self.layers, shown)

    def _data(self) -> list[Shown]:
        if self.layers:
            return [shown_by(layer) for layer in self.layers]
        return [shown_pattern(self.viewer, self.session)]

    def refresh(self) -> None:
        """Compose the picture again and draw its preview in a thread."""
        save = self.buttons.button(QDialogButtonBox.StandardButton.Save)
        try:
            self.picture, self.layers = self._compose()
        except ValueError as error:
            self.picture = None
            self._live.forget()
            self.preview.setText(str(error))
            save.setEnabled(False)
            return
        save.setEnabled(True)
        self._live.request((self.picture, self.how))

    def _compose(self) -> tuple[Picture, list[Any]]:
        what, title = WHAT[self.what.currentText()], self.title.text().strip()
        if what == "pattern":
            return picture_of_pattern(self.viewer, self.session, title), []
        return picture_of_view(self.viewer, only_seen=what == "seen", title=title)

    def _show(self, request: Any, rgba: Any) -> None:
        height, width = rgba.shape[:2]
        image = QImage(rgba.tobytes(), width, height, 4 * width, QImage.Format.Format_RGBA8888)
        self._drawn = QPixmap.fromImage(image)
        self._fit()

    def _fit(self) -> None:
        """Show the whole page."""
        if not self._drawn.isNull():
            keep, smooth = (
                Qt.AspectRatioMode.KeepAspectRatio,
                Qt.TransformationMode.SmoothTransformation,
            )
            room = self.scroll.viewport().size()
            self.preview.setPixmap(self._drawn.scaled(room, keep, smooth))

    def resizeEvent(self, event: Any) -> None:
        """Use the room: Qt calls."""
        super().resizeEvent(event)
        self._fit()


def _preview(request: tuple[Picture, Print]) -> Any:
    return preview(*request, pixels=PREVIEW)


def _combo(items: Any, tip: str) -> QComboBox:
    box = QComboBox()
    box.addItems(list(items))
    box.setToolTip(tip)
    return box
