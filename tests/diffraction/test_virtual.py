"""Virtual detectors against sums written out in plain numpy."""

from __future__ import annotations

import time

import h5py
import numpy as np
import pytest
from pydantic import ValidationError

from napari_orient.data.scan import Calibration, Quantity, Scan
from napari_orient.diffraction import virtual
from napari_orient.diffraction.virtual import (
    Annulus,
    CopyNotReady,
    Disk,
    Rectangle,
    ScanTooLarge,
    VirtualDetector,
    VirtualImager,
    bright_field,
    compose_rgb,
    dark_field,
    virtual_image,
)
from napari_orient.jobs import Partial, Progress, run

SHAPE = (11, 13, 24, 30)
DISK = Disk(centre=(11.3, 14.0), radius=5)
RING = Annulus(centre=(12, 15), inner=4, outer=9.5)
BOX = Rectangle(centre=(8, 20), size=(5, 8))
SHAPES = {"disk": (DISK,), "annulus": (RING,), "rectangle": (BOX,), "union": (DISK, RING, BOX)}
SIGNALS = ["sum", "mean", "std", "com_y", "com_x", "com_magnitude", "com_direction"]
CENTRE = (11.5, 14.25)


def counts(dtype, shape=SHAPE, seed=0):
    rng = np.random.default_rng(seed)
    dtype = np.dtype(dtype)
    if dtype.kind == "f":
        return rng.normal(100, 20, shape).astype(dtype)
    if dtype.kind == "b":
        return rng.random(shape) < 0.3
    top = min(np.iinfo(dtype).max, 70_000)
    return rng.integers(top, size=shape, endpoint=True).astype(dtype)


def scan_of(data, **more):
    calibration = Calibration(centre=Quantity(value=CENTRE, unit="px", source="measured"))
    return Scan(data, calibration, **more)


def prepared(scan, **more):
    imager = VirtualImager(scan, **more)
    run(imager.prepare())
    return imager


def expected(data, mask, signal="sum", centre=CENTRE):
    """The signal by its definition, pixel list by pixel list."""
    pixels = np.asarray(data, dtype=np.float64)[:, :, mask]
    if signal in ("sum", "mean", "std"):
        return getattr(np, f"nan{signal}")(pixels, axis=-1)
    ky, kx = np.nonzero(mask)
    total = np.nansum(pixels, axis=-1)
    dky = np.nansum(pixels * ky, axis=-1) / total - centre[0]
    dkx = np.nansum(pixels * kx, axis=-1) / total - centre[1]
    return {
        "com_y": dky,
        "com_x": dkx,
        "com_magnitude": np.hypot(dky, dkx),
        "com_direction": np.degrees(np.arctan2(dky, dkx)),
    }[signal]


@pytest.fixture(params=["memory", "memmap", "h5_blocks", "h5_patterns", "h5_plain", "dask"])
def stored(request, tmp_path):
    """A function that stores an array in one of the ways in which scans are stored."""
    import dask.array

    opened = []

    def store(data):
        if request.param == "memory":
            return data
        if request.param == "memmap":
            np.save(tmp_path / "scan.npy", data)
            return np.load(tmp_path / "scan.npy", mmap_mode="r")
        if request.param == "dask":
            return dask.array.from_array(data, chunks=(4, 5, 24, 30))
        chunks = {"h5_blocks": (4, 4, 8, 8), "h5_patterns": (1, 1, 24, 30), "h5_plain": None}
        opened.append(h5py.File(tmp_path / "scan.h5", "w"))
        return opened[-1].create_dataset("scan", data=data, chunks=chunks[request.param])

    yield store
    for file in opened:
        file.close()


# --------------------------------------------------------------------------- shapes


def test_disk_has_pixel_centres_at_integers():
    mask = Disk(centre=(2, 3), radius=1).mask((5, 7))
    assert sorted(zip(*np.nonzero(mask), strict=True)) == [(1, 3), (2, 2), (2, 3), (2, 4), (3, 3)]
    assert Disk(centre=(2, 3), radius=5).mask((200, 200)).sum() < 81  # cut by the border
    assert Disk(centre=(50, 50), radius=5).mask((100, 100)).sum() == 81


def test_annulus_is_the_difference_of_disks_with_both_edges():
    ring = Annulus(centre=(10, 10), inner=3, outer=6).mask((21, 21))
    outer = Disk(centre=(10, 10), radius=6).mask((21, 21))
    inner = Disk(centre=(10, 10), radius=3).mask((21, 21))
    edge = np.zeros((21, 21), bool)
    edge[[7, 13, 10, 10], [10, 10, 7, 13]] = True
    np.testing.assert_array_equal(ring, (outer & ~inner) | edge)


@pytest.mark.parametrize("centre", [(10, 10), (10.5, 10.2), (9.99, 11.5)])
def test_rectangle_has_height_times_width_pixels(centre):
    for size in [(3, 4), (1, 1), (5, 8)]:
        mask = Rectangle(centre=centre, size=size).mask((21, 21))
        assert (mask.any(axis=1).sum(), mask.any(axis=0).sum()) == size


def test_an_overlap_counts_once():
    detector = VirtualDetector(shapes=SHAPES["union"])
    assert detector.mask((24, 30)).sum() < sum(s.mask((24, 30)).sum() for s in SHAPES["union"])


def test_shapes_move_and_resize_into_new_objects():
    assert DISK.moved(1, -2) == Disk(centre=(12.3, 12.0), radius=5)
    assert DISK.centre == (11.3, 14.0)
    assert DISK.resized(-3).radius == 0
    assert RING.resized(inner=12) == Annulus(centre=(12, 15), inner=12, outer=12)
    assert RING.resized(outer=2) == Annulus(centre=(12, 15), inner=2, outer=2)
    assert BOX.scaled(2).size == (10, 16)
    both = VirtualDetector(name="two", shapes=(DISK, BOX)).moved(1, 1)
    assert [shape.centre for shape in both.shapes] == [(12.3, 15.0), (9, 21)]


def test_impossible_shapes_are_refused():
    with pytest.raises(ValidationError, match="exceeds the outer"):
        Annulus(centre=(0, 0), inner=3, outer=2)
    with pytest.raises(ValidationError):
        Disk(centre=(0, 0), radius=-1)
    with pytest.raises(ValidationError, match="cannot have the size"):
        Rectangle(centre=(0, 0), size=(-1, 2))


def test_a_detector_survives_yaml(tmp_path):
    detector = VirtualDetector(name="a", shapes=SHAPES["union"], signal="std", colour=(1, 0, 0.5))
    detector.to_yaml(tmp_path / "detector.yaml")
    assert VirtualDetector.from_yaml(tmp_path / "detector.yaml") == detector


def test_presets_sit_on_the_beam():
    calibration = scan_of(counts("u1")).calibration
    assert bright_field(calibration, 4).shapes == (Disk(centre=CENTRE, radius=4),)
    assert dark_field(calibration, 5, 9).shapes == (Annulus(centre=CENTRE, inner=5, outer=9),)
    with pytest.raises(ValueError, match="no beam centre"):
        bright_field(Calibration(), 4)


# --------------------------------------------------------------------------- agreement


@pytest.mark.parametrize("shapes", SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize("dtype", ["u1", "u2", "f4"])
def test_sums_agree_with_numpy_live_and_from_anywhere(stored, dtype, shapes):
    data = counts(dtype)
    scan = scan_of(stored(data))
    detector = VirtualDetector(shapes=shapes)
    wanted = expected(data, detector.mask(SHAPE[2:])).astype(np.float32)
    for image in (prepared(scan).image(detector), run(virtual_image(scan, detector))):
        assert image.dtype == np.float32
        assert image.shape == SHAPE[:2]
        if dtype == "f4":
            np.testing.assert_allclose(image, wanted, rtol=2e-7)
        else:
            np.testing.assert_array_equal(image, wanted)


@pytest.mark.parametrize("signal", SIGNALS)
@pytest.mark.parametrize("dtype", ["u1", "u2", "f4"])
def test_signals_agree_with_numpy(stored, dtype, signal):
    data = counts(dtype)
    scan = scan_of(stored(data))
    detector = VirtualDetector(shapes=SHAPES["union"], signal=signal)
    wanted = expected(data, detector.mask(SHAPE[2:]), signal)
    for image in (prepared(scan).image(detector), run(virtual_image(scan, detector))):
        np.testing.assert_allclose(image, wanted, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    "dtype", ["?", "i1", "i2", "i4", "i8", "u4", "u8", "f2", "f8", ">u2", ">f4"]
)
def test_every_number_type_works(dtype):
    data = counts(dtype, (4, 5, 9, 8))
    scan = scan_of(data)
    for signal in ("sum", "std"):
        detector = VirtualDetector(shapes=(Disk(centre=(4, 3), radius=3),), signal=signal)
        wanted = expected(data, detector.mask((9, 8)), signal)
        for image in (prepared(scan).image(detector), run(virtual_image(scan, detector))):
            np.testing.assert_allclose(image, wanted, rtol=1e-5)


def test_full_pixels_do_not_overflow():
    """The largest counts, with more pixels than the narrow accumulators hold at once."""
    for dtype, shape in (("u1", (2, 3, 40, 300)), ("u2", (1, 2, 300, 300))):
        data = np.full(shape, np.iinfo(dtype).max, dtype)
        scan = scan_of(data)
        everything = Rectangle(centre=(150, 150), size=(400, 400))
        for signal in ("sum", "com_x", "std"):
            detector = VirtualDetector(shapes=(everything,), signal=signal)
            wanted = expected(data, np.ones(shape[2:], bool), signal)
            for image in (prepared(scan).image(detector), run(virtual_image(scan, detector))):
                np.testing.assert_allclose(image, wanted, rtol=1e-6, atol=1e-6)


def test_non_contiguous_and_unaligned_arrays_work():
    data = counts("u2", (6, 8, 9, 10))
    raw = np.frombuffer(b"x" + data.tobytes(), np.uint8)[1:].view("u2").reshape(data.shape)
    detector = VirtualDetector(shapes=(Disk(centre=(4, 4), radius=3),))
    for array in (data[::2, :, ::-1], np.moveaxis(data, 0, 1), raw):
        wanted = expected(array, detector.mask(array.shape[2:]))
        np.testing.assert_array_equal(run(virtual_image(scan_of(array), detector)), wanted)
        np.testing.assert_array_equal(prepared(scan_of(array)).image(detector), wanted)


# --------------------------------------------------------------------------- live


@pytest.mark.parametrize("signal", ["sum", "std", "com_x"])
@pytest.mark.parametrize("dtype", ["u1", "u2", "f4"])
def test_a_hundred_moves_leave_no_trace(dtype, signal):
    data = counts(dtype)
    imager = prepared(scan_of(data))
    rng = np.random.default_rng(1)
    detector = VirtualDetector(name="moving", shapes=(RING,), signal=signal)
    for _ in range(100):
        shape = RING.moved(*rng.uniform(-15, 15, 2)).resized(inner=rng.uniform(0, 6))
        small = shape.moved(*rng.uniform(-1.5, 1.5, 2))
        for step in (shape, small):
            image = imager.image(detector.with_shapes(step))
    fresh = prepared(scan_of(data)).image(detector.with_shapes(small))
    np.testing.assert_array_equal(image, fresh)


def test_small_moves_only_touch_what_changed(monkeypatch):
    from napari_orient.diffraction import kernels

    read = []
    original = kernels.add_planes

    def counted(data, planes, sign, out):
        read.append(len(planes))
        original(data, planes, sign, out)

    monkeypatch.setattr(kernels, "add_planes", counted)
    imager = prepared(scan_of(counts("u1")))
    detector = VirtualDetector(shapes=(Disk(centre=(12, 15), radius=6),))
    imager.image(detector)
    imager.image(detector.moved(1, 0))
    assert read == [113, 13, 13]
    imager.image(detector.moved(1, 0))
    assert read == [113, 13, 13]  # nothing changed: nothing is read


def test_detectors_do_not_disturb_each_other():
    data = counts("u2")
    imager = prepared(scan_of(data))
    for step in range(4):
        for name, shape in (("a", DISK), ("b", RING)):
            detector = VirtualDetector(name=name, shapes=(shape.moved(step, 1),))
            wanted = expected(data, detector.mask(SHAPE[2:]))
            np.testing.assert_array_equal(imager.image(detector), wanted.astype(np.float32))


def test_the_image_belongs_to_the_caller():
    imager = prepared(scan_of(counts("u1")))
    detector = VirtualDetector(shapes=(DISK,))
    first = imager.image(detector)
    kept = first.copy()
    first[:] = -1
    np.testing.assert_array_equal(imager.image(detector), kept)


def test_two_threads_may_ask_at_once():
    from concurrent.futures import ThreadPoolExecutor

    data = counts("u1")
    imager = prepared(scan_of(data))
    detectors = [VirtualDetector(shapes=(RING.moved(n % 5, -n % 7),)) for n in range(40)]
    with ThreadPoolExecutor(4) as pool:
        images = list(pool.map(imager.image, detectors))
    for detector, image in zip(detectors, images, strict=True):
        np.testing.assert_array_equal(image, expected(data, detector.mask(SHAPE[2:])))


def test_before_the_copy_is_ready_the_job_reads_the_scan():
    data = counts("u1")
    imager = VirtualImager(scan_of(data))
    detector = VirtualDetector(shapes=(DISK,))
    assert (imager.ready, imager.affordable) == (False, True)
    with pytest.raises(CopyNotReady):
        imager.image(detector)
    before = run(imager.job(detector))
    run(imager.prepare())
    assert imager.ready
    assert imager.explain().startswith("Live")
    np.testing.assert_array_equal(run(imager.job(detector)), before)
    imager.release()
    assert not imager.ready


def test_a_scan_beyond_the_budget_says_so():
    imager = VirtualImager(scan_of(counts("u2")), budget=1000)
    assert not imager.affordable
    assert "budget" in imager.explain()
    with pytest.raises(ScanTooLarge, match="Bin or crop"):
        run(imager.prepare())


def test_preparing_can_be_cancelled_and_reports(monkeypatch):
    from napari_orient.diffraction import reading

    monkeypatch.setattr(reading, "_READ_BYTES", 1000)
    imager = VirtualImager(scan_of(counts("u1")))
    job = imager.prepare()
    event = next(job)
    assert isinstance(event, Progress)
    assert event.total > 50
    job.close()
    assert not imager.ready
    run(imager.prepare())
    assert imager.ready


# --------------------------------------------------------------------------- passes


@pytest.mark.parametrize("dtype", ["u1", "f4"])
def test_partial_images_are_honest(stored, monkeypatch, dtype):
    from napari_orient.diffraction import reading

    monkeypatch.setattr(reading, "_READ_BYTES", 3000)
    monkeypatch.setattr(reading, "_DASK_BYTES", 3000)
    data = counts(dtype, (40, 45, 24, 30))
    scan = scan_of(stored(data))
    detector = VirtualDetector(shapes=(RING,), signal="com_x")
    events = []
    final = run(virtual_image(scan, detector, first=0, every=0), events.append)
    partials = [event for event in events if isinstance(event, Partial)]
    assert len(partials) > 10
    seen = np.zeros(scan.scan_shape, bool)
    for partial in partials:
        assert partial.value.dtype == np.float32
        assert partial.done[seen].all()  # what is done stays done
        np.testing.assert_array_equal(partial.value[partial.done], final[partial.done])
        assert not np.shares_memory(partial.value, final)
        seen = partial.done
    assert 0 < partials[len(partials) // 2].done.sum() < final.size
    np.testing.assert_allclose(
        final, expected(data, detector.mask(SHAPE[2:]), "com_x"), rtol=1e-4, atol=1e-5
    )


def test_where_positions_are_cheap_a_preview_comes_first(tmp_path):
    data = counts("u1", (80, 90, 24, 30))
    np.save(tmp_path / "scan.npy", np.repeat(data, 3, axis=1))
    scan = scan_of(np.load(tmp_path / "scan.npy", mmap_mode="r"))
    detector = VirtualDetector(shapes=(DISK,))
    job = virtual_image(scan, detector)
    preview = next(event for event in job if isinstance(event, Partial))
    job.close()
    final = run(virtual_image(scan, detector))
    step = 4  # about a thousand of 80 x 270 positions
    assert not preview.done.any()
    np.testing.assert_array_equal(preview.value[::step, ::step], final[::step, ::step])
    np.testing.assert_array_equal(preview.value[1::step, ::step], preview.value[::step, ::step])


def test_closing_a_pass_stops_the_reading():
    reads = []

    class Counted:
        shape, dtype, chunks = (50, 20, 24, 30), np.dtype("u1"), (1, 20, 24, 30)

        def __getitem__(self, where):
            reads.append(where)
            time.sleep(0.02)
            rows = len(range(*where[0].indices(50)))
            return np.ones((rows, 20, 24, 30), np.uint8)[(slice(None), *where[1:])]

    from napari_orient.diffraction import reading

    scan = scan_of(Counted())
    original, reading._READ_BYTES = reading._READ_BYTES, 15_000
    try:
        job = virtual_image(scan, VirtualDetector(shapes=(DISK,)))
        for _ in range(3):
            next(job)
        count = len(reads)
        start = time.perf_counter()
        job.close()
        assert time.perf_counter() - start < 0.05
    finally:
        reading._READ_BYTES = original
    assert len(reads) == count < 20


def test_only_the_box_around_the_detector_is_read():
    read = []

    class Watched:
        shape, dtype, chunks = SHAPE, np.dtype("u1"), (4, 4, 8, 8)

        def __getitem__(self, where):
            read.append(where)
            return counts("u1")[where]

    run(virtual_image(scan_of(Watched()), VirtualDetector(shapes=(BOX,))))
    assert {(w[2].start, w[2].stop, w[3].start, w[3].stop) for w in read} == {(6, 11, 16, 24)}


def test_a_large_chunked_pattern_is_cut_along_chunk_borders():
    from napari_orient.diffraction.reading import plan_reads

    class Large:
        shape, dtype, chunks = (100, 70, 256, 256), np.dtype("u2"), (32, 32, 32, 32)

    reads = plan_reads(Scan(Large()), slice(40, 200), slice(30, 222), 4_000_000)
    covered = np.zeros((100, 70, 160), int)
    for read in reads:
        covered[read.y, read.x, read.ky.start - 40 : read.ky.stop - 40] += 1
        assert read.y.start % 32 == read.x.start % 32 == 0
        assert read.ky.start % 32 == 0 or read.ky.start == 40
    assert (covered == 1).all()
    assert sum(read.last for read in reads) == 4 * 3


def test_large_patterns_of_a_memory_map_are_read_with_gaps(tmp_path):
    from napari_orient.data.pages import ask_for
    from napari_orient.diffraction.reading import leaves_gaps

    data = counts("u1", (6, 5, 256, 256))
    np.save(tmp_path / "scan.npy", data)
    mapped = np.load(tmp_path / "scan.npy", mmap_mode="r")
    for part, wanted in ((mapped, data), (mapped[2:5], data[2:5]), (mapped[5:], data[5:])):
        scan = scan_of(part)
        assert leaves_gaps(scan, slice(100, 150))
        assert not leaves_gaps(scan, slice(0, 200))
        for centre in ((120, 120), (255, 255)):
            detector = VirtualDetector(shapes=(Disk(centre=centre, radius=20),))
            image = run(virtual_image(scan, detector))
            np.testing.assert_array_equal(image, expected(wanted, detector.mask((256, 256))))
        ask_for(part, range(len(part)), range(5), slice(250, 256))  # to the end of the file
    assert not leaves_gaps(scan_of(data), slice(100, 150))


def test_a_private_memory_map_keeps_its_changes(tmp_path):
    np.save(tmp_path / "scan.npy", counts("u1"))
    data = np.load(tmp_path / "scan.npy", mmap_mode="c")
    data[0, 0] = 200
    image = run(virtual_image(scan_of(data), VirtualDetector(shapes=(DISK,))))
    assert (data[0, 0] == 200).all()
    assert image[0, 0] == 200 * DISK.mask(SHAPE[2:]).sum()


def test_a_damaged_file_is_an_error_not_a_crash(tmp_path):
    class Broken:
        shape, dtype, chunks = SHAPE, np.dtype("u1"), None

        def __getitem__(self, where):
            raise OSError("read failed")

    with pytest.raises(OSError, match="read failed"):
        run(virtual_image(scan_of(Broken()), VirtualDetector(shapes=(DISK,))))


# --------------------------------------------------------------------------- edges


@pytest.mark.parametrize("signal", SIGNALS)
@pytest.mark.parametrize("dtype", ["u1", "f4"])
def test_a_detector_outside_the_pattern_sees_nothing(dtype, signal):
    scan = scan_of(counts(dtype))
    imager = prepared(scan)
    for shapes in (
        (),
        (Disk(centre=(-50, 500), radius=5),),
        (Rectangle(centre=(5, 5), size=(0, 0)),),
    ):
        detector = VirtualDetector(shapes=shapes, signal=signal)
        for image in (imager.image(detector), run(virtual_image(scan, detector))):
            assert image.dtype == np.float32
            np.testing.assert_array_equal(image, np.zeros(SHAPE[:2]))


def test_a_detector_over_the_border_sees_what_is_inside():
    data = counts("u2")
    detector = VirtualDetector(shapes=(Disk(centre=(0, 29), radius=6), RING.moved(-12, -14)))
    wanted = expected(data, detector.mask(SHAPE[2:]))
    imager = prepared(scan_of(data))
    np.testing.assert_array_equal(imager.image(detector), wanted)
    np.testing.assert_array_equal(run(virtual_image(scan_of(data), detector)), wanted)


@pytest.mark.parametrize("signal", SIGNALS)
def test_nan_pixels_are_left_out(stored, signal):
    data = counts("f4")
    data[:, :, 11, 14] = np.nan  # a dead pixel
    data[2, 3, :12] = np.nan  # a damaged pattern
    scan = scan_of(stored(data))
    detector = VirtualDetector(shapes=(DISK,), signal=signal)
    wanted = expected(data, detector.mask(SHAPE[2:]), signal)
    for image in (prepared(scan).image(detector), run(virtual_image(scan, detector))):
        np.testing.assert_allclose(image, wanted, rtol=1e-4, atol=1e-4)


def test_a_lost_pattern_is_nan_and_the_rest_is_not():
    data = counts("f4")
    data[2, 3] = np.nan
    scan = scan_of(data)
    for signal in ("sum", "std", "com_magnitude"):
        detector = VirtualDetector(shapes=(DISK,), signal=signal)
        for image in (prepared(scan).image(detector), run(virtual_image(scan, detector))):
            assert np.isnan(image[2, 3])
            assert np.isnan(image).sum() == 1


def test_positions_without_counts_have_no_centre_of_mass():
    data = counts("u1")
    data[1, 1] = 0
    detector = VirtualDetector(shapes=(DISK,), signal="com_magnitude")
    for image in (
        prepared(scan_of(data)).image(detector),
        run(virtual_image(scan_of(data), detector)),
    ):
        assert image[1, 1] == 0
        assert image[0, 0] != 0


# --------------------------------------------------------------------------- composing


def test_colours_add_up_and_saturate():
    ramp = np.linspace(0, 1, 5).reshape(1, 5)
    rgb = compose_rgb([ramp, ramp[:, ::-1]], ["red", (0, 0, 1)], [(0, 1), (0, 2)])
    assert rgb.dtype == np.uint8
    np.testing.assert_array_equal(rgb[0, :, 0], [0, 64, 128, 191, 255])
    np.testing.assert_array_equal(rgb[0, :, 1], 0)
    np.testing.assert_array_equal(rgb[0, :, 2], [128, 96, 64, 32, 0])
    white = compose_rgb([ramp, ramp], ["#ff0000", "yellow"], [(0, 1), (0, 1)])
    np.testing.assert_array_equal(white[0, -1], [255, 255, 0])


def test_composing_survives_nan_constant_and_unfinished_images():
    image = np.full((3, 4), np.nan, np.float32)
    assert (compose_rgb([image], [None]) == 0).all()
    image[0] = 7
    assert compose_rgb([image, np.ones((3, 4))], [None, None]).shape == (3, 4, 3)


def test_composing_refuses_what_does_not_fit():
    image = np.zeros((3, 4))
    with pytest.raises(ValueError, match="one colour"):
        compose_rgb([image], ["red", "green"])
    with pytest.raises(ValueError, match="differ in shape"):
        compose_rgb([image, image.T], ["red", "green"])
    with pytest.raises(ValueError, match="no colour"):
        compose_rgb([image], ["reddish"])
    with pytest.raises(ValueError, match="one colour"):
        compose_rgb([], [])


def test_warm_up_leaves_nothing_to_compile():
    from napari_orient.diffraction import kernels

    virtual.warm_up("u1", ("sum", "com_x"))
    before = kernels._compiled.cache_info().misses
    imager = prepared(scan_of(counts("u1")))
    for signal in ("sum", "com_x"):
        imager.image(VirtualDetector(shapes=(DISK,), signal=signal))
        run(virtual_image(imager.scan, VirtualDetector(shapes=(DISK,), signal=signal)))
    assert kernels._compiled.cache_info().misses == before
