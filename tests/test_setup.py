"""The set-up script: silent where all is there, the line to type where something is missing."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[1] / "resources" / "system_libraries.sh"
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="system libraries of Linux")


@pytest.fixture
def run_with(tmp_path):
    """Run the script with some commands replaced."""

    def run(**commands: str) -> subprocess.CompletedProcess[str]:
        for name, body in commands.items():
            (tmp_path / name).write_text(f"#!/bin/sh\n{body}\n")
            (tmp_path / name).chmod(0o755)
        path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
        return subprocess.run(
            ["sh", str(SCRIPT)], env={"PATH": path}, capture_output=True, text=True, check=False
        )

    return run


def test_missing_libraries_and_no_root_gives_the_line_to_type(run_with):
    done = run_with(ldconfig="exit 0", id="echo 1000")
    assert done.returncode == 1
    line = next(x for x in done.stderr.splitlines() if "apt-get install" in x)
    assert line.strip().startswith("sudo apt-get update && sudo apt-get install -y")
    assert "libxcb-icccm4" in line
    assert "libegl1" in line


def test_missing_libraries_are_installed_by_root(run_with, tmp_path):
    log = tmp_path / "log"
    done = run_with(ldconfig="exit 0", id="echo 0", **{"apt-get": f'echo "$@" >> {log}'})
    assert done.returncode == 0, done.stderr
    update, install = log.read_text().splitlines()
    assert update == "update -qq"
    assert install.startswith("install -y --no-install-recommends libxcb-icccm4")
