"""Does napari find everything that the manifest promises?"""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest
import yaml

import napari_orient

PACKAGED = Path(napari_orient.__file__).with_name("napari.yaml")
MANIFEST = yaml.safe_load(PACKAGED.read_text(encoding="utf-8"))
COMMANDS = MANIFEST["contributions"]["commands"]


def test_npe2_accepts_the_manifest():
    npe2 = pytest.importorskip("npe2")
    manifest = npe2.PluginManifest.from_file(PACKAGED)
    assert manifest.name == "napari-orient"
    manifest.validate_imports()


def test_the_manifest_beside_the_readme_is_the_packaged_one():
    root = Path(__file__).parents[1] / "napari.yaml"
    if not root.exists():
        pytest.skip("not run from a checkout")
    assert root.resolve() == PACKAGED.resolve()


def test_the_installed_package_announces_its_manifest():
    from importlib.metadata import entry_points

    found = entry_points(group="napari.manifest", name="napari-orient")
    assert {entry.value for entry in found} == {"napari_orient:napari.yaml"}


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command["id"])
def test_every_command_can_be_imported(command):
    module, _, name = command["python_name"].partition(":")
    assert callable(getattr(importlib.import_module(module), name))


def test_every_contribution_has_its_command():
    known = {command["id"] for command in COMMANDS}
    parts = MANIFEST["contributions"]
    lists = [part for kind, part in parts.items() if kind not in ("commands", "menus")]
    lists += parts["menus"].values()
    used = {part["command"] for one in lists for part in one}
    assert used <= known


def test_every_suffix_that_we_read_is_in_the_manifest():
    from napari_orient.data.formats import SUFFIXES
    from napari_orient.data.vendors.open import SUFFIXES as MAPS

    patterns = MANIFEST["contributions"]["readers"][0]["filename_patterns"]
    assert {f"*{suffix}" for suffix in (*SUFFIXES, *MAPS)} == set(patterns)
