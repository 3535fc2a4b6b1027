"""Is compiled code still that of the sources? numba keeps it, and looks at one file at a time.

A function that calls one of another file is not compiled again when that file changes: after an
update the old numbers would come out, without a word. Hence all is compiled again as soon as any
source has changed.
"""

from __future__ import annotations

import contextlib
import hashlib
from pathlib import Path

_ROOT = Path(__file__).parent
_PACKAGES = ("crystal", "diffraction", "learning", "analysis", "reconstruction")


def forget_stale_code(root: Path = _ROOT) -> bool:
    """Remove what numba has compiled of other sources than those that lie there now.

    Returns
    -------
    bool
        Whether the sources had changed. Nothing is done where the folder cannot be written to;
        numba keeps its files elsewhere then.
    """
    digest = hashlib.sha256()
    for name in _PACKAGES:
        for path in sorted((root / name).rglob("*.py")):
            digest.update(path.name.encode())
            digest.update(path.read_bytes())
    marker, now = root / "__pycache__" / "compiled.sha256", digest.hexdigest()
    with contextlib.suppress(OSError):
        if marker.is_file() and marker.read_text() == now:
            return False
        for name in _PACKAGES:
            for path in (root / name).rglob("__pycache__/*.nb[ic]"):
                path.unlink(missing_ok=True)
        marker.parent.mkdir(exist_ok=True)
        marker.write_text(now)
    return True
