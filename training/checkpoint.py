"""The state of a run on disk, from which it goes on as if it had never stopped."""

import os
from pathlib import Path

import torch

from stylegan import Generator
from training.config import TrainConfig
from training.steps import Run

# What the networks, the data's order and the latents depend on: fixed when a run begins.
FIXED_FLAGS = (
    "config",
    "num_layers",
    "channel_base",
    "channel_max",
    "d_channel_base",
    "d_channel_max",
    "z_dim",
    "batch",
    "seed",
)


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
        self.flags = {name: getattr(config, name) for name in FIXED_FLAGS}

    def save(self, nimg: int) -> None:
        """Write beside the old file, then take its place."""
        state = {name: part.state_dict() for name, part in self.parts.items()}
        torch.save({"nimg": nimg, "flags": self.flags, **state}, self.path.with_suffix(".new"))
        os.replace(self.path.with_suffix(".new"), self.path)

    def load(self) -> int:
        """Images shown so far; 0 without a file. ValueError if the flags of the run changed."""
        if not self.path.exists():
            return 0
        state = torch.load(self.path, map_location="cpu", weights_only=True)
        for name, value in self.flags.items():
            if value != state["flags"][name]:
                flag = "--" + name.replace("_", "-")
                raise ValueError(
                    f"{self.path.parent} was begun with {flag} {state['flags'][name]}, "
                    f"not {value}; give another --out to begin anew"
                )
        for name, part in self.parts.items():
            part.load_state_dict(state[name])
        return state["nimg"]
