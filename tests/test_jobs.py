"""The job contract: events, cancel, throttle; in this process, a child, a dask worker."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from job_examples import count, die, fail

from napari_orient.jobs import (
    Every,
    JobFailed,
    Partial,
    Progress,
    TimeLeft,
    in_process,
    on_dask,
    run,
)


def test_run_returns_the_result_and_shows_every_event():
    seen = []
    assert run(count(4), seen.append) == 6
    assert [e.step for e in seen if isinstance(e, Progress)] == [1, 2, 3, 4]
    assert [e.value for e in seen if isinstance(e, Partial)] == [0, 1, 3, 6]


def test_an_exception_of_the_watcher_closes_the_job(tmp_path):
    def watch(event):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(count(4, str(tmp_path / "closed")), watch)
    assert (tmp_path / "closed").exists()


def test_progress_fraction_is_none_without_a_total_and_never_above_one():
    assert Progress(3, 0).fraction is None
    assert Progress(3, 4).fraction == 0.75
    assert Progress(9, 4).fraction == 1.0


def test_every_is_due_first_after_its_interval_then_once_each():
    every = Every(seconds=0.05)
    assert not every.due()
    time.sleep(0.06)
    assert every.due()
    assert not every.due()
    assert Every(seconds=10, first=0).due()


def test_time_left_follows_the_recent_pace(monkeypatch):
    clock = [0.0]
    monkeypatch.setattr("napari_orient.jobs.time.perf_counter", lambda: clock[0])
    left = TimeLeft(window=10)
    assert left.seconds(Progress(0, 100)) is None  # no pace yet
    assert left.seconds(Progress(0, 0)) is None  # no total
    clock[0] = 30.0  # a slow start: 1 % in 30 s
    assert left.seconds(Progress(1, 100)) == pytest.approx(30 * 99)
    for step in range(2, 22):
        clock[0] += 1.0
        seconds = left.seconds(Progress(step, 100))
    assert seconds == pytest.approx(79.0)  # 1 % a second since then


def test_in_process_gives_the_same_events_and_result(tmp_path):
    marker = tmp_path / "closed"
    events: list = []
    assert run(in_process(count, 5, str(marker)), events.append) == 10
    assert events == list(count(5))
    assert int(marker.read_text()) != os.getpid()


def test_in_process_closed_early_stops_the_child(tmp_path):
    marker = tmp_path / "closed"
    job = in_process(count, 100_000, str(marker), 0.001)
    next(job)
    pid_alive = time.perf_counter()
    job.close()
    assert time.perf_counter() - pid_alive < 8
    assert marker.exists()


@pytest.mark.parametrize(("job", "said"), [(fail, "RuntimeError: out of memory"), (die, "died.*7")])
def test_in_process_reports_errors_and_death(job, said):
    with pytest.raises(JobFailed, match=said):
        run(in_process(job))


@pytest.fixture(scope="module")
def client():
    distributed = pytest.importorskip("distributed", reason="needs napari-orient[cluster]")
    tests = str(Path(__file__).parent)
    with (
        distributed.LocalCluster(
            n_workers=1, threads_per_worker=1, processes=False, dashboard_address=None
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        client.run(lambda: __import__("sys").path.append(tests))
        yield client


# distributed's own shutdown leaves sockets and loops to the garbage collector
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
class TestOnDask:
    def test_same_events_and_result(self, client):
        events: list = []
        assert run(on_dask(client, count, 5), events.append) == 10
        assert events == list(count(5))

    def test_errors_come_back_in_words(self, client):
        with pytest.raises(JobFailed, match="RuntimeError: out of memory"):
            run(on_dask(client, fail))

    def test_close_stops_the_far_end(self, client, tmp_path):
        marker = tmp_path / "closed"
        job = on_dask(client, count, 100_000, str(marker), 0.002)
        next(job)
        job.close()
        deadline = time.monotonic() + 10
        while not marker.exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        assert marker.exists()
