"""On a ZeroGPU Space, a GPU for what has many pictures; all else is drawn where the page runs.

Such a Space lends its GPU for one call at a time, in another process, and a visitor has minutes of
it a day: worth it for a film, not for a move of a slider. Elsewhere nothing here is used.

Reference: https://huggingface.co/docs/hub/spaces-zerogpu
"""

import os

import numpy as np
import torch
from torch import Tensor

from stylegan import Generator
from stylegan.images import to_uint8

LENT = "SPACES_ZERO_GPU" in os.environ
DEVICE = "cuda"
MANY = 64  # pictures of one call

if LENT:
    from spaces import GPU  # such a Space has it installed
else:

    def GPU(draw):  # noqa: N802, as there
        return draw


@GPU
@torch.inference_mode()
def draw_there(G: Generator, ws: Tensor) -> np.ndarray:
    """ws (N, num_ws, w_dim) -> uint8 (N, H, W, 3). All arguments travel to the other process."""
    return to_uint8(G.to(DEVICE).synthesis(ws.to(DEVICE)))
