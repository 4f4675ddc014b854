"""How a run is followed while it goes on: pictures and figures of the way, and the best weights."""

import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save

from evaluation.card import roughly
from evaluation.catalogue import catalogue, write_catalogue
from evaluation.dataset import ImageDataset
from evaluation.kinds import kinds
from evaluation.quality import Reference
from evaluation.sampling import draw
from stylegan import Generator
from stylegan.domains import DOMAINS, Domain, load_domains
from stylegan.files import write_whole
from stylegan.find import newest_weights
from stylegan.history import HISTORY, Moment, add_moment, as_moment, read_history
from training.best import BEST, new_version, publish
from training.config import TrainConfig
from training.doctor import examine
from training.handover import HANDOVER, handover
from training.mend import (
    OPTIONAL,
    beats,
    damaged,
    mend_best,
    mend_history,
    mend_snapshot,
    tell,
    width_of_kinds,
)
from training.report import forget_after
from training.snapshot import (
    name_at,
    restore,
    save_pictures,
    save_weights,
    typed,
    with_full_labels,
)

SAMPLES = 500
APP = Path(__file__).resolve().parents[1] / "app.py"


def _tells_all_kinds(folder: Path) -> bool:
    """Whether there is a domains.json of more faces than a measurement draws; a damaged one is told
    and counts as none."""
    try:
        there = width_of_kinds(folder) is not None
    except ValueError as e:
        tell(f"{e}; it is made anew")
        return False
    return there and sum(len(kind.seeds) for kind in load_domains(folder)) > SAMPLES


class Follower:
    """For the main process of a run that goes on at image `nimg`."""

    def __init__(self, config: TrainConfig, dataset: ImageDataset, nimg: int):
        self.config, self.dataset, self.out = config, dataset, Path(config.out)
        forget_after(self.out / HISTORY, nimg, lambda line: as_moment(line).kimg)
        restore(self.out / BEST)
        self.reference = None
        if config.eval_kimg:
            try:
                self.reference = Reference(dataset)
                for sentence in self.reference.warnings():
                    tell(sentence)
            except ValueError as e:
                tell(f"faces will not be measured: {e}")

    def mend(self, parts: dict[str, object], nimg: int) -> None:
        """Make anew, from what goes on at `nimg`, or tell, what of the run's weights is damaged.

        `parts` are a `Checkpoint`'s.
        """
        mend_history(self.out, nimg)
        config, moments = self.config, read_history(self.out)
        for folder in sorted((self.out / "weights").glob("kimg-*")):
            if folder.name == name_at(config, nimg) and damaged(folder).keys() - OPTIONAL:
                tell(f"{folder} is damaged; it is made anew")
                G = with_full_labels(parts["G_ema"], config.label_weight(nimg))
                save_pictures(config, G, nimg)
                figures = next((m.figures for m in moments if m.kimg == nimg / 1000), {})
                self._save(parts, G, nimg, folder, figures)
            elif folder.name != name_at(config, nimg):
                mend_snapshot(folder, moments, config.data)
        mend_best(self.out)

    def _save(
        self,
        parts: dict[str, object],
        G: Generator,
        nimg: int,
        folder: Path,
        figures: dict[str, object],
        domains: Sequence[Domain] = (),
    ) -> None:
        """As `save_weights`: G with what belongs to it of a `Checkpoint`'s parts."""
        what = G, parts["D"], nimg, folder, figures, domains
        save_weights(self.config, self.dataset, *what)

    def look(
        self, parts: dict[str, object], nimg: int, *, measure: bool, snapshot: bool
    ) -> dict[str, np.ndarray]:
        """Draw, measure, save what is asked for; returns the grids, uint8 (H, W, 3).

        Weights that are measured tell their kinds of faces, from the faces of the measurement.
        `parts` are a `Checkpoint`'s; the best weights get what lets training go on from them.
        """
        config, name = self.config, name_at(self.config, nimg)
        G = with_full_labels(parts["G_ema"], config.label_weight(nimg))
        pictures, figures, domains = save_pictures(config, G, nimg), {}, []
        if measure and self.reference:
            seen = self.reference.look_at(draw(G, SAMPLES))
            figures = {"kimg": nimg / 1000} | self.reference.judge(seen)
            with suppress(ValueError):  # no face of a kind yet
                domains = catalogue(kinds(G, self.reference, SAMPLES, seen), self.reference)
        add_moment(self.out, Moment(nimg / 1000, f"samples/{name}.png", figures))
        if figures and beats(figures, self.out / BEST):
            version = new_version(self.out)
            self._save(parts, G, nimg, version, figures, domains)
            state = handover(parts)
            write_whole(version / HANDOVER, save(state))
            publish(version, self.out)
        if snapshot:
            folder = self.out / "weights" / name
            self._save(parts, G, nimg, folder, figures, domains)
        if figures:
            rough = f" ({roughly(figures)})" if self.reference.few else ""
            words = f"score {figures['score']:.1f} at kimg {nimg / 1000:g}{rough}"
            print(f"{words}\n{examine(self.out)}", flush=True)
        return pictures

    def finish(self, nimg: int, device: torch.device) -> None:
        """At the end of the run, and again if it was killed in this: tell the kinds of faces of the
        last weights and of the best."""
        last = self.out / "weights" / name_at(self.config, nimg)
        for folder in (last, (self.out / BEST).resolve()):
            if self.reference and folder.exists() and not _tells_all_kinds(folder):
                G = Generator.from_pretrained(str(folder)).to(device)
                try:
                    write_catalogue(G, self.reference, folder)
                except ValueError as e:
                    tell(f"{folder} gets no {DOMAINS}: {e}")

    def farewell(self, nimg: int) -> str:
        """What lies where, and what to type next: commands that work now."""
        config, out = self.config, self.out
        if nimg < 1000 * config.total_kimg:
            lines = [f"stopped at kimg {nimg / 1000:.3f}; the same command goes on there"]
        else:
            end = f"--total-kimg {config.total_kimg:g} is reached"
            lines = [f"{end}; with a larger one the same command goes on"]
        newest, best = newest_weights(out), out / BEST
        lines.append(f"  pictures of the way   {out / 'samples'}")
        lines += [f"  newest weights        {newest}"] if newest else []
        lines += [f"  best weights          {best}"] if best.exists() else []
        show = best if best.exists() else newest
        if show and not config.conditional:  # the page offers no labels
            page = f"python {typed(os.path.relpath(APP))} --model {typed(str(show))}"
            lines.append(f"  see them on the page  {page}")
        return "\n".join(lines)
