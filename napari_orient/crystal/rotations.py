"""How far apart are two orientations, whatever the symmetry of the crystal?

Unit quaternions, scalar first, in the sense of orix's ``lab2crystal`` (Bunge, passive): ``q`` takes
the components of a vector from the lab (map) frame to the crystal frame, e1 || a, e3 || c*. So

* crystal symmetry acts on the left: ``multiply(s, q)`` is the same crystal;
* a rotation of the lab acts on the right: ``multiply(q, beam_operator())`` is the crystal turned by
  180 degrees about the beam, the lab's z.

Torch tensors on any device, or numpy arrays, give back their like; float32 stays float32. Degrees
at the surface. NaN quaternions (not indexed) stay NaN. Angles come from atan2, which keeps all
digits where arccos loses half of them. Gradients are finite everywhere: zero where the function has
none, as that of an angle at identity.
"""

from __future__ import annotations

import math
from functools import cache
from itertools import product
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from napari_orient.crystal.quaternions import (
    Array,
    angle_of,
    as_pair,
    as_tensor,
    axis_of,
    conjugate,
    from_6d,
    from_axis_angle,
    from_euler,
    from_matrix,
    inverse,
    length,
    like_input,
    matrices_of,
    multiply,
    normalise,
    random_orientations,
    rotate,
    stream,
    times,
    to_6d,
    to_axis_angle,
    to_euler,
    to_matrix,
    upper,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = [
    "LAUE_GROUPS", "ErrorParts", "Misorientation", "beam_operator", "conjugate", "from_6d",
    "from_axis_angle", "from_euler", "from_matrix", "laue_operators", "mean_orientation",
    "misorientation", "misorientation_angle", "multiply", "nearest_equivalent", "normalise",
    "random_orientations", "reduce_to_fundamental_zone", "rotate", "tilt_and_in_plane", "to_6d",
    "to_axis_angle", "to_euler", "to_matrix",
]  # fmt: skip

LAUE_GROUPS = (
    "-1", "2/m", "mmm", "-3", "-3m", "4/m", "4/mmm", "6/m", "6/mmm", "m-3", "m-3m",
)  # fmt: skip
_STARTS = 8  # members of a grain that are tried as the first guess of its mean
_SAMPLE = 64  # members that judge the guesses
_ROUNDS = 50  # the mean of one grain needs 2 or 3
_CHUNK = 2**18  # rows of a mean summed at once
_GENERIC = (0.31, 0.61, 0.53, 0.59)  # no symmetric direction: picks one of several equals


class Misorientation(NamedTuple):
    """Smallest rotation between two crystals, or many pairs of them.

    Attributes
    ----------
    angle
        (...) degrees, 0 to 180.
    axis
        (..., 3) unit vector in crystal axes; (0, 0, 1) where the angle is zero.
    """

    angle: Any
    axis: Any


class ErrorParts(NamedTuple):
    """A misorientation split at the beam: how far the zone axis tilts, how far the crystal turns.

    Attributes
    ----------
    tilt
        (...) degrees between the two zone axes (crystal directions along the lab's z).
    in_plane
        (...) degrees of rotation about the lab's z that remain.
    """

    tilt: Any
    in_plane: Any


def beam_operator() -> NDArray[np.float64]:
    """180 degrees about the beam, the lab's z: ``multiply(q, beam_operator())``."""
    return np.array([0.0, 0.0, 0.0, 1.0])


def laue_operators(group: Any) -> NDArray[np.float64]:
    """Proper rotations (n, 4) of the Laue class of a point group; identity is the first.

    Parameters
    ----------
    group
        A name that orix knows ("m-3m", "432", "321", ...) or an ``orix`` Symmetry. Crystal axes are
        e1 || a, e3 || c*. As in orix, the diad of "2/m" is along e3 and those of "-3m" are along a:
        take "121" for a monoclinic crystal with unique axis b, "312" for diads between the a axes.

    Raises
    ------
    ValueError
        For a name that orix does not know, or no point group at all.
    """
    if group is None:
        raise ValueError("no point group: symmetry follows from it, give the phase one")
    return _named_operators(group) if isinstance(group, str) else _proper(group)


@cache
def _point_group(name: str) -> Any:
    from orix.crystal_map import Phase

    try:
        group = Phase(point_group=name).point_group
    except ValueError:
        group = None
    if group is None:
        raise ValueError(
            f"point group {name!r} is not known; Laue groups: {', '.join(LAUE_GROUPS)}"
        )
    return group


@cache
def _named_operators(name: str) -> NDArray[np.float64]:
    return _proper(_point_group(name))


@cache  # orix takes tens of milliseconds, for each point that a mouse passes over
def _proper(group: Any) -> NDArray[np.float64]:
    q = np.asarray(group.laue.proper_subgroup.data, np.float64).reshape(-1, 4)
    exact = np.sqrt([0.0, 0.25, 0.5, 0.75, 1.0])  # halves of 180, 120, 90 and 60 degrees
    q = np.sign(q) * exact[np.abs(np.abs(q)[..., None] - exact).argmin(-1)]
    operators = np.concatenate([q[q[:, 0] == 1], q[q[:, 0] != 1]])
    operators.flags.writeable = False  # the cache hands out this very array
    return operators


def _name(group: Any) -> str:
    """Name of a point group; a Symmetry whose name means another setting is refused."""
    operators = laue_operators(group)
    name = group if isinstance(group, str) else str(group.name)
    named = _named_operators(name)
    if len(operators) != len(named) or not _in(operators, named).all():
        raise ValueError(f"the operators of {group!r} are not those of its name, {name!r}")
    return name


class _Reduction(NamedTuple):
    """Operators that reduce a misorientation of crystals a and b; see :func:`_reduction`."""

    operators: NDArray[np.float64]  # (n, 4) all s_b^-1 s_a, each once
    second: NDArray[np.float64]  # (n, 4) the s_b of each
    common: NDArray[np.float64]  # (m, 3, 3) rotations, and inversions, that move the axis
    centre: NDArray[np.float64]  # (3,) the axis is moved towards it


@cache
def _reduction(name_a: str, name_b: str, exchange: bool) -> _Reduction:
    """Collect the operators of a pair of groups.

    s_a M s_b^-1 has the angle of s_b^-1 s_a M: for one group n operators do the work of n^2.
    """
    a, b = laue_operators(name_a), laue_operators(name_b)
    same = len(a) == len(b) and _in(a, b).all()
    operators: list[NDArray[np.float64]] = []
    second: list[NDArray[np.float64]] = []
    for s_b, s_a in product(b[:1] if same else b, a):
        one = multiply(conjugate(s_b), s_a)
        if not operators or not _in(one[None], np.array(operators))[0]:
            operators.append(one)
            second.append(s_b)
    common = to_matrix(a[_in(a, b)])
    if same and exchange:
        common = np.concatenate([common, -common])
    centre = _point_group(name_a).laue.fundamental_sector.center.unit.data.reshape(3)
    return _Reduction(np.array(operators), np.array(second), common, centre)


def _in(some: NDArray[np.float64], those: NDArray[np.float64]) -> NDArray[np.bool_]:
    return np.asarray((np.abs(some @ those.T) > 1 - 1e-9).any(axis=1))


def _pick(values: Tensor, tie: Tensor) -> Tensor:
    """Index (...) of the largest value (..., n); of equal ones, that with the largest ``tie``."""
    tolerance = 1e-10 if values.dtype == torch.float64 else 2e-6
    near = values >= values.amax(-1, keepdim=True) - tolerance
    return torch.where(near, tie, -torch.inf).argmax(-1)


def _relate(
    a: Tensor, b: Tensor, operators: Tensor, modulo_beam: bool
) -> tuple[Tensor, Tensor, Tensor]:
    """Return s M of the smallest angle (n, 4), M = a b^-1, its operator's index, the lab side's a.

    The choice is outside of autograd, what is chosen is inside: memory for gradients is O(n).
    """
    with torch.no_grad():
        best, index = _nearest(a, b, operators)
        if modulo_beam:
            turned = times(a, as_tensor(beam_operator(), a))
            best_turned, index_turned = _nearest(turned, b, operators)
            flip = best_turned > best
            index = torch.where(flip, index_turned, index)
    if modulo_beam:
        a = torch.where(flip[:, None], times(a, as_tensor(beam_operator(), a)), a)
    return times(operators[index], times(a, inverse(b))), index, a


def _nearest(a: Tensor, b: Tensor, operators: Tensor) -> tuple[Tensor, Tensor]:
    """Largest scalar part of all s a b^-1 (n,), and which operator s it is of."""
    if a.device.type == "cpu":  # ten times as fast as torch, which writes all n x m products
        from napari_orient.crystal.nearest import nearest_operators

        found = nearest_operators(*(t.detach().contiguous().numpy() for t in (a, b, operators)))
        return torch.from_numpy(found[0]), torch.from_numpy(found[1])
    # the scalar part of s M is the dot product of s^-1 and M
    best, index = (times(a, inverse(b)) @ inverse(operators).T).abs().max(-1)
    return best, index


def _angle(q: Tensor) -> Tensor:
    return torch.rad2deg(2 * angle_of(length(q[..., 1:]), q[..., 0].abs()))


def misorientation_angle(
    a: Array, b: Array, group_a: Any, group_b: Any = None, *, modulo_beam: bool = False
) -> Array:
    """Smallest angle (...) in degrees between crystals; see :func:`misorientation`."""
    x, y = as_pair(a, b)
    operators = as_tensor(
        _reduction(_name(group_a), _name(group_a if group_b is None else group_b), True).operators,
        x,
    )

    plain = x.device.type == "cpu" and not (x.requires_grad or y.requires_grad)

    def work(x: Tensor, y: Tensor) -> tuple[Tensor]:
        if plain:
            from napari_orient.crystal.nearest import smallest_angles

            arrays = (t.contiguous().numpy() for t in (x, y, operators))
            return (torch.from_numpy(smallest_angles(*arrays, modulo_beam)),)
        return (_angle(_relate(x, y, operators, modulo_beam)[0]),)

    return like_input(stream(work, x, y)[0], a, b)


def misorientation(
    a: Array,
    b: Array,
    group_a: Any,
    group_b: Any = None,
    *,
    modulo_beam: bool = False,
    exchange: bool = True,
) -> Misorientation:
    """Smallest rotation between crystals, over all operators of their Laue classes.

    s_a q_a q_b^-1 s_b^-1, with the s on the crystal side. Memory is bounded: (n, 1, 4) against
    (1, m, 4) gives (n, m) angles without the operators' axis.

    Parameters
    ----------
    a, b
        (..., 4) unit quaternions; shapes broadcast.
    group_a, group_b
        Point groups as in :func:`laue_operators`; ``group_b`` defaults to ``group_a``.
    modulo_beam
        Do not tell a crystal from the one turned by 180 degrees about the lab's z.
    exchange
        A boundary has no direction: of crystals of one group, a and b may be swapped, and the axis
        lies in the standard triangle of the Laue group. False keeps the sense: the rotation by the
        angle about the axis takes crystal components of b to those of a, of one pair of
        equivalents.

    Returns
    -------
    misorientation
        ``angle`` (...) in degrees and ``axis`` (..., 3) in crystal axes. Where several axes have
        the same, smallest angle, one of them is given.
    """
    x, y = as_pair(a, b)
    found = _reduction(_name(group_a), _name(group_a if group_b is None else group_b), exchange)
    operators, second, common, centre = (as_tensor(part, x) for part in found)
    generic = as_tensor(_GENERIC[1:], x)
    turns_b = bool((found.second[:, 0] != 1).any())

    def work(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        smallest, index, _ = _relate(x, y, operators, modulo_beam)
        axis = axis_of(upper(smallest))
        if turns_b:
            axis = (matrices_of(second[index]) @ axis[..., None])[..., 0]
        with torch.no_grad():
            move = _pick(axis @ (centre @ common).T, axis @ (generic @ common).T)
        return _angle(smallest), (common[move] @ axis[..., None])[..., 0]

    angle, axis = stream(work, x, y)
    identity = (angle == 0)[..., None]
    axis = torch.where(identity, as_tensor([0.0, 0.0, 1.0], x), axis)
    return Misorientation(like_input(angle, a, b), like_input(axis, a, b))


def tilt_and_in_plane(a: Array, b: Array, group: Any, *, modulo_beam: bool = False) -> ErrorParts:
    """Split the smallest misorientation of one crystal at the beam, the lab's z.

    The lab-side rotation q_b^-1 s q_a is a rotation about z after one about an axis in the plane
    (swing and twist); cos(angle/2) = cos(tilt/2) cos(in_plane/2). s is the operator of the smallest
    angle; of several, that of the smallest tilt.

    Parameters
    ----------
    a, b
        (..., 4) unit quaternions; shapes broadcast.
    group
        Point group as in :func:`laue_operators`.
    modulo_beam
        As in :func:`misorientation`; the tilt of an operator does not depend on it.
    """
    x, y = as_pair(a, b)
    operators = as_tensor(laue_operators(group), x)

    def work(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        with torch.no_grad():
            parts = times(inverse(y)[:, None], times(operators, x[:, None])).abs()
            w, z = parts[..., 0], parts[..., 3]
            scalar = torch.maximum(w, z) if modulo_beam else w
            index = _pick(scalar, torch.hypot(w, z))
        w, *plane, z = times(inverse(y), times(operators[index], x)).unbind(-1)
        along, across = length(torch.stack([w, z], -1)), length(torch.stack(plane, -1))
        tilt, in_plane = 2 * angle_of(across, along), 2 * angle_of(z.abs(), w.abs())
        if modulo_beam:
            in_plane = torch.minimum(in_plane, math.pi - in_plane)
        return torch.rad2deg(tilt), torch.rad2deg(in_plane)

    tilt, in_plane = stream(work, x, y)
    return ErrorParts(like_input(tilt, a, b), like_input(in_plane, a, b))


def nearest_equivalent(q: Array, target: Array, group: Any) -> Array:
    """Equivalents s q (..., 4) nearest to ``target``; of equally near ones the first operator's."""
    x, y = as_pair(q, target)
    operators = as_tensor(laue_operators(group), x)

    def work(x: Tensor, y: Tensor) -> tuple[Tensor]:
        with torch.no_grad():
            near = (times(x, inverse(y)) @ inverse(operators).T).abs()
            index = _pick(near, torch.zeros_like(near))
        return (times(operators[index], x),)

    return like_input(stream(work, x, y)[0], q, target)


def reduce_to_fundamental_zone(q: Array, group: Any) -> Array:
    """Equivalent quaternions s q (..., 4) of the smallest rotation angle, scalar part >= 0.

    The same for q, -q and all s q, on the borders of the zone too, where several equivalents have
    the smallest angle (up to 1e-10 in the scalar part, 2e-6 in float32): a fixed linear form picks.
    """
    x = as_tensor(q)
    operators = as_tensor(laue_operators(group), x)
    # generic . (s q) is linear in q as well
    ties = torch.stack([times(inverse(s), as_tensor(_GENERIC, x)) for s in operators])

    def work(x: Tensor) -> tuple[Tensor]:
        with torch.no_grad():
            scalar, tie = x @ inverse(operators).T, x @ ties.T
            tolerance = 1e-10 if x.dtype == torch.float64 else 2e-6
            sign = torch.where(scalar.abs() > tolerance, scalar, tie).sign()
            index = _pick(scalar.abs(), tie * sign)
            sign = sign.gather(-1, index[:, None])
        return (times(operators[index], x) * sign,)

    return like_input(stream(work, x)[0], q)


def mean_orientation(
    q: Array, group: Any, weights: Array | None = None, labels: Array | None = None
) -> Array:
    """Mean of orientations, each taken by the equivalent that is nearest to the mean.

    The eigenvector of sum w q q^T (Markley et al., J. Guidance, Control and Dynamics 30 (2007)
    1193, eq. 13) and the choice of equivalents, in turns until the choice stays. All grains are
    done together.

    Parameters
    ----------
    q
        (..., 4) quaternions; those that are not finite are left out.
    group
        Point group as in :func:`laue_operators`.
    weights
        (...) weights >= 0; all one if not given.
    labels
        (...) whole numbers, the grain of each; negative: in none. One grain if not given.

    Returns
    -------
    mean
        (4,), or (largest label + 1, 4), in the fundamental zone. NaN for a grain without members.
        The gradient is exact while the choice of equivalents stays.

    Raises
    ------
    ValueError
        If a weight is negative.
    """
    x = as_tensor(q).reshape(-1, 4)
    wide = x if x.device.type == "mps" else x.to(torch.float64)
    w = torch.ones_like(wide[:, 0])
    if weights is not None:
        w = as_tensor(weights, wide).expand(as_tensor(q).shape[:-1]).reshape(-1)
        if bool((w < 0).any()):
            raise ValueError("weights of a mean must not be negative")
    grain = torch.zeros(len(x), dtype=torch.int64, device=x.device)
    if labels is not None:
        grain = torch.as_tensor(np.asarray(labels) if not isinstance(labels, Tensor) else labels)
        grain = grain.to(x.device, torch.int64).reshape(-1)
    count = int(grain.max()) + 1 if labels is not None and len(grain) else int(labels is None)
    member = wide.detach().isfinite().all(-1) & (w.detach() > 0) & (grain >= 0)
    operators = as_tensor(laue_operators(group), wide)
    mean = _means(normalise(wide[member]), w[member], grain[member], max(count, 0), operators)
    mean = reduce_to_fundamental_zone(mean, group).to(x.dtype)
    return like_input(mean if labels is not None else mean[0], q)


def _means(q: Tensor, w: Tensor, grain: Tensor, count: int, operators: Tensor) -> Tensor:
    with torch.no_grad():
        mean = _first_guess(q, w, grain, count, operators)
        before = torch.full_like(grain, -1)
        for _ in range(_ROUNDS):
            index = stream(lambda a, b: (_nearest(a, b, operators)[1],), q, mean[grain])[0]
            if torch.equal(index, before):
                break
            before = index
            moments = _moments(times(operators[index], q), w, grain, count)
            values, vectors = torch.linalg.eigh(moments)
            mean = vectors[..., -1]
        else:  # a tie that flips for ever: either choice is a mean
            index = before
    filled = torch.bincount(grain, minlength=count) > 0
    if q.requires_grad or w.requires_grad:
        # eigenvectors of equal orientations have no finite gradient in torch: perturb by hand
        moments = _moments(times(operators[index], q), w, grain, count)
        gap = values[..., -1:] - values[..., :-1]
        others = vectors[..., :-1] / torch.where(gap > 0, gap, torch.inf)[..., None, :]
        change = (moments - moments.detach()) @ mean[..., None]
        mean = mean + (others @ (vectors[..., :-1].mT @ change))[..., 0]
    return torch.where(filled[:, None], mean, torch.nan)


def _moments(q: Tensor, w: Tensor, grain: Tensor, count: int) -> Tensor:
    """Sum w q q^T (count, 4, 4) of each grain."""
    moments = q.new_zeros(count, 16)
    for i in range(0, len(q), _CHUNK):
        some = slice(i, i + _CHUNK)
        squares = (w[some, None, None] * q[some, :, None] * q[some, None]).flatten(1)
        moments = moments.index_add(0, grain[some], squares)
    return moments.reshape(count, 4, 4)


def _first_guess(q: Tensor, w: Tensor, grain: Tensor, count: int, operators: Tensor) -> Tensor:
    """Of some members of each grain, the one nearest to a sample of the others (count, 4)."""
    best = q.new_zeros(count, 4)
    best[:, 0] = 1
    if not len(q):
        return best
    order = torch.argsort(grain, stable=True)
    sizes = torch.bincount(grain, minlength=count)
    first = torch.cumsum(sizes, 0) - sizes
    rank = torch.arange(len(q), device=q.device) - first[grain[order]]
    sample = order[rank % ((sizes + _SAMPLE - 1) // _SAMPLE)[grain[order]] == 0]
    lowest = torch.full_like(best[:, 0], torch.inf)
    for k in range(min(_STARTS, int(sizes.max()))):
        member = (first + k * sizes // _STARTS).clamp(max=len(q) - 1)
        guess = q[order[member]]
        near, _ = _nearest(q[sample], guess[grain[sample]], operators)
        cost = w.new_zeros(count).index_add(0, grain[sample], w[sample] * (1 - near**2))
        better = cost < lowest
        best, lowest = torch.where(better[:, None], guess, best), torch.where(better, cost, lowest)
    return best
