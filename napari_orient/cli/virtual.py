"""Which virtual image does a detector make of a scan? The verb virtual."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from napari_orient.cli.opening import add_scan_options, open_scan
from napari_orient.cli.report import STOPPED, Reporter, answer
from napari_orient.files import UnreadableFile

if TYPE_CHECKING:
    import argparse

    from napari_orient.cli.report import AddVerb


def add_verbs(verb: AddVerb) -> None:
    """Add the verb virtual."""
    virtual = verb("virtual", _virtual, "Make a virtual image of a scan")
    virtual.add_argument("file", help="a scan; file.h5::/dataset names a dataset")
    which = virtual.add_mutually_exclusive_group(required=True)
    which.add_argument("--disk", nargs=3, type=float, metavar=("KY", "KX", "R"), help="pixels")
    which.add_argument("--annulus", nargs=4, type=float, metavar=("KY", "KX", "R0", "R1"))
    virtual.add_argument("--out", required=True, metavar="IMAGE.tif", help="float32 TIFF")
    add_scan_options(virtual)


def _virtual(options: argparse.Namespace) -> int:
    from napari_orient.data.images import write_tiff
    from napari_orient.diffraction.virtual import Annulus, Disk, VirtualDetector, virtual_image
    from napari_orient.jobs import run

    if options.disk is not None:
        ky, kx, radius = options.disk
        values = {"centre": (ky, kx), "radius": radius}
        shape: Disk | Annulus = Disk.checked(values, where="--disk")
    else:
        ky, kx, inner, outer = options.annulus
        values = {"centre": (ky, kx), "inner": inner, "outer": outer}
        shape = Annulus.checked(values, where="--annulus")
    _check_out(Path(options.out))  # before the work, not after it
    scan = open_scan(options)
    if not shape.mask(scan.pattern_shape).any():
        height, width = scan.pattern_shape
        raise ValueError(
            f"the detector covers no pixel of the {height} x {width} patterns. Give its centre "
            "and radii in pixels (ky kx)."
        )
    detector = VirtualDetector(name="virtual", shapes=(shape,))
    report, code = Reporter(), 0
    try:
        image = run(virtual_image(scan, detector), report)
    except KeyboardInterrupt:
        if report.partial is None:
            return STOPPED
        # a partial image also holds a preview; only what is done is kept
        image = report.partial.value
        image[~report.partial.done] = float("nan")
        code = STOPPED
    step = scan.calibration.step
    write_tiff(options.out, image, None if step is None else step.pair)
    positions = int((image == image).sum())  # NaN marks positions that were not reached
    facts = {"out": str(options.out), "shape": list(image.shape), "positions": positions}
    answer({"kind": "virtual image", **facts, "finished": code == 0}, options.json)
    return code


def _check_out(path: Path) -> None:
    """Refuse a path that nothing can be written to, or that would hide a TIFF."""
    if path.suffix.lower() not in (".tif", ".tiff"):
        raise UnreadableFile(path, "is not named as a TIFF", "Let the name end in .tif.")
    if not path.parent.is_dir():
        raise UnreadableFile(path, "lies in a folder that does not exist", "Make the folder first.")
