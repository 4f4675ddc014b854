"""How much visitors may ask of one machine, however they call it.

Gradio's own limits bind its queue only; events that skip it, and programs, come as they like.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import gradio as gr

WAIT_SECONDS = 30  # for a turn
MOST_SECONDS = 60  # of one film or grid
QUEUE = 40  # that wait in Gradio's queue for the same action
SESSIONS = 300  # that Gradio remembers, at a third of a megabyte; the oldest is forgotten first
BUSY = "Too many visitors are drawing just now. Try again in a minute."
TOO_LONG = "This takes too long just now. Ask for less, or try again in a few minutes."

Step, Result = TypeVar("Step"), TypeVar("Result")


class Turns:
    """One computes at a time, in the order of asking: two at once would only share the same cores.

    Heavy work waits for other heavy work first, so that what is light waits for one piece of it at
    most. All is done by one thread: each thread that ever drew would keep memory of its own.
    """

    def __init__(self):
        self._one, self._heavy = ThreadPoolExecutor(1), ThreadPoolExecutor(1)

    def take(self, work: Callable[[], Result], *, heavy: bool = False) -> Result:
        """What the work returns.

        Raises: gr.Error if others do not end; what the work raises.
        """
        if heavy:
            done = self._heavy.submit(lambda: self._one.submit(work).result())
        else:
            done = self._one.submit(work)
        try:
            return done.result(WAIT_SECONDS)
        except TimeoutError as e:
            done.cancel()
            raise gr.Error(BUSY) from e


def in_time(steps: Iterable[Step]) -> Iterator[Step]:
    """The steps of heavy work.

    Raises: gr.Error when they have taken too long.
    """
    until = time.monotonic() + MOST_SECONDS
    for step in steps:
        if time.monotonic() > until:
            raise gr.Error(TOO_LONG)
        yield step
