"""Where does the direct beam hit the detector? Found in one pattern, to a fraction of a pixel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, NamedTuple

if TYPE_CHECKING:
    from numpy.typing import NDArray

Method = Literal["auto", "disk", "mass", "friedel"]


class Centre(NamedTuple):
    """A beam centre in pixels (pixel centres at integers), its standard error, how it was found."""

    ky: float
    kx: float
    sigma: float
    method: Method = "auto"


def find_centre(pattern: NDArray[Any], *, method: Method = "auto") -> Centre:
    """Find the direct beam in a pattern (ky, kx).

    Parameters
    ----------
    pattern
        Counts; NaN pixels are ignored.
    method
        "disk": centroid of the beam's disk. "mass": centre of mass above the background.
        "friedel": the point about which the pattern is symmetric, which needs no visible beam
        (beam stop, saturation). "auto": the disk next to the point of symmetry, or that point
        itself where there is no disk.

    Raises
    ------
    ValueError
        If the pattern is not two-dimensional, or uniform: there is nothing to find.
    """
    raise NotImplementedError
