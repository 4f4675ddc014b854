"""Work that threads share: all of it is done, and each caller has threads of its own."""

import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from stylegan.threads import share


@pytest.fixture(autouse=True)
def two_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("jobs", [0, 1, 2, 7])
def test_every_job_is_done_once(jobs):
    done = []
    share(lambda first, last: done.extend(range(first, last)), jobs)
    assert sorted(done) == list(range(jobs))


@pytest.mark.parametrize("bad", [0, 1])
def test_an_error_of_a_part_comes_when_all_have_ended(bad):
    ended = threading.Event()

    def work(first, last):
        if first == bad:
            raise ValueError(f"part {first}")
        ended.wait(0.2)
        ended.set()

    with pytest.raises(ValueError, match=f"part {bad}"):
        share(work, 2)
    assert ended.is_set()


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a whole process is nice")
def test_who_is_nice_has_nice_threads_and_others_have_not():
    """Whoever asks first: a stranger's model must not slow down the page's own."""

    def seen(nice):
        os.nice(nice)
        found = set()
        share(lambda first, last: found.add((threading.get_native_id(), os.nice(0))), 2)
        return found

    callers = [ThreadPoolExecutor(1) for _ in range(2)]
    polite, usual = (c.submit(seen, n).result() for c, n in zip(callers, (5, 0), strict=True))
    before = os.nice(0)
    assert {nice for _, nice in polite} == {min(before + 5, 19)}
    assert {nice for _, nice in usual} == {before}
    assert len(polite | usual) == 4
