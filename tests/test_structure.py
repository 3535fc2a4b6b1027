"""Habits of the house that a machine can check."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
MODULES = sorted((ROOT / "napari_orient").rglob("*.py"))


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(ROOT)))
def test_no_module_is_longer_than_600_lines(path):
    assert len(path.read_text().splitlines()) <= 600


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(ROOT)))
def test_no_pickle_is_ever_read_or_written(path):
    text = path.read_text()
    assert not re.search(r"^\s*(import|from) (pickle|dill|cloudpickle|joblib)", text, re.MULTILINE)
    assert "allow_pickle=True" not in text


def test_command_line_starts_without_heavy_imports():
    heavy = ("torch", "napari", "qtpy", "orix", "numba", "h5py", "dask", "PyQt5", "matplotlib")
    code = f"import sys, napari_orient.cli; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_lazy_public_names_all_resolve():
    import napari_orient

    for name in napari_orient.__all__:
        assert getattr(napari_orient, name) is not None


def test_torch_constraint_is_the_one_the_readme_names():
    constraints = (ROOT / "resources" / "constraints.txt").read_text()
    assert re.search(r"^torch==2\.13\.0$", constraints, re.MULTILINE)
