"""Of which kinds the faces are that a generator draws, and where each kind lies in W."""

from typing import NamedTuple

from torch import Tensor

from evaluation.domains import DomainClassifier
from evaluation.quality import Pictures, Reference
from evaluation.sampling import labels_of, styles, synthesize
from stylegan import Generator

MANY = 20_000  # latents of which centres are means


class Kinds(NamedTuple):
    """What the faces of the first seeds are, N of them, and where each kind lies in W."""

    w: Tensor  # (N, w_dim), not truncated
    labels: Tensor  # (N,)
    probabilities: Tensor  # (N, num_labels), of looking like each kind
    centres: Tensor  # (num_labels, w_dim)
    pictures: Pictures


def centres_of(w: Tensor, labels: Tensor, many: Tensor) -> Tensor:
    """Mean latents of the kinds: (num_labels, w_dim).

    A linear classifier in W learns the kinds of the faces that were drawn, w (N, w_dim) and labels
    (N,), and tells those of many latents (M, w_dim) that need not be drawn.
    """
    size = w.std()
    shares = DomainClassifier(w / size, labels).probabilities(many / size)
    return (shares / shares.sum(dim=0)).T @ many


def kinds(G: Generator, reference: Reference, samples: int, seen: Pictures | None = None) -> Kinds:
    """Of the first seeds; `seen` are their faces, if they are drawn already.

    Raises: ValueError if G has labels and they are not those of the sub-folders, or if there is
    none of a kind.
    """
    if G.c_dim not in (0, len(reference.names)):
        names = ", ".join(reference.names)
        raise ValueError(f"the generator has {G.c_dim} labels and the sub-folders are: {names}")
    ws = styles(G, samples)
    seen = seen or reference.look_at(synthesize(G, ws))
    probabilities = reference.classifier.probabilities(seen.taught)
    labels = (labels_of(G, samples) if G.c_dim else probabilities).argmax(dim=1)
    if not labels.bincount(minlength=len(reference.names)).all():
        raise ValueError("no drawn face looks like one of the sub-folders")
    w = ws[:, 0].cpu()
    centres = centres_of(w, labels, styles(G, MANY)[:, 0].cpu())
    return Kinds(w, labels, probabilities, centres, seen)
