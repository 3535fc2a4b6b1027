"""Find the grains of a map or volume, and measure each of them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from napari_orient.analysis.grains.config import GrainConfig
from napari_orient.analysis.grains.contacts import contact_extents, neighbour_counts, outlines
from napari_orient.analysis.grains.grains import Contacts, Grains
from napari_orient.analysis.grains.means import angles_to_means, mean_orientations
from napari_orient.analysis.grains.merging import drop_small, fill_gaps, merge_pairs, merge_small
from napari_orient.analysis.grains.parts import connected_parts
from napari_orient.analysis.grains.shapes import edge_grains, measure_shapes
from napari_orient.jobs import Progress

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_orient.data.maps import OrientationMap
    from napari_orient.jobs import Job


class _Parted(NamedTuple):
    """Labels of the grains, the points that their means are of, and how many twins each is of."""

    labels: NDArray[np.int32]
    core: NDArray[np.bool_]
    parts: NDArray[np.int64]  # (n,)


def find_grains(orientations: OrientationMap, config: GrainConfig | None = None) -> Job[Grains]:
    """Find the grains of a map (y, x) or volume (z, y, x), and measure each of them.

    Neighbours share a face, also across a periodic border. Then twins are merged, small parts left
    out or merged, and points without a grain filled, as the config says.

    Yields
    ------
    Progress
        In steps.

    Returns
    -------
    grains
        Perhaps none.

    Raises
    ------
    ValueError
        If a property or a twin law of the config is not one of the map, or a phase has no symmetry.
    """
    config = config or GrainConfig()
    trusted = trusted_points(orientations, config)
    for phase in (trusted.phases[n] for n in np.unique(trusted.phase_id[trusted.indexed])):
        if phase.point_group is None:
            raise ValueError(
                f"Phase {phase.name!r} has no point group, from which its symmetry follows: "
                "choose its crystal when you open the map."
            )
    parted = yield from _part(trusted, config)
    yield Progress(6, 10, "Measuring grains")
    phase_of = _phases(trusted, parted)
    means = mean_orientations(
        trusted, np.where(parted.core, parted.labels, 0), phase_of, modulo_beam=config.modulo_beam
    )
    yield Progress(7, 10, "Measuring the spread")
    gos = _spread(trusted, parted, means, phase_of, config.modulo_beam)
    yield Progress(8, 10, "Measuring boundaries")
    pairs, extent = contact_extents(parted.labels, trusted.step, trusted.periodic)
    yield Progress(9, 10, "Measuring shapes")
    table, notes = _table(trusted, parted, phase_of, means, gos, pairs, extent)
    counted = np.ones(len(means), bool) if config.edge_grains else ~table["edge"]
    return Grains(
        orientations, config, parted.labels, parted.core, means, table,
        _contacts(trusted, pairs, extent, phase_of, means, config.modulo_beam), counted,
        trusted, (*_words(trusted, config, table, counted), *notes),
    )  # fmt: skip


def trusted_points(orientations: OrientationMap, config: GrainConfig) -> OrientationMap:
    """Return the map with all points not indexed that do not count: below a limit, or no number."""
    good = orientations.indexed & np.isfinite(orientations.quaternions).all(axis=-1)
    for name, least in config.least.items():
        if name not in orientations.properties:
            known = ", ".join(orientations.properties) or "none"
            raise ValueError(f"The map has no property {name!r}; it has: {known}.")
        good &= orientations.properties[name] >= least
    q = np.where(good[..., None], orientations.quaternions, (1.0, 0.0, 0.0, 0.0))
    return replace(orientations, quaternions=q, phase_id=np.where(good, orientations.phase_id, -1))


def _part(trusted: OrientationMap, config: GrainConfig) -> Job[_Parted]:
    """Label the grains."""
    labels = yield from connected_parts(trusted, config.threshold, modulo_beam=config.modulo_beam)
    pieces = labels  # without twins merged
    if config.merge_twins and labels.any():
        yield Progress(4, 10, "Merging twins")
        labels = _merge_twins(trusted, labels, config)
    yield Progress(5, 10, "Small grains and gaps")
    grid = (trusted.step, trusted.periodic)
    whole = labels
    if config.small == "merge":
        labels = merge_small(labels, config.smallest, *grid)
    labels = drop_small(labels, config.smallest)
    if config.fill:
        labels = fill_gaps(labels, config.fill, *grid)
    core, parts = _core(labels, whole, pieces)
    return _Parted(labels, core, parts)


def _core(
    labels: NDArray[np.int32], whole: NDArray[np.int32], pieces: NDArray[np.int32]
) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """Points of the largest piece of each grain, and how many pieces its own part is made of.

    ``labels`` are the grains, ``whole`` they before small ones were merged and gaps filled, and
    ``pieces`` before twins were merged.
    """
    there = (labels > 0) & (pieces > 0)
    count, many = int(labels.max(initial=0)), int(pieces.max(initial=0)) + 1
    code, sizes = np.unique(
        labels[there].astype(np.int64) * many + pieces[there], return_counts=True
    )
    grain, piece = np.divmod(code, many)
    order = np.lexsort((-sizes, grain))
    lead = order[np.flatnonzero(np.diff(grain[order], prepend=-1))]
    largest = np.zeros(count + 1, np.int64)
    largest[grain[lead]] = piece[lead]
    core = there & (largest[labels] == pieces)
    whole_of = np.zeros(many, np.int64)
    whole_of[pieces[there]] = whole[there]
    same = whole_of[piece] == whole_of[largest[grain]]  # not small ones that were merged
    return core, np.bincount(grain[same], minlength=count + 1)[1:]


def _phases(trusted: OrientationMap, parted: _Parted) -> NDArray[np.int32]:
    phase_of = np.zeros(int(parted.labels.max(initial=0)) + 1, np.int32)
    phase_of[parted.labels[parted.core]] = trusted.phase_id[parted.core]
    return phase_of[1:]


def _merge_twins(
    trusted: OrientationMap, labels: NDArray[np.int32], config: GrainConfig
) -> NDArray[np.int32]:
    """Join neighbours whose means are twins by one of the laws."""
    from napari_orient.analysis.boundary_classes import is_law, parse_law
    from napari_orient.crystal.rotations import beam_operator, multiply

    every = _Parted(labels, labels > 0, np.zeros(0, np.int64))
    phase_of = _phases(trusted, every)
    means = mean_orientations(trusted, labels, phase_of, modulo_beam=config.modulo_beam)
    pairs, _ = contact_extents(labels, trusted.step, trusted.periodic)
    pairs = pairs[pairs[:, 0] > 0]
    twins = np.zeros(len(pairs), bool)
    refused: list[str] = []
    for text in config.merge_twins:
        fits = 0
        for number, phase in trusted.phases.items():
            own = (phase_of[pairs - 1] == number).all(axis=1)
            try:
                law = parse_law(text, phase)
            except ValueError as error:
                refused.append(str(error))
                continue
            fits += 1
            a, b = means[pairs[own] - 1].transpose(1, 0, 2)
            twins[own] |= is_law(a, b, law, phase)
            if config.modulo_beam:
                twins[own] |= is_law(multiply(a, beam_operator()), b, law, phase)
        if not fits:
            raise ValueError(refused[-1])
    return merge_pairs(labels, pairs[twins])


def _spread(
    trusted: OrientationMap,
    parted: _Parted,
    means: NDArray[np.float64],
    phase_of: NDArray[np.int32],
    modulo_beam: bool,
) -> NDArray[np.float64]:
    """Mean angle (n,) of the points of a grain to its mean."""
    core = np.where(parted.core, parted.labels, 0)
    angles = angles_to_means(trusted, core, means, phase_of, modulo_beam=modulo_beam)
    own = core[parted.core]
    total = np.bincount(own, angles[parted.core], len(means) + 1)
    return np.asarray(total[1:] / np.maximum(np.bincount(own, minlength=len(means) + 1)[1:], 1))


def _table(
    trusted: OrientationMap,
    parted: _Parted,
    phase_of: NDArray[np.int32],
    means: NDArray[np.float64],
    gos: NDArray[np.float64],
    pairs: NDArray[np.int32],
    extent: NDArray[np.float64],
) -> tuple[dict[str, NDArray[Any]], list[str]]:
    """Return the columns of :class:`Grains`, and what is to be said of them."""
    from napari_orient.crystal.rotations import to_euler

    labels, step, count = parted.labels, trusted.step, len(means)
    flat = labels.ndim == 2
    size = np.bincount(labels.ravel(), minlength=count + 1)[1:]
    extents = size * np.prod(step)
    shapes = measure_shapes(labels, step, trusted.periodic)
    euler = to_euler(means) if count else np.zeros((0, 3))
    table: dict[str, NDArray[Any]] = {"id": np.arange(1, count + 1), "phase": phase_of}
    table |= {"size": size, "area" if flat else "volume": extents}
    table["diameter"] = 2 * (np.sqrt(extents / np.pi) if flat else np.cbrt(extents * 0.75 / np.pi))
    table |= dict(zip(("phi1", "Phi", "phi2"), euler.T, strict=True))
    place = shapes.centroid + trusted.origin
    table |= dict(zip(trusted.axes, place.T, strict=True))
    table["aspect_ratio"] = shapes.aspect_ratio
    if flat:
        table["axis"] = np.degrees(np.arctan2(*shapes.longest.T)) % 180
    else:
        names = (f"axis_{name}" for name in trusted.axes)
        table |= dict(zip(names, shapes.longest.T, strict=True))
    table["perimeter" if flat else "surface"] = outlines(pairs, extent, count)
    table |= {"neighbours": neighbour_counts(pairs, count), "gos": gos, "parts": parted.parts}
    table["edge"] = edge_grains(labels, trusted.indexed, trusted.periodic)
    endless = int(shapes.endless.sum())
    notes = [f"{endless} of the grains reach round the whole periodic box: no centroid, and the "
             "aspect ratio says nothing."] if endless else []  # fmt: skip
    return table, notes


def _contacts(
    trusted: OrientationMap,
    pairs: NDArray[np.int32],
    extent: NDArray[np.float64],
    phase_of: NDArray[np.int32],
    means: NDArray[np.float64],
    modulo_beam: bool,
) -> Contacts:
    from napari_orient.crystal.rotations import misorientation_angle

    real = pairs[:, 0] > 0
    pairs, extent = pairs[real], extent[real]
    angle = np.full(len(pairs), np.nan)
    for number, phase in trusted.phases.items():
        own = (phase_of[pairs - 1] == number).all(axis=1) if len(pairs) else np.zeros(0, bool)
        if own.any():
            a, b = means[pairs[own] - 1].transpose(1, 0, 2)
            angle[own] = misorientation_angle(a, b, phase.point_group, modulo_beam=modulo_beam)
    return Contacts(pairs, extent, angle)


def _words(
    trusted: OrientationMap,
    config: GrainConfig,
    table: dict[str, NDArray[Any]],
    counted: NDArray[np.bool_],
) -> list[str]:
    """Say what statistics are over."""
    said = []
    touching, n = int(table["edge"].sum()), len(counted)
    if not n:
        said.append(
            "No grains: nothing is indexed that counts." if not trusted.indexed.any() else
            f"No grains of {config.smallest} points or more."
        )  # fmt: skip
    elif touching and not config.edge_grains:
        said.append(
            f"{touching} of {n} grains are cut by the edge of what was measured and left out of "
            "the statistics."
        )
    elif touching:
        said.append(f"{touching} of {n} grains are cut by the edge, and counted.")
    said += _strange_lattices(trusted)
    share = 1 - float(trusted.indexed.mean())
    if share > 0:
        said.append(f"{100 * share:.1f} % of the points are not indexed, or below a limit.")
    if config.modulo_beam:
        said.append("Half turns about the beam do not count as misorientations.")
    return said


def _strange_lattices(trusted: OrientationMap) -> list[str]:
    """Say which lattices do not have the symmetry by which misorientations are reduced."""
    from napari_orient.crystal.miller import check_lattice

    said = []
    for number in np.unique(trusted.phase_id[trusted.indexed]):
        try:
            check_lattice(trusted.phases[number])
        except ValueError as error:
            said.append(f"{error} Misorientations may be wrong.")
    return said
