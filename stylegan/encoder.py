"""The encoder: a picture becomes the latents of a face like it, in one pass.

    ResidualBlock   features at half the side
    Encoder         picture -> ws; loads and saves itself in `encoder/` of its generator's folder

What it answers is w_avg + w + an offset for each layer, all in standard deviations along the
principal directions of W: an untaught encoder answers w_avg, and numbers near 1 are usual.
Legend: N batch, C channels, H and W pixels.

Reference: Richardson et al. 2021 (arXiv:2008.00951), Sec. 3; Tov et al. 2021 (arXiv:2102.02766),
Sec. 4 for offsets that come in late.
"""

from itertools import pairwise
from pathlib import Path
from typing import Self

import torch
import torch.nn.functional as F
from safetensors.torch import save
from torch import Tensor, nn

from stylegan.activation import lrelu
from stylegan.checks import check_tensor
from stylegan.config import EncoderConfig
from stylegan.config_file import read_config, save_config
from stylegan.directions import principal_directions, sample_w
from stylegan.files import write_whole
from stylegan.find import find_pretrained
from stylegan.generator import Generator
from stylegan.layout import CONFIG, ENCODER, WEIGHTS
from stylegan.tensors import check_fit, read_tensors

SIDE, LEAST = 64, 4  # pixels at which pictures are looked at, and of the last features
SQUEEZED = 32  # channels of these


class ResidualBlock(nn.Module):
    """Shapes: x (N, n_in, H, W) -> (N, n_out, H / 2, W / 2)."""

    def __init__(self, n_in: int, n_out: int):
        super().__init__()
        self.norm = nn.GroupNorm(8, n_in)
        self.conv0 = nn.Conv2d(n_in, n_out, 3, padding=1, stride=2)
        self.conv1 = nn.Conv2d(n_out, n_out, 3, padding=1)
        self.skip = nn.Conv2d(n_in, n_out, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv1(lrelu(self.conv0(lrelu(self.norm(x)))))
        return y + self.skip(F.avg_pool2d(x, 2))


class Encoder(nn.Module):
    """Answers pictures with latents.

        ws = Encoder.from_pretrained("folder or user/repository of a generator")(img)

    Shapes: img (N, img_channels, H, H) in [-1, 1] -> ws (N, num_ws, w_dim), float32.
    Raises: TypeError or ValueError naming an argument of another kind or shape.
    """

    def __init__(self, config: EncoderConfig):
        super().__init__()
        self.config = config
        widths = [config.width * 2**i for i in range((SIDE // LEAST).bit_length() - 1)]
        self.stem = nn.Conv2d(config.img_channels, widths[0], 3, padding=1, stride=2)
        self.blocks = nn.ModuleList(ResidualBlock(a, b) for a, b in pairwise(widths))
        self.squeeze = nn.Conv2d(widths[-1], SQUEEZED, 1)
        self.features = nn.Linear(SQUEEZED * LEAST**2, config.features)
        self.w = nn.Linear(config.features, config.w_dim)
        self.offsets = nn.Linear(config.features, config.num_ws * config.directions)
        for head in (self.w, self.offsets):
            nn.init.zeros_(head.weight)
            nn.init.zeros_(head.bias)
        self.register_buffer("w_avg", torch.zeros(config.w_dim))
        self.register_buffer("basis", torch.eye(config.w_dim))  # rows: the direction of most first

    @classmethod
    def of(cls, G: Generator, **shape: int) -> Self:
        """An untaught one; `shape` gives fields of its config."""
        shape = {"directions": min(EncoderConfig.directions, G.w_dim)} | shape
        encoder = cls(EncoderConfig(G.num_ws, G.w_dim, G.img_channels, **shape))
        encoder.w_avg.copy_(G.mapping.w_avg)
        directions = principal_directions(sample_w(G), G.w_dim)
        encoder.basis[: len(directions)] = directions
        return encoder

    def maps(self, img: Tensor) -> list[Tensor]:
        """What the stem and each block find, (N, C, H, W)."""
        check_tensor("img", img, self.config.img_channels, *img.shape[2:3] * 2)
        if img.shape[2] != SIDE:
            img = F.interpolate(img, size=(SIDE, SIDE), mode="bilinear", antialias=True)
        found = [self.stem(img)]
        for block in self.blocks:
            found.append(block(found[-1]))
        return found

    def coordinates(self, img: Tensor) -> tuple[Tensor, Tensor]:
        """In standard deviations: w (N, w_dim) and the offsets (N, num_ws, directions)."""
        x = self.squeeze(lrelu(self.maps(img)[-1])).flatten(1)
        x = lrelu(self.features(lrelu(x)))
        return self.w(x), self.offsets(x).unflatten(1, (self.config.num_ws, -1))

    def latents(self, w: Tensor, offsets: Tensor) -> Tensor:
        """Of coordinates, ws (N, num_ws, w_dim)."""
        ws = (self.w_avg + w @ self.basis).unsqueeze(1)  # (N, 1, w_dim)
        return ws + offsets @ self.basis[: self.config.directions]

    def forward(self, img: Tensor, offset_weight: float | Tensor = 1.0) -> Tensor:
        """`offset_weight` scales the offsets, of all faces or of each one, (N, 1, 1): training
        brings them in gradually, and leaves some faces without."""
        w, offsets = self.coordinates(img)
        return self.latents(w, offset_weight * offsets)

    def save_pretrained(self, folder: str | Path) -> None:
        """Save it, as float16, into `encoder/` of a model's folder; raises OSError."""
        inner = Path(folder) / ENCODER
        inner.mkdir(parents=True, exist_ok=True)
        state = {name: x.half().contiguous() for name, x in self.state_dict().items()}
        write_whole(inner / WEIGHTS, save(state))
        save_config(self.config, inner)

    @classmethod
    def from_pretrained(cls, folder_or_repo: str | Path, revision: str | None = None) -> Self:
        """That of a model's folder or Hub repository, in eval mode and without gradients.

        Raises: FileNotFoundError if it has none; ValueError naming what does not fit; as
        `stylegan.find.find_pretrained`.
        """
        also = [f"{ENCODER}/{name}" for name in (CONFIG, WEIGHTS)]
        inner = find_pretrained(folder_or_repo, revision, also) / ENCODER
        for name in (CONFIG, WEIGHTS):
            if not (inner / name).is_file():
                words = f"{folder_or_repo} has no {ENCODER}/{name}"
                raise FileNotFoundError(f"{words}; training/train_encoder.py teaches one")
        encoder = cls(read_config(inner / CONFIG, EncoderConfig))
        state = read_tensors(inner / WEIGHTS)
        check_fit(encoder, state, inner / WEIGHTS)
        encoder.load_state_dict(state)
        return encoder.eval().requires_grad_(False)
