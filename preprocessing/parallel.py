"""Work done by several processes, which end when the one that began them ends, however it does."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing.connection import Connection

AHEAD = 2  # jobs that wait or are done, for each worker: what bounds the memory


def spread(
    work: Callable, jobs: Iterable, workers: int, begin: Callable[[], None] = bool
) -> Iterator:
    """The results of `work(job)`, as they come; the jobs are made as they are needed.

    Every process calls `begin` once, before it works.

    Raises: what `work` raises, and OSError if a worker was killed.
    """
    if workers == 1:
        begin()
        yield from map(work, jobs)
        return
    context = multiprocessing.get_context("spawn")  # a fork of a process with threads may hang
    their_end, our_end = context.Pipe(duplex=False)
    pool = ProcessPoolExecutor(workers, context, start, (their_end, begin))
    pending = set()
    try:
        for job in jobs:
            with uninterrupted():
                pending.add(pool.submit(work, job))
            if len(pending) >= AHEAD * workers:
                done, pending = wait(pending, return_when=FIRST_COMPLETED)
                yield from (future.result() for future in done)
        while pending:
            done, pending = wait(pending, return_when=FIRST_COMPLETED)
            yield from (future.result() for future in done)
    except BrokenProcessPool as e:
        raise OSError("a worker was killed, as for memory; try fewer --workers") from e
    finally:
        our_end.close()  # which ends them, whatever they do
        their_end.close()
        pool.shutdown(cancel_futures=True)


def start(pipe: Connection, begin: Callable[[], None]) -> None:
    """Begin a worker, which ends when nobody holds the other end of the pipe any more."""

    def watch() -> None:
        pipe.poll(None)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
    begin()


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Processes that begin in here never see Ctrl-C, which the terminal sends to all of them."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
