"""What is there to try without a microscope? Simulated scans and maps with exact orientations.

Everything is seeded: the same arguments give the same numbers. Scans are simulated once, by a job,
into the user's cache folder (``NAPARI_ORIENT_CACHE`` overrides it) as a plain .npy file, which
opens at once as a memory map. Tests, docs and the demo share these samples.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from napari_orient.data.maps import OrientationMap
from napari_orient.data.scan import Calibration, Quantity, Scan, electron_wavelength
from napari_orient.files import UnreadableFile, replace_atomically
from napari_orient.jobs import Every, Job, Progress

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from orix.crystal_map import Phase

    from napari_orient.diffraction.simulate import Reflections, Spots

Size = Literal["small", "large"]
SIZES: tuple[Size, ...] = ("small", "large")


@dataclass(frozen=True)
class _Recipe:
    """A simulated SPED scan of LiNiO2 on an 8-bit camera. Lengths in nm or 1/angstrom.

    Voltage, precession and convergence are those of scanning precession diffraction of cathode
    particles in the field's literature: 300 kV, 0.6 degrees, 1.6 mrad.
    """

    scan_shape: tuple[int, int]
    grains: int
    step: float = 5.0
    phase: str = "LiNiO2"
    pattern_shape: tuple[int, int] = (128, 128)
    pixel_size: float = 0.02
    max_g: float = 1.85
    voltage: float = 300.0
    precession: float = 0.6
    thickness: float = 15.0
    spot_radius: float = 1.6e-3 / 0.0197
    spot_counts: float = 12000.0
    direct_counts: float = 20000.0
    background_counts: float = 5000.0
    power: float = 0.5
    version: int = 1  # raise when the simulation itself changes: the cache is then made anew


_RECIPES: dict[Size, _Recipe] = {
    "small": _Recipe((64, 64), 24),
    "large": _Recipe((200, 200), 60),
}


def polycrystal_map(
    shape: tuple[int, ...] = (128, 128),
    grains: int = 60,
    phase: str | Phase = "Ni",
    seed: int = 0,
    step: float = 1.0,
    unit: str = "um",
    periodic: bool = False,
) -> OrientationMap:
    """Make a Voronoi polycrystal with grains of one random orientation each.

    Parameters
    ----------
    shape
        (y, x) pixels, or (z, y, x) voxels.
    grains
        Number of seed points; very close ones may leave a grain without a pixel.
    phase
        A name or .cif path for :func:`napari_orient.crystal.phases.get_phase`, or a phase.
    seed
        Of the random numbers.
    step
        Pixel size in ``unit``.
    periodic
        Opposite edges match.

    Returns
    -------
    OrientationMap
        Quaternions (..., 4) in the map frame, uniform over all rotations; property "grain"
        (int32, 0 to grains - 1).

    Raises
    ------
    ValueError
        If the shape or the number of grains is not positive, or the phase is unknown.
    """
    from scipy.spatial import cKDTree

    from napari_orient.crystal.phases import get_phase

    if len(shape) not in (2, 3) or min(shape) < 1 or grains < 1:
        raise ValueError(f"shape and grains must be positive, not {shape} and {grains}")
    crystal = get_phase(phase) if isinstance(phase, str) else phase
    random = np.random.default_rng(seed)
    points = random.random((grains, len(shape))) * shape
    quaternions = random.normal(size=(grains, 4))
    quaternions /= np.linalg.norm(quaternions, axis=1, keepdims=True)
    tree = cKDTree(points, boxsize=shape if periodic else None)
    pixels = np.indices(shape).reshape(len(shape), -1).T + 0.5
    grain = tree.query(pixels)[1].reshape(shape).astype(np.int32)
    return OrientationMap(
        quaternions[grain],
        {0: crystal},
        properties={"grain": grain},
        step=(step,) * len(shape),
        unit=unit,
        source=f"simulated: Voronoi polycrystal, {grains} seeds, seed {seed}",
        periodic=(periodic,) * len(shape),
    )


def sped_scan(
    size: Size = "small", seed: int = 0, folder: str | Path | None = None
) -> Job[tuple[Scan, OrientationMap]]:
    """Open the simulated LiNiO2 SPED scan; simulate it first where the cache lacks it.

    Parameters
    ----------
    size
        "small": 64 x 64 positions, 67 MB. "large": 200 x 200 positions, 655 MB. Patterns are
        128 x 128 pixels of 8 bits, with direct beam, diffuse background and Poisson noise.
    seed
        Of grains, orientations and noise.
    folder
        Where the file is kept; default :func:`cache_folder`.

    Yields
    ------
    Progress
        In scan rows, while it simulates.

    Returns
    -------
    tuple of Scan and OrientationMap
        The scan, memory-mapped, and the exact orientation at each position.

    Raises
    ------
    ValueError
        If the size is unknown.
    UnreadableFile
        If the folder cannot be written, or the disk is full.
    """
    if size not in _RECIPES:
        raise ValueError(f"size {size!r}: choose one of {', '.join(SIZES)}")
    recipe = _RECIPES[size]
    orientations = _orientations(recipe, seed)
    target = Path(folder) if folder is not None else cache_folder()
    path = target / f"sped-{recipe.phase}-{size}-{_digest(recipe, seed, orientations)}.npy"
    shape = (*recipe.scan_shape, *recipe.pattern_shape)
    data = _open(path, shape)
    if data is None:
        try:
            target.mkdir(parents=True, exist_ok=True)
            yield from _simulate(path, recipe, seed, orientations)
        except OSError as error:
            raise UnreadableFile(
                target,
                f"cannot take the sample ({error.strerror or error})",
                f"Set NAPARI_ORIENT_CACHE to a folder with {np.prod(shape) / 1e9:.2f} GB of room.",
            ) from error
        data = _open(path, shape)
    name = f"{recipe.phase} SPED, {size}"
    scan = Scan(data, _calibration(recipe), name=name, source=path, phase=recipe.phase)
    return scan, orientations


def cache_folder() -> Path:
    """Return the folder of cached samples: ``NAPARI_ORIENT_CACHE``, or the system's for users."""
    import pooch

    return Path(os.environ.get("NAPARI_ORIENT_CACHE") or pooch.os_cache("napari-orient"))


def _orientations(recipe: _Recipe, seed: int) -> OrientationMap:
    made = polycrystal_map(
        recipe.scan_shape, recipe.grains, recipe.phase, seed, step=recipe.step, unit="nm"
    )
    made.source = f"simulated: the exact orientations of the {recipe.phase} SPED sample"
    return made


def _digest(recipe: _Recipe, seed: int, orientations: OrientationMap) -> str:
    """Name of what is simulated: a scan can never be opened beside other orientations."""
    text = f"{recipe} {seed}".encode() + orientations.quaternions.round(6).tobytes()
    return hashlib.sha256(text).hexdigest()[:12]


def _open(path: Path, shape: tuple[int, ...]) -> NDArray[np.uint8] | None:
    """Map the file into memory; None where it is missing or damaged."""
    try:
        data: NDArray[np.uint8] = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    return data if data.shape == shape and data.dtype == np.uint8 else None


def _simulate(path: Path, recipe: _Recipe, seed: int, orientations: OrientationMap) -> Job[None]:
    """Write the scan row by row; the file appears whole or not at all."""
    rows, columns = recipe.scan_shape
    source, show = _reflections(recipe), Every()
    header = {
        "descr": "|u1",
        "fortran_order": False,
        "shape": (rows, columns, *recipe.pattern_shape),
    }
    with replace_atomically(path) as temporary, temporary.open("wb") as file:
        # written, not memory-mapped: a full disk is then an error and not a crash
        np.lib.format.write_array_header_1_0(file, header)
        for row in range(rows):
            if row == 0 or show.due():
                yield Progress(row, rows, f"simulating {rows} x {columns} {recipe.phase} patterns")
            drawn = _spots(recipe, source, orientations.quaternions[row])
            file.write(_images(recipe, drawn, seed, row * columns).tobytes())
        file.flush()


def _reflections(recipe: _Recipe) -> Reflections:
    from napari_orient.crystal.phases import get_phase
    from napari_orient.diffraction.simulate import reflections

    return reflections(get_phase(recipe.phase), recipe.max_g)


def _spots(recipe: _Recipe, source: Reflections, quaternions: NDArray[np.float64]) -> Spots:
    from napari_orient.diffraction.simulate import spots

    return spots(
        source,
        quaternions,
        recipe.voltage,
        thickness_nm=recipe.thickness,
        precession_deg=recipe.precession,
        max_excitation=0.012,
    )


def _images(recipe: _Recipe, drawn: Spots, seed: int, first: int) -> NDArray[Any]:
    from napari_orient.diffraction.simulate import pattern_images

    return pattern_images(
        drawn,
        recipe.pattern_shape,
        recipe.pixel_size,
        radius=recipe.spot_radius,
        spot_counts=recipe.spot_counts,
        direct_counts=recipe.direct_counts,
        background_counts=recipe.background_counts,
        power=recipe.power,
        noise_seed=seed,
        first=first,
        dtype=np.uint8,
    )


def _calibration(recipe: _Recipe) -> Calibration:
    def known(value: float | tuple[float, float], unit: str) -> Quantity:
        return Quantity(value=value, unit=unit, source="simulated")

    ky, kx = recipe.pattern_shape
    return Calibration(
        step=known((recipe.step, recipe.step), "nm"),
        pixel_size=known((recipe.pixel_size, recipe.pixel_size), "1/angstrom"),
        centre=known((ky / 2, kx / 2), "px"),
        voltage=known(recipe.voltage, "kV"),
        precession=known(recipe.precession, "deg"),
        convergence=known(1e3 * recipe.spot_radius * electron_wavelength(recipe.voltage), "mrad"),
        rotation=known(0.0, "deg"),
        flip=known(0.0, ""),
    )


class KnownReflection(NamedTuple):
    """A reflection of one grain of the sample scan, at (ky, kx) in pixels of its patterns."""

    ky: float
    kx: float
    hkl: tuple[int, int, int]
    grain: int


def known_reflection(orientations: OrientationMap, grain: int | None = None) -> KnownReflection:
    """Say where a strong reflection of a grain lies, for a dark-field detector.

    Parameters
    ----------
    orientations
        The map that :func:`sped_scan` returned.
    grain
        Its number in the property "grain"; default the grain with the most pixels.

    Returns
    -------
    KnownReflection
        The strongest one whose disk lies wholly inside the pattern.

    Raises
    ------
    ValueError
        If there is no such grain, or it has no reflection inside the pattern.
    """
    recipe, grains = _RECIPES["small"], orientations.properties["grain"]  # one microscope for all
    number = int(np.bincount(grains.ravel()).argmax()) if grain is None else grain
    where = np.argwhere(grains == number)
    if not len(where):
        raise ValueError(f"the sample has no grain {number}")
    y, x = where[0]
    drawn = _spots(recipe, _reflections(recipe), orientations.quaternions[y, x])
    xy, intensity, hkl = drawn.pattern(0)
    half = np.array(recipe.pattern_shape) / 2
    places = xy[:, ::-1] / recipe.pixel_size + half
    margin = recipe.spot_radius / recipe.pixel_size + 1
    inside = ((places >= margin) & (places <= 2 * half - 1 - margin)).all(axis=1)
    if not inside.any():
        raise ValueError(f"grain {number} has no reflection inside the pattern")
    best = int(np.where(inside, intensity, -1).argmax())
    h, k, m = (int(i) for i in hkl[best])
    return KnownReflection(float(places[best, 0]), float(places[best, 1]), (h, k, m), number)


def real_ebsd_map(allow_download: bool = False) -> OrientationMap:
    """Return a real EBSD map of a duplex steel (austenite and ferrite), 100 x 117 points.

    It comes from the orix project (J. Hjelen, NTNU; CC BY 4.0) and is kept in orix's cache.

    Parameters
    ----------
    allow_download
        Fetch the file (1 MB) from the internet if it is not in the cache. Ask the user first.

    Raises
    ------
    ConnectionError
        If the map is not in the cache and may not, or cannot, be downloaded.
    """
    from orix.data import sdss_ferrite_austenite

    try:
        crystal_map = sdss_ferrite_austenite(allow_download=allow_download)
    except Exception as error:  # requests, urllib3, pooch and orix each have their own
        if not allow_download:
            raise ConnectionError(
                "the EBSD sample is not on this computer yet: allow its download (1 MB)"
            ) from error
        raise ConnectionError(
            f"the EBSD sample cannot be downloaded ({type(error).__name__}): "
            "check the internet connection, or open an EBSD file of your own"
        ) from error
    for _number, phase in crystal_map.phases:
        phase.point_group = "m-3m"  # the file states 432, which leaves out the inversion
    return OrientationMap.from_orix(
        crystal_map,
        source="orix.data.sdss_ferrite_austenite",
        frame_note="Euler axes taken as the map's: x right, y down, z into the page; not verified",
    )
