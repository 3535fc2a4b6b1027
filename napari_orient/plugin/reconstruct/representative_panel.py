"""Is the result representative? It is judged after a run, or when asked, and then shown."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QSignalBlocker, Qt, Signal
from qtpy.QtWidgets import QCheckBox, QVBoxLayout, QWidget

from napari_orient.plugin.index.rows import Said
from napari_orient.plugin.load.prepare_panel import button
from napari_orient.plugin.reconstruct.judging import judging
from napari_orient.plugin.reconstruct.verdict_page import RED, VerdictPage, headline
from napari_orient.plugin.terms import in_terms
from napari_orient.plugin.worker import JobBar, refusable

if TYPE_CHECKING:
    from napari_orient.data.maps import OrientationMap
    from napari_orient.plugin.reconstruct.engine import Order
    from napari_orient.plugin.reconstruct.judging import Judged

TITLE = "Is it representative?"
SHOWN = "The page is in the tab " + TITLE
REFUSED = "It cannot be judged. {}"
FAILED = "The comparison ended early: {}"


class RepresentativePanel(QWidget):
    """Judges the result of a run; emits ``shown()`` when the user wants to see the page.

    Attributes
    ----------
    page
        What is shown of the verdict, for a tab of its own.
    after
        Whether results are judged as soon as they are there.
    """

    shown = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.page = VerdictPage()
        self.bar = JobBar()
        self.said = Said()
        self.said.setTextFormat(Qt.TextFormat.RichText)
        self.said.setToolTip(SHOWN)
        self.button = button(
            TITLE,
            "Compare sections of the result with the map that it was made from: grains, "
            "boundaries, texture and correlations, each with a verdict",
            self.ask,
        )
        self.after = QCheckBox("Judge the result after the run")
        self.after.setToolTip(
            "Compare it with its reference as soon as it is there. Ticked by itself for volumes of "
            "which grains are made, until you choose"
        )
        self._chosen = False  # did the user say when results are judged?
        self.after.clicked.connect(self._on_chosen)
        self._order: Order | None = None
        self._result: OrientationMap | None = None
        self._name = ""
        self._wanted = False  # does the user wait for the page?
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        for widget in (self.after, self.button, self.bar, self.said):
            layout.addWidget(widget)
        self.bar.running.connect(lambda on: self.button.setVisible(not on))
        self.bar.failed.connect(self._on_failed)

    def begin(self, order: Order) -> None:
        """Take up a run that begins."""
        if not self._chosen:
            with QSignalBlocker(self.after):
                self.after.setChecked(len(order.config.size) == 3 and order.config.consolidate)

    def show_result(self, order: Order | None, result: OrientationMap | None, name: str) -> None:
        """Offer a verdict on a result, and forget that on another one; None offers none."""
        if result is not None and result is self._result:
            return
        self.bar.cancel()
        self._order, self._result, self._name = order, result, name
        self._wanted = False
        self.said.clear()
        self.page.show_verdict(None, "")
        there = order is not None and result is not None
        self.button.setEnabled(there)
        if there and self.after.isChecked():
            self._judge()

    def ask(self) -> None:
        """Show the page; make it first where there is none."""
        if self.page.judged is not None:
            self.shown.emit()
            return
        self._wanted = True
        self._judge()

    def _judge(self) -> None:
        order, result = self._order, self._result
        if order is None or result is None:
            return
        self.said.clear()
        self.bar.run(
            refusable(judging(order.references, result, aside=order.aside)),
            text="Judging the result",
            on_result=lambda answer: self._on_judged(result, *answer),
        )

    def _on_judged(self, result: OrientationMap, judged: Judged | None, refusal: str) -> None:
        if result is not self._result:
            return
        if judged is None:
            self._refuse(REFUSED.format(in_terms(refusal)))
            return
        self.said.setText(headline(judged))
        self.page.show_verdict(judged, f"{self._name} judged")
        if self._wanted:
            self.shown.emit()

    def _on_failed(self, error: Exception) -> None:
        self._refuse(FAILED.format(in_terms(error)))

    def _refuse(self, text: str) -> None:
        self.said.setText(f'<span style="color:{RED}">{text}</span>')

    def _on_chosen(self) -> None:
        self._chosen = True
