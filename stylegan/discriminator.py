"""The residual discriminator of StyleGAN2, which StyleGAN3 trains with.

Images are float32 (N, C, H, W) in [-1, 1]; logits are (N, 1), higher for real. The blocks run in
the type of autocast or else of the weights, the last one with its minibatch statistics in float32.
Legend: N batch, C channels, H and W pixels.

Reference: Karras et al. 2020 (arXiv:1912.04958), Sec. 4.1 and App. B.
"""

import math

import torch
from torch import Tensor, nn

from stylegan.activation import CLAMP, GAIN
from stylegan.checks import check_labels, check_tensor
from stylegan.config import DiscriminatorConfig
from stylegan.layers import (
    EqualizedConv2d,
    EqualizedLinear,
    compute_dtype,
    embed_label,
    precise_dtype,
    scaled_leaky_relu,
)
from stylegan.ops import activate, downsample_blur


def conv_act(conv: EqualizedConv2d, x: Tensor, gain: float = 1.0, **geometry: int) -> Tensor:
    """clamp(sqrt(2) * leaky_relu(conv(x)), -256, 256) * gain."""
    return activate(conv(x, GAIN * gain, **geometry), CLAMP * gain)


def minibatch_deviation(x: Tensor, group_size: int) -> Tensor:
    """Append to each image how much its group of the batch varies, as one constant channel.

    Group g holds images g, g + N / size, ... of at most `group_size` images.

    Shapes: x (N, C, H, W) -> (N, C + 1, H, W).
    Raises: ValueError if the groups do not divide the batch.
    Reference: Karras et al. 2018 (arXiv:1710.10196), Sec. 3.
    """
    n, _, height, width = x.shape
    size = min(group_size, n)
    if n % size:
        raise ValueError(f"a batch of {n} images cannot be split into groups of {size}")
    groups = x.reshape(size, n // size, -1)  # (members, groups, C H W)
    deviation = (groups.var(dim=0, correction=0) + 1e-8).sqrt().mean(dim=1)  # (groups,)
    channel = deviation.repeat(size)[:, None, None, None].expand(-1, 1, height, width)
    return torch.cat([x, channel], dim=1)


class DiscriminatorBlock(nn.Module):
    """Halve the resolution: two convolutions beside a linear skip.

    Shapes: x (N, in_channels, H, W) -> (N, out_channels, H / 2, W / 2).
    """

    def __init__(self, in_channels: int, out_channels: int, img_channels: int = 0):
        """`img_channels` other than 0: the block reads the image itself."""
        super().__init__()
        self.fromrgb = EqualizedConv2d(img_channels, in_channels, 1) if img_channels else None
        self.conv0 = EqualizedConv2d(in_channels, in_channels, 3)
        self.conv1 = EqualizedConv2d(in_channels, out_channels, 3)
        self.skip = EqualizedConv2d(in_channels, out_channels, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        if self.fromrgb is not None:
            x = conv_act(self.fromrgb, x)
        skip = self.skip(downsample_blur(x, padding=1, stride=2), math.sqrt(0.5))
        x = conv_act(self.conv0, x, padding=1)
        x = downsample_blur(x, padding=2, stride=1)
        return skip + conv_act(self.conv1, x, math.sqrt(0.5), stride=2)


class LastBlock(nn.Module):
    """4x4 features to logits and, with labels, what is projected on them.

    Shapes: x (N, C, 4, 4) -> logits (N, 1), projected (N, C) or None.
    """

    def __init__(self, channels: int, mbstd_group_size: int, *, with_labels: bool):
        super().__init__()
        self.mbstd_group_size = mbstd_group_size
        self.conv = EqualizedConv2d(channels + 1, channels, 3)
        self.fc = EqualizedLinear(16 * channels, channels)
        self.out = EqualizedLinear(channels, channels if with_labels else 1)
        self.unlabelled = EqualizedLinear(channels, 1) if with_labels else None

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor | None]:
        x = minibatch_deviation(x, self.mbstd_group_size)
        x = conv_act(self.conv, x, padding=1)
        x = scaled_leaky_relu(self.fc(x.flatten(1)))  # (N, C)
        if self.unlabelled is None:
            return self.out(x), None
        return self.unlabelled(x), self.out(x)


class LabelMapping(nn.Module):
    """Labels c (N, c_dim) -> directions (N, dim) on which the image's features are projected."""

    def __init__(self, c_dim: int, dim: int, num_layers: int):
        super().__init__()
        self.embed = EqualizedLinear(c_dim, dim)
        self.num_layers = num_layers
        for i in range(num_layers):
            self.add_module(f"fc{i}", EqualizedLinear(dim, dim, lr_multiplier=0.01))

    def forward(self, c: Tensor) -> Tensor:
        x = embed_label(self.embed, c)
        for i in range(self.num_layers):
            x = scaled_leaky_relu(self.get_submodule(f"fc{i}")(x))
        return x


class Discriminator(nn.Module):
    """Tell real images from drawn ones.

    With labels the logit is that of an unlabelled network plus the projection of the features on
    the label's direction (Miyato and Koyama 2018, arXiv:1802.05637, Sec. 3).

    Shapes: img (N, img_channels, img_resolution, img_resolution), c (N, c_dim) -> logits (N, 1).
    Raises: TypeError or ValueError for images or labels of another kind or shape; ValueError for a
    batch that the minibatch statistics cannot group.
    """

    def __init__(self, config: DiscriminatorConfig):
        super().__init__()
        self.config = config
        r, last = config.img_resolution, config.channels(4)
        self.block_names = []
        while r > 4:
            img_channels = config.img_channels if r == config.img_resolution else 0
            channels = config.channels(r), config.channels(r // 2)
            self.block_names.append(f"b{r}")
            self.add_module(f"b{r}", DiscriminatorBlock(*channels, img_channels))
            r //= 2
        self.b4 = LastBlock(last, config.mbstd_group_size, with_labels=config.c_dim > 0)
        if config.c_dim:
            self.mapping = LabelMapping(config.c_dim, last, config.mapping_layers)

    def forward(
        self, img: Tensor, c: Tensor | None = None, label_weight: float | Tensor = 1.0
    ) -> Tensor:
        """`label_weight` scales the label's part, for a run that brings it in gradually.

        Reference: Shahbazi et al. 2022 (arXiv:2201.06578), Sec. 4.
        """
        size = self.config.img_resolution
        check_tensor("img", img, self.config.img_channels, size, size)
        check_labels(c, self.config.c_dim, len(img))
        weight = self.b4.out.weight
        dtype = compute_dtype(weight)
        with torch.autocast(img.device.type, enabled=False):
            x = img.to(dtype, memory_format=torch.channels_last)
            for name in self.block_names:
                x = self.get_submodule(name)(x)
            logits, projected = self.b4(x.to(precise_dtype(weight)))  # (N, 1), (N, channels)
            if projected is not None:
                cmap = self.mapping(c)
                projected = (projected * cmap).sum(dim=1, keepdim=True)
                logits = logits + projected * (label_weight / math.sqrt(cmap.shape[1]))
        return logits
