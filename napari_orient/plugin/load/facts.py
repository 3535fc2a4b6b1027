"""What should be known about a scan or a map at a glance? Name, words, and more in the tooltip."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from napari_orient.plugin.questions import in_words, times
from napari_orient.plugin.terms import in_terms

if TYPE_CHECKING:
    from napari_orient.data.maps import OrientationMap
    from napari_orient.data.scan import Scan

Fact = tuple[str, str, str]


def scan_facts(scan: Scan) -> list[Fact]:
    """Return (name, words, tooltip) of a scan."""
    y, x, ky, kx = scan.shape
    facts = [
        _file(scan.source),
        ("Scan", f"{y} × {x} positions", "rows × columns"),
        ("Patterns", f"{ky} × {kx} px, {scan.dtype}", "rows × columns, number type"),
        ("Size", _size(scan), "Uncompressed; the file may be smaller"),
    ]
    if scan.chunks is not None:
        facts.append(("Chunks", times(scan.chunks), "Read together from the disk (y, x, ky, kx)"))
    if scan.phase:
        facts.append(("Phase", scan.phase, "As the file states"))
    if scan.history:
        facts.append(("Done", "; ".join(scan.history), "What was done since the file was opened"))
    if scan.notes:
        facts.append(("Note", in_terms("; ".join(scan.notes)), "Remarks from reading the file"))
    return facts


def map_facts(orientations: OrientationMap) -> list[Fact]:
    """Return (name, words, tooltip) of an orientation map."""
    known = orientations.summary()
    step = times([f"{s:.4g}" for s in known["step"]])
    unit = {"um": "µm"}.get(known["unit"], known["unit"])
    facts = [
        _file(orientations.source),
        ("Map", f"{times(known['shape'])} points", "rows × columns"),
        ("Step", f"{step} {unit}", "y × x"),
        ("Indexed", f"{100 * known['indexed_fraction']:.1f} %", "Points with an orientation"),
    ]
    for phase in known["phases"]:
        group = f" ({phase['point_group']})" if phase["point_group"] else ""
        share = phase["points"] / max(1, orientations.phase_id.size)
        cell = ", ".join(f"{v:.4g}" for v in phase["lattice"])
        words = f"{phase['name'] or 'no name'}{group}, {100 * share:.1f} %"
        facts.append(("Phase", words, f"Lattice a, b, c (Å), α, β, γ (°): {cell}"))
    if known["properties"]:
        facts.append(("Properties", ", ".join(known["properties"]), "Arrays of the file"))
    facts.append(("Frame", known["frame_note"], "What was assumed about the vendor's axes"))
    return facts


def as_table(facts: list[Fact]) -> str:
    """Return facts as a small HTML table for a label."""
    rows = "".join(
        f"<tr><td style='padding-right:8px'><b>{name}</b></td><td>{_escape(words)}</td></tr>"
        for name, words, _ in facts
    )
    return f"<table>{rows}</table>"


def _escape(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;")


def _file(source: str) -> Fact:
    path, _, inside = source.partition("::")
    name = Path(path).name if "/" in path or "\\" in path else path
    return "File", (f"{name} :: {inside}" if inside else name) or "none, in memory only", source


def _size(scan: Scan) -> str:
    whole = in_words(scan.nbytes)
    if scan.in_memory:
        return f"{whole} in memory"
    try:
        on_disk = Path(scan.source.partition("::")[0]).stat().st_size
    except OSError:
        return f"{whole}, read from disk when needed"
    return f"{whole}, read from disk when needed (file: {in_words(on_disk)})"
