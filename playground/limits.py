"""How much visitors may ask of one machine, however they call it.

Gradio's own limits bind its queue only; events that skip it, and programs, come as they like.
"""

import math
import os
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

import gradio as gr

from stylegan.config import EncoderConfig, GeneratorConfig
from stylegan.cost import GeneratorCost, generator_cost
from stylegan.domains import DOMAINS
from stylegan.history import HISTORY
from stylegan.layout import CARD, CONFIG, ENCODER, METRICS, WEIGHTS

MEGABYTE = 1_000_000
MOST = {  # megabytes, by name in a model's folder
    **{WEIGHTS: 400, CONFIG: 1, DOMAINS: 4, METRICS: 1, HISTORY: 4, CARD: 1},
    **{f"{ENCODER}/{CONFIG}": 1, f"{ENCODER}/{WEIGHTS}": 100},
}
PICTURES, PICTURE = 40, 2  # of a history: how many, megabytes of one
LARGEST = {  # of every field of a stranger's config; none draws by label here
    **dict(img_resolution=512, img_channels=3, z_dim=1024, w_dim=1024, c_dim=0, mapping_layers=8),
    **dict(num_layers=32, channel_base=2**17, channel_max=1024, conv_kernel=3, radial_filters=1),
    **dict(generation=3, conv_clamp=2**30),
}
COSTLIEST = GeneratorCost(  # of what a stranger's config may ask of one face
    parameters=200_000_000, largest_map=32_000_000, multiply_adds=40_000_000_000
)
LARGEST_ENCODER = dict(width=64, features=1024)  # of a stranger's encoder
SLOWEST = 1  # seconds a face of a stranger's model; a step of the search for a face takes three
LOADING = 10  # how nice it is to load a stranger's model: of a core that others want, a tenth
DRAWING = 15  # how nice it is to draw with it: of a core that others want, one part in 29
PLACES = 8  # of those who wait for the same stranger's model; each takes one of Gradio's 40 threads
WAIT_SECONDS = 30  # for a turn
MOST_SECONDS = 60  # of drawing one film or grid
LONGEST = 300  # seconds that it may take while others draw, too
FIRST_SECONDS = 30  # of drawing those that are offered at first
QUEUE = 40  # that wait in Gradio's queue for the same action
SESSIONS = 300  # that Gradio remembers, at a third of a megabyte; the oldest is forgotten first
BUSY = "Too many visitors ask for this just now. Try again in {} seconds."
TOO_LONG = "This takes too long just now. Ask for less, or try again in five minutes."
FULL = "Too many visitors are waiting for this just now. Try again in two minutes."

Step, Result = TypeVar("Step"), TypeVar("Result")


class TooMuch(ValueError):
    """A stranger's model asks for more than this page has; a machine of one's own may have it."""


def _check_fields(config: GeneratorConfig | EncoderConfig, largest: dict[str, int]) -> None:
    for name, most in largest.items():
        if (value := getattr(config, name)) > most:
            raise TooMuch(f"{name} is {_short(value)}, and this page takes {most:g}")


def check_config(config: GeneratorConfig) -> None:
    """Raises TooMuch if the network asks for more than this page has, before it is built."""
    _check_fields(config, LARGEST)
    for name, value in vars(generator_cost(config)).items():
        if value > (most := getattr(COSTLIEST, name)):
            what = name.replace("_", " ")
            raise TooMuch(f"{what} of a face: {_short(value)}, and this page takes {most:.3g}")


def check_encoder(config: EncoderConfig) -> None:
    """As `check_config`, for the encoder of a generator that fits it and was checked."""
    _check_fields(config, LARGEST_ENCODER)


def _short(number: int) -> str:
    """However long it is."""
    return f"{number:.3g}" if number < 1e15 else "more than 1e15"


def go_last(nice: int) -> None:
    """Let others have the cores first, from now on in this thread and what it begins."""
    if nice and sys.platform == "linux":  # elsewhere it would be the whole process
        os.nice(nice)


class Turns:
    """One computes at a time, in the order of asking: two at once would only share the same cores.

    Heavy work waits for other heavy work first, so that what is light waits for one piece of it at
    most. All is done by one thread: each thread that ever drew would keep memory of its own. What
    is `nice` lets the work of all other turns go first, and few may wait for it.
    """

    def __init__(self, *, nice: int = 0):
        self._one = ThreadPoolExecutor(1, initializer=go_last, initargs=[nice])
        self._heavy = ThreadPoolExecutor(1)
        self._places = PLACES if nice else math.inf
        self._ends, self._changing = {}, threading.RLock()  # when what is asked for is done
        self._caller = threading.local()  # how long was worked for it

    @contextmanager
    def _until(self, end: float, places: float = math.inf) -> Iterator[None]:
        """While something goes on that is over then; raises gr.Error without a place for it."""
        mine = object()
        with self._changing:
            if len(self._ends) >= places:
                raise self._busy()
            self._ends[mine] = end
        try:
            yield
        finally:
            with self._changing:
                del self._ends[mine]

    def _busy(self) -> gr.Error:
        """It says when all that is asked for now is done or given up."""
        with self._changing:
            seconds = max(self._ends.values(), default=0) - time.monotonic()
        return gr.Error(BUSY.format(max(math.ceil(seconds), 2)))

    def take(self, work: Callable[[], Result], *, heavy: bool = False) -> Result:
        """What the work returns; what is heavy is a step of `in_time`.

        Raises: gr.Error if others do not end; what the work raises.
        """
        begun, first = threading.Event(), threading.Lock()

        def begin() -> tuple[Result, float] | None:
            if first.acquire(blocking=False):  # nobody has given up
                begun.set()
                start = time.thread_time()
                return work(), time.thread_time() - start

        with self._until(time.monotonic() + WAIT_SECONDS, math.inf if heavy else self._places):
            if heavy:
                done = self._heavy.submit(lambda: self._one.submit(begin).result())
            else:
                done = self._one.submit(begin)
            if not begun.wait(WAIT_SECONDS) and first.acquire(blocking=False):
                raise self._busy()
            result, worked = done.result()
            self._caller.worked = self._worked + worked
            return result

    @property
    def _worked(self) -> float:
        """Seconds, for the thread that asks."""
        return getattr(self._caller, "worked", 0.0)

    def in_time(self, steps: Iterable[Step]) -> Iterator[Step]:
        """The steps of heavy work.

        Raises: gr.Error when they have worked for too long, or others worked so much meanwhile that
        it takes LONGEST.
        """
        steps, left, until = iter(steps), float(MOST_SECONDS), time.monotonic() + LONGEST
        with self._until(time.monotonic() + MOST_SECONDS, self._places):
            while True:
                before = self._worked  # each step may be asked for by another thread
                try:
                    step = next(steps)
                except StopIteration:
                    return
                left -= self._worked - before
                if left < 0 or time.monotonic() > until:
                    raise gr.Error(TOO_LONG)
                yield step


def tell_when_full(page: gr.Blocks) -> None:
    """What Gradio itself answers when its queue is full does not say how long to wait."""
    push = page._queue.push

    async def told(*message: object, **more: object) -> tuple[bool, str | list, str]:
        done, answer, state = await push(*message, **more)
        return (False, FULL, "error") if state == "queue_full" else (done, answer, state)

    page._queue.push = told
