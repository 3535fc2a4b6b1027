"""Fixtures for all tests."""

from __future__ import annotations

from pathlib import Path

import pytest

SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder with real files of several vendors, which is not part of the project."""
    if not SHARED_DATA.is_dir():
        pytest.skip("the folder ../shared/data with real vendor files is not on this machine")
    return SHARED_DATA
