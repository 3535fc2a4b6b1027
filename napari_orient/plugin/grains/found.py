"""What does a run bring to the window? The grains, their boundaries as a picture, and colours."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from napari_orient.jobs import Progress
from napari_orient.plugin.grains.colours import Choice, label_colours, rgba_of
from napari_orient.plugin.grains.layers import edge_picture

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_orient.analysis.grains.config import GrainConfig
    from napari_orient.analysis.grains.grains import Grains
    from napari_orient.data.maps import OrientationMap
    from napari_orient.jobs import Job


class Found(NamedTuple):
    """Grains, and the lines between them."""

    grains: Grains
    lines: NDArray[np.uint8]


class Look(NamedTuple):
    """What is to be shown: grains by a choice between limits; those not kept are pale."""

    found: Found
    choice: Choice
    limits: tuple[float, float]
    keep: NDArray[np.bool_]

    @property
    def words(self) -> dict[str, Any]:
        """What the colours mean, for the note of the layer."""
        said: dict[str, Any] = {"by": self.choice.key, "words": self.choice.words}
        if self.choice.is_number:
            said |= {"limits": list(self.limits), "colormap": self.choice.colormap}
        return said


def find(orientations: OrientationMap, config: GrainConfig) -> Job[Found]:
    """Find the grains, and prepare all that would keep the window waiting."""
    from napari_orient.analysis.grains.find import find_grains

    grains = yield from find_grains(orientations, config)
    yield Progress(10, 10, "Drawing boundaries")
    lines = edge_picture(grains.labels)
    _warm_up()
    return Found(grains, lines)


def colours(look: Look) -> Any:
    """Return the colours of the labels."""
    return label_colours(rgba_of(look.found.grains, look.choice, look.limits), look.keep)


def _warm_up() -> None:
    """Let napari compile what it shows labels with: it takes seconds, and would stop its window.

    It does so for each kind of labels, and again where there are more than 256 colours.
    """
    from napari.layers import Labels

    for kind, count in ((np.int32, 1), (np.int32, 300), (np.uint8, 1)):
        rgba = np.linspace(0, 1, 4 * count, dtype=np.float32).reshape(count, 4)
        shades = label_colours(rgba, np.ones(count, np.bool_))
        Labels(np.zeros((2, 2), kind), colormap=shades).contour = 1
