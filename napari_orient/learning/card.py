"""What must one know of a model before using it? Its card, as Markdown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import napari_orient

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_orient.learning.folder import Model

_ROWS = {
    "n": "patterns",
    "median_deg": "median misorientation, degrees",
    "within_5deg": "within 5 degrees",
    "median_deg_modulo_beam": "median modulo half a turn about the beam, degrees",
    "within_5deg_modulo_beam": "within 5 degrees modulo half a turn about the beam",
    "any_within_5deg": "one of the answers within 5 degrees",
    "r2": "R2 of the Euler angles",
    "mse": "MSE, square degrees",
    "mae": "MAE, degrees",
}


def write_card(model: Model, about: str, history: Sequence[dict[str, Any]]) -> str:
    """Describe a model: network, data, training, scores.

    Parameters
    ----------
    model
        With its scores, by the name of the part they belong to.
    about
        What it learned from, in words.
    history
        Of its training; may be empty.
    """
    config = model.config
    count = sum(p.numel() for p in model.network.parameters())
    seen = f"{config.input.size} x {config.input.size} pixels"
    if config.input.pixel_size:
        seen += f" of {config.input.pixel_size:g} 1/angstrom"
    lines = [
        f"# {config.network.name} for {model.phase.name}",
        "",
        f"- Network: {config.network.name}, {count / 1e6:.2f} million parameters, head "
        f"{config.network.head}; sees {seen}.",
        f"- Learned from: {about}.",
        f"- Made with napari-orient {napari_orient.__version__}; settings in config.yaml.",
    ]
    if history:
        last = history[-1]
        lines.append(
            f"- Training: {last['round']} rounds, {last['step']} steps, "
            f"{last['seconds'] / 60:.1f} minutes."
        )
    if config.simulation is not None:
        lines.append("- **Not validated on experimental patterns.**")
    lines.append("- Licence: GPL-3.0-or-later, as napari-orient.")
    for part, scores in model.scores.items():
        lines += ["", f"## Scores, {part}", "", "| score | value |", "|---|---|"]
        lines += [
            f"| {said} | {scores[name]:.4g} |" for name, said in _ROWS.items() if name in scores
        ]
    return "\n".join(lines) + "\n"
