"""FID and KID as papers report them, by torch-fidelity: `pip install torch-fidelity`.

The network's weights are a file that the user has: `pt_inception-2015-12-05-6726825d.pth`, from
torch-fidelity's releases.

Reference: Heusel et al. 2017 (arXiv:1706.08500); Binkowski et al. 2018 (arXiv:1801.01401).
"""

import importlib.util
import pickle
from pathlib import Path

import torch
from torch import Tensor
from torch.utils.data import Dataset

from stylegan.images import to_uint8

SUBSET = 1000  # pictures between which one of KID's hundred distances is taken


def check_inception(path: str) -> None:
    """Raise ValueError unless the package is installed and the file holds tensors."""
    if importlib.util.find_spec("torch_fidelity") is None:
        raise ValueError("--inception needs: pip install torch-fidelity")
    if not Path(path).is_file():
        raise ValueError(f"--inception {path} is not a file")
    try:
        torch.load(path, map_location="meta", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError) as e:
        raise ValueError(f"--inception {path} does not hold the weights of a network") from e


class _Pictures(Dataset):
    """As torch-fidelity takes them: uint8 (3, H, H)."""

    def __init__(self, img: Tensor):
        self.pixels = torch.from_numpy(to_uint8(img)).permute(0, 3, 1, 2)

    def __len__(self) -> int:
        return len(self.pixels)

    def __getitem__(self, index: int) -> Tensor:
        return self.pixels[index]


def inception_distances(real: Tensor, fake: Tensor, path: str) -> dict[str, float]:
    """FID and KID of images (N, 3, H, H) in [-1, 1]. Both fall with the number of fakes: say it."""
    from torch_fidelity import calculate_metrics

    found = calculate_metrics(
        input1=_Pictures(fake),
        input2=_Pictures(real),
        fid=True,
        kid=True,
        kid_subset_size=min(SUBSET, len(real), len(fake)),
        feature_extractor_weights_path=path,
        cuda=torch.cuda.is_available(),
        cache=False,
        verbose=False,
    )
    return {
        "FID": float(found["frechet_inception_distance"]),
        "KID": float(found["kernel_inception_distance_mean"]),
    }
