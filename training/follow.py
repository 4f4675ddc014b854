"""How a run is followed while it goes on: pictures and figures of the way, and the best weights."""

import json
import sys
from pathlib import Path

import numpy as np
import torch
from torch import nn

from evaluation.catalogue import write_catalogue
from evaluation.dataset import ImageDataset
from evaluation.quality import Reference
from evaluation.sampling import draw
from stylegan import Generator
from stylegan.domains import DOMAINS
from stylegan.history import HISTORY, Moment, add_moment
from stylegan.pretrained import METRICS
from training.config import TrainConfig
from training.doctor import examine
from training.report import forget_after
from training.snapshot import (
    name_at,
    push,
    restore,
    save_pictures,
    save_weights,
    with_full_labels,
)

SAMPLES = 500


class Follower:
    """For the main process of a run that goes on at image `nimg`."""

    def __init__(self, config: TrainConfig, dataset: ImageDataset, nimg: int):
        self.config, self.dataset, self.out = config, dataset, Path(config.out)
        forget_after(self.out / HISTORY, nimg)
        restore(self.out / "best")
        self.reference = None
        if config.eval_kimg:
            try:
                self.reference = Reference(dataset)
            except ValueError as e:
                print(f"faces will not be measured: {e}", file=sys.stderr)

    def _best(self) -> float:
        """Score of the best weights so far."""
        path = self.out / "best" / METRICS
        return json.loads(path.read_text())["score"] if path.exists() else -1.0

    def look(
        self, G_ema: Generator, D: nn.Module, nimg: int, *, measure: bool, snapshot: bool
    ) -> dict[str, np.ndarray]:
        """Draw, measure, save what is asked for; returns the grids, uint8 (H, W, 3)."""
        config, dataset, name = self.config, self.dataset, name_at(self.config, nimg)
        G = with_full_labels(G_ema, config.label_weight(nimg))
        pictures, figures = save_pictures(config, G, nimg), {}
        if measure and self.reference:
            figures = self.reference.judge(self.reference.look_at(draw(G, SAMPLES)))
            figures = {"kimg": nimg / 1000} | figures
        add_moment(self.out, Moment(nimg / 1000, f"samples/{name}.png", figures))
        if figures and figures["score"] > self._best():
            save_weights(config, dataset, G, D, nimg, self.out / "best", figures)
        if snapshot:
            save_weights(config, dataset, G, D, nimg, self.out / "weights" / name, figures)
        if figures:
            words = f"score {figures['score']:.1f} at kimg {nimg / 1000:g}\n{examine(self.out)}"
            print(words, flush=True)
        return pictures

    def finish(self, nimg: int, device: torch.device) -> None:
        """At the end of the run, and again if it was killed in this: tell the kinds of faces of the
        last weights and of the best, and push the last.

        Raises: OSError saying what to type if they cannot be pushed.
        """
        last = self.out / "weights" / name_at(self.config, nimg)
        for folder in (last, self.out / "best"):
            if self.reference and folder.exists() and not (folder / DOMAINS).exists():
                G = Generator.from_pretrained(str(folder)).to(device)
                try:
                    write_catalogue(G, self.reference, folder)
                except ValueError as e:
                    print(f"{folder} gets no {DOMAINS}: {e}", file=sys.stderr)
        if self.config.push_to_hub and last.exists():
            push(self.config, nimg, last=True)
