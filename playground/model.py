"""The one generator that all visitors draw with."""

import threading
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from huggingface_hub.errors import HfHubHTTPError
from torch import Tensor

from stylegan import Generator
from stylegan.images import to_uint8
from stylegan.precision import draw, fastest_dtype

BUNDLED = Path(__file__).resolve().parents[1] / "weights" / "faces-64"


@dataclass(frozen=True)
class Model:
    """A generator, where it came from, and what went wrong on the way; never changed by drawing.

    One drawing at a time: two at once would only share the same few cores.
    """

    G: Generator
    name: str
    problem: str = ""
    dtype: torch.dtype = torch.float32  # of the wide features while drawing
    _turn: threading.Lock = field(default_factory=threading.Lock)

    @torch.inference_mode()
    def styles(self, z: Tensor, truncation_psi: float) -> Tensor:
        """z (N, z_dim) -> ws (N, num_ws, w_dim)."""
        return self.G.mapping(z, truncation_psi=truncation_psi)

    @torch.inference_mode()
    def draw(self, ws: Tensor) -> np.ndarray:
        """ws (N, num_ws, w_dim) -> uint8 (N, H, W, 3)."""
        with self._turn:
            return to_uint8(draw(self.G, ws, self.dtype))


def load_model(folder_or_repo: str | None = None) -> Model:
    """The generator asked for or, if it cannot be had, the bundled one and a sentence that says so.

    None asks for the bundled one.
    """
    problem = ""
    if folder_or_repo:
        try:
            G = Generator.from_pretrained(folder_or_repo)
            if G.c_dim:
                raise ValueError("it draws by label, which this page does not offer")
            return Model(G, folder_or_repo, dtype=fastest_dtype(G))
        except (ValueError, OSError, HfHubHTTPError) as e:
            reason = " ".join(str(e).split()) or type(e).__name__
            problem = f"The model {folder_or_repo} cannot be shown: {reason}."
    G = Generator.from_pretrained(str(BUNDLED))
    return Model(G, "the weights in this repository", problem, fastest_dtype(G))
