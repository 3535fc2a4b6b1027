"""How far is one map from another in a few numbers, and over which points?

MAE, MSE and R2 are those of Appendix B of "STEM diffraction pattern analysis with deep learning",
over the raw differences of the Bunge angles: e = T - P, MAE = mean |e|, MSE = mean e^2,
R2 = 1 - sum e^2 / sum (T - mean T)^2 (the ratio of the sums, as everywhere; the paper prints a sum
of ratios). They are pooled over the three angles, with one mean; per angle beside it.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_orient.analysis.errors import Comparison
    from napari_orient.data.maps import OrientationMap

_NAN3 = (float("nan"),) * 3
# how good a pattern is, and how sure its answer: ours and ASTAR's, EDAX's, Oxford's, EMsoft's
Q_NAMES = ("Q", "IQ", "BC")
R_NAMES = ("R", "CI", "MAD", "DP")
_LOW_IS_GOOD = ("MAD", "FIT", "ERROR")  # misfits
_UNDEFINED = {"R": -1.0, "CI": -1.0, "MAD": 0.0}  # what files write where there is no value
_STRANGERS = 0.02  # share below 5 degrees; random cubic crystals reach 0.002
SPLIT = {"train": 0, "validation": 1, "test": 2}

_STRANGE = (
    "Hardly a point agrees within 5 degrees. Either the maps are of different places, or the axes "
    "of one are not those that were assumed: check its axes against the other map."
)


@dataclass(frozen=True)
class Scores:
    """Numbers of a comparison over some points; NaN where there are none. Angles in degrees.

    Attributes
    ----------
    n
        Points that count: valid in the comparison, and in the mask.
    fraction_kept
        ``n`` over the points valid without a mask.
    median_deg, mean_deg
        Of the misorientation.
    fraction_below_2deg, fraction_below_5deg
        Shares of the points with a misorientation below 2 and 5 degrees.
    median_deg_modulo_beam, mean_deg_modulo_beam, fraction_below_2deg_modulo_beam, ...
        The same where half a turn about the beam is no error.
    median_tilt_deg, mean_tilt_deg, median_in_plane_deg, mean_in_plane_deg
        Of the tilt of the zone axis, and of the rotation about the beam.
    r2, mse, mae
        Of the raw Euler angles, pooled; squared degrees and degrees.
    r2_per_angle, mse_per_angle, mae_per_angle
        For phi1, Phi and phi2.
    r2_nearest, mse_nearest, mae_nearest, mae_nearest_per_angle
        The same over the symmetrically nearest representative.
    normalised_mae
        Mean of the map of Fig. 10, 0 to 1.
    phase_agreement
        Share of the points that both maps index (in the mask) where they find one crystal.
    coverage
        Share of the points that the reference indexes (in the mask, and done in the other map)
        that the other indexes too: a map that leaves out what is difficult has good scores and a
        low coverage.
    note
        What to know about these numbers; "" if nothing.
    """

    n: int
    fraction_kept: float = np.nan
    median_deg: float = np.nan
    mean_deg: float = np.nan
    fraction_below_2deg: float = np.nan
    fraction_below_5deg: float = np.nan
    median_deg_modulo_beam: float = np.nan
    mean_deg_modulo_beam: float = np.nan
    fraction_below_2deg_modulo_beam: float = np.nan
    fraction_below_5deg_modulo_beam: float = np.nan
    median_tilt_deg: float = np.nan
    mean_tilt_deg: float = np.nan
    median_in_plane_deg: float = np.nan
    mean_in_plane_deg: float = np.nan
    r2: float = np.nan
    mse: float = np.nan
    mae: float = np.nan
    r2_per_angle: tuple[float, ...] = _NAN3
    mse_per_angle: tuple[float, ...] = _NAN3
    mae_per_angle: tuple[float, ...] = _NAN3
    r2_nearest: float = np.nan
    mse_nearest: float = np.nan
    mae_nearest: float = np.nan
    mae_nearest_per_angle: tuple[float, ...] = _NAN3
    normalised_mae: float = np.nan
    phase_agreement: float = np.nan
    coverage: float = np.nan
    note: str = ""

    def summary(self) -> dict[str, Any]:
        """Return the numbers as plain JSON types; None where there is none."""
        return {name: _plain(value) for name, value in asdict(self).items()}


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_plain(one) for one in value]
    return None if isinstance(value, float) and not np.isfinite(value) else value


def score(comparison: Comparison, mask: NDArray[np.bool_] | None = None) -> Scores:
    """Sum up a comparison over the points of a mask.

    Parameters
    ----------
    comparison
        From :func:`napari_orient.analysis.errors.compare_maps`.
    mask
        (y, x) bool; all points if not given.

    Raises
    ------
    ValueError
        If the mask has another shape.
    """
    if mask is None:
        mask = np.ones(comparison.shape, bool)
    if mask.shape != comparison.shape:
        raise ValueError(f"mask: shape {comparison.shape} expected, not {mask.shape}")
    keep = comparison.valid & mask
    n, all_valid = int(keep.sum()), int(comparison.valid.sum())
    if not n:
        said = "No point passes the mask"
        if not all_valid:
            said = "The maps have no point in common that both index as one crystal"
        kept = 0.0 if all_valid else np.nan
        return Scores(0, kept, **_shares(comparison, mask), note=f"{said}.")
    beam = _angles(comparison.angle_modulo_beam[keep])
    tilt, in_plane = comparison.tilt[keep], comparison.in_plane[keep]
    truth, nearest = comparison.euler[keep], comparison.euler_nearest[keep]
    return Scores(
        n,
        n / all_valid,
        **_angles(comparison.angle[keep]),
        **{f"{name}_modulo_beam": value for name, value in beam.items()},
        median_tilt_deg=float(np.median(tilt)),
        mean_tilt_deg=float(tilt.mean()),
        median_in_plane_deg=float(np.median(in_plane)),
        mean_in_plane_deg=float(in_plane.mean()),
        **_regression(truth, comparison.euler_raw[keep]),
        r2_nearest=_r2(truth, nearest),
        mse_nearest=float((nearest**2).mean()),
        mae_nearest=float(nearest.mean()),
        mae_nearest_per_angle=tuple(nearest.mean(axis=0).tolist()),
        normalised_mae=float(comparison.mae[keep].mean()),
        **_shares(comparison, mask),
        note=_STRANGE if n >= 50 and beam["fraction_below_5deg"] < _STRANGERS else "",
    )


def _angles(angle: NDArray[np.float64]) -> dict[str, Any]:
    return {
        "median_deg": float(np.median(angle)),
        "mean_deg": float(angle.mean()),
        "fraction_below_2deg": float((angle < 2).mean()),
        "fraction_below_5deg": float((angle < 5).mean()),
    }


def _regression(truth: NDArray[np.float64], error: NDArray[np.float64]) -> dict[str, Any]:
    """Appendix B over (n, 3) angles and their absolute errors."""
    return {
        "r2": _r2(truth, error),
        "mse": float((error**2).mean()),
        "mae": float(error.mean()),
        "r2_per_angle": tuple(_r2(t, e) for t, e in zip(truth.T, error.T, strict=True)),
        "mse_per_angle": tuple((error**2).mean(axis=0).tolist()),
        "mae_per_angle": tuple(error.mean(axis=0).tolist()),
    }


def _r2(truth: NDArray[np.float64], error: NDArray[np.float64]) -> float:
    """1 - sum e^2 / sum (T - mean T)^2; NaN where all T are the same."""
    spread = float(((truth - truth.mean()) ** 2).sum())
    return 1 - float((error**2).sum()) / spread if spread > 0 else float("nan")


def _shares(comparison: Comparison, mask: NDArray[np.bool_]) -> dict[str, Any]:
    """Shares of points that do not depend on how large the errors are."""
    same = int((comparison.valid & mask).sum())
    both = same + int((comparison.phase_differs & mask).sum())
    there = int((comparison.reference.indexed & comparison.other.done & mask).sum())
    return {
        "phase_agreement": same / both if both else np.nan,
        "coverage": both / there if there else np.nan,
    }


def quality_names(orientations: OrientationMap) -> tuple[str | None, str | None]:
    """Names of the properties of a map that say what Q and R say; None where it has none."""
    first, second = (
        next((name for name in names if name in orientations.properties), None)
        for names in (Q_NAMES, R_NAMES)
    )
    return first, second


def quality_mask(
    orientations: OrientationMap, min_q: float | None = None, min_r: float | None = None
) -> NDArray[np.bool_]:
    """Say which points (y, x) pass thresholds on the quality of the pattern and of the answer.

    Parameters
    ----------
    orientations
        With properties "Q" or EDAX's "IQ" or Oxford's "BC", and "R" or "CI" or "MAD" or EMsoft's
        "DP".
    min_q, min_r
        Least Q and R that pass, in the property's own unit; None lets all pass. A low MAD is good:
        for it ``min_r`` is the largest that passes. Undefined values (NaN, -1 of R and CI, 0 of
        MAD) pass no threshold.

    Raises
    ------
    ValueError
        If the map has no such property.
    """
    passed = np.ones(orientations.shape, bool)
    for limit, name, known in zip(
        (min_q, min_r), quality_names(orientations), (Q_NAMES, R_NAMES), strict=True
    ):
        if limit is None:
            continue
        if name is None:
            raise ValueError(
                f"The map has none of {', '.join(known)}: filter by the other map, or by a mask."
            )
        passed &= passes(orientations, name, limit)
    return passed


def passes(orientations: OrientationMap, name: str, limit: float) -> NDArray[np.bool_]:
    """Say which points (y, x) a limit on a property lets pass: none where it is undefined."""
    values = orientations.properties[name]
    good = values <= limit if low_is_good(name) else values >= limit
    return np.asarray(good & defined(orientations, name))


def low_is_good(name: str) -> bool:
    """Say whether a property measures misfit, so that a limit is the largest that passes."""
    return name.upper() in _LOW_IS_GOOD


def defined(orientations: OrientationMap, name: str) -> NDArray[np.bool_]:
    """Say at which points (y, x) a property has a value: indexed, not NaN, not -1 of R and CI."""
    values = np.asarray(orientations.properties[name], np.float64)
    known = orientations.indexed & ~np.isnan(values)
    return np.asarray(known & (values != _UNDEFINED.get(name.upper(), np.nan)))


def split_mask(orientations: OrientationMap, part: str = "test") -> NDArray[np.bool_]:
    """Points (y, x) that a model was trained on, or not: by the property "split".

    Raises
    ------
    ValueError
        If the map has no such property, or the part has another name than "train", "validation"
        or "test".
    """
    if part not in SPLIT:
        raise ValueError(f"part {part!r}: choose one of {', '.join(SPLIT)}")
    if "split" not in orientations.properties:
        raise ValueError(
            'The map has no property "split" (0 train, 1 validation, 2 test): take the map that '
            "the prediction wrote, or a mask."
        )
    return np.asarray(orientations.properties["split"] == SPLIT[part])
