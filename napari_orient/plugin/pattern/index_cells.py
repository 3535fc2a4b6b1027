"""How are Miller indices written in a table? With bars for minus signs, in narrow columns too."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import QPointF, QSize
from qtpy.QtGui import QPainter
from qtpy.QtWidgets import QApplication, QStyle, QStyledItemDelegate, QStyleOptionViewItem

from napari_orient.plugin.pattern.overlay import label_path


class IndexCells(QStyledItemDelegate):
    """Paints cells of numbers and indices; what is copied keeps its minus signs."""

    def paint(self, painter: QPainter, option: Any, index: Any) -> None:
        """Paint one cell: Qt calls."""
        text = str(index.data() or "")
        cell = QStyleOptionViewItem(option)
        self.initStyleOption(cell, index)
        cell.text = ""
        style = cell.widget.style() if cell.widget else QApplication.style()
        style.drawControl(QStyle.ControlElement.CE_ItemViewItem, cell, painter, cell.widget)
        # the style's own text keeps so far from the edges that a narrow column shows only dots
        path, width, height = label_path(text, *_font(cell), bold=False)
        middle = QPointF(cell.rect.center())
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        start = QPointF(middle.x() - width / 2 + 0.5, middle.y() + height / 2 - 1)
        painter.fillPath(path.translated(start), cell.palette.text().color())
        painter.restore()

    def sizeHint(self, option: Any, index: Any) -> QSize:
        """Return the room that a text needs: Qt asks."""
        hint = super().sizeHint(option, index)
        cell = QStyleOptionViewItem(option)
        self.initStyleOption(cell, index)
        _, width, _ = label_path(str(index.data() or ""), *_font(cell), bold=False)
        return QSize(int(width) + 6, hint.height())


def _font(cell: QStyleOptionViewItem) -> tuple[str, float]:
    return cell.font.family(), cell.font.pointSizeF()
