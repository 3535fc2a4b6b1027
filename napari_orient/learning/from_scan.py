"""How do a scan and its labels become patterns to learn from? Read once, kept as float16."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_orient.data.formats import open_scan
from napari_orient.data.pages import release
from napari_orient.data.vendors.open import open_map
from napari_orient.diffraction.matching.index import batches
from napari_orient.jobs import Every, Progress
from napari_orient.learning.batches import Labelled
from napari_orient.learning.labels import label_patterns
from napari_orient.learning.patterns import network_images
from napari_orient.learning.splits import split_labels

if TYPE_CHECKING:
    from napari_orient.data.maps import OrientationMap
    from napari_orient.data.scan import Scan
    from napari_orient.jobs import Job
    from napari_orient.learning.config import TrainConfig

_MEMORY_MB = 200  # for what is read at a time


def labelled_patterns(
    config: TrainConfig, scan: Scan | None = None, labels: OrientationMap | None = None
) -> Job[Labelled]:
    """Read the patterns of a scan that have a label.

    Parameters
    ----------
    config
        With ``scan``; its files are opened where ``scan`` or ``labels`` is None.
    scan, labels
        Of one grid.

    Yields
    ------
    Progress
        In patterns.

    Raises
    ------
    ValueError
        If sizes or phases do not fit, or nothing is left; the message says why.
    UnreadableFile
        If a file cannot be read.
    """
    asked = config.scan
    if asked is None:
        raise ValueError("the settings name no scan to learn from")
    opened = scan is None
    if scan is None:
        yield Progress(0, 0, f"opening {asked.scan}")
        scan = open_scan(asked.scan)
    try:
        labels = open_map(asked.labels) if labels is None else labels
        try:
            found = label_patterns(scan, labels, asked.phase, min_q=asked.min_q, min_r=asked.min_r)
        except ValueError as error:
            if not opened:
                raise
            raise ValueError(f"{asked.labels}: {error}") from error
        parts = split_labels(found, asked.split, asked.shares, config.seed)
        size, total = config.input.size, len(found)
        images = np.empty((total, size, size), np.float16)
        place = np.full(scan.scan_shape, -1, np.int64)
        place[found.kept] = np.arange(total)
        show, done, text = Every(0.1), 0, f"reading {scan.name}"
        for batch in batches(scan, found.kept, _MEMORY_MB):
            y, x = batch.positions.T
            images[place[y, x]] = network_images(
                batch.patterns, config.input, scan.calibration, batch.positions
            )
            done += len(batch.positions)
            if show.due():
                yield Progress(done, total, text)
        constant = images.max(axis=(1, 2)) == 0
        if constant.all():
            raise ValueError(
                f"{scan.source or scan.name}: all patterns that have a label are constant, or no "
                "numbers: there is nothing to learn. Take another scan, or copy the file again"
            )
        name = labels.source or asked.labels
        kept = f"{100 * found.fraction:.0f} % of its patterns"
        about = (
            f"{scan.source or scan.name}, labelled by {name}: {kept} "
            f"(Q from {asked.min_q:g}, R from {asked.min_r:g}). {parts}"
        )
        notes = (*found.notes, *parts.notes)
        if constant.any():
            notes = (*notes, f"{int(constant.sum())} constant patterns are left out.")
        part = np.where(constant, -1, parts.part[found.kept]).astype(np.int8)
        return Labelled(
            images, found.quaternions, part, labels.phases[found.phase],
            " ".join((about, *notes)).rstrip("."), config.seed, _facts(scan, config),
        )  # fmt: skip
    finally:
        if opened:
            scan.close()
        else:
            release(scan.data)


def _facts(scan: Scan, config: TrainConfig) -> dict[str, float]:
    """Voltage, and pixel size of what the network sees, where they are known."""
    known, facts = scan.calibration, {}
    if known.voltage is not None:
        facts["voltage_kv"] = known.voltage.number
    if known.pixel_size is not None:
        whole = known.pixel_size.number * max(scan.pattern_shape) / config.input.size
        facts["pixel_size"] = config.input.pixel_size or whole
    return facts
