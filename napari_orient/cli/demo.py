"""How is the window opened with sample data? The verb demo."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_orient.cli.report import Reporter

if TYPE_CHECKING:
    import argparse

    from napari_orient.cli.report import AddVerb


def add_verbs(verb: AddVerb) -> None:
    """Add the verb demo."""
    demo = verb("demo", _demo, "Open the window with a simulated scan; predict it, make a volume")
    demo.add_argument("--quick", action="store_true", help="a smaller scan, made in seconds")
    demo.add_argument("--screenshots", metavar="DIR", help="save screenshots there and close")


def _demo(options: argparse.Namespace) -> int:
    from napari_orient.plugin.demo import run_demo

    return run_demo(quick=options.quick, screenshots=options.screenshots, watch=Reporter())
