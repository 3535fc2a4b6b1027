"""Which crystal lies how at each point of the scan? The Index dock."""

from __future__ import annotations

from napari_orient.plugin.sessions import Dock


class IndexDock(Dock):
    """The Index dock of one viewer."""
