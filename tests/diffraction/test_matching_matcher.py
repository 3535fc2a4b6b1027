"""From simulated patterns to orientations and phases, whatever camera took them; clear refusals."""

from __future__ import annotations

import numpy as np
import pytest

from napari_orient.crystal.phases import get_phase
from napari_orient.crystal.rotations import misorientation_angle, random_orientations
from napari_orient.data.reciprocal import scan_to_pattern, to_pattern
from napari_orient.data.scan import Calibration, Quantity, Scan
from napari_orient.diffraction.matching.config import IndexConfig
from napari_orient.diffraction.matching.index import adapted, index_scan
from napari_orient.diffraction.matching.matcher import build_matcher
from napari_orient.diffraction.simulate import Spots, pattern_images, reflections, spots
from napari_orient.jobs import Partial, in_process, on_dask, run

SHAPE = (80, 80)
PIXEL = 0.035
RADIUS = 0.07


def known(value, unit="", source="measured"):
    return Quantity(value=value, unit=unit, source=source)


def camera(**changes):
    made = {
        "pixel_size": known((PIXEL, PIXEL), "1/angstrom"), "centre": known((39.5, 40.25), "px"),
        "voltage": known(200.0, "kV"), "precession": known(0.8, "deg"),
        "convergence": known(1e3 * RADIUS * 0.02508, "mrad"),
    }  # fmt: skip
    return Calibration(**{**made, **changes})


def patterns_of(phase, quaternions, calibration, seed=3, dtype=np.uint16):
    """Draw patterns as the camera sees them: each spot where the calibration takes it."""
    found = spots(reflections(get_phase(phase), 1.9), quaternions, 200.0, precession_deg=0.8,
                  thickness_nm=30.0)  # fmt: skip
    ky, kx = to_pattern(calibration, *scan_to_pattern(calibration, found.xy[:, 1], found.xy[:, 0]))
    centre = calibration.centre.pair
    seen = np.stack([kx - centre[1], ky - centre[0]], axis=1) * PIXEL
    drawn = Spots(found.starts, seen.astype(np.float32), found.intensity, found.reflection,
                  found.hkl)  # fmt: skip
    return pattern_images(
        drawn, SHAPE, PIXEL, centre=centre, radius=RADIUS, spot_counts=20000, power=0.7,
        direct_counts=40000, background_counts=8000, noise_seed=seed, dtype=dtype,
    )  # fmt: skip


def orientations(n, seed):
    return np.asarray(random_orientations(n, seed=seed))


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"rotation": known(37.0, "deg"), "flip": known(1.0)},
        {"ellipse": known((1.1, 25.0)), "rotation": known(-110.0, "deg")},
    ],
)
def test_orientations_are_found_with_any_camera(changes):
    calibration, true = camera(**changes), orientations(16, seed=5)
    patterns = patterns_of("Au", true, calibration)
    config = IndexConfig(phases=("Au",), spacing_deg=3.0, levelling=0.7)
    matcher = run(build_matcher(calibration, SHAPE, config))
    found = matcher.match(patterns)
    angle = misorientation_angle(found.quaternions[:, 0], true, "m-3m", modulo_beam=True)
    assert found.indexed.all()
    assert (angle < 2).mean() > 0.9
    assert np.median(angle) < 0.5


def test_phases_are_told_apart_in_one_scan():
    calibration = camera()
    gold, silicon = orientations(8, seed=1), orientations(8, seed=2)
    data = np.concatenate(
        [patterns_of("Au", gold, calibration), patterns_of("Si", silicon, calibration)]
    ).reshape(2, 8, *SHAPE)
    config = IndexConfig(phases=("Si", "Au"), spacing_deg=3.0, candidates=4)
    made = run(index_scan(Scan(data, calibration), config))
    assert made.provenance["exploratory"] == ""
    assert (made.phase_id[0] == 1).mean() > 0.8
    assert (made.phase_id[1] == 0).mean() > 0.8
    assert [p.name for p in made.phases.values()] == ["Si", "Au"]
    right = made.phase_id == np.array([[1], [0]])
    true = np.stack([gold, silicon])
    angle = misorientation_angle(made.quaternions[right], true[right], "m-3m", modulo_beam=True)
    assert np.median(angle) < 0.5
    assert made.candidates.count == 4
    best = np.abs(np.sum(made.candidates.quaternions[:, :, 0] * made.quaternions, axis=-1))
    np.testing.assert_allclose(best[made.indexed], 1, atol=1e-5)
    score = made.candidates.score
    assert (np.diff(score, axis=-1) <= 0)[np.isfinite(score[..., 1:])].all()
    np.testing.assert_allclose(made.properties["Q"], 100 * score[..., 0], rtol=1e-5)


@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.float64])
def test_number_types_and_dead_pixels_do_not_matter(dtype):
    calibration, true = camera(), orientations(6, seed=9)
    patterns = patterns_of("Au", true, calibration).astype(float)
    matcher = run(build_matcher(calibration, SHAPE, IndexConfig(phases=("Au",), spacing_deg=3.0)))
    expected = matcher.match(patterns.astype(np.uint16))
    given = (patterns.clip(0, 255) if dtype == np.uint8 else patterns).astype(dtype)
    if dtype == np.float64:
        given[:, 3, 70], given[:, 60, 5] = np.nan, np.inf
    found = matcher.match(given)
    angle = misorientation_angle(
        found.quaternions[:, 0], expected.quaternions[:, 0], "m-3m", modulo_beam=True
    )
    assert (angle < 1).all()
    assert np.isfinite(found.q).all()


def test_patterns_of_nothing_do_not_disturb():
    matcher = run(build_matcher(camera(), SHAPE, IndexConfig(phases=("Au",), spacing_deg=5.0)))
    empty = np.zeros((3, *SHAPE), np.uint16)
    empty[1] = 7
    for least in (None, 0.0):
        config = matcher.asked.model_copy(update={"min_q": least})
        found = adapted(matcher, config).match(empty)
        assert not found.indexed.any()
        assert np.isfinite(found.q).all()


def test_without_refinement_the_library_decides():
    calibration, true = camera(), orientations(12, seed=4)
    patterns = patterns_of("Au", true, calibration)
    errors = []
    for refine in (False, True):
        config = IndexConfig(phases=("Au",), spacing_deg=4.0, refine=refine)
        found = run(build_matcher(calibration, SHAPE, config)).match(patterns)
        angle = misorientation_angle(found.quaternions[:, 0], true, "m-3m", modulo_beam=True)
        errors.append(np.median(angle))
    assert errors[1] < 0.6 < errors[0] < 3


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({}, "no phase is given"),
        ({"phases": ("Au", "au")}, "Au is given twice"),
        ({"phases": ("Unobtainium",)}, "no phase is called 'Unobtainium'"),
        (
            {"phases": ("Au",), "max_g": 0.3, "min_g": 0.1},
            r"Au cannot.*before its first reflection",
        ),
        ({"phases": ("Au",), "min_g": 1.9, "max_g": 1.95}, "Au cannot be found|no reflection"),
        ({"phases": ("Au",), "pixel_size": 0.0001}, "nothing is left between the direct beam"),
    ],
)
def test_what_cannot_be_indexed_is_refused_in_words(config, words):
    with pytest.raises(ValueError, match=words):
        run(build_matcher(camera(), SHAPE, IndexConfig(**config)))


def test_an_uncalibrated_scan_is_refused_or_exploratory():
    bare = Calibration(centre=known((40.0, 40.0), "px", "default"))
    asked = IndexConfig(phases=("Au",), spacing_deg=5.0)
    with pytest.raises(ValueError, match=r"acceleration voltage is unknown: give it in kV"):
        run(build_matcher(bare, SHAPE, asked))
    typed = asked.model_copy(update={"voltage_kv": 200.0, "pixel_size": PIXEL})
    matcher = run(build_matcher(bare, SHAPE, typed))
    assert "is typed" in matcher.exploratory
    scan = Scan(patterns_of("Au", orientations(4, 1), camera()).reshape(2, 2, *SHAPE), bare)
    made = run(index_scan(scan, typed, matcher=matcher))
    assert "is typed" in made.provenance["exploratory"]


def small_scan():
    true = orientations(6, seed=11)
    data = patterns_of("Au", true, camera()).reshape(2, 3, *SHAPE)
    return Scan(data, camera(), name="small"), true.reshape(2, 3, 4)


def check_far(made, events, true):
    angle = misorientation_angle(made.quaternions, true, "m-3m", modulo_beam=True)
    assert np.median(angle) < 0.5
    assert made.done.all()
    last = [event for event in events if isinstance(event, Partial)][-1]
    np.testing.assert_array_equal(last.value.quaternions, made.quaternions)
    assert made.phases[0].name == "Au"


@pytest.mark.slow  # the child imports torch and compiles
def test_it_runs_in_another_process():
    scan, true = small_scan()
    config, events = IndexConfig(phases=("Au",), spacing_deg=4.0, threads=1), []
    made = run(in_process(index_scan, scan, config), events.append)
    check_far(made, events, true)


# distributed's own shutdown leaves sockets and loops to the garbage collector
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_it_runs_on_a_cluster():
    distributed = pytest.importorskip("distributed", reason="needs napari-orient[cluster]")
    scan, true = small_scan()
    config, events = IndexConfig(phases=("Au",), spacing_deg=4.0, threads=1), []
    with (
        distributed.LocalCluster(
            n_workers=1, threads_per_worker=1, processes=False, dashboard_address=None
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        made = run(on_dask(client, index_scan, scan, config), events.append)
    check_far(made, events, true)
