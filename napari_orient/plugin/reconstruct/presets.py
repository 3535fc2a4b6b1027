"""Draft, standard or paper: what does a wish for quality set?"""

from __future__ import annotations

from typing import Any, NamedTuple

from napari_orient.reconstruction.config import ReconstructConfig

CUSTOM = "custom"


class Preset(NamedTuple):
    """Settings by the name of their quality, and what they are good for."""

    words: str
    values: dict[str, Any]


PRESETS = {
    "draft": Preset(
        "Draft: a look in seconds to minutes. Window 9, at most 100 evaluations per grid, one "
        "field, no grains made of it.",
        {"window": 9, "evaluations": 100, "plateau": 1e-2, "seeds": 1, "consolidate": False},
    ),
    "standard": Preset(
        "Standard: window 17, at most 1000 evaluations per grid, one field, grains of one "
        "orientation in the end.",
        {"window": 17, "evaluations": 1000, "plateau": 1e-3, "seeds": 1, "consolidate": True},
    ),
    "paper": Preset(
        "Paper: window 17, at most 2000 evaluations per grid until a plateau of 0.03 %, the best "
        "of five fields, grains of one orientation in the end.",
        {"window": 17, "evaluations": 2000, "plateau": 3e-4, "seeds": 5, "consolidate": True},
    ),
}
"""Quality -> settings. All others keep the values of the configuration itself."""
OWN = ("size", "step", "seed", "time_limit", "device", "threads", "phases", "bands", "assume")
"""Settings of what is made, and where, on which quality does not depend."""


def filled(config: ReconstructConfig, quality: str) -> ReconstructConfig:
    """Return a configuration with the settings of a quality."""
    kept = {name: getattr(config, name) for name in OWN}
    return ReconstructConfig(**{**kept, **PRESETS[quality].values})


def quality_of(config: ReconstructConfig) -> str:
    """Return the quality that a configuration is filled in by, or "custom"."""
    return next((name for name in PRESETS if filled(config, name) == config), CUSTOM)
