"""Where do File > Open Sample's scans and maps come from? Simulated, or downloaded with consent.

A simulated scan is made once and kept in the user's cache folder; it comes with its exact
orientations as a second layer.
"""

from __future__ import annotations

from typing import Any, Literal

from napari_orient.jobs import Job, Progress
from napari_orient.plugin.questions import consent
from napari_orient.plugin.readers import LayerData, prepare_session
from napari_orient.plugin.scan_layers import describe_map_layer, describe_scan_layer
from napari_orient.plugin.worker import Stopped, wait_for


def small_scan() -> list[LayerData]:
    """Return the simulated LiNiO2 scan, 64 x 64 positions, and its exact orientations."""
    return _scan("small")


def large_scan() -> list[LayerData]:
    """Return the simulated LiNiO2 scan, 200 x 200 positions, and its exact orientations."""
    return _scan("large")


def polycrystal() -> list[LayerData]:
    """Return the map of a synthetic nickel polycrystal."""
    from napari_orient.samples import polycrystal_map

    def layer() -> Job[LayerData]:
        yield Progress(0, 0)
        return describe_map_layer(polycrystal_map(), "polycrystal, simulated")

    prepare_session()
    return [wait_for(layer(), "Growing a polycrystal")]


def ebsd() -> list[LayerData]:
    """Return a real EBSD map of a duplex steel; downloaded once, if the user agrees.

    Raises
    ------
    ConnectionError
        If it is not on this computer and cannot be downloaded.
    """
    from napari_orient.samples import real_ebsd_map

    prepare_session()
    try:
        orientations = real_ebsd_map()
    except ConnectionError:
        if not consent(
            "Download an EBSD map?",
            "This sample, a map of a duplex steel (100 × 117 points), is published by the orix "
            "project (CC BY 4.0).\n\nDownload it now (1 MB)? It is kept on this computer.",
        ):
            raise Stopped("The EBSD map was not downloaded, as you wish") from None
        orientations = wait_for(_download(), "Downloading the EBSD map (1 MB)")
    return [describe_map_layer(orientations, "duplex steel, EBSD")]


def _scan(size: Literal["small", "large"]) -> list[LayerData]:
    from napari_orient.samples import sped_scan

    def layers() -> Job[list[LayerData]]:
        scan, orientations = yield from sped_scan(size)
        image = describe_map_layer(orientations, f"{scan.name}, truth")
        image[1]["visible"] = False  # the scan comes first; one click shows the answer
        return [image, describe_scan_layer(scan)]

    prepare_session()
    shown: list[LayerData] = wait_for(layers(), f"Simulating the {size} LiNiO₂ scan")
    return shown


def _download() -> Any:
    """Download as a job, so that the window lives on."""
    from napari_orient.samples import real_ebsd_map

    yield Progress(0, 0, "www.github.com/pyxem/orix-data")
    return real_ebsd_map(allow_download=True)
