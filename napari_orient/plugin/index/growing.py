"""How does a map look while it is computed? One layer whose picture gains rows.

The map of the layer stays one object until the end: docks that show it keep it, and the mouse reads
what is there so far.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_orient.crystal.colors import colour_image
from napari_orient.plugin.layers import KEY, scan_grid
from napari_orient.plugin.maps import layers as map_layers
from napari_orient.plugin.scan_layers import describe_map_layer

if TYPE_CHECKING:
    from napari.layers import Layer
    from numpy.typing import NDArray

    from napari_orient.data.maps import OrientationMap
    from napari_orient.data.scan import Scan

GROWS = ("quaternions", "phase_id", "done", "properties", "candidates", "provenance")


class GrowingMap:
    """The layer of a map that a job is filling.

    Parameters
    ----------
    viewer
        Where the layer is shown.
    scan
        That is indexed: the layer lies over it.
    """

    def __init__(self, viewer: Any, scan: Scan) -> None:
        self._viewer = viewer
        self._scan = scan
        self.map: OrientationMap | None = None
        self.layer: Layer | None = None

    def show(self, now: OrientationMap) -> None:
        """Show the map as it is now; the arrays of ``now`` are kept."""
        if self.map is None:
            self.map = now
            self._add()
            return
        rows = _changed_rows(self.map, now)
        for name in GROWS:
            setattr(self.map, name, getattr(now, name))
        self._paint(rows)

    def finish(self, result: OrientationMap) -> None:
        """Let the finished map take the place of the growing one, in all of its layers."""
        self.show(result)
        # docks that show the growing map must hear of another one: its facts are new
        last = dataclasses.replace(result) if result is self.map else result
        for layer in self._viewer.layers:
            if layer.metadata.get("map") is self.map:
                note = {**layer.metadata[KEY], "provenance": result.provenance}
                layer.metadata = {**layer.metadata, "map": last, KEY: note}
        self.map = last
        if self.layer not in self._viewer.layers:  # deleted meanwhile: a result is not lost
            self._add()

    def drop(self) -> None:
        """Take the map out of the window."""
        for layer in list(self._viewer.layers):
            if self.map is not None and layer.metadata.get("map") is self.map:
                self._viewer.layers.remove(layer)

    def _add(self) -> None:
        doubts = self.map.provenance.get("exploratory", "")
        name = f"{self._scan.name}, {'exploratory' if doubts else 'indexed'}"
        data, settings, _ = describe_map_layer(self.map, name)
        settings["metadata"][KEY]["provenance"] = self.map.provenance
        self.layer = self._viewer.add_image(data, **{**settings, **scan_grid(self._scan)})

    def _paint(self, rows: slice) -> None:
        """Colour rows that are new; the user may have chosen other colours meanwhile."""
        if rows.start == rows.stop:
            return
        for layer in map_layers.map_layers(self._viewer, self.map):
            scheme = map_layers.scheme_of(layer)
            # in some colours all points count
            whole = scheme.key == "narrow" or scheme.weight is not None
            part = slice(0, self.map.shape[0]) if whole else rows
            layer.data[part] = colour_image(self.map if whole else _part(self.map, rows), scheme)
            layer.refresh(extent=False)
        for layer in map_layers.map_layers(self._viewer, self.map, "property"):
            name = layer.metadata[KEY]["config"]["property"]
            layer.data = map_layers.property_data(self.map, name)


def _changed_rows(before: OrientationMap, now: OrientationMap) -> slice:
    """Return the rows between the first and the last that differ."""
    differs: NDArray[np.bool_] = (before.phase_id != now.phase_id) | (before.done != now.done)
    differs |= (before.quaternions != now.quaternions).any(axis=-1)
    found = np.flatnonzero(differs.any(axis=1))
    return slice(int(found[0]), int(found[-1]) + 1) if len(found) else slice(0, 0)


def _part(orientations: Any, rows: slice) -> OrientationMap:
    """Return rows of a map, for its colours."""
    return dataclasses.replace(
        orientations,
        quaternions=orientations.quaternions[rows],
        phase_id=orientations.phase_id[rows],
        done=orientations.done[rows],
        properties={},
        candidates=None,
    )
