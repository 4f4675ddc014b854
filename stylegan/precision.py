"""Whether bfloat16 is faster here than float32.

What is compared takes turns, so that a busy moment meets both.

    draw              styles -> images, the wide features in a given type
    seconds_an_image  how long that takes
    faster            the faster type of some work
    fastest_dtype     the type in which a generator draws fastest
"""

import statistics
import time
from collections.abc import Callable

import torch
from torch import Tensor

from stylegan.generator import Generator

GAIN = 1.1  # bfloat16 must be faster by this factor to be chosen


def draw(G: Generator, ws: Tensor, dtype: torch.dtype, transform: Tensor | None = None) -> Tensor:
    """`G.synthesis(ws, transform)` with its wide features in float32 or bfloat16.

    Shapes: ws (N, num_ws, w_dim) -> img (N, C, H, W), float32.
    """
    with torch.autocast(ws.device.type, dtype, enabled=dtype != torch.float32):
        return G.synthesis(ws, transform)


def faster(seconds: Callable[[torch.dtype], float], *, rounds: int, warm_up: int) -> torch.dtype:
    """float32 or, where its median is clearly lower, bfloat16.

    `seconds` does the work in a type; the first `warm_up` of the rounds do not count.
    """
    times = {torch.float32: [], torch.bfloat16: []}
    for _ in range(rounds):
        for dtype, measured in times.items():
            measured.append(seconds(dtype))
    single, half = (statistics.median(measured[warm_up:]) for measured in times.values())
    return torch.bfloat16 if half * GAIN < single else torch.float32


@torch.inference_mode()
def seconds_an_image(G: Generator, dtype: torch.dtype) -> float:
    """For which this thread works; those that it waits for others on the same core do not count."""
    ws = torch.zeros(1, G.num_ws, G.w_dim)
    start = time.thread_time()
    draw(G, ws, dtype)
    return time.thread_time() - start


def fastest_dtype(G: Generator) -> torch.dtype:
    """float32 or bfloat16, by drawing an image eight times."""
    return faster(lambda dtype: seconds_an_image(G, dtype), rounds=4, warm_up=1)
