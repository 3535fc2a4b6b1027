"""How do several virtual images become one colour picture? Each in its colour, added up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from napari_orient.diffraction.detectors import Colour

COLOURS: dict[str, tuple[float, float, float]] = {
    "red": (1.0, 0.0, 0.0),
    "green": (0.0, 1.0, 0.0),
    "blue": (0.0, 0.0, 1.0),
    "cyan": (0.0, 1.0, 1.0),
    "magenta": (1.0, 0.0, 1.0),
    "yellow": (1.0, 1.0, 0.0),
    "orange": (1.0, 0.5, 0.0),
    "white": (1.0, 1.0, 1.0),
}


def colour_rgb(colour: Colour) -> tuple[float, float, float]:
    """Return (red, green, blue), 0 to 1, of a name in ``COLOURS``, "#rrggbb", or a triple.

    Raises
    ------
    ValueError
        If it is none of these.
    """
    if not isinstance(colour, str):
        red, green, blue = (min(max(float(part), 0.0), 1.0) for part in colour)
        return red, green, blue
    if colour.lower() in COLOURS:
        return COLOURS[colour.lower()]
    try:
        if not colour.startswith("#"):
            raise ValueError
        red, green, blue = (part / 255 for part in bytes.fromhex(colour[1:]))
    except ValueError:
        known = ", ".join(COLOURS)
        raise ValueError(f"{colour!r} is no colour; use #rrggbb or one of {known}") from None
    return red, green, blue


def compose_rgb(
    images: Sequence[NDArray[Any]],
    colours: Sequence[Colour | None],
    contrast: Sequence[tuple[float, float] | None] | None = None,
) -> NDArray[np.uint8]:
    """Add several virtual images up to one picture, each in its colour.

    Parameters
    ----------
    images
        Images (y, x) of one shape; NaN is black.
    colours
        One for each image; None takes red, green, blue, cyan, ... in turn.
    contrast
        (low, high) values shown black and in full colour, for each image; None: its 0.5 and 99.5
        percentiles.

    Returns
    -------
    ndarray of uint8, (y, x, 3)
        The sum of the coloured images, clipped at full intensity.

    Raises
    ------
    ValueError
        If there is no image, or shapes and numbers do not agree.
    """
    limits = [None] * len(images) if contrast is None else list(contrast)
    if not images or len(colours) != len(images) or len(limits) != len(images):
        raise ValueError("one colour, and one contrast if any, is needed for each image")
    if len({image.shape for image in images}) > 1:
        raise ValueError(f"images differ in shape: {[image.shape for image in images]}")
    palette = list(COLOURS)
    total = np.zeros((*images[0].shape, 3))
    for number, (image, colour, limit) in enumerate(zip(images, colours, limits, strict=True)):
        low, high = _auto_contrast(image) if limit is None else limit
        scaled = (np.nan_to_num(image, nan=low, posinf=high, neginf=low) - low) / (
            (high - low) or 1.0
        )
        rgb = colour_rgb(palette[number % len(palette)] if colour is None else colour)
        total += np.clip(scaled, 0, 1)[..., None] * np.array(rgb)
    return np.round(np.clip(total, 0, 1) * 255).astype(np.uint8)


def _auto_contrast(image: NDArray[Any]) -> tuple[float, float]:
    finite = image[np.isfinite(image)]
    if not finite.size:
        return 0.0, 1.0
    low, high = np.percentile(finite, (0.5, 99.5))
    return float(low), float(high)
