"""What does a virtual detector see? The one door to detectors, live images and passes from disk.

:class:`VirtualImager` answers while a detector is dragged: it keeps a detector-major copy of the
scan and, for counts, only adds and subtracts the pattern pixels that a move changed.
:func:`virtual_image` is the pass over a scan of any size, which fills its image in as it goes.
"""

from __future__ import annotations

from napari_orient.diffraction.composites import COLOURS, colour_rgb, compose_rgb
from napari_orient.diffraction.detectors import (
    Annulus,
    Colour,
    Disk,
    Rectangle,
    Shape,
    Signal,
    VirtualDetector,
    bright_field,
    dark_field,
)
from napari_orient.diffraction.live import (
    DEFAULT_BUDGET,
    CopyNotReady,
    ScanTooLarge,
    VirtualImager,
    warm_up,
)
from napari_orient.diffraction.streaming import virtual_image

__all__ = [
    "COLOURS",
    "DEFAULT_BUDGET",
    "Annulus",
    "Colour",
    "CopyNotReady",
    "Disk",
    "Rectangle",
    "ScanTooLarge",
    "Shape",
    "Signal",
    "VirtualDetector",
    "VirtualImager",
    "bright_field",
    "colour_rgb",
    "compose_rgb",
    "dark_field",
    "virtual_image",
    "warm_up",
]
