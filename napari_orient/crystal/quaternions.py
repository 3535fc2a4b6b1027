"""How is a rotation written down, and how are two of them combined?

The surface of this module is :mod:`napari_orient.crystal.rotations`, which says the conventions.

Every function takes torch tensors of any leading shape, on any device, and gives tensors back;
numpy arrays (and lists) come back as numpy arrays. float32 stays float32, all else is float64.
Gradients are finite everywhere: zero where the function has none.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, TypeVar, cast

import numpy as np
import torch
from torch import Tensor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

_BLOCK = 2**12  # rows worked on at once: what they need stays in the cache of one core
_BLOCK_ON_DEVICE = 2**20  # other devices want much at once: 24 operators then need 0.2 GB

Array = TypeVar("Array", "NDArray[Any]", Tensor)


def as_tensor(values: Any, like: Tensor | None = None) -> Tensor:
    """Return a floating tensor of the dtype and device of ``like``; memory is shared if it can."""
    if not isinstance(values, Tensor):
        array = np.asarray(values)
        if array.dtype not in (np.float32, np.float64) or not array.dtype.isnative:
            array = array.astype(np.float64)
        if not array.flags.writeable or any(stride < 0 for stride in array.strides):
            array = array.copy()  # torch shares memory, and cannot share these
        values = torch.from_numpy(array)
    tensor = cast("Tensor", values)
    if not tensor.is_floating_point():
        tensor = tensor.to(torch.float64)
    return tensor if like is None else tensor.to(like)


def like_input(result: Tensor, *inputs: Array) -> Array:
    """Return the result as what came in: torch if any of it was torch, else numpy."""
    if any(isinstance(one, Tensor) for one in inputs):
        return result  # type: ignore[return-value]
    return result.numpy()  # type: ignore[return-value]


def as_pair(first: Any, second: Any) -> tuple[Tensor, Tensor]:
    """Two tensors of one dtype, on the device of the one that came as a tensor."""
    lead = second if isinstance(second, Tensor) and not isinstance(first, Tensor) else first
    device = lead.device if isinstance(lead, Tensor) else torch.device("cpu")
    a, b = as_tensor(first), as_tensor(second)
    dtype = torch.promote_types(a.dtype, b.dtype)
    return a.to(device, dtype), b.to(device, dtype)


def _blocks(shape: tuple[int, ...], rows: int) -> Iterator[tuple[Any, ...]]:
    """Yield indices of pieces of at most so many rows, in C order."""
    size = math.prod(shape)
    if size <= rows:
        yield (...,)
        return
    rest = size // shape[0]
    if rest > rows:
        for i in range(shape[0]):
            for index in _blocks(shape[1:], rows):
                yield (i, *index)
        return
    step = rows // rest
    for i in range(0, shape[0], step):
        yield (slice(i, i + step), ...)


def stream(work: Callable[..., tuple[Tensor, ...]], *tensors: Tensor) -> tuple[Tensor, ...]:
    """Broadcast quaternions (..., 4) and work on them block by block: memory stays bounded."""
    shape = np.broadcast_shapes(*(t.shape[:-1] for t in tensors))
    rows = _BLOCK if tensors[0].device.type == "cpu" else _BLOCK_ON_DEVICE
    views = [t.expand(*shape, t.shape[-1]) for t in tensors]  # no copy
    blocks = ([v[index].reshape(-1, v.shape[-1]) for v in views] for index in _blocks(shape, rows))
    parts = zip(*(work(*block) for block in blocks), strict=True)
    joined = [p[0] if len(p) == 1 else torch.cat(p) for p in parts]
    return tuple(t.reshape((*shape, *t.shape[1:])) for t in joined)


def length(vector: Tensor) -> Tensor:
    """Euclidean norm over the last axis; its gradient at zero is zero instead of NaN."""
    square = (vector * vector).sum(-1)
    zero = square == 0
    return torch.where(zero, square, torch.where(zero, torch.ones_like(square), square).sqrt())


def angle_of(y: Tensor, x: Tensor) -> Tensor:
    """atan2 with atan2(0, 0) = 0 and gradient zero there."""
    nowhere = (x == 0) & (y == 0)
    return torch.atan2(
        torch.where(nowhere, torch.zeros_like(y), y), torch.where(nowhere, torch.ones_like(x), x)
    )


def _unit(vector: Tensor, otherwise: Tensor) -> Tensor:
    size = length(vector)[..., None]
    zero = size == 0
    return torch.where(zero, otherwise, vector / torch.where(zero, torch.ones_like(size), size))


def upper(q: Tensor) -> Tensor:
    """The one of q and -q with a scalar part >= 0."""
    return torch.where(q[..., :1] < 0, -q, q)


def times(a: Tensor, b: Tensor) -> Tensor:
    """Hamilton product."""
    aw, ax, ay, az = a.unbind(-1)
    bw, bx, by, bz = b.unbind(-1)
    return torch.stack(
        [
            aw * bw - ax * bx - ay * by - az * bz,
            aw * bx + ax * bw + ay * bz - az * by,
            aw * by - ax * bz + ay * bw + az * bx,
            aw * bz + ax * by - ay * bx + az * bw,
        ],
        dim=-1,
    )


def inverse(q: Tensor) -> Tensor:
    """Conjugate."""
    return torch.cat([q[..., :1], -q[..., 1:]], dim=-1)


def matrices_of(q: Tensor) -> Tensor:
    """Rotation matrices (..., 3, 3)."""
    w, x, y, z = q.unbind(-1)
    rows = [
        w * w + x * x - y * y - z * z, 2 * (x * y - w * z), 2 * (x * z + w * y),
        2 * (x * y + w * z), w * w - x * x + y * y - z * z, 2 * (y * z - w * x),
        2 * (x * z - w * y), 2 * (y * z + w * x), w * w - x * x - y * y + z * z,
    ]  # fmt: skip
    return torch.stack(rows, dim=-1).reshape(*w.shape, 3, 3)


def multiply(first: Array, second: Array) -> Array:
    """Hamilton product of quaternions (..., 4): ``second`` acts first; shapes broadcast."""
    return like_input(times(*as_pair(first, second)), first, second)


def conjugate(q: Array) -> Array:
    """Inverse of unit quaternions (..., 4)."""
    return like_input(inverse(as_tensor(q)), q)


def normalise(q: Array) -> Array:
    """Scale quaternions (..., 4) to length one; the zero quaternion is no rotation: NaN."""
    x = as_tensor(q)
    largest = x.detach().abs().amax(-1, keepdim=True)  # squares of tiny numbers would vanish
    x = x / largest
    return like_input(x / length(x)[..., None], q)


def rotate(q: Array, vectors: Array) -> Array:
    """Components (..., 3) in the crystal frame of vectors (..., 3) given in the lab frame."""
    x, v = as_pair(q, vectors)
    return like_input((matrices_of(x) @ v[..., None])[..., 0], q, vectors)


def from_euler(angles: Array) -> Array:
    """Quaternions (..., 4), scalar part >= 0, of Bunge Euler angles (phi1, Phi, phi2) in degrees.

    Rowenhorst et al., Modelling Simul. Mater. Sci. Eng. 23 (2015) 083501, eqs. A.5 and A.6.
    """
    phi1, phi, phi2 = torch.deg2rad(as_tensor(angles)).unbind(-1)
    half_sum, half_difference = (phi1 + phi2) / 2, (phi1 - phi2) / 2
    c, s = torch.cos(phi / 2), torch.sin(phi / 2)
    parts = [
        c * torch.cos(half_sum),
        -s * torch.cos(half_difference),
        -s * torch.sin(half_difference),
        -c * torch.sin(half_sum),
    ]
    return like_input(upper(torch.stack(parts, dim=-1)), angles)


def to_euler(q: Array) -> Array:
    """Bunge Euler angles (..., 3) in degrees: [0, 360), [0, 180], [0, 360).

    Where Phi is 0 or 180 only phi1 + phi2 or phi1 - phi2 is known: phi2 is then 0, and the gradient
    is finite but not that of a smooth function.

    The inverse of :func:`from_euler`, by half sum and half difference of phi1 and phi2.
    """
    w, x, y, z = as_tensor(q).unbind(-1)
    cosine, sine = length(torch.stack([w, z], -1)), length(torch.stack([x, y], -1))
    tiny = 1e-9 if w.dtype == torch.float64 else 1e-6
    flat, upside_down = sine <= tiny * cosine, cosine <= tiny * sine
    one, zero = torch.ones_like(w), torch.zeros_like(w)
    half_sum = angle_of(torch.where(upside_down, zero, -z), torch.where(upside_down, one, w))
    half_difference = angle_of(torch.where(flat, zero, -y), torch.where(flat, one, -x))
    half_sum, half_difference = (
        torch.where(upside_down, half_difference, half_sum),
        torch.where(flat, half_sum, half_difference),
    )
    angles = [half_sum + half_difference, 2 * torch.atan2(sine, cosine), half_sum - half_difference]
    degrees = torch.rad2deg(torch.stack(angles, dim=-1))
    turns = torch.tensor([360.0, 1e9, 360.0], dtype=w.dtype, device=w.device)
    degrees = torch.remainder(degrees, turns)
    # a remainder of -1e-15 rounds to 360, which is 0
    return like_input(torch.where(degrees >= turns, torch.zeros_like(degrees), degrees), q)


def from_matrix(matrices: Array) -> Array:
    """Quaternions (..., 4), scalar part >= 0, of rotation matrices (..., 3, 3).

    ``matrix @ lab_vector = crystal_vector``. The matrix holds all products q_i q_j; dividing those
    with the largest q_i by it never divides by less than 1/4 (Shepperd, J. Guidance and Control 1
    (1978) 223).
    """
    m = as_tensor(matrices)
    (a, b, c), (d, e, f), (g, h, i) = (row.unbind(-1) for row in m.unbind(-2))
    products = torch.stack(
        [
            1 + a + e + i, h - f, c - g, d - b,
            h - f, 1 + a - e - i, b + d, c + g,
            c - g, b + d, 1 - a + e - i, f + h,
            d - b, c + g, f + h, 1 - a - e + i,
        ],
        dim=-1,
    ).reshape(*a.shape, 4, 4)  # fmt: skip
    largest = products.detach().diagonal(dim1=-2, dim2=-1).argmax(-1)
    row = products.gather(-2, largest[..., None, None].expand(*largest.shape, 1, 4))[..., 0, :]
    return like_input(upper(row / length(row)[..., None]), matrices)


def to_matrix(q: Array) -> Array:
    """Rotation matrices (..., 3, 3) of unit quaternions; they take lab to crystal components."""
    return like_input(matrices_of(as_tensor(q)), q)


def from_axis_angle(axis: Array, degrees: Array | float) -> Array:
    """Quaternions (..., 4), (cos, sin * axis) of half the angle; axes of any length but zero."""
    v, angle = as_pair(axis, degrees)
    half = torch.deg2rad(angle)[..., None] / 2
    direction = v / length(v)[..., None]
    half = half.expand(*np.broadcast_shapes(half.shape[:-1], direction.shape[:-1]), 1)
    q = torch.cat([half.cos(), half.sin() * direction], dim=-1)
    return like_input(q, axis)


def to_axis_angle(q: Array) -> tuple[Array, Array]:
    """Axis (..., 3) and angle (...) in degrees, 0 to 180; the axis of identity is (0, 0, 1)."""
    x = upper(as_tensor(q))
    angle = torch.rad2deg(2 * torch.atan2(length(x[..., 1:]), x[..., 0]))
    return like_input(axis_of(x), q), like_input(angle, q)


def axis_of(q: Tensor) -> Tensor:
    """Unit vector along the vector part; (0, 0, 1) where that is zero."""
    return _unit(q[..., 1:], torch.tensor([0.0, 0.0, 1.0], dtype=q.dtype, device=q.device))


def from_6d(columns: Array) -> Array:
    """Quaternions (..., 4) of two vectors (..., 6) that need be neither unit nor orthogonal.

    They become the first two columns of the matrix, the lab's x and y in crystal axes, by Gram and
    Schmidt: a continuous target for networks (Zhou et al., CVPR 2019, eqs. 15 and 16). Where they
    are zero or parallel no rotation follows; some valid one is given, with a finite gradient.
    """
    both = as_tensor(columns)
    first, second = both[..., :3], both[..., 3:]
    unit = torch.eye(3, dtype=first.dtype, device=first.device)
    x = _unit(first, unit[0])
    y = second - (x * second).sum(-1, keepdim=True) * x
    tiny = 16 * torch.finfo(y.dtype).eps * length(second)[..., None]
    spare = unit[x.detach().abs().argmin(-1)]
    y = torch.where(length(y)[..., None] <= tiny, torch.linalg.cross(x, spare), y)
    y = _unit(y, unit[1])
    z = torch.linalg.cross(x, y)
    return like_input(from_matrix(torch.stack([x, y, z], dim=-1)), columns)


def to_6d(q: Array) -> Array:
    """First two columns (..., 6) of the matrices: the lab's x and y in crystal axes."""
    m = matrices_of(as_tensor(q))
    return like_input(torch.cat([m[..., 0], m[..., 1]], dim=-1), q)


def random_orientations(n: int, seed: int | None = None) -> NDArray[np.float64]:
    """Return ``n`` quaternions (n, 4), scalar part >= 0, uniform on the rotation group."""
    q = np.random.default_rng(seed).normal(size=(n, 4))
    q /= np.linalg.norm(q, axis=1, keepdims=True)
    return np.where(q[:, :1] < 0, -q, q)
