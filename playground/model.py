"""The generators that visitors draw with: the page's own one, and some of the Hub."""

import math
import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import gradio as gr
import numpy as np
import torch
from huggingface_hub.errors import HfHubHTTPError
from torch import Tensor

from playground.gpu import LENT, MANY, draw_there
from playground.hub import Copy, fetch
from playground.limits import (
    DRAWING,
    FIRST_SECONDS,
    LOADING,
    MOST_SECONDS,
    SLOWEST,
    TooMuch,
    Turns,
)
from playground.mistake import Mistake
from playground.told import read_told, reason
from playground.trial import seconds_a_face
from stylegan import Generator
from stylegan.domains import DOMAINS, Domain, looks_of, own_centres
from stylegan.encoder import Encoder
from stylegan.find import find_pretrained
from stylegan.history import HISTORY, Moment
from stylegan.images import to_uint8
from stylegan.latents import even_weights, sample_z, truncate
from stylegan.layout import CARD, ENCODER, METRICS, WEIGHTS
from stylegan.precision import draw, fastest_dtype, seconds_an_image
from stylegan.projection import project

AT_ONCE = 4  # pictures drawn before another visitor may draw
OTHERS = 3  # generators of the Hub that are kept loaded
REFUSED = 1000  # of the Hub of which is remembered that they cannot be shown
# what is shown or used beside the weights
ALSO = [CARD, DOMAINS, METRICS, HISTORY, "samples/*.png", f"{ENCODER}/*"]
BUNDLED = Path(__file__).resolve().parents[1] / "weights" / "faces-64"


@dataclass(frozen=True, eq=False)
class Model:
    """A generator, where it came from, and what went wrong on the way; never changed by drawing."""

    G: Generator
    name: str
    problem: str = ""  # a sentence: why it is not the one that was asked for
    domains: list[Domain] = field(default_factory=list)  # kinds of faces, if it tells them
    figures: dict[str, object] = field(default_factory=dict)  # how good it is, if measured
    history: list[tuple[Moment, Path]] = field(default_factory=list)  # with the picture of each
    card: str = ""  # HTML
    encoder: Encoder | None = None  # what finds faces at once, if it tells one
    left_out: list[str] = field(default_factory=list)  # sentences on what it tells badly
    dtype: torch.dtype = torch.float32  # of the wide features while drawing
    weights_bytes: int = 0
    seconds: float = 0.0  # a face, if it was measured
    turns: Turns = field(default_factory=Turns)
    copy: Copy | None = None  # of what a visitor named; keeps the folder

    @property
    def key(self) -> str:
        """What `Models` finds it by: empty for the page's own one."""
        return self.copy.key if self.copy else ""

    @property
    def level(self) -> bool:
        """Whether it learnt from faces that were turned until their eyes were level."""
        return any(domain.level for domain in self.domains)

    @property
    def at_once(self) -> int:
        """Pictures drawn before others draw; of a slow model no more than a second's."""
        return max(1, int(min(AT_ONCE, SLOWEST / self.seconds))) if self.seconds else AT_ONCE

    def drawn_in(self, seconds: float) -> float:
        """Pictures of a film or grid for which so long is enough, as far as that is known."""
        return seconds / self.seconds if self.seconds and not LENT else math.inf

    @property
    def first(self) -> float:
        """Pictures of a film or grid that is offered before a visitor asks for more."""
        return self.drawn_in(FIRST_SECONDS)

    @property
    def most(self) -> float:
        """Pictures of a film or grid."""
        return self.drawn_in(MOST_SECONDS)

    @torch.inference_mode()
    def styles(self, seeds: Sequence[int], psi: float, *, own: bool = False) -> Tensor:
        """ws (len(seeds), num_ws, w_dim), pulled towards the mean of all faces by 1 - psi or, with
        `own`, each towards the mean of its own kind."""
        ws = self.G.mapping(sample_z(seeds, self.G.z_dim))
        centre = self.G.mapping.w_avg
        if own and self.domains:
            centre = own_centres(self.domains, ws, seeds)
        return truncate(ws, centre, psi)

    def even_weights(self, ws_a: Tensor, ws_b: Tensor, weights: Sequence[float]) -> list[float]:
        """Those of `stylegan.latents.even_weights`, by the kinds of faces that are told."""
        return even_weights(ws_a, ws_b, weights, looks_of(self.domains, self.G.w_dim))

    def draw(
        self, ws: Tensor, transform: Tensor | None = None, *, heavy: bool = False
    ) -> np.ndarray:
        """ws (N, num_ws, w_dim), moved by transform (3, 3) -> uint8 (N, H, W, 3).

        Raises: gr.Error if it is not its turn for too long.
        """

        @torch.inference_mode()
        def work() -> np.ndarray:
            return to_uint8(draw(self.G, ws, self.dtype, transform))

        return self.turns.take(work, heavy=heavy)

    def draw_many(self, ws: Tensor) -> np.ndarray:
        """As `draw`, a few at a time, so that others may draw between; raises as it does."""
        return np.concatenate([self.draw(part) for part in ws.split(self.at_once)])

    def draw_parts(self, ws: Tensor) -> Iterator[np.ndarray]:
        """As `draw`, what is heavy, part by part: on the GPU if one is lent for it.

        Raises: gr.Error if it takes too long, or would by what was measured.
        """
        if LENT:
            yield from (draw_there(self.G, part) for part in ws.split(MANY))
            return
        if len(ws) > self.most:
            seconds, most = len(ws) * self.seconds, int(self.most)
            raise Mistake(
                f"{len(ws)} faces take about {seconds:.0f} s here, and this page "
                f"allows {MOST_SECONDS}: ask for at most {most}."
            )
        drawn = (self.draw(part, heavy=True) for part in ws.split(self.at_once))
        yield from self.turns.in_time(drawn)

    def _as_drawn(self, img: Tensor) -> Tensor:
        """A picture in colour, grey if this model draws in grey."""
        return img.mean(dim=1, keepdim=True) if self.G.img_channels == 1 else img

    def answer(self, target: Tensor) -> Tensor:
        """ws (1, num_ws, w_dim) by the encoder, which there must be, for a picture in colour."""

        @torch.inference_mode()
        def work() -> Tensor:
            return self.encoder(self._as_drawn(target))

        return self.turns.take(work)

    def project(self, target: Tensor, start: Tensor, basis: Tensor, steps: int) -> Iterator[Tensor]:
        """As `stylegan.projection.project`, target in colour; with what the encoder sees, if there
        is one. Between two steps others may draw."""
        see = self.encoder.maps if self.encoder else None
        found = project(self.G, self._as_drawn(target), start.clone(), basis, steps, see)

        def step() -> Tensor | None:
            with torch.autocast("cpu", self.dtype, enabled=self.dtype != torch.float32):
                return next(found, None)

        while (ws := self.turns.take(step, heavy=True)) is not None:
            yield ws


def _load(folder: Path) -> Generator:
    """Raises ValueError, OSError or HfHubHTTPError for what cannot be shown."""
    G = Generator.from_pretrained(folder).requires_grad_(False)
    if G.c_dim:
        raise ValueError("it draws by label, which this page does not offer")
    return G


def name_of(folder_or_repo: str) -> str:
    """As visitors read it: of a folder, the end of its path."""
    path = Path(folder_or_repo)
    return f"the weights in {Path(*path.parts[-2:])}" if path.is_dir() else folder_or_repo


def _own(folder_or_repo: str | Path, name: str, problem: str = "") -> Model:
    """The page's own one; raises as `_load`."""
    folder = find_pretrained(folder_or_repo, also=ALSO)
    G = _load(folder)
    told, dtype = read_told(folder, G, is_copy=False), fastest_dtype(G)
    known = dict(weights_bytes=(folder / WEIGHTS).stat().st_size, **vars(told))
    return Model(G, name, problem, dtype=dtype, seconds=seconds_an_image(G, dtype), **known)


def load_model(folder_or_repo: str | None = None) -> Model:
    """The generator asked for or, if it cannot be had, the bundled one and a sentence that says so.

    None asks for the bundled one. What is broken beside the weights is left out.
    """
    problem = ""
    if folder_or_repo:
        try:
            return _own(folder_or_repo, name_of(folder_or_repo))
        except (ValueError, OSError, HfHubHTTPError) as e:
            problem = (
                f"The model {folder_or_repo} cannot be shown: {reason(e)}. "
                "The faces are drawn by the weights in this repository instead."
            )
    return _own(BUNDLED, "the weights in this repository", problem)


class Models:
    """Finds a generator by its key, "user/repository@commit" or, for the page's own, nothing.

    The last few of the Hub stay loaded; another takes the place of the one that nobody used for
    longest, which is fetched again when it is asked for again. Each draws in turns of its own,
    after what the page's own one draws.
    """

    def __init__(self, own: Model):
        self.own = own
        self._others: OrderedDict[str, Model] = OrderedDict()
        self._refused: OrderedDict[str, str] = OrderedDict()  # why, by key
        self._changing, self._loading = threading.Lock(), Turns(nice=LOADING)

    def _find(self, key: str) -> Model | None:
        with self._changing:
            if key in self._others:
                self._others.move_to_end(key)
            return self._others.get(key)

    def __getitem__(self, key: str) -> Model:
        """Raises: gr.Error with a sentence for what cannot be shown."""
        if not key:
            return self.own
        repo, _, revision = key.partition("@")
        return self._find(key) or self.load(repo, revision)

    def load(self, repo: str, revision: str = "") -> Model:
        """The generator of a public repository; without a revision, the newest.

        Raises: gr.Error with a sentence for what cannot be shown.
        """

        def work() -> Model:
            copy = Copy(repo, revision)
            return self._find(copy.key) or self._add(copy)

        return self._loading.take(work)

    def _refuse(self, key: str, sentence: str) -> None:
        """From now on."""
        self._refused[key] = sentence
        while len(self._refused) > REFUSED:
            self._refused.popitem(last=False)

    def _add(self, copy: Copy) -> Model:
        """Raises: Mistake with a sentence, the same one again for what was refused before."""
        if copy.key in self._refused:
            raise Mistake(self._refused[copy.key])
        try:
            fetch(copy)
            G = _load(copy.folder)
            seconds = seconds_a_face(copy.folder, self.own.dtype, SLOWEST)
            if seconds > SLOWEST:
                raise TooMuch(f"it takes more than {SLOWEST} s a face here, too long for a page")
        except gr.Error:  # a ValueError, too
            raise
        except (ValueError, OSError) as e:
            sentence = f"{copy.repo} cannot be shown: {reason(e, copy.folder)}."
            if isinstance(e, TooMuch):
                sentence += f" On your own machine: python app.py --model {copy.repo}"
            if isinstance(e, ValueError):  # it is so each time
                self._refuse(copy.key, sentence)
            raise Mistake(sentence) from e
        model = Model(
            G,
            copy.repo,
            dtype=self.own.dtype,
            weights_bytes=(copy.folder / WEIGHTS).stat().st_size,
            seconds=seconds,
            turns=Turns(nice=DRAWING),
            copy=copy,
            **vars(read_told(copy.folder, G, is_copy=True)),
        )
        with self._changing:
            self._others[model.key] = model
            while len(self._others) > OTHERS:
                self._others.popitem(last=False)
        return model
