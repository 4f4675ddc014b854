"""Frozen features of pictures: EfficientNet-Lite0 up to its last stage, batch norms folded.

Legend: N batch, S pixels.

Reference: Tan and Le 2019 (arXiv:1905.11946), Table 1; the Lite variant.
"""

from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import Tensor, nn

# (repeats, kernel, stride of the first, expansion, channels) of each stage
STAGES = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
TAPS = (1, 2, 4, 6)  # stages whose results are given
CHANNELS = tuple(STAGES[i][4] for i in TAPS)
STRIDES = (4, 8, 16, 32)  # of the taps, in pixels of the picture
BUNDLED = Path(__file__).resolve().parents[1] / "weights" / "trunk-lite0"


def strided(x: Tensor, weight: Tensor, bias: Tensor, stride: int, groups: int = 1) -> Tensor:
    """A convolution that keeps or halves the side; an even side is padded by one more behind.

    That is TensorFlow's rule, with which the weights were trained.
    """
    k = weight.shape[2]
    if stride == 1:
        return F.conv2d(x, weight, bias, padding=k // 2, groups=groups)
    x = F.pad(x, ((k - 2) // 2, (k - 1) // 2) * 2)
    return F.conv2d(x, weight, bias, stride, groups=groups)


class Trunk(nn.Module):
    """The network; its weights are no parameters and no part of a state_dict.

    Shapes: x (N, 3, S, S) in [-1, 1], S a multiple of 32 -> four maps (N, C, S / s, S / s), C and s
    those of CHANNELS and STRIDES.
    Raises: FileNotFoundError if `folder` has no weights.
    """

    def __init__(self, folder: Path = BUNDLED):
        super().__init__()
        path = Path(folder) / "model.safetensors"
        if not path.is_file():
            raise FileNotFoundError(f"{path} is missing: the weights of the trunk")
        for name, x in load_file(path).items():
            self.register_buffer(name.replace(".", "_"), x.float(), persistent=False)

    def _conv(self, x: Tensor, name: str, stride: int = 1, groups: int = 1) -> Tensor:
        weight, bias = getattr(self, f"{name}_weight"), getattr(self, f"{name}_bias")
        return strided(x, weight, bias, stride, groups)

    def _block(self, x: Tensor, name: str, stride: int, expansion: int) -> Tensor:
        """Inverted residual: wide in the middle, where each channel is filtered alone."""
        y = F.relu6(self._conv(x, f"{name}_expand")) if expansion > 1 else x
        y = F.relu6(self._conv(y, f"{name}_depthwise", stride, groups=y.shape[1]))
        y = self._conv(y, f"{name}_project")
        return x + y if x.shape == y.shape else y

    def forward(self, x: Tensor) -> list[Tensor]:
        x = x.contiguous(memory_format=torch.channels_last)
        x, taps, i = F.relu6(self._conv(x, "stem", 2)), [], 0
        for stage, (repeats, _, stride, expansion, _) in enumerate(STAGES):
            for repeat in range(repeats):
                x = self._block(x, f"blocks_{i}", 1 if repeat else stride, expansion)
                i += 1
            if stage in TAPS:
                taps.append(x)
        return taps
