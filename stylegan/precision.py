"""In which type of numbers a machine draws fastest.

draw            styles -> images, the wide features in a given type
fastest_dtype   float32 or bfloat16, by measurement
"""

import statistics
import time

import torch
from torch import Tensor

from stylegan.generator import Generator

GAIN = 1.1  # bfloat16 must draw faster by this factor to be chosen
ROUNDS = 4  # of measuring, the first of which only warms up


def draw(G: Generator, ws: Tensor, dtype: torch.dtype) -> Tensor:
    """`G.synthesis(ws)` with its wide features in float32 or bfloat16; the result is float32."""
    with torch.autocast(ws.device.type, dtype, enabled=dtype != torch.float32):
        return G.synthesis(ws)


@torch.inference_mode()
def _seconds(G: Generator, ws: Tensor, dtype: torch.dtype) -> float:
    start = time.perf_counter()
    draw(G, ws, dtype)
    return time.perf_counter() - start


def fastest_dtype(G: Generator) -> torch.dtype:
    """float32 or, where this machine draws faster in it, bfloat16; by drawing a few times."""
    ws = torch.zeros(1, G.num_ws, G.w_dim)
    times = {torch.float32: [], torch.bfloat16: []}
    for _ in range(ROUNDS):  # in turns, so that a busy moment meets both
        for dtype, seconds in times.items():
            seconds.append(_seconds(G, ws, dtype))
    single, half = (statistics.median(seconds[1:]) for seconds in times.values())
    return torch.bfloat16 if half * GAIN < single else torch.float32
