"""The state of a run on disk, from which it goes on as if it had never stopped."""

import dataclasses
import json
import os
from pathlib import Path

import torch

from stylegan import Generator
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
    "r1_interval",
    "g_lr",
    "d_lr",
    "seed",
)


def check_flags(config: TrainConfig) -> None:
    """Raise ValueError if the run folder holds a state that was begun with other flags."""
    out = Path(config.out)
    if not (out / "state.pt").exists():
        return
    if not (out / "config.json").exists():
        raise ValueError(f"{out} holds a state.pt but no config.json to compare with")
    begun = json.loads((out / "config.json").read_text())
    for name in FIXED_FLAGS:
        value = getattr(config, name)
        if value != begun[name]:
            flag = "--" + name.replace("_", "-")
            raise ValueError(
                f"{out} was begun with {flag} {begun[name]}, not {value}; "
                "give another --out to begin anew"
            )


def save_flags(config: TrainConfig) -> None:
    """Write config.json into the run folder, made if need be."""
    out = Path(config.out)
    out.mkdir(parents=True, exist_ok=True)
    (out / "config.json").write_text(json.dumps(dataclasses.asdict(config), indent=2) + "\n")


class Checkpoint:
    """`state.pt` of a run folder: networks, optimizers, progress."""

    def __init__(self, run: Run, G_ema: Generator, config: TrainConfig):
        self.path = Path(config.out) / "state.pt"
        self.parts = {
            "G": run.accelerator.unwrap_model(run.G),
            "D": run.accelerator.unwrap_model(run.D),
            "G_ema": G_ema,
            "G_opt": run.G_opt,
            "D_opt": run.D_opt,
        }

    def save(self, nimg: int) -> None:
        """Write beside the old file, then take its place."""
        state = {name: part.state_dict() for name, part in self.parts.items()}
        torch.save({"nimg": nimg, **state}, self.path.with_suffix(".new"))
        os.replace(self.path.with_suffix(".new"), self.path)

    def load(self) -> int:
        """Images shown so far; 0 without a file."""
        if not self.path.exists():
            return 0
        state = torch.load(self.path, map_location="cpu", weights_only=True)
        for name, part in self.parts.items():
            part.load_state_dict(state[name])
        return state["nimg"]
