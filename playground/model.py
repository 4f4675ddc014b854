"""The one generator that all visitors draw with."""

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from huggingface_hub.errors import HfHubHTTPError
from torch import Tensor

from stylegan import Generator
from stylegan.domains import Domain, load_domains, own_centres
from stylegan.images import to_uint8
from stylegan.latents import sample_z, truncate
from stylegan.precision import draw, fastest_dtype
from stylegan.pretrained import read_metrics
from stylegan.projection import project

AT_ONCE = 4  # pictures drawn before another visitor may draw
BUNDLED = Path(__file__).resolve().parents[1] / "weights" / "faces-64"


@dataclass(frozen=True)
class Model:
    """A generator, where it came from, and what went wrong on the way; never changed by drawing.

    One drawing at a time: two at once would only share the same few cores.
    """

    G: Generator
    name: str
    problem: str = ""
    domains: list[Domain] = field(default_factory=list)  # kinds of faces, if it tells them
    figures: dict[str, object] = field(default_factory=dict)  # how good it is, if measured
    dtype: torch.dtype = torch.float32  # of the wide features while drawing
    _turn: threading.Lock = field(default_factory=threading.Lock)

    @torch.inference_mode()
    def styles(self, seeds: Sequence[int], psi: float, *, own: bool = False) -> Tensor:
        """ws (len(seeds), num_ws, w_dim), pulled towards the mean of all faces by 1 - psi or, with
        `own`, each towards the mean of its own kind."""
        ws = self.G.mapping(sample_z(seeds, self.G.z_dim))
        centre = self.G.mapping.w_avg
        if own and self.domains:
            centre = own_centres(self.domains, ws, seeds)
        return truncate(ws, centre, psi)

    @torch.inference_mode()
    def draw(self, ws: Tensor, transform: Tensor | None = None) -> np.ndarray:
        """ws (N, num_ws, w_dim), moved by transform (3, 3) -> uint8 (N, H, W, 3)."""
        with self._turn:
            return to_uint8(draw(self.G, ws, self.dtype, transform))

    def draw_many(self, ws: Tensor) -> np.ndarray:
        """As `draw`, a few at a time, so that others may draw between."""
        return np.concatenate([self.draw(part) for part in ws.split(AT_ONCE)])

    def project(
        self, target: Tensor, start: Tensor, spread: Tensor, steps: int
    ) -> Iterator[Tensor]:
        """As `stylegan.projection.project`, target in colour; between two steps others may draw."""
        if self.G.img_channels == 1:
            target = target.mean(dim=1, keepdim=True)
        found = project(self.G, target, start.clone(), spread.clone(), steps)
        while True:
            with self._turn:
                ws = next(found, None)
            if ws is None:
                return
            yield ws


def _load(folder_or_repo: str, name: str, problem: str = "") -> Model:
    """Raises ValueError, OSError or HfHubHTTPError for what cannot be shown."""
    G = Generator.from_pretrained(folder_or_repo).requires_grad_(False)
    if G.c_dim:
        raise ValueError("it draws by label, which this page does not offer")
    domains = load_domains(folder_or_repo)
    if domains:
        own_centres(domains, G.mapping.w_avg[None, None])  # they fit
    return Model(G, name, problem, domains, read_metrics(folder_or_repo), fastest_dtype(G))


def load_model(folder_or_repo: str | None = None) -> Model:
    """The generator asked for or, if it cannot be had, the bundled one and a sentence that says so.

    None asks for the bundled one.
    """
    problem = ""
    if folder_or_repo:
        try:
            return _load(folder_or_repo, folder_or_repo)
        except (ValueError, OSError, HfHubHTTPError) as e:
            reason = " ".join(str(e).split()) or type(e).__name__
            problem = f"The model {folder_or_repo} cannot be shown: {reason}."
    return _load(str(BUNDLED), "the weights in this repository", problem)
