"""The state of a run on disk, from which it goes on as if it had never stopped.

A state is one file, `state/kimg-N.pt`, of what torch.save makes followed by its SHA-256. It is
written beside the older ones and gets its name when it is whole; the oldest go only then. A file
whose sum does not fit was torn and counts as not there.
"""

import dataclasses
import hashlib
import io
import json
import os
import sys
from pathlib import Path

import torch
from torch import Tensor
from torch.optim import Optimizer

from evaluation.dataset import ImageDataset
from stylegan.files import write_whole
from stylegan.find import newest_weights
from stylegan.layout import CARD
from training.config import TrainConfig
from training.processes import on_main
from training.run import Run

# What the networks, the optimizers, the data's order and the latents depend on: fixed when a run
# begins.
FIXED_FLAGS = (
    "config",
    "critic",
    "num_layers",
    "channel_base",
    "channel_max",
    "d_channel_base",
    "d_channel_max",
    "z_dim",
    "batch",
    "r1_interval",
    "g_lr",
    "d_lr",
    "rate_kimg",
    "conditional",
    "path_length",
    "redraw",
    "init_from",
    "freeze_d",
    "mixed_precision",
    "seed",
)
# What runs did that were begun before there was the flag.
LATER_FLAGS = {"critic": "pixels", "rate_kimg": 0.0, "redraw": 0.0}
SUM_BYTES = hashlib.sha256().digest_size
RECORD = "config.json"


def read_record(out: Path) -> dict[str, object]:
    """The flags and pictures of the run in a folder; empty if it has no config.json.

    Raises: ValueError naming a config.json that does not hold them.
    """
    path = out / RECORD
    try:
        record = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    except ValueError as e:
        raise ValueError(f"{path} is damaged: {e}") from e
    if path.exists() and not (isinstance(record, dict) and {"out", "pictures"} <= record.keys()):
        raise ValueError(f"{path} is damaged: it does not hold the flags of a run")
    return record


def recorded(config: TrainConfig) -> dict[str, object]:
    """How the run was begun; empty for a new one, or if nobody knows any more.

    Raises: ValueError naming a damaged record, and the mend, if there is a state to compare with.
    """
    try:
        record = read_record(Path(config.out))
    except ValueError as e:
        if has_state(config):
            raise ValueError(
                f"{e}; delete it, and give the flags that the run was begun with: its "
                f"{CARD} tells them"
            ) from e
        print(f"{e}; it is made anew", file=sys.stderr)
        return {}
    if not record and has_state(config):
        words = f"{config.out} has no {RECORD}; these flags are taken for those it was begun with"
        print(words, file=sys.stderr)
    return record


def has_state(config: TrainConfig) -> bool:
    """Whether there is something to go on from."""
    return any((Path(config.out) / "state").glob("kimg-*.pt"))


def _told(counts: dict[str, int]) -> str:
    return ", ".join(f"{count} of {name}" for name, count in counts.items())


def check_flags(config: TrainConfig, dataset: ImageDataset, begun: dict[str, object]) -> None:
    """Raise ValueError naming what differs from the record of a run that has a state."""
    fixed = FIXED_FLAGS
    if config.conditional:
        fixed += ("total_kimg",)  # their weights follow the share of the run that is done
    for name in fixed:
        value, was = getattr(config, name), begun.get(name, LATER_FLAGS.get(name))
        if value != was:
            flag = "--" + name.replace("_", "-")
            raise ValueError(
                f"{config.out} was begun with {flag} {was}, not {value}; "
                "give that to go on, or another --out to begin anew"
            )
    if not dataset.is_the_one(begun.get("pictures") or {}):
        was, now = begun.get("counts"), dataset.counts()
        counts = f" (it had {_told(was)}, now {_told(now)})" if was and was != now else ""
        best = Path(config.out) / "best"
        weights = best if best.is_dir() else newest_weights(Path(config.out))
        raise ValueError(
            f"{config.data} does not hold the pictures that {config.out} was begun with{counts}; "
            f"to go on with these, give another --out and --init-from {weights or best}"
        )


def commit_to_go_on_with(config: TrainConfig) -> str | None:
    """Of a data set on the Hub, the one that the run was begun with; None for the newest."""
    try:
        record = read_record(Path(config.out)) if has_state(config) else {}
    except ValueError:  # told when it is read for its flags
        return None
    return record.get("commit") if record.get("data") == config.data else None


def save_flags(config: TrainConfig, dataset: ImageDataset) -> None:
    """Write config.json into the run folder."""
    values = dataclasses.asdict(config)
    values |= {"pictures": dataset.identity(), "counts": dataset.counts()}
    values |= {"commit": dataset.commit} if dataset.commit else {}
    write_whole(Path(config.out) / RECORD, json.dumps(values, indent=2) + "\n")


def load_optimizer(optimizer: Optimizer, state: dict[str, object]) -> None:
    """Load moments, of a run on another kind of machine too.

    Rates follow from the flags, and how the step is computed stays as it is. The moments come to
    lie in memory as the parameters do: a fused step takes that for granted, without looking.
    """
    names = "lr", "initial_lr", "capturable"
    groups = optimizer.param_groups
    kept = [{name: group[name] for name in names if name in group} for group in groups]
    optimizer.load_state_dict(state)
    for group, own in zip(optimizer.param_groups, kept, strict=True):
        group |= own
    for parameter, moments in optimizer.state.items():
        for name in ("exp_avg", "exp_avg_sq"):
            moments[name] = torch.empty_like(parameter).copy_(moments[name])


class States:
    """The states of a run folder: how far it is, and of each part what its `state_dict` gives."""

    def __init__(self, out: str | Path, keep: int, parts: dict[str, object]):
        self.folder, self.keep, self.parts = Path(out) / "state", keep, parts

    def _files(self) -> list[Path]:
        """Oldest first."""
        return sorted(self.folder.glob("kimg-*.pt"))

    def save(self, nimg: int, **more: Tensor) -> None:
        """Write a state, with tensors that belong to no part; for one process to call.

        Raises: OSError saying why it could not be written; the older ones are kept.
        """
        state = {name: part.state_dict() for name, part in self.parts.items()}
        buffer = io.BytesIO()
        torch.save({"nimg": nimg, **more, **state}, buffer)
        digest = hashlib.sha256(buffer.getbuffer()).digest()
        buffer.seek(0, io.SEEK_END)
        buffer.write(digest)
        self.folder.mkdir(exist_ok=True)
        path = self.folder / f"kimg-{nimg / 1000:010.3f}.pt"
        try:
            write_whole(path, buffer.getbuffer())
        except OSError as e:
            words = "once it can, the same command goes on from the state before it"
            raise OSError(f"{e}; {words}") from e
        for old in self._files()[: -1 - self.keep]:
            old.unlink()

    def _read(self) -> dict[str, object] | None:
        """The newest whole state; torn ones are told and put aside. None: there never was one.

        Raises: ValueError if all are torn.
        """
        for leftover in self.folder.glob("*.new"):  # of a run that was killed
            leftover.unlink()
        files = self._files()
        for path in reversed(files):
            content = path.read_bytes()
            content, digest = content[:-SUM_BYTES], content[-SUM_BYTES:]
            if hashlib.sha256(content).digest() == digest:
                return torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
            print(f"{path} is torn, looking for the state before it", file=sys.stderr)
            os.replace(path, path.with_suffix(".torn"))
        if files:
            raise ValueError(
                f"no state in {self.folder} is whole; delete {self.folder.parent} to begin anew, "
                "or give --init-from one of the run's weights and another --out"
            )
        return None

    def load(self) -> dict[str, object]:
        """The state that was gone on from; `nimg` alone, 0, without one. The main process reads for
        all of them.

        Raises: ValueError if there are only torn ones, or if it is one of other flags.
        """
        state = on_main(self._read)
        if state is None:
            return {"nimg": 0}
        try:
            for name, part in self.parts.items():
                if isinstance(part, Optimizer):
                    load_optimizer(part, state[name])
                else:
                    part.load_state_dict(state[name])
        except (RuntimeError, KeyError, ValueError) as e:
            reason = str(e).splitlines()[0]
            raise ValueError(
                f"the state in {self.folder} does not fit these flags: {reason}"
            ) from e
        return state


class Checkpoint(States):
    """Those of a generator's training: its parts, and progress."""

    def __init__(self, run: Run, config: TrainConfig):
        self.run = run
        super().__init__(config.out, config.keep, run.parts)

    def save(self, nimg: int) -> None:
        """As `States.save`."""
        super().save(nimg, mean_path=self.run.mean_path)

    def load(self) -> int:
        """Images shown so far; raises as `States.load`."""
        state = super().load()
        if state["nimg"]:
            self.run.mean_path.copy_(state["mean_path"])
        return state["nimg"]
