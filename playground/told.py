"""What is told of a model beside its weights: kinds of faces, figures, history, card, an encoder.

Read once, when the model is loaded, and never more of a file than its limit. What a file spoils is
left out, with a sentence that says so.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TypeVar

from playground.card import card_html
from playground.limits import MEGABYTE, MOST, check_encoder
from playground.mistake import plain
from stylegan import Generator
from stylegan.config import EncoderConfig
from stylegan.config_file import read_config
from stylegan.domains import DOMAINS, Domain, load_domains, own_centres
from stylegan.encoder import Encoder
from stylegan.history import HISTORY, Moment, read_history
from stylegan.layout import CARD, CONFIG, ENCODER, METRICS, WEIGHTS
from stylegan.pretrained import read_metrics

Result = TypeVar("Result")
MOST_KINDS, MOST_LETTERS = 50, 40  # of faces; of the name of one


@dataclass(frozen=True)
class Told:
    """Each is empty if it is not told or left out."""

    domains: list[Domain]  # kinds of faces
    figures: dict[str, object]  # how good it is
    history: list[tuple[Moment, Path]]  # with the picture of each
    card: str  # HTML
    encoder: Encoder | None  # what finds faces at once
    left_out: list[str]  # sentences


def reason(error: Exception, folder: Path | None = None) -> str:
    """What an error says, in one line, without the folder if nobody else should know it."""
    words = str(error)
    if folder:
        words = words.replace(f"{folder}/", "").replace(str(folder), "it")
    return plain(words) or type(error).__name__


def history_folder(folder: Path, *, is_copy: bool) -> Path:
    """Where the history is: with the weights or, in the folder of a run, up to two above."""
    above = [] if is_copy else list(folder.resolve().parents[:2])
    return next((f for f in (folder, *above) if (f / HISTORY).is_file()), folder)


def moments(folder: Path) -> list[tuple[Moment, Path]]:
    """Of its history those of which there is the picture, and that picture."""
    found = read_history(folder)
    return [(m, folder / m.grid) for m in found if (folder / m.grid).is_file()]


def kinds(folder: Path, G: Generator) -> list[Domain]:
    """Of its faces; raises ValueError for those of another generator, or too many."""
    domains = load_domains(folder)
    if len(domains) > MOST_KINDS:
        raise ValueError(f"it names {len(domains)} kinds, and this page takes {MOST_KINDS}")
    if domains:
        own_centres(domains, G.mapping.w_avg[None, None])  # they fit
    return [replace(kind, name=plain(kind.name, MOST_LETTERS)) for kind in domains]


def card(folder: Path) -> str:
    """HTML, empty without one."""
    path = folder / CARD
    return card_html(path.read_text("utf-8", errors="replace")) if path.is_file() else ""


def encoder(folder: Path, G: Generator, *, is_copy: bool) -> Encoder | None:
    """Its own one, if it has one; raises ValueError for another generator's, or a stranger's that
    asks for too much, before it is built."""
    inner = folder / ENCODER
    if not inner.is_dir():
        return None
    config = read_config(inner / CONFIG, EncoderConfig)
    config.check_fit(G.config)
    if is_copy:
        check_encoder(config)
    return Encoder.from_pretrained(folder)


def read_told(folder: Path, G: Generator, *, is_copy: bool) -> Told:
    """All that a folder tells of its generator; `is_copy` if it is one of a Hub repository."""
    left_out, past = [], history_folder(folder, is_copy=is_copy)

    def unless_broken(
        name: str, read: Callable[[], Result], nothing: Result, folder: Path = folder
    ) -> Result:
        try:
            path = folder / name
            if path.is_file() and path.stat().st_size > MOST[name] * MEGABYTE:
                raise ValueError(f"it has more than {MOST[name]} MB")
            return read()
        except (ValueError, OSError) as e:
            left_out.append(f"{name} is left out: {reason(e, folder)}.")
            return nothing

    found = partial(encoder, folder, G, is_copy=is_copy)
    return Told(
        domains=unless_broken(DOMAINS, lambda: kinds(folder, G), []),
        figures=unless_broken(METRICS, lambda: read_metrics(folder), {}),
        history=unless_broken(HISTORY, lambda: moments(past), [], past),
        card=unless_broken(CARD, lambda: card(folder), ""),
        encoder=unless_broken(f"{ENCODER}/{WEIGHTS}", found, None),
        left_out=left_out,
    )
