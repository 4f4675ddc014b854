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
from accelerate.utils import broadcast_object_list
from filelock import FileLock, Timeout

from training.config import TrainConfig
from training.steps import Run

# What the networks, the optimizers, the data's order and the latents depend on: fixed when a run
# begins.
FIXED_FLAGS = (
    "config",
    "num_layers",
    "channel_base",
    "channel_max",
    "d_channel_base",
    "d_channel_max",
    "z_dim",
    "batch",
    "loss",
    "r1_interval",
    "g_lr",
    "d_lr",
    "conditional",
    "freeze_d",
    "mixed_precision",
    "seed",
)
SUM_BYTES = hashlib.sha256().digest_size


def recorded_flags(config: TrainConfig) -> dict[str, object] | None:
    """The flags that the run folder was begun with; None for a new one.

    Raises: ValueError if there are states and no record of their flags.
    """
    out = Path(config.out)
    if not any((out / "state").glob("kimg-*.pt")):
        return None
    if not (out / "config.json").exists():
        raise ValueError(f"{out} holds a state but no config.json to compare with")
    return json.loads((out / "config.json").read_text())


def check_flags(config: TrainConfig, begun: dict[str, object] | None) -> None:
    """Raise ValueError naming a flag that differs from the one a run was begun with."""
    fixed = FIXED_FLAGS
    if config.conditional or config.loss == "relativistic":
        fixed += ("total_kimg",)  # their weights follow the share of the run that is done
    for name in fixed if begun else ():
        value = getattr(config, name)
        if value != begun.get(name):
            flag = "--" + name.replace("_", "-")
            raise ValueError(
                f"{config.out} was begun with {flag} {begun.get(name)}, not {value}; "
                "give another --out to begin anew"
            )


def save_flags(config: TrainConfig) -> None:
    """Write config.json into the run folder, made if need be."""
    path = Path(config.out) / "config.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.with_suffix(".new").write_text(json.dumps(dataclasses.asdict(config), indent=2) + "\n")
    os.replace(path.with_suffix(".new"), path)


def claim(config: TrainConfig) -> FileLock:
    """Hold the run folder until the process ends; ValueError if another process holds it."""
    Path(config.out).mkdir(parents=True, exist_ok=True)
    lock = FileLock(Path(config.out) / ".lock")
    try:
        lock.acquire(timeout=0)
    except Timeout as e:
        raise ValueError(f"--out {config.out} is in use by a run that has not ended") from e
    return lock


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
        """The newest whole state; says which files are torn."""
        for path in reversed(self._files()):
            content = path.read_bytes()
            content, digest = content[:-SUM_BYTES], content[-SUM_BYTES:]
            if hashlib.sha256(content).digest() == digest:
                return torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
            print(f"{path} is torn, going back to the state before it", file=sys.stderr)
            path.unlink()
        return None

    def load(self) -> int:
        """Images shown so far; 0 without a state. The main process reads for all of them."""
        main = self.run.accelerator.is_main_process
        state = broadcast_object_list([self._read() if main else None])[0]
        if state is None:
            return 0
        for name, part in self.parts.items():
            part.load_state_dict(state[name])
        self.run.mean_path.copy_(state["mean_path"])
        return state["nimg"]
