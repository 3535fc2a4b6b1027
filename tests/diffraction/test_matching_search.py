"""Search through a library: symmetry, sides and signs, number types, edges."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from diffraction.matching_examples import RADIUS, calibration, crystal, draw, quantity
from scipy.spatial import cKDTree

from napari_orient.crystal.phases import get_phase
from napari_orient.crystal.rotations import (
    LAUE_GROUPS,
    beam_operator,
    from_axis_angle,
    laue_operators,
    misorientation_angle,
    multiply,
    random_orientations,
    rotate,
)
from napari_orient.data.scan import Descan
from napari_orient.diffraction.matching import search as search_module
from napari_orient.diffraction.matching.directions import (
    COVERING,
    beam_directions,
    behind,
    orientations_along,
    turned,
)
from napari_orient.diffraction.matching.library import build_library, pick_device, spectra
from napari_orient.diffraction.matching.polar import polar_grid, prepare, unroll
from napari_orient.diffraction.matching.search import _highest, _highest_in_torch, search
from napari_orient.diffraction.simulate import Spots, reflections, spots
from napari_orient.jobs import run

OPTICS = {"thickness_nm": 10.0, "precession_deg": 1.0}  # broad: coarse libraries are enough


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def grid_of(known, shape=(128, 128), max_g=1.2, power=0.4):
    return polar_grid(known, shape, radius=RADIUS, min_g=0.15, max_g=max_g, power=power)


def library_of(phase, grid, spacing=2.0, dtype=torch.float32, **options):
    options = {**OPTICS, **options}
    return run(
        build_library(phase, grid, voltage_kv=200, spacing_deg=spacing, dtype=dtype, **options)
    )


def spots_of(phase, quaternions, max_g=1.7):
    return spots(reflections(phase, max_g), quaternions, 200, **OPTICS)


def find(images, grid, libraries, k=5, spacing=2.0, positions=None, **options):
    values = unroll(prepare(images, grid, positions), grid, positions)
    return search(values, libraries, k, spacing_deg=spacing, **options)


@pytest.fixture(scope="module")
def trigonal():
    """A trigonal crystal, its library, and spots of known orientations."""
    phase = crystal("-3m")
    grid = grid_of(calibration(), max_g=1.5)
    q = random_orientations(24, 3)
    return phase, grid, library_of(phase, grid), q, spots_of(phase, q)


@pytest.mark.parametrize("group", [*LAUE_GROUPS, "312", "121"])
def test_directions_cover_the_sphere_and_are_not_more_than_needed(group):
    everywhere = np.random.default_rng(0).normal(size=(4000, 3))
    everywhere /= np.linalg.norm(everywhere, axis=1, keepdims=True)
    operators = laue_operators(group)
    for spacing in (1.5, 4.0):
        found = beam_directions(group, spacing)
        tree = cKDTree(np.concatenate([found, -found]))
        near = np.min([tree.query(rotate(s, everywhere))[0] for s in operators], axis=0)
        assert np.degrees(2 * np.arcsin(near.max() / 2)) <= COVERING * spacing
        whole = 4 * np.pi / np.radians(spacing) ** 2 / (2 * len(operators))
        border = 4 * np.sqrt(whole) + 4  # directions just outside, kept for its sake
        assert 0.97 * whole <= len(found) <= 1.03 * whole + border


def test_orientation_along_a_direction_has_the_beam_there():
    directions = np.array([[0, 0, 1.0], [0, 0, -1.0], [1, 0, 0], [0.6, -0.48, 0.64]])
    q = orientations_along(directions)
    np.testing.assert_allclose(rotate(q, np.array([0, 0, 1.0])), directions, atol=1e-12)


def sorted_spots(found, flip=False):
    xy = found.xy * [1, -1] if flip else found.xy
    rows = np.column_stack([xy, found.intensity])
    return rows[np.lexsort(rows.round(3).T[::-1])]


@pytest.mark.parametrize("group", LAUE_GROUPS)
def test_the_crystal_behind_has_the_mirrored_pattern(group):
    source = reflections(crystal(group), 1.0)
    q = random_orientations(1, 5)
    ahead, image = (spots(source, x, 200, min_intensity=1e-3, **OPTICS) for x in (q, behind(q)))
    a, b = sorted_spots(ahead, flip=True), sorted_spots(image)
    assert len(a) == len(b) > 3
    distance, partner = cKDTree(a[:, :2]).query(b[:, :2])
    assert distance.max() < 1e-5
    np.testing.assert_allclose(b[:, 2], a[partner, 2], rtol=1e-4, atol=1e-6)


def test_turning_a_crystal_turns_its_pattern_from_x_to_y():
    source = reflections(get_phase("LiNiO2"), 1.2)
    q = random_orientations(1, 7)
    before, after = spots(source, q, 200), spots(source, turned(q, np.radians([30.0])), 200)
    c, s = np.cos(np.radians(30)), np.sin(np.radians(30))
    np.testing.assert_allclose(after.xy, before.xy @ np.array([[c, s], [-s, c]]), atol=1e-6)


def test_spectra_are_those_of_the_pattern_they_stand_for():
    grid = grid_of(calibration())
    xy = np.array([[0.5, 0.3], [-0.2, 0.7], [0.9, -0.1]], np.float32)
    found = Spots(
        np.array([0, 3]), xy, np.array([1.0, 0.3, 0.1], np.float32), np.zeros(3, np.int32),
        np.zeros((1, 3), np.int32),
    )  # fmt: skip
    n_phi = 512
    phi = 2 * np.pi * np.arange(n_phi) / n_phi
    image = np.zeros((len(grid.g), n_phi))
    for (x, y), intensity in zip(xy, found.intensity, strict=True):
        g, at = np.hypot(x, y), np.arctan2(y, x)
        turn = (phi - at + np.pi) % (2 * np.pi) - np.pi
        ring = np.exp(-((grid.g - g) ** 2) / (2 * grid.sigma**2))
        image += intensity**0.4 * np.outer(ring, np.exp(-((turn * g / grid.sigma) ** 2) / 2))
    image *= np.sqrt(grid.g)[:, None]
    wanted = np.fft.rfft(image)[:, 1 : grid.modes + 1]
    wanted /= np.sqrt(2) * np.linalg.norm(wanted)
    got = torch.view_as_complex(spectra(found, grid))[0].numpy()
    np.testing.assert_allclose(got, wanted, atol=2e-6)


@pytest.mark.parametrize("group", LAUE_GROUPS)
def test_every_laue_class_is_found(group):
    phase, grid = crystal(group), grid_of(calibration(), max_g=1.5)
    spacing = 3.0 if group in ("-1", "2/m") else 2.0  # many directions: it takes seconds
    library = library_of(phase, grid, spacing)
    q = random_orientations(32, 11)
    found = find(draw(spots_of(phase, q), calibration()), grid, [library], spacing=spacing)
    error = misorientation_angle(found.quaternions, q[:, None], group)
    assert (error.min(axis=1) < 1.5 * spacing).mean() > 0.95
    assert np.median(error[:, 0]) < 0.55 * spacing
    assert (error[:, 0] < 3.0).mean() > 0.75


def test_fine_library_finds_all_orientations_of_clean_patterns():
    phase, q = get_phase("LiNiO2"), random_orientations(24, 3)
    grid = grid_of(calibration(), max_g=1.6)
    fine = library_of(phase, grid, spacing=1.0)
    found = find(draw(spots_of(phase, q), calibration()), grid, [fine], spacing=1.0)
    error = misorientation_angle(found.quaternions[:, 0], q, "-3m", modulo_beam=True)
    assert (error < 1.5).mean() > 0.9
    assert np.median(error) < 0.6
    assert (np.diff(found.score, axis=1) <= 0).all()
    assert 0.85 < np.median(found.score[:, 0]) <= 1.0


@pytest.mark.parametrize(
    "changes",
    [
        {"rotation": quantity(37.0, "deg")},
        {"flip": quantity(1.0)},
        {"rotation": quantity(-100.0, "deg"), "flip": quantity(1.0)},
        {"ellipse": quantity((1.12, 25.0))},
        {"centre": quantity((60.0, 71.5), "px")},
    ],
    ids=["rotation", "flip", "both", "ellipse", "centre"],
)
def test_what_the_calibration_knows_does_not_change_the_orientation(trigonal, changes):
    _, _, library, q, drawn = trigonal
    known = calibration(**changes)
    grid = grid_of(known, max_g=1.5)
    own = library_of(library.phase, grid)
    error = misorientation_angle(
        find(draw(drawn, known), grid, [own]).quaternions, q[:, None], "-3m"
    )
    assert (error.min(axis=1) < 3.0).mean() > 0.95
    # and the same patterns read without that knowledge are not indexed so
    blind = find(draw(drawn, known), library.grid, [library])
    wrong = misorientation_angle(blind.quaternions[:, 0], q, "-3m")
    assert (wrong < 1).mean() < (error[:, 0] < 1).mean() - 0.15


def test_drift_of_the_beam_is_followed(trigonal):
    _, _, library, q, drawn = trigonal
    grid = grid_of(calibration(), max_g=1.0)  # on the detector wherever the beam is
    library = library_of(library.phase, grid)
    known = calibration(descan=Descan(ky=(0.5, 0.0), kx=(0.0, -0.4), source="simulated"))
    position = (14.0, 20.0)
    images = draw(drawn, known, at=([position[0]], [position[1]]))
    moved = grid_of(known, max_g=1.0)
    at = np.tile(position, (len(q), 1))
    still = find(draw(drawn, calibration()), grid, [library])
    found = find(images, moved, [library_of(library.phase, moved)], positions=at)
    angle = misorientation_angle(found.quaternions[:, 0], still.quaternions[:, 0], "-3m")
    assert (angle < 0.5).mean() > 0.9
    np.testing.assert_allclose(found.score[:, 0], still.score[:, 0], atol=0.03)
    lost = find(images, moved, [library])  # without positions
    assert np.median(lost.score[:, 0]) < np.median(found.score[:, 0]) - 0.1


def test_edges_of_the_detector_cost_no_score(trigonal):
    phase, _, _, _, _ = trigonal
    known = calibration(centre=quantity((40.0, 60.0), "px"))
    grid = grid_of(known, max_g=1.6)
    assert 0.4 < grid.seen.mean() < 0.9
    library = library_of(phase, grid)
    ahead = turned(library.quaternions[::40], np.linspace(0, 6, len(library.quaternions[::40])))
    for q in (ahead, behind(ahead)):
        found = find(draw(spots_of(phase, q, 1.9), known), grid, [library])
        error = misorientation_angle(found.quaternions, q[:, None], "-3m")
        assert (error.min(axis=1) < 1.0).mean() > 0.95
        assert np.median(found.score[:, 0]) > 0.9
    assert found.score.max() < 1.05


def test_number_types_of_patterns_do_not_matter(trigonal):
    _, grid, library, _, drawn = trigonal
    images = draw(drawn, calibration(), spot_counts=3000.0, background_counts=3000.0).round()
    assert images.max() < 256
    wanted = find(images, grid, [library])
    for dtype in (np.uint8, np.uint16, np.int32, np.float64, ">u2"):
        found = find(images.astype(dtype), grid, [library])
        np.testing.assert_array_equal(found.quaternions, wanted.quaternions)
    scaled = find(images * 1e-3, grid, [library])  # gain is unknown: only ratios count
    np.testing.assert_allclose(scaled.score, wanted.score, atol=1e-3)


def test_bfloat16_leads_to_the_same_candidates(trigonal):
    phase, grid, library, _, drawn = trigonal
    images = draw(drawn, calibration())
    wanted = find(images, grid, [library])
    found = find(images, grid, [library_of(phase, grid, dtype=torch.bfloat16)])
    np.testing.assert_allclose(found.score[:, 0], wanted.score[:, 0], atol=2e-3)
    angle = misorientation_angle(found.quaternions[:, 0], wanted.quaternions[:, 0], "-3m")
    assert (angle < 2.5).all()
    assert (angle < 1e-3).mean() > 0.9


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_a_gpu_leads_to_the_same_candidates(trigonal):
    phase, grid, library, _, drawn = trigonal
    images = draw(drawn, calibration())
    wanted = find(images, grid, [library])
    found = find(images, grid, [library_of(phase, grid, device="cuda")])
    np.testing.assert_allclose(found.score[:, 0], wanted.score[:, 0], atol=1e-4)
    assert (
        misorientation_angle(found.quaternions[:, 0], wanted.quaternions[:, 0], "-3m") < 0.1
    ).all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_compiled_maximum_is_that_of_torch(dtype):
    draw_from = torch.Generator().manual_seed(0)
    u, v = (torch.randn(7, 3, 20, generator=draw_from).to(dtype) for _ in range(2))
    gain = 1 + torch.rand(2, 7, 20, generator=draw_from)
    exact = _highest_in_torch(u.float(), v.float(), gain)
    torch.testing.assert_close(_highest(u, v, gain), exact, rtol=0, atol=1e-6)


def test_candidates_are_apart_and_the_half_turn_is_among_them(trigonal):
    _, grid, library, q, drawn = trigonal
    found = find(draw(drawn, calibration()), grid, [library], k=8)
    for i in range(8):
        for j in range(i):
            a, b = found.quaternions[:, i], found.quaternions[:, j]
            both = np.isfinite(found.score[:, [i, j]]).all(1)
            assert (misorientation_angle(a, b, "-3m")[both] >= 4.99).all()
    half_turn = multiply(q, beam_operator())
    partner = misorientation_angle(found.quaternions, half_turn[:, None], "-3m").min(axis=1)
    assert (partner < 4).mean() > 0.5


def test_distinct_solutions_are_farther_apart_than_was_asked_for():
    """Of the best first: its equivalent and what is 4.9 degrees off are dropped, 5.1 are kept."""
    operators, start = laue_operators("-3m"), random_orientations(1, 4)[0]
    off = [multiply(start, from_axis_angle(np.array([1.0, 2.0, 3.0]), d)) for d in (4.9, 5.1, 20)]
    q = np.stack([start, multiply(operators[4], start), *off])[None]
    q[0, 3] = multiply(operators[3], q[0, 3])
    score = np.array([[0.9, 0.8, 0.7, 0.6, -np.inf]], np.float32)
    taken, heights = search_module._distinct(q, score, operators, 3, np.radians(5.0))
    np.testing.assert_array_equal(taken[0], [q[0, 0], q[0, 3], [np.nan] * 4])
    np.testing.assert_array_equal(heights[0], np.float32([0.9, 0.6, -np.inf]))


def test_memory_is_bounded_without_another_answer(trigonal):
    _, grid, library, _, drawn = trigonal
    images = draw(drawn, calibration())
    few, many = (find(images, grid, [library], memory_mb=mb) for mb in (1, 1000))
    np.testing.assert_allclose(few.score, many.score, atol=1e-5)


def test_the_working_memory_is_what_was_asked_for(trigonal, monkeypatch):
    _, grid, library, _, drawn = trigonal
    used = {"all angles": [], "scored again": []}
    highest, curves = search_module._highest, search_module._curves

    def watched(u, v, gain):
        used["all angles"].append(u.nbytes + v.nbytes)
        return highest(u, v, gain)

    def watched_curves(patterns, library, pool):
        used["scored again"].append(pool.numel() * library.rows[0].nbytes)
        return curves(patterns, library, pool)

    monkeypatch.setattr(search_module, "_highest", watched)
    monkeypatch.setattr(search_module, "_curves", watched_curves)
    find(draw(drawn, calibration()), grid, [library], memory_mb=4)
    for sizes in used.values():
        assert len(sizes) > 1
        assert 2**20 < max(sizes) <= 4 * 2**20


def test_phases_share_one_ranking():
    grid = grid_of(calibration())
    phases = [get_phase("Au"), get_phase("LiNiO2")]
    libraries = [library_of(p, grid) for p in phases]
    q = random_orientations(6, 2)
    for number, phase in enumerate(phases):
        found = find(draw(spots_of(phase, q), calibration()), grid, libraries, k=6)
        assert (found.phase_id[:, 0] == number).all()
        assert (np.diff(found.score, axis=1) <= 0).all()
        assert set(np.unique(found.phase_id)) == {0, 1}


def test_empty_patterns_have_no_score(trigonal):
    _, grid, library, _, _ = trigonal
    assert find(np.zeros((0, 128, 128)), grid, [library], k=4).quaternions.shape == (0, 4, 4)
    found = find(np.zeros((2, 128, 128)), grid, [library])
    assert not np.isnan(found.score).any()
    assert np.abs(found.score[np.isfinite(found.score)]).max() == 0


def test_average_is_the_mean_over_a_disk():
    grid = grid_of(calibration(), power=1.0)
    assert grid.radius == pytest.approx(3.0)
    dy, dx = np.indices((7, 7)) - 3
    disk = np.hypot(dy, dx) <= 3
    image = np.full((128, 128), 100.0)
    image[90:96, 40:47] += np.random.default_rng(0).integers(0, 1000, (6, 7))
    found = prepare(image[None], grid).images[0]
    for y, x in ((93, 44), (88, 42), (91, 49), (97, 45)):
        wanted = image[y - 3 : y + 4, x - 3 : x + 4][disk].mean() - 100
        assert found[y, x] == pytest.approx(wanted, rel=1e-4, abs=1e-3)
    assert found[30, 30] == pytest.approx(0, abs=1e-3)


def test_round_background_goes_and_spots_stay():
    grid = grid_of(calibration())
    y, x = np.indices((128, 128)) - 64.0
    g = np.hypot(y, x) * 0.02
    smooth = 1000 / (1 + (g / 0.35) ** 2) ** 1.5
    spot = np.where((y - 30) ** 2 + (x + 20) ** 2 <= 9, 2000.0, 0.0)
    flat, both = prepare(np.stack([smooth, smooth + spot]), grid).images
    assert np.abs(flat).max() < 0.03 * both.max()
    assert np.unravel_index(both.argmax(), both.shape) == (94, 44)
    assert (both[(g < 0.15) | (g > 1.2)] == 0).all()


def test_pixels_without_a_count_add_nothing(trigonal):
    _, grid, _, _, drawn = trigonal
    images = draw(drawn, calibration(), background_counts=3000.0).astype(np.float32)
    broken = images.copy()
    broken[:, 50, 90], broken[:, 80, 20] = np.nan, -5.0
    images[:, 50, 90], images[:, 80, 20] = 0, 0
    np.testing.assert_array_equal(prepare(broken, grid).images, prepare(images, grid).images)


def test_what_cannot_be_searched_is_refused(trigonal):
    _, grid, library, _, _ = trigonal
    low = polar_grid(calibration(), (128, 128), radius=0.02, min_g=0.05, max_g=0.15)
    with pytest.raises(ValueError, match="no reflection"):
        library_of(get_phase("Au"), low)
    with pytest.raises(ValueError, match="spacing must be positive"):
        beam_directions("m-3m", 0.0)
    with pytest.raises(ValueError, match="are needed"):
        prepare(np.zeros((1, 64, 64)), grid)
    with pytest.raises(ValueError, match="no phase"):
        search(np.zeros((1, len(grid.g), grid.n_phi), np.float32), [])
    with pytest.raises(ValueError, match="other rings"):
        search(np.zeros((1, 3, 8), np.float32), [library])
    with pytest.raises(ValueError, match="pixel size"):
        grid_of(calibration(pixel_size=None))
    if not torch.cuda.is_available():
        with pytest.raises(ValueError, match="no CUDA device"):
            pick_device("cuda")
        assert pick_device("auto").type == "cpu"


def test_gain_is_one_over_the_norm_of_what_is_seen():
    grid = grid_of(calibration(centre=quantity((50.0, 70.0), "px")), max_g=1.5)
    library = library_of(get_phase("Au"), grid, spacing=5.0)
    assert not grid.seen.all()
    modes = torch.view_as_complex(library.rows).numpy()
    padded = np.pad(modes, ((0, 0), (0, 0), (1, grid.n_phi // 2 - grid.modes)))
    for side, spectrum in enumerate((padded, padded.conj())):
        rings = np.fft.irfft(spectrum, grid.n_phi) * grid.n_phi
        for template, angle in ((0, 0), (3, 17), (20, 101)):
            turned_rings = np.roll(rings[template], angle, axis=1)
            power = 0.0
            for ring, seen in zip(turned_rings, grid.seen, strict=True):
                power += ((ring[seen] - ring[seen].mean()) ** 2).sum() if seen.any() else 0.0
            wanted = 1 / np.sqrt(max(power / grid.n_phi, 0.2))
            assert library.gain[side, angle, template] == pytest.approx(wanted, rel=1e-4)


def test_templates_of_a_coarse_library_are_as_wide_as_its_cells():
    """A square of side a has its points, in the mean of squares, a^2 / 6 from its middle."""
    grid, phase = grid_of(calibration(), max_g=1.0), get_phase("Au")
    library = library_of(phase, grid, spacing=6.0)
    source = reflections(phase, float(grid.g[-1]) + 2 * grid.sigma)
    wide = spots(
        source, library.quaternions, 200, thickness_nm=10.0, precession_deg=np.sqrt(1 + 36 / 6)
    )
    torch.testing.assert_close(library.rows, spectra(wide, grid), rtol=1e-4, atol=1e-6)


def test_neighbours_are_the_nearest_directions_of_all_equivalents():
    library = library_of(get_phase("Au"), grid_of(calibration(), max_g=1.0), spacing=6.0)
    z = np.array([0.0, 0.0, 1.0])
    base = np.concatenate([library.quaternions, behind(library.quaternions)])
    directions = rotate(base, z)
    images = np.stack([rotate(s, directions) for s in laue_operators("m-3m")])
    angle = np.degrees(np.arccos(np.clip(np.einsum("sjc,ic->ijs", images, directions), -1, 1)))
    near = angle.min(axis=2)
    for i, own in enumerate(library.neighbours.numpy()):
        assert near[i, own].max() <= np.sort(angle[i].ravel())[8] + 1e-6


def test_between_angles_of_the_grid_the_parabola_is_exact():
    at, height = torch.tensor([[3.3, 6.8]]), torch.tensor([[0.9, 0.7]])
    curves = height[..., None] - 0.05 * (torch.arange(10) - at[..., None]) ** 2
    shift, top = search_module._parabola(curves, curves.argmax(-1, keepdim=True))
    torch.testing.assert_close(curves.argmax(-1) + shift[..., 0], at, rtol=0, atol=1e-5)
    torch.testing.assert_close(top[..., 0], height, rtol=0, atol=1e-5)
