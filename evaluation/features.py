"""What pictures look like to small networks: the features between which distances are measured.

    FeatureNetwork   images -> features
    random_network   one that has learned nothing: sees colours and contrasts
    load_features    the one in the repository, which learned to know faces again: sees shapes
    Details          one that knows pictures of all kinds: sees bent and soft eyes, too

    python -m evaluation.features --data FOLDER --out NEW_FOLDER   teaches one on other pictures

The lesson is to find, among many, the other view of a picture that was turned, zoomed, moved and
recoloured a little. No labels are needed.

Reference: Chen et al. 2020 (arXiv:2002.05709), Sec. 2.
"""

import argparse
import hashlib
import math
import os
import time
from collections.abc import Sequence
from pathlib import Path

os.environ.setdefault("GOMP_SPINCOUNT", "1000")  # see training/train.py

import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save
from torch import Tensor, nn

from evaluation.dataset import ImageDataset
from evaluation.source import open_dataset
from evaluation.trunk import BUNDLED as TRUNK
from evaluation.trunk import Trunk
from stylegan.files import check_out, is_free, write_whole
from stylegan.images import from_uint8
from stylegan.memory import keep_freed_memory

WIDTHS = 32, 64, 128, 256  # of the layers; each halves the side
SIDE, PLACES = 64, 16  # pixels at which pictures are looked at; values of the last layer's maps
BUNDLED = Path(__file__).resolve().parents[1] / "weights" / "features-64"
WEIGHTS = "model.safetensors"
BATCH, RATE, TEMPERATURE = 192, 1e-3, 0.1
LARGE, AT_ONCE = 128, 32  # pixels and pictures that `Details` looks at


class FeatureNetwork(nn.Module):
    """Four convolutions. Over the pictures of `calibrate` all features have mean 0.

    By place, they are what the last one finds in each of 16 places, as a direction: shapes count,
    and how strong they are does not. Otherwise they are what each layer finds on average over the
    picture: how much of everything there is, wherever it is.

    Shapes: img (N, 3 or 1, H, H) in [-1, 1] -> (N, 4096) by place or (N, 480).
    """

    def __init__(self, *, by_place: bool):
        super().__init__()
        inputs = 3, *WIDTHS
        self.layers = nn.ModuleList(
            nn.Conv2d(n_in, n_out, 3, stride=2, padding=1)
            for n_in, n_out in zip(inputs, WIDTHS, strict=False)
        )
        self.blocks = [PLACES * WIDTHS[-1]] if by_place else list(WIDTHS)
        self.by_place = by_place
        self.register_buffer("mean", torch.zeros(sum(self.blocks)))
        self.register_buffer("scale", torch.ones(len(self.blocks)))

    def maps(self, img: Tensor) -> list[Tensor]:
        """What each layer finds, (N, C, H, H)."""
        x, found = img.expand(-1, 3, -1, -1), []
        if img.shape[2] != SIDE:
            x = F.interpolate(x, size=(SIDE, SIDE), mode="bilinear", antialias=True)
        for layer in self.layers:
            x = F.leaky_relu(layer(x), 0.1)
            found.append(x)
        return found

    def forward(self, img: Tensor) -> Tensor:
        maps = self.maps(img)
        if self.by_place:
            found = F.normalize(maps[-1], dim=1).flatten(1)
        else:
            found = torch.cat([x.mean(dim=(2, 3)) for x in maps], dim=1)
        parts = (found - self.mean).split(self.blocks, dim=1)
        return torch.cat([x * scale for x, scale in zip(parts, self.scale, strict=True)], dim=1)

    @torch.no_grad()
    def calibrate(self, img: Tensor) -> None:
        """Set the mean, and let the mean variance of a layer's features be 1, by these pictures."""
        self.mean.zero_(), self.scale.fill_(1)
        variance, mean = torch.var_mean(features_of(self, img), dim=0)
        self.mean.copy_(mean)
        blocks = variance.split(self.blocks)
        self.scale.copy_(torch.stack([block.mean().rsqrt() for block in blocks]))


@torch.no_grad()
def random_network(img: Tensor, *, by_place: bool = False) -> FeatureNetwork:
    """The same one each time, calibrated by the pictures given."""
    network, random = FeatureNetwork(by_place=by_place), torch.Generator().manual_seed(0)
    for layer in network.layers:
        spread = math.sqrt(2 / layer.weight[0].numel())
        layer.weight.copy_(torch.randn(layer.weight.shape, generator=random) * spread)
        layer.bias.zero_()
    network.calibrate(img)
    return network.eval().requires_grad_(False)


def load_features(folder: str | Path = BUNDLED) -> tuple[FeatureNetwork, str]:
    """The network of a folder and a hash by which figures tell which one they are of.

    Raises: FileNotFoundError if the folder has none; ValueError if it holds something else.
    """
    path, network = Path(folder) / WEIGHTS, FeatureNetwork(by_place=True)
    if not path.is_file():
        raise FileNotFoundError(f"{folder} holds no {WEIGHTS} of a feature network")
    try:
        network.load_state_dict({name: x.float() for name, x in load_file(path).items()})
    except RuntimeError as e:
        raise ValueError(f"{path} is not a feature network: {e}") from e
    return network.eval().requires_grad_(False), name_of(folder)


def name_of(folder: str | Path) -> str:
    """By which figures tell of which weights they are: a hash of the folder's."""
    return hashlib.sha256((Path(folder) / WEIGHTS).read_bytes()).hexdigest()[:12]


class Details(nn.Module):
    """What a network that knows pictures of all kinds finds in each of 16 places of a face.

    `FeatureNetwork` hardly sees when real faces are bent by a pixel or two; this one does. The
    pictures are enlarged, for eyes of a few pixels are less than it can tell apart.

    Shapes: img (N, 3 or 1, H, H) in [-1, 1] -> (N, 5120).
    """

    def __init__(self):
        super().__init__()
        self.trunk, self.name = Trunk(), name_of(TRUNK)
        self.mean, self.scale = torch.zeros(()), torch.ones(())

    def _look(self, img: Tensor) -> Tensor:
        size = LARGE, LARGE
        x = F.interpolate(img.expand(-1, 3, -1, -1), size=size, mode="bicubic", antialias=True)
        return self.trunk(x.clamp(-1, 1))[-1].flatten(1)

    def forward(self, img: Tensor) -> Tensor:
        found = torch.cat([self._look(part) for part in img.split(AT_ONCE)])
        return (found - self.mean) * self.scale

    def calibrate(self, found: Tensor) -> Tensor:
        """From now on each feature has mean 0 and variance 1 over the pictures in which this was
        found, less where it hardly varies; returns what it finds in them then.

        Shapes: found (N, 5120), by a network that was not calibrated -> (N, 5120).
        """
        variance, self.mean = torch.var_mean(found, dim=0)
        self.scale = torch.maximum(variance, variance.mean() / 100 + 1e-8).rsqrt()
        return (found - self.mean) * self.scale


@torch.no_grad()
def features_of(network: nn.Module, img: Tensor) -> Tensor:
    """Of any number of images."""
    return torch.cat([network(part) for part in img.split(250)])


def view(img: Tensor) -> Tensor:
    """The pictures mirrored or not, turned, zoomed, moved and recoloured a little, at random."""
    n = len(img)

    def uniform(low: float, high: float, *shape: int) -> Tensor:
        return torch.empty(n, *shape).uniform_(low, high)

    angle, zoom = uniform(-0.2, 0.2), uniform(0.65, 1.05)
    side = zoom * (torch.randint(2, (n,)) * 2 - 1)
    cos, sin, shift = angle.cos(), angle.sin(), uniform(-0.15, 0.15, 2)
    rows = [torch.stack([cos * side, -sin * zoom, shift[:, 0]], dim=1)]
    rows.append(torch.stack([sin * side, cos * zoom, shift[:, 1]], dim=1))
    grid = F.affine_grid(torch.stack(rows, dim=1), list(img.shape), align_corners=False)
    img = F.grid_sample(img, grid, padding_mode="reflection", align_corners=False)
    return img * uniform(0.8, 1.2, 1, 1, 1) + uniform(-0.15, 0.15, 3, 1, 1)


def contrast(a: Tensor, b: Tensor) -> Tensor:
    """How hard it is to find each view's other view among all others.

    Shapes: a, b (N, dim), the two views of N pictures -> ().
    """
    both = F.normalize(torch.cat([a, b]), dim=1)
    likeness = (both @ both.T / TEMPERATURE).fill_diagonal_(-torch.inf)
    return F.cross_entropy(likeness, torch.arange(len(both)).roll(len(a)))


def teach(img: Tensor, kimg: float) -> FeatureNetwork:
    """A network that has seen `kimg` thousand pictures, each in two views."""
    torch.manual_seed(0)
    network = random_network(img, by_place=True).train().requires_grad_(True)
    head = nn.Sequential(nn.Linear(WIDTHS[-1], 256), nn.ReLU(), nn.Linear(256, 128))
    parameters = [*network.parameters(), *head.parameters()]
    steps, start = math.ceil(1000 * kimg / BATCH), time.monotonic()
    optimizer = torch.optim.AdamW(parameters, lr=RATE, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=steps)
    for step in range(steps):
        chosen = img[torch.randint(len(img), (BATCH,))]
        views = (head(network.maps(view(chosen))[-1].mean(dim=(2, 3))) for _ in range(2))
        loss = contrast(*views)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        if step % 50 == 0 or step == steps - 1:
            seconds = time.monotonic() - start
            print(f"step {step}/{steps}  loss {loss.item():.3f}  {seconds:.0f} s", flush=True)
    network.calibrate(img)
    return network.eval().requires_grad_(False)


def balanced(dataset: ImageDataset) -> tuple[Tensor, Tensor]:
    """All pictures in RGB, uint8 (N, 3, H, H), and labels (N,), in turns while they last."""
    groups = dataset.groups(balance=True)
    order = [g[i] for i in range(max(map(len, groups))) for g in groups if i < len(g)]
    pictures, labels = zip(*(dataset[i, False] for i in order), strict=True)
    return torch.stack(pictures).expand(-1, 3, -1, -1), torch.tensor(labels)


def main(argv: Sequence[str] | None = None) -> None:
    """Teach a network and save it as float16."""
    parser = argparse.ArgumentParser(
        prog="python -m evaluation.features",
        description=__doc__.splitlines()[0],
        allow_abbrev=False,
    )
    parser.add_argument(
        "--data", required=True, help="faces: a folder, a zip or a data set of the Hub"
    )
    parser.add_argument("--out", required=True, help="new or empty folder for the network")
    parser.add_argument("--kimg", type=float, default=300.0, help="pictures to show, in thousands")
    args = parser.parse_args(argv)
    keep_freed_memory()
    try:
        out = check_out(args.out, args.data)
        if not is_free(out):
            raise ValueError(f"--out {out} is not empty; name a new folder")
        img = from_uint8(balanced(open_dataset(args.data))[0])
        out.mkdir(parents=True, exist_ok=True)  # fails now rather than after the lesson
        network = teach(img, args.kimg)
        state = {name: x.half() for name, x in network.state_dict().items()}
        write_whole(out / WEIGHTS, save(state))
    except (ValueError, OSError) as e:
        parser.error(str(e))


if __name__ == "__main__":
    main()
