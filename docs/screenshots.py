"""Make the pictures and the table of formats of the documentation: `make docs`.

Every picture is the real window, driven as in the demo.
"""

from __future__ import annotations

import sys
from pathlib import Path

from napari_orient.data.formats import FORMATS
from napari_orient.plugin.demo import run_demo

DOCS = Path(__file__).parent
START, END = "<!-- formats -->\n", "<!-- end of formats -->\n"


def formats_table() -> str:
    """Return the table of scan formats in Markdown."""
    rows = [f"| `{f.suffix}` | {f.name} | {f.access} | {f.tested} |\n" for f in FORMATS]
    return "| file | what | read through | tested with |\n|---|---|---|---|\n" + "".join(rows)


def main() -> int:
    """Write the table of formats, then the pictures."""
    page = DOCS / "formats.md"
    before, _, rest = page.read_text(encoding="utf-8").partition(START)
    after = rest.partition(END)[2]
    page.write_text(before + START + formats_table() + END + after, encoding="utf-8")
    return run_demo(screenshots=DOCS / "images", watch=print)


if __name__ == "__main__":
    sys.exit(main())
