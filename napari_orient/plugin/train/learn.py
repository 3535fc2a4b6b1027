"""What runs beside the window while a network learns? The training, and a look at its map."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_orient.diffraction.matching.settings import available_cores

if TYPE_CHECKING:
    import threading

    from numpy.typing import NDArray

    from napari_orient.data.maps import OrientationMap
    from napari_orient.data.scan import Scan
    from napari_orient.jobs import Job
    from napari_orient.learning.config import TrainConfig
    from napari_orient.learning.folder import Model

MOST = 48  # rows and columns of a map that is predicted while the network learns: seconds


@dataclass(frozen=True, eq=False)
class Order:
    """A training that is wanted.

    Attributes
    ----------
    config, folder, resume, stop
        Of :func:`napari_orient.learning.train.train`.
    scan, labels
        What is learned, where patterns are not simulated.
    """

    config: TrainConfig
    folder: Path
    resume: bool
    stop: threading.Event
    scan: Scan | None = None
    labels: OrientationMap | None = None


def learn(order: Order) -> Job[Model | None]:
    """Train; a core is left to the window. None if it was stopped before it began.

    Yields
    ------
    Progress, Partial
        Of reading the scan, and of the training.
    """
    import torch

    from napari_orient.learning.from_scan import labelled_patterns
    from napari_orient.learning.train import train

    before = torch.get_num_threads()
    torch.set_num_threads(max(1, available_cores() - 1))
    try:
        patterns = None
        if order.config.scan is not None:
            job = labelled_patterns(order.config, order.scan, order.labels)
            patterns = yield from _until(order.stop, job)
        if order.stop.is_set():
            return None
        return (
            yield from train(
                order.config, order.folder, patterns=patterns, resume=order.resume, stop=order.stop
            )
        )
    finally:
        torch.set_num_threads(before)


def _until(stop: threading.Event, job: Job[Any]) -> Job[Any]:
    """Drive a job until it is finished, or stopped: then None."""
    try:
        while not stop.is_set():
            yield next(job)
    except StopIteration as end:
        return end.value
    finally:
        job.close()
    return None


def look(folder: Path, scan: Scan) -> Job[OrientationMap]:
    """Predict some positions of a scan, evenly spread, with the model in a folder.

    Returns
    -------
    OrientationMap
        Of at most 48 x 48 of the positions, at their distance.
    """
    from napari_orient.learning.folder import load_model
    from napari_orient.learning.predict import PredictConfig, predict_scan

    step = stride(scan.scan_shape)
    region = np.zeros(scan.scan_shape, bool)
    region[::step, ::step] = True
    config = PredictConfig(answer="network", threads=1)
    found = yield from predict_scan(scan, load_model(folder), config, region=region)
    return found


def stride(shape: tuple[int, ...]) -> int:
    """Return the distance of the positions that are predicted."""
    return max(1, -(-max(shape) // MOST))


def coloured(orientations: OrientationMap, step: int) -> NDArray[np.uint8]:
    """Return every ``step``-th point of a map in the colours of IPF-Z, (y, x, 4)."""
    from napari_orient.crystal.colors import ColourScheme, colour_image

    picture: Any = colour_image(orientations, ColourScheme())
    picture = picture[::step, ::step]
    if picture.shape[-1] == 3:
        solid = np.full((*picture.shape[:2], 1), 255, np.uint8)
        picture = np.concatenate([picture, solid], axis=-1)
    return np.asarray(picture, np.uint8)
