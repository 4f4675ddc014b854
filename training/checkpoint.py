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
from filelock import AcquireReturnProxy, FileLock, Timeout
from torch.optim import Optimizer

from evaluation.dataset import ImageDataset
from training.config import TrainConfig
from training.processes import on_main
from training.steps import Run

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
    "conditional",
    "path_length",
    "init_from",
    "freeze_d",
    "mixed_precision",
    "seed",
)
SUM_BYTES = hashlib.sha256().digest_size
CLAIM_SECONDS = 30


def recorded(config: TrainConfig) -> dict[str, object]:
    """The run folder's config.json; empty for a new one.

    Raises: ValueError if there are states and no record of their flags.
    """
    path = Path(config.out) / "config.json"
    if path.exists():
        return json.loads(path.read_text(encoding="utf-8"))
    if has_state(config):
        raise ValueError(f"{config.out} holds a state but no config.json to compare with")
    return {}


def has_state(config: TrainConfig) -> bool:
    """Whether there is something to go on from."""
    return any((Path(config.out) / "state").glob("kimg-*.pt"))


def check_flags(config: TrainConfig, dataset: ImageDataset, begun: dict[str, object]) -> None:
    """Raise ValueError naming what differs from the record of a run that has a state."""
    fixed = FIXED_FLAGS
    if config.conditional:
        fixed += ("total_kimg",)  # their weights follow the share of the run that is done
    for name in fixed:
        value, was = getattr(config, name), begun.get(name)
        if value != was:
            flag = "--" + name.replace("_", "-")
            raise ValueError(
                f"{config.out} was begun with {flag} {was}, not {value}; "
                "give another --out to begin anew"
            )
    if not dataset.is_the_one(begun.get("pictures") or {}):
        raise ValueError(
            f"{config.data} does not hold the pictures that {config.out} was begun with; "
            "give another --out, and --init-from to begin with its weights"
        )


def save_flags(config: TrainConfig, dataset: ImageDataset) -> None:
    """Write config.json into the run folder."""
    path = Path(config.out) / "config.json"
    values = dataclasses.asdict(config)
    values |= {"pictures": dataset.identity(), "counts": dataset.counts()}
    path.with_suffix(".new").write_text(json.dumps(values, indent=2) + "\n", encoding="utf-8")
    os.replace(path.with_suffix(".new"), path)


def claim(config: TrainConfig) -> AcquireReturnProxy:
    """Hold the run folder, made if need be, while the returned context lasts.

    A run that was just told to stop may still be saving, so half a minute is waited for it.

    Raises: ValueError if another process holds it still.
    """
    Path(config.out).mkdir(parents=True, exist_ok=True)
    try:
        return FileLock(Path(config.out) / ".lock").acquire(timeout=CLAIM_SECONDS)
    except Timeout as e:
        raise ValueError(f"--out {config.out} is in use by a run that has not ended") from e


def load_optimizer(optimizer: Optimizer, state: dict[str, object]) -> None:
    """Load rates and moments, of a run on another kind of machine too.

    How the step is computed stays as it is, and the moments come to lie in memory as the
    parameters do: a fused step takes for granted that they do, without looking.
    """
    capturable = [group["capturable"] for group in optimizer.param_groups]
    optimizer.load_state_dict(state)
    for group, own in zip(optimizer.param_groups, capturable, strict=True):
        group["capturable"] = own
    for parameter, moments in optimizer.state.items():
        for name in ("exp_avg", "exp_avg_sq"):
            moments[name] = torch.empty_like(parameter).copy_(moments[name])


class Checkpoint:
    """The states of a run folder: networks, optimizers, augmentation, progress."""

    def __init__(self, run: Run, config: TrainConfig):
        self.run, self.keep = run, config.keep
        self.folder = Path(config.out) / "state"
        self.parts = {
            "G": run.accelerator.unwrap_model(run.G).G,
            "D": run.accelerator.unwrap_model(run.D),
            "G_ema": run.G_ema,
            "G_opt": run.G_opt,
            "D_opt": run.D_opt,
            "ada": run.ada,
        }

    def _files(self) -> list[Path]:
        """Oldest first."""
        return sorted(self.folder.glob("kimg-*.pt"))

    def save(self, nimg: int) -> None:
        """Write a state; for one process to call.

        Raises: OSError saying why it could not be written; the older ones are kept.
        """
        state = {name: part.state_dict() for name, part in self.parts.items()}
        buffer = io.BytesIO()
        torch.save({"nimg": nimg, "mean_path": self.run.mean_path, **state}, buffer)
        self.folder.mkdir(exist_ok=True)
        path = self.folder / f"kimg-{nimg / 1000:010.3f}.pt"
        new = path.with_suffix(".new")
        try:
            with new.open("wb") as file:
                file.write(buffer.getbuffer())
                file.write(hashlib.sha256(buffer.getbuffer()).digest())
                file.flush()
                os.fsync(file.fileno())
        except OSError as e:
            new.unlink(missing_ok=True)
            raise OSError(
                f"{path} cannot be saved: {e.strerror}; "
                "once it can, the same command goes on from the state before it"
            ) from e
        os.replace(new, path)
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
                f"no state in {self.folder} is whole; delete the folder to begin anew, "
                "or give --init-from one of the run's weights and another --out"
            )
        return None

    def load(self) -> int:
        """Images shown so far; 0 without a state. The main process reads for all of them.

        Raises: ValueError if there are only torn ones.
        """
        state = on_main(self._read)
        if state is None:
            return 0
        for name, part in self.parts.items():
            if isinstance(part, Optimizer):
                load_optimizer(part, state[name])
            else:
                part.load_state_dict(state[name])
        self.run.mean_path.copy_(state["mean_path"])
        return state["nimg"]
