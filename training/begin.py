"""What is settled before anything of a run is built: pictures, flags and what flags leave open."""

import dataclasses
import importlib.util

import torch

from evaluation.dataset import ImageDataset
from evaluation.source import open_dataset
from training.adversary import images_compared
from training.checkpoint import (
    check_flags,
    commit_to_go_on_with,
    has_state,
    recorded,
    save_flags,
)
from training.config import TrainConfig
from training.precision import fastest_precision
from training.processes import on_main
from training.push import check_repository
from training.snapshot import save_run_card
from training.transfer import size_of_z


def open_alike(config: TrainConfig) -> ImageDataset:
    """The pictures of a run, the same on every process, whatever is sent to the Hub meanwhile.

    Raises: as `open_dataset`.
    """
    dataset = open_dataset(config.data, on_main(lambda: commit_to_go_on_with(config)))
    commit = on_main(lambda: dataset.commit)
    return dataset if commit == dataset.commit else open_dataset(config.data, commit)


def check(config: TrainConfig, dataset: ImageDataset, num_processes: int) -> None:
    """Raise ValueError for flags that do not fit the data, the machine or the processes."""
    per_share, rest = divmod(config.batch, num_processes * config.accumulate)
    if rest:
        parts = f" in {config.accumulate} parts each" if config.accumulate > 1 else ""
        raise ValueError(
            f"--batch {config.batch} cannot be split over {num_processes} processes{parts}"
        )
    num_labels = len(dataset.labels)
    group = images_compared(config, dataset)
    if per_share % group and not per_share == config.batch < group:
        raise ValueError(
            f"--batch {config.batch} gives {per_share} images per process and part; "
            f"{group} are compared with each other, so a multiple of {group} is needed"
        )
    if config.conditional and num_labels < 2:
        raise ValueError(f"--conditional needs sub-folders to tell apart, {config.data} has one")
    config.generator(
        dataset.resolution, num_labels, dataset.channels
    )  # refuses a resolution that no network has
    if config.cuda_graphs and not torch.cuda.is_available():
        raise ValueError("--cuda-graphs needs a GPU, and there is none")
    if config.cuda_graphs and num_processes > 1:
        raise ValueError(f"--cuda-graphs is for one process, and there are {num_processes}")
    if config.log_with and importlib.util.find_spec(config.log_with) is None:
        raise ValueError(f"--log-with {config.log_with} needs: pip install {config.log_with}")


def settle(config: TrainConfig, dataset: ImageDataset, device: torch.device) -> TrainConfig:
    """Choose what was left to choose, as the run was begun, and write it down.

    For the main process, whose machine alone needs to have the run folder.

    Raises: ValueError for what differs from how the run was begun.
    """
    begun = recorded(config)
    if config.mixed_precision == "auto":
        precision = begun.get("mixed_precision") or fastest_precision(device)
        config = dataclasses.replace(config, mixed_precision=precision)
    if config.z_dim is None:
        z_dim = begun.get("z_dim") if has_state(config) else None
        config = dataclasses.replace(config, z_dim=z_dim or size_of_z(config.init_from))
    if begun and has_state(config):
        check_flags(config, dataset, begun)
    if config.push_to_hub:
        check_repository(config.push_to_hub, private=config.hub_private)
    save_flags(config, dataset)
    save_run_card(config, dataset)
    return config
