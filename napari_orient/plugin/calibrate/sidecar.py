"""How does a calibration serve the next scan of the day? Saved beside its scan, offered, taken."""

from __future__ import annotations

from pathlib import Path

from napari.utils.history import get_open_history, get_save_history, update_open_history
from napari.utils.notifications import show_error, show_info
from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QCheckBox,
    QFileDialog,
    QHBoxLayout,
    QListWidget,
    QListWidgetItem,
    QVBoxLayout,
    QWidget,
)

from napari_orient.data.sidecar import (
    REUSED,
    SUFFIX,
    apply_calibration,
    load_calibration,
    save_calibration,
    sidecar_of,
)
from napari_orient.files import UnreadableFile, split_inside
from napari_orient.plugin.calibrate.bench import Bench
from napari_orient.plugin.calibrate.fields import words
from napari_orient.plugin.load.prepare_panel import button
from napari_orient.plugin.paths import ask_where, stem_of

RECENT = 5
_recent: list[str] = []  # of this session of napari, the newest first


class SidecarPanel(QWidget):
    """Saves and loads calibrations; lists the last ones."""

    def __init__(self, bench: Bench, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.bench = bench
        self.save = button(
            "Save calibration", "Write the applied calibration beside the scan", self._save
        )
        self.load = button("Load calibration …", "Take a saved calibration", self._load)
        self.drift = QCheckBox("with its descan")
        self.drift.setToolTip(
            "Also take the drift of the beam: it belongs to one scan, unless the same area and "
            "size are scanned again"
        )
        self.recent = QListWidget()
        self.recent.setToolTip("Calibrations used today; double click or Enter takes one")
        self.recent.setFixedHeight(5 * self.recent.fontMetrics().lineSpacing() + 12)
        self.recent.itemActivated.connect(
            lambda item: self.take(item.data(Qt.ItemDataRole.UserRole))
        )
        self.said = words()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(2, 4, 2, 2)
        for widget in (self.save, self.load, self.drift, self.recent, self.said):
            layout.addWidget(widget)
        layout.addStretch(1)
        bench.dataChanged.connect(self.said.clear)
        bench.scanChanged.connect(self._on_scan)
        self._on_scan()

    def _on_scan(self) -> None:
        self.save.setEnabled(self.bench.scan is not None)
        self.load.setEnabled(self.bench.scan is not None)
        self._list()

    def _list(self) -> None:
        self.recent.clear()
        for path in _recent:
            item = QListWidgetItem(Path(path).name.removesuffix(SUFFIX))
            item.setToolTip(path)
            item.setData(Qt.ItemDataRole.UserRole, path)
            self.recent.addItem(item)

    def _save(self) -> None:
        scan = self.bench.scan
        if scan is None:
            return
        if self.bench.is_changed:
            self.said.setText("Apply or discard the changes first: what is applied is saved.")
            return
        name = sidecar_of(scan.source) if scan.source else Path(stem_of(scan) + SUFFIX)
        beside = name if scan.source else Path(get_save_history()[0]) / name
        path = ask_where(self, str(beside), f"Calibration (*{SUFFIX})", "Save calibration")
        if path:
            self.save_to(path)

    def save_to(self, path: str) -> None:
        """Write the scan's calibration to ``path``."""
        scan = self.bench.scan
        if scan is None:
            return
        path = path if path.endswith((".yaml", ".yml")) else path + SUFFIX
        try:
            saved = save_calibration(scan.calibration, path, scan=scan)
        except UnreadableFile as error:
            self._refuse(error)
            return
        self._remember(saved)
        self.said.setText(f"Saved {saved.name}")

    def _load(self) -> None:
        path, _ = QFileDialog.getOpenFileName(
            self, "Load calibration", get_open_history()[0], "Calibration (*.yaml *.yml)"
        )
        if path:
            update_open_history(path)
            self.take(path)

    def take(self, path: str, *, own: bool = False) -> None:
        """Give the scan the calibration of a file; with ``own``, its step and descan as well."""
        scan = self.bench.scan
        if scan is None:
            return
        fields = (*REUSED, *(("descan",) if own or self.drift.isChecked() else ()))
        fields += ("step",) if own else ()
        try:
            loaded = load_calibration(path)
            if own and loaded.scan_shape not in (None, scan.scan_shape):
                fields = REUSED  # the scan was cropped
            changed = apply_calibration(scan, loaded, fields)
        except (UnreadableFile, ValueError) as error:
            self._refuse(error)
            return
        self.bench.replace(changed)
        self._remember(path)
        measured = f", measured on {split_inside(loaded.scan)[0].name}" if loaded.scan else ""
        words = f"Taken: {Path(path).name} of {loaded.date[:10]}{measured}"
        self.said.setText(words)
        show_info(words)

    def _remember(self, path: str | Path) -> None:
        path = str(path)
        _recent[:] = [path, *(p for p in _recent if p != path)][:RECENT]
        self._list()

    def _refuse(self, error: Exception) -> None:
        self.said.setText(str(error))
        show_error(str(error))


class SidecarOffer(QWidget):
    """A line that offers the calibration beside a scan; shown only where there is one."""

    def __init__(self, bench: Bench, panel: SidecarPanel, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.bench, self.panel = bench, panel
        self._path = ""
        self._answered: set[str] = set()
        self.said = words()
        self.use = button("Use it", "Give the scan this calibration; Undo takes it back", self._use)
        self.no = button("Not now", "Leave the calibration as it is", self._no)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.said)
        row = QHBoxLayout()
        row.addWidget(self.use)
        row.addWidget(self.no)
        row.addStretch(1)
        layout.addLayout(row)
        bench.scanChanged.connect(self._on_scan)
        self.hide()

    def _on_scan(self) -> None:
        self._path, scan = "", self.bench.scan
        if scan is not None and scan.source and scan.source not in self._answered:
            path = sidecar_of(scan.source)
            if path.is_file() and str(path) not in _recent:
                self._path = str(path)
                self.said.setText(self._words(path))
        self.setVisible(bool(self._path))

    def _words(self, path: Path) -> str:
        try:
            date = load_calibration(path).date[:10]
        except UnreadableFile as error:
            self.use.setEnabled(False)
            return str(error)
        self.use.setEnabled(True)
        return f"A calibration from {date} lies beside this scan."

    def _use(self) -> None:
        path = self._path
        self._no()
        self.panel.take(path, own=True)

    def _no(self) -> None:
        if self.bench.scan is not None:
            self._answered.add(self.bench.scan.source)
        self._path = ""
        self.hide()
