"""How good is matching where electrons scatter many times? Bloch-wave patterns, indexed by ours.

    python benchmarks/matching_bloch.py [--crystal LiNiO2|Au] [--spacing DEG] [--every N] [--dose N]

The patterns come from abTEM's equations (see ``bloch.py``): they share no code with the templates.
Detector, background and noise are those of the LiNiO2 sample. All patterns count, not indexed is
wrong. Intervals are Wilson's, 95 %. The first rows are the same orientations scattered once, by
the templates' own simulation at their thickness: what is wrong there is not for the dynamics.
"""

from __future__ import annotations

import argparse
import math
import time
import warnings
from typing import TYPE_CHECKING

import bloch
import numpy as np
import torch

from napari_orient.crystal.phases import get_phase
from napari_orient.crystal.rotations import misorientation_angle
from napari_orient.data.scan import Calibration, Quantity, electron_wavelength
from napari_orient.diffraction.matching.config import IndexConfig
from napari_orient.diffraction.matching.matcher import build_matcher
from napari_orient.diffraction.matching.resolve import partners
from napari_orient.diffraction.simulate import Spots, pattern_images, reflections, spots
from napari_orient.jobs import run

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_orient.diffraction.matching.match import Match
    from napari_orient.diffraction.matching.matcher import Matcher
    from napari_orient.diffraction.simulate import Reflections

SHAPE, PIXEL = (128, 128), 0.02
BACKGROUND = 5000.0  # electrons
WITHIN = 5.0  # degrees


def calibration(meta: dict) -> Calibration:
    def known(value: float | tuple[float, float], unit: str) -> Quantity:
        return Quantity(value=value, unit=unit, source="simulated")

    return Calibration(
        pixel_size=known((PIXEL, PIXEL), "1/angstrom"),
        centre=known((SHAPE[0] / 2, SHAPE[1] / 2), "px"),
        voltage=known(meta["voltage_kv"], "kV"),
        precession=known(meta["precession_deg"], "deg"),
        convergence=known(meta["convergence_mrad"], "mrad"),
    )


def draw(truth: bloch.BlochSet, thickness: int, dose: float) -> NDArray[np.uint8]:
    """Patterns (n, ky, kx) of one thickness: ``dose`` electrons fall on each, the beam included."""
    number = np.arange(len(truth.hkl), dtype=np.int32)
    drawn = Spots(
        truth.starts, truth.xy.astype(np.float32),
        truth.intensity[:, thickness].astype(np.float32), number, truth.hkl,
    )  # fmt: skip
    radius = 1e-3 * truth.meta["convergence_mrad"] / electron_wavelength(truth.meta["voltage_kv"])
    return pattern_images(
        drawn, SHAPE, PIXEL, radius=radius, spot_counts=dose, background_counts=BACKGROUND,
        noise_seed=thickness, dtype=np.uint8,
    )  # fmt: skip


def draw_once(
    truth: bloch.BlochSet, source: Reflections, thickness_nm: float, dose: float
) -> NDArray[np.uint8]:
    """Kinematical patterns (n, ky, kx); as many electrons are scattered as by 50 nm in the set."""
    column = int(np.flatnonzero(truth.thickness_nm == 50)[0])
    direct = float(truth.intensity[(truth.hkl == 0).all(axis=1), column].mean())
    drawn = spots(
        source, truth.quaternions, truth.meta["voltage_kv"], thickness_nm=thickness_nm,
        precession_deg=truth.meta["precession_deg"],
    )  # fmt: skip
    counts = dose * (1 - direct) * len(drawn) / float(drawn.intensity.sum())
    radius = 1e-3 * truth.meta["convergence_mrad"] / electron_wavelength(truth.meta["voltage_kv"])
    return pattern_images(
        drawn, SHAPE, PIXEL, radius=radius, spot_counts=counts, direct_counts=dose * direct,
        background_counts=BACKGROUND, noise_seed=99, dtype=np.uint8,
    )  # fmt: skip


def interval(hits: int, n: int, z: float = 1.96) -> tuple[float, float]:
    """Wilson's interval of a share, in percent."""
    share, square = hits / n, z * z / n
    middle = (share + square / 2) / (1 + square)
    half = z * math.sqrt(share * (1 - share) / n + square / (4 * n)) / (1 + square)
    return 100 * (middle - half), 100 * (middle + half)


def share(errors: NDArray[np.float64]) -> str:
    hits = int((errors < WITHIN).sum())
    low, high = interval(hits, len(errors))
    return f"{100 * hits / len(errors):.1f} ({low:.1f}-{high:.1f})"


def table(truth: bloch.BlochSet, matcher: Matcher, dose: float, every: int) -> None:
    some = np.arange(0, len(truth), every)
    source = reflections(matcher.phases[0], bloch.KEPT_G)
    templates_nm = matcher.config.thickness_nm
    matcher.match(draw(truth, 1, dose)[:2], None)  # compiled before it is timed
    print("| set | nm | n | within 5, strict % | modulo beam % | half turns aside % | median | "
          "indexed % |\n|---|---|---|---|---|---|---|---|")  # fmt: skip
    images = draw_once(truth, source, templates_nm, dose)[some]
    seconds = rows(truth, some, matcher, images, f"once, {templates_nm:.0f}")
    columns = np.flatnonzero(truth.thickness_nm >= 20)  # the kinematical limit checks the set
    for column in columns:
        images = draw(truth, int(column), dose)[some]
        seconds += rows(truth, some, matcher, images, f"{truth.thickness_nm[column]:.0f}")
    print(f"\n{(len(columns) + 1) * len(some) / seconds:.0f} patterns/s\n")


def rows(
    truth: bloch.BlochSet,
    some: NDArray[np.int64],
    matcher: Matcher,
    images: NDArray[np.uint8],
    thickness: str,
) -> float:
    """Print the rows of one thickness; return the seconds that matching took."""
    start = time.perf_counter()
    match = matcher.match(images, None)
    seconds = time.perf_counter() - start
    strict, beam, aside = errors(match, truth.quaternions[some], matcher)
    for name in ("all", *truth.meta["groups"]):
        own = (truth.group[some] == name) | (name == "all")
        shares = " | ".join(share(error[own]) for error in (strict, beam, aside))
        print(
            f"| {name} | {thickness} | {own.sum()} | {shares} | {np.median(beam[own]):.2f} | "
            f"{100 * match.indexed[own].mean():.0f} |",
            flush=True,
        )
    return seconds


def errors(
    match: Match, truth: NDArray[np.float64], matcher: Matcher
) -> tuple[NDArray[np.float64], ...]:
    """Degrees (n,): strict, modulo the beam, and modulo half turns about zone axes nearby too.

    Where only the zero layer of a zone is seen, a half turn about its axis changes no spot.
    """
    group, found = matcher.phases[0].point_group, match.quaternions[:, 0]
    strict = misorientation_angle(found, truth, group)
    beam = misorientation_angle(found, truth, group, modulo_beam=True)
    turned, _ = partners(matcher.models[0], truth, float(matcher.grid.g[-1]))
    zone = np.nanmin(misorientation_angle(found[:, None], turned, group), axis=1)
    wrong = ~match.indexed
    # no zone axis nearby: NaN
    return tuple(np.where(wrong, 180.0, e) for e in (strict, beam, np.fmin(beam, zone)))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--crystal", choices=tuple(bloch.BEAMS), action="append")
    parser.add_argument("--spacing", type=float, default=1.0, help="of the library, degrees")
    parser.add_argument("--every", type=int, default=1, help="take every Nth pattern")
    parser.add_argument("--dose", type=float, default=60000.0, help="electrons a pattern")
    parser.add_argument("--thickness", type=float, default=30.0, help="of the templates, nm")
    parser.add_argument("--power", type=float, default=0.4, help="on the intensities")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    for crystal in options.crystal or bloch.BEAMS:
        truth = bloch.load(bloch.DATA / f"bloch_{crystal}.npz")
        phase = str(bloch.LINIO2) if crystal == "LiNiO2" else crystal
        config = IndexConfig(
            phases=(phase,), spacing_deg=options.spacing, thickness_nm=options.thickness,
            power=options.power,
        )  # fmt: skip
        matcher = run(build_matcher(calibration(truth.meta), SHAPE, config))
        print(f"### {get_phase(phase).name}, {options.spacing} degrees, {options.dose:.0f} e\n")
        table(truth, matcher, options.dose, options.every)


if __name__ == "__main__":
    main()
