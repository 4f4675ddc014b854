"""What a machine trains fastest with: the type of numbers, and how weights lie in memory."""

import time

import torch
import torch.nn.functional as F

from stylegan.precision import faster


def _seconds(dtype: torch.dtype) -> float:
    """A 3x3 convolution as wide as a small network's, forwards and backwards."""
    x = torch.zeros(8, 64, 64, 64, dtype=dtype).to(memory_format=torch.channels_last)
    weight = torch.zeros(64, 64, 3, 3, dtype=dtype, requires_grad=True)
    x.requires_grad_()
    start = time.perf_counter()
    F.conv2d(x, weight, padding=1).sum().backward()
    return time.perf_counter() - start


def fastest_precision(device: torch.device) -> str:
    """ "bf16" or "no", accelerate's names; on a CPU by measurement, which takes a moment."""
    if device.type == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "no"
    return "bf16" if faster(_seconds, rounds=7, warm_up=2) == torch.bfloat16 else "no"


def weight_layout(device: torch.device) -> torch.memory_format:
    """Of convolutions: on a GPU as their inputs, which lie channels last, so none is rearranged."""
    return torch.channels_last if device.type == "cuda" else torch.contiguous_format
