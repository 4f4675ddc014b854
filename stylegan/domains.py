"""Kinds of faces that a generator draws: `domains.json` beside the weights.

Written by evaluation.catalogue. A generator works without it; with it, faces can be pulled to the
centre of their own kind (`stylegan.latents.truncate`) and be chosen by kind and quality.

A person may add a list "shown" to a kind, of seeds that were looked at: whoever shows some faces
begins with them. New weights get a new file, without such lists, and show the best ones first.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from stylegan.files import write_whole
from stylegan.find import find_pretrained

DOMAINS = "domains.json"
FARTHEST = 1e6  # of a centre or look, in each dimension; latents are about 1 wide


@dataclass(frozen=True)
class Domain:
    """One kind: faces like those of one sub-folder of the training pictures.

    Shapes: centre (w_dim,), the mean w of its faces; share of all drawn faces, 0 to 1.
    `seeds` go from the best face to the worst; `scores`, 0 to 1, say how surely it is of this kind.
    `shown` are those of the seeds that a person picked to be seen first, by looking at them.
    `look` (w_dim + 1,) tells how much a face of any w looks like this kind, as a row of `looks` of
    `stylegan.latents.even_weights` does; None if nobody measured that.
    `level` if the pictures were turned until the eyes were level: other faces have to be, too.
    """

    name: str
    centre: Tensor
    share: float
    seeds: list[int]
    scores: list[float]
    shown: list[int] = field(default_factory=list)
    level: bool = False
    look: Tensor | None = None

    @property
    def picked_first(self) -> list[int]:
        """All seeds: the picked ones, then the others from the best face to the worst."""
        picked = set(self.shown)
        return self.shown + [seed for seed in self.seeds if seed not in picked]


def own_centres(domains: list[Domain], ws: Tensor, seeds: Sequence[int] = ()) -> Tensor:
    """The centre of each latent's kind: (N, num_ws, w_dim) -> (N, 1, w_dim).

    That of the kind which lists its seed, if `seeds` are told; else the one it lies closest to.

    Raises: ValueError for centres of another width.
    """
    centres = torch.stack([domain.centre for domain in domains]).to(ws)
    if centres.shape[1] != ws.shape[2]:
        raise ValueError(f"centres are {centres.shape[1]} wide and the latents {ws.shape[2]}")
    kinds = torch.cdist(ws.mean(dim=1), centres).argmin(dim=1)
    for i, seed in enumerate(seeds):
        for kind, domain in enumerate(domains):
            if seed in domain.seeds:
                kinds[i] = kind
    return centres[kinds][:, None]


def looks_of(domains: list[Domain], w_dim: int) -> Tensor:
    """How faces look, for `stylegan.latents.even_weights`: (number of kinds, w_dim + 1).

    One kind of nothing if the domains do not tell: then no weight changes.
    """
    looks = [domain.look for domain in domains]
    if not looks or any(look is None for look in looks):
        return torch.zeros(1, w_dim + 1)
    return torch.stack(looks)


def _four_digits(values: Tensor) -> list[float]:
    return [float(f"{value:.4g}") for value in values.tolist()]


def save_domains(domains: Sequence[Domain], folder: str | Path) -> None:
    """Write a folder's domains.json: a line per kind, four digits of each number."""
    lines = []
    for d in domains:
        scores = [round(score, 4) for score in d.scores]
        entry = dict(name=d.name, share=round(d.share, 4))
        entry |= {"level": True} if d.level else {}
        entry |= {"shown": d.shown} if d.shown else {}
        entry |= dict(seeds=d.seeds, scores=scores)
        entry |= dict(centre=_four_digits(d.centre))
        entry |= {} if d.look is None else {"look": _four_digits(d.look)}
        lines.append(json.dumps(entry))
    text = "[\n" + ",\n".join(lines) + "\n]\n"
    write_whole(Path(folder) / DOMAINS, text)


def _is_share(value: object) -> bool:
    return isinstance(value, int | float) and 0 <= value <= 1


def _are_numbers(values: object) -> bool:
    return isinstance(values, list) and all(
        isinstance(x, int | float) and abs(x) <= FARTHEST for x in values
    )


def _parse(entry: object) -> Domain:
    """Raises ValueError, KeyError or TypeError for what is none."""
    name, share, centre = entry["name"], entry["share"], entry["centre"]
    seeds, scores = entry["seeds"], entry["scores"]
    if not isinstance(name, str) or not _is_share(share):
        raise ValueError("a name and a share from 0 to 1 are needed")
    if not all(isinstance(x, list) for x in (centre, seeds, scores)):
        raise ValueError(f"centre, seeds and scores of {name} must be lists")
    if not centre or not _are_numbers(centre):
        raise ValueError(f"the centre of {name} must be a list of numbers, none above {FARTHEST:g}")
    if not all(type(seed) is int and 0 <= seed < 2**32 for seed in seeds):
        raise ValueError(f"the seeds of {name} must lie between 0 and 4294967295")
    if len(scores) != len(seeds) or not all(map(_is_share, scores)):
        raise ValueError(f"{name} needs a score from 0 to 1 for each seed")
    shown = entry.get("shown", [])
    if not isinstance(shown, list) or len({*shown} & {*seeds}) < len(shown):
        raise ValueError(f"the shown seeds of {name} must be a list of some of its seeds")
    if not isinstance(level := entry.get("level", False), bool):
        raise ValueError(f"level of {name} must be true or false")
    centre = torch.tensor(centre, dtype=torch.float32)
    if (look := entry.get("look")) is not None:
        if not _are_numbers(look) or len(look) != len(centre) + 1:
            words = f"one number more than its centre, none above {FARTHEST:g}"
            raise ValueError(f"the look of {name} must be a list of {words}")
        look = torch.tensor(look, dtype=torch.float32)
    return Domain(name, centre, share, seeds, scores, shown, level, look)


def load_domains(folder_or_repo: str | Path, revision: str | None = None) -> list[Domain]:
    """The kinds of a folder or Hub repository; none if it does not tell them.

    Raises: as `find_pretrained`, and ValueError naming the file and what is wrong in it.
    """
    path = find_pretrained(folder_or_repo, revision, also=[DOMAINS]) / DOMAINS
    if not path.is_file():
        return []
    try:
        domains = [_parse(entry) for entry in json.loads(path.read_text(encoding="utf-8"))]
        if len({len(d.centre) for d in domains}) > 1:
            raise ValueError("centres must be of one length")
    except (ValueError, TypeError, KeyError, RecursionError) as e:
        raise ValueError(f"{path} does not list kinds of faces: {e}") from e
    return domains
