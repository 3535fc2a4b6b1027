"""How much of the material has one of the well-known orientations? A table of shares."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QAbstractItemView,
    QHBoxLayout,
    QHeaderView,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from napari_orient.plugin.calibrate.fields import words
from napari_orient.plugin.compare.table_out import TableOut
from napari_orient.plugin.grains.texture_drawings import shares_of
from napari_orient.plugin.live import Live
from napari_orient.plugin.terms import in_terms

if TYPE_CHECKING:
    from napari_orient.analysis.texture.components import Share
    from napari_orient.plugin.grains.texture_drawings import Sample

HEADS = ("Component", "Orientation", "Share (%)", "Random (%)", "Ratio")
TIPS = (
    "Name", "Plane parallel to the sheet and direction along RD (X), or a fibre along an axis",
    "Weight within the tolerance", "The same of a texture without any preference", "Share / random",
)  # fmt: skip


class ComponentTable(TableOut):
    """Shares of the components of a texture, to be copied or saved."""

    file_name, title = "components.csv", "Save the components"

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.shares: tuple[Share, ...] = ()
        self._live = Live(shares_of, self, name="orient-components")
        self._live.answered.connect(self._show)
        self._live.failed.connect(lambda _, error: self._say(in_terms(error)))
        self._about = ""
        self.table = QTableWidget(0, len(HEADS))
        self.table.setHorizontalHeaderLabels(HEADS)
        for column, tip in enumerate(TIPS):
            self.table.horizontalHeaderItem(column).setToolTip(tip)
        self.table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.table.verticalHeader().hide()
        header = self.table.horizontalHeader()
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(1, QHeaderView.ResizeMode.Stretch)
        self.said = words()
        buttons = QHBoxLayout()
        buttons.addWidget(self.copy_button)
        buttons.addWidget(self.save_button)
        buttons.addStretch(1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addWidget(self.table, 1)
        layout.addWidget(self.said)
        layout.addLayout(buttons)

    def show_sample(self, sample: Sample | None, tolerance: float) -> None:
        """Show the shares of a sample's components within a tolerance in degrees."""
        self._live.forget()
        if sample is None:
            self._show(None, ())
        else:
            self._live.request((sample, tolerance))

    def _show(self, request: Any, shares: tuple[Share, ...]) -> None:
        self.shares = shares
        self.table.setRowCount(len(shares))
        for row, share in enumerate(shares):
            ratio = share.fraction / share.random if share.random else float("nan")
            cells = (
                share.component.name, share.component.words, f"{100 * share.fraction:.1f}",
                f"{100 * share.random:.2f}", f"{ratio:.2f}",
            )  # fmt: skip
            for column, text in enumerate(cells):
                item = QTableWidgetItem(text)
                side = Qt.AlignmentFlag.AlignLeft if column < 2 else Qt.AlignmentFlag.AlignRight
                item.setTextAlignment(int(side | Qt.AlignmentFlag.AlignVCenter))
                self.table.setItem(row, column, item)
        if request is None:
            self._say("")
        elif not shares:
            self._say("No components are known for this crystal.")
        else:
            sample, tolerance = request
            rd, _, nd = sample.axes.matrix
            self._about = (
                f"{sample.crystal.name}, {sample.of}, within {tolerance:g}° of an orientation or "
                f"one of its variants; RD {_axis(rd)}, ND {_axis(nd)} of the map. Shares overlap."
            )
            self._say(self._about)

    def _say(self, text: str) -> None:
        self.said.setText(text)
        self.said.setVisible(bool(text))

    def about_lines(self) -> tuple[str, ...]:
        """Return the crystal, the tolerance, and the axes of the sample."""
        return (self._about,)

    def rows(self) -> list[tuple[Any, ...]]:
        """Return one row for each component, heads first."""
        rows: list[tuple[Any, ...]] = [("component", "orientation", "share", "random share")]
        for component, share, random, _ in self.shares:
            rows.append((component.name, component.words, share, random))
        return rows


def _axis(vector: Any) -> str:
    return " ".join(f"along {name}" for name, part in zip("XYZ", vector, strict=True) if part > 0.5)
