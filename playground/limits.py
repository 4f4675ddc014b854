"""How much visitors may ask of one machine, however they call it.

Gradio's own limits bind its queue only; events that skip it, and programs, come as they like.
"""

import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from typing import TypeVar

import gradio as gr

WAIT_SECONDS = 30  # for a turn
MOST_SECONDS = 60  # of one film or grid
QUEUE = 40  # that wait in Gradio's queue for the same action
BUSY = "Too many visitors are drawing just now. Try again in a minute."
TOO_LONG = "This takes too long just now. Ask for less, or try again in a few minutes."

Step = TypeVar("Step")


class Turns:
    """One computes at a time: two at once would only share the same few cores.

    Heavy work waits for other heavy work first, so that what is light waits for one piece of it at
    most.
    """

    def __init__(self):
        self._light, self._heavy = threading.Lock(), threading.Lock()

    @contextmanager
    def take(self, *, heavy: bool = False) -> Iterator[None]:
        """Raises: gr.Error if others do not end."""
        with ExitStack() as taken:
            for lock in (self._heavy, self._light) if heavy else (self._light,):
                if not lock.acquire(timeout=WAIT_SECONDS):
                    raise gr.Error(BUSY)
                taken.callback(lock.release)
            yield


def in_time(steps: Iterable[Step]) -> Iterator[Step]:
    """The steps of heavy work.

    Raises: gr.Error when they have taken too long.
    """
    until = time.monotonic() + MOST_SECONDS
    for step in steps:
        if time.monotonic() > until:
            raise gr.Error(TOO_LONG)
        yield step
