"""Adaptive augmentation of what the discriminator sees, so that a small dataset lasts longer.

    draw_numbers(rng, n)         all that is random about n images
    augment(images, p, numbers)  what: flips, turns, zooms and colours, each with probability p
    AdaptiveAugment              how much: moves p so that D neither overfits nor starves

Positions are in pixels from the image's centre, x to the right, y downwards. A geometric matrix
maps a point of the augmented image back to where the image has it; a motion followed by another
is `first @ second`, as in `stylegan.transforms`. Small matrices are float64, which is exact enough
for pixels and never rounded to TF32, where a device has it. Nothing here waits for the device or
has a shape that depends on data.

Reference: Karras et al. 2020 (arXiv:2006.06676), Sec. 3.1 and App. B; blit, geometry and colour
are the transforms it keeps.
"""

import math
from collections.abc import Callable
from functools import cache, reduce

import numpy as np
import torch
from torch import Tensor, nn

from stylegan.layers import exact_dtype

GATES = ("flip", "turn", "shift", "scale", "pre_rotation", "stretch", "post_rotation", "fraction")
GATES += ("brightness", "contrast", "luma_flip", "hue", "saturation")
UNIFORMS = ("flip", "turn", "shift_x", "shift_y", "pre_rotation", "post_rotation")
UNIFORMS += ("luma_flip", "hue")
NORMALS = ("scale", "stretch", "fraction_x", "fraction_y", "brightness", "contrast", "saturation")

SYM6 = (0.015404109327, 0.003490712084, -0.117990111148, -0.048311742586, 0.491055941927)
SYM6 += (0.787641141030, 0.337929421728, -0.072637522786, -0.021060292512, 0.044724901771)
SYM6 += (0.001767711864, -0.007800708325)  # the wavelet's low-pass; its sum is sqrt(2)
MARGIN = 3  # pixels that the filter reaches beyond the image
BILINEAR = (0, 0, True)  # for grid_sampler_2d: 0 outside, -1 and 1 at the outer samples' centres
# Where the filter's mass lies, in taps. It is not symmetric: counted from its middle, tap 5.5, a
# flip would be 0.4 pixels off.
CENTER = sum(k * tap for k, tap in enumerate(SYM6)) / sum(SYM6)


def draw_numbers(rng: np.random.Generator, n: int) -> Tensor:
    """One row per image: a uniform number per name of GATES and UNIFORMS, a normal per NORMALS."""
    uniform = rng.random((n, len(GATES) + len(UNIFORMS)), dtype=np.float32)
    normal = rng.standard_normal((n, len(NORMALS)), dtype=np.float32)
    return torch.from_numpy(np.concatenate([uniform, normal], axis=1))


def amounts(p: Tensor, numbers: Tensor, size: int) -> dict[str, Tensor]:
    """How much of each transform each image gets, exact (N,); 0 leaves it as it is.

    A transform happens where its gate is below p; both rotations together happen as often as one
    other transform. Angles are in radians, shifts in pixels of an image of `size`, factors as log2.
    """
    dtype = exact_dtype(numbers.device)
    parts = numbers.to(dtype).split([len(GATES), len(UNIFORMS), len(NORMALS)], dim=1)
    gates, u, n = (
        dict(zip(names, part.unbind(dim=1), strict=True))
        for names, part in zip((GATES, UNIFORMS, NORMALS), parts, strict=True)
    )
    drawn = {
        "flip": (2 * u["flip"]).floor(),  # 0 or 1
        "turn": (4 * u["turn"]).floor() * (math.pi / 2),
        "shift_x": ((2 * u["shift_x"] - 1) * 0.125 * size).round(),
        "shift_y": ((2 * u["shift_y"] - 1) * 0.125 * size).round(),
        "scale": 0.2 * n["scale"],
        "pre_rotation": (2 * u["pre_rotation"] - 1) * math.pi,
        "stretch": 0.2 * n["stretch"],
        "post_rotation": (2 * u["post_rotation"] - 1) * math.pi,
        "fraction_x": n["fraction_x"] * 0.125 * size,
        "fraction_y": n["fraction_y"] * 0.125 * size,
        "brightness": 0.2 * n["brightness"],
        "contrast": 0.5 * n["contrast"],
        "luma_flip": (2 * u["luma_flip"]).floor(),  # 0 or 1
        "hue": (2 * u["hue"] - 1) * math.pi,
        "saturation": n["saturation"],
    }
    p = p.to(dtype)
    p_rotation = 1 - (1 - p).sqrt()  # 1 - (1 - p_rotation)^2 = p
    on = {name: gate < (p_rotation if "rotation" in name else p) for name, gate in gates.items()}
    return {  # a product: torch.where would wait to copy a plain 0 to the device
        name: amount * on[name.removesuffix("_x").removesuffix("_y")]
        for name, amount in drawn.items()
    }


def _identities(like: Tensor) -> Tensor:
    """One (3, 3) identity for each entry of `like` (N,)."""
    return torch.eye(3, dtype=like.dtype, device=like.device).repeat(len(like), 1, 1)


def _translation(dx: Tensor, dy: Tensor) -> Tensor:
    matrix = _identities(dx)
    matrix[:, 0, 2], matrix[:, 1, 2] = -dx, -dy
    return matrix


def _rotation(angle: Tensor) -> Tensor:
    """Turn clockwise."""
    matrix, sin = _identities(angle), angle.sin()
    matrix[:, 0, 0] = matrix[:, 1, 1] = angle.cos()
    matrix[:, 0, 1], matrix[:, 1, 0] = sin, -sin
    return matrix


def _scaling(x: Tensor, y: Tensor) -> Tensor:
    """Enlarge by factors."""
    matrix = _identities(x)
    matrix[:, 0, 0], matrix[:, 1, 1] = 1 / x, 1 / y
    return matrix


def geometry(amount: dict[str, Tensor]) -> Tensor:
    """All motions as one matrix (N, 3, 3)."""
    flip, scale, stretch = 1 - 2 * amount["flip"], amount["scale"].exp2(), amount["stretch"].exp2()
    motions = [
        _scaling(flip, torch.ones_like(flip)),
        _rotation(amount["turn"]),
        _translation(amount["shift_x"], amount["shift_y"]),
        _scaling(scale, scale),
        _rotation(amount["pre_rotation"]),
        _scaling(stretch, 1 / stretch),
        _rotation(amount["post_rotation"]),
        _translation(amount["fraction_x"], amount["fraction_y"]),
    ]
    return reduce(torch.matmul, motions)


def color(amount: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
    """A matrix (N, 3, 3) and an offset (N, 3): a pixel (r, g, b) becomes matrix @ pixel + offset.

    In order: brightness, contrast, then about the grey axis (1, 1, 1) / sqrt(3) a reflection, a
    rotation and a scaling.
    """
    amount = {name: value[:, None, None] for name, value in amount.items()}
    eye = _identities(amount["hue"])
    grey = torch.ones_like(eye) / 3  # projects onto the axis
    cross = (eye.roll(1, 1) - eye.roll(1, 2)) / math.sqrt(3)  # cross product with the axis
    cos, saturation = amount["hue"].cos(), amount["saturation"].exp2()
    matrix = eye * amount["contrast"].exp2()
    matrix = (eye - 2 * amount["luma_flip"] * grey) @ matrix
    matrix = (eye * cos + cross * amount["hue"].sin() + grey * (1 - cos)) @ matrix
    matrix = (eye * saturation + grey * (1 - saturation)) @ matrix
    return matrix, (matrix * amount["brightness"]).sum(dim=2)


@cache
def _resamplers(size: int, dtype: torch.dtype, device: torch.device) -> tuple[Tensor, Tensor]:
    """Matrices along one axis: to twice the rate (2 size, size), and back (size, 2 size + 10).

    As matrix products these short filters, with their reflected borders, are several times faster
    than as depthwise convolutions, backwards above all.
    """
    with torch.inference_mode(False), torch.no_grad():  # kept, so it must suit any later caller
        taps = torch.tensor(SYM6, dtype=torch.float64) / sum(SYM6)
        taps = torch.cat([taps, taps.new_zeros(1)])  # the last stands for all taps out of range

        def taps_at(k: Tensor) -> Tensor:
            return taps[torch.where((k >= 0) & (k < len(SYM6)), k, len(SYM6))]

        pixels = torch.arange(-MARGIN, size + MARGIN)
        up = 2 * taps_at(2 * (pixels + MARGIN) - torch.arange(2 * size)[:, None])
        reflected = size - 1 - (size - 1 - pixels.abs()).abs()
        up = up.new_zeros(2 * size, size).index_add(1, reflected, up)
        samples = torch.arange(2 * size + len(SYM6) - 2)
        down = taps_at(len(SYM6) - 1 + 2 * torch.arange(size)[:, None] - samples)  # mirrored
        return up.to(device, dtype), down.to(device, dtype)


def _grid(matrix: Tensor, size: int, dtype: torch.dtype) -> Tensor:
    """Where in the doubled image to sample, (N, 2 size + 10, 2 size + 10, 2), each in [-1, 1].

    Positions outside the image reflect at the centres of its outermost pixels, as often as needed:
    padding without end, whatever was drawn. Beyond them the filter is mirrored with the image.
    """
    last, num_samples = size - 1, 2 * size + len(SYM6) - 2
    to = torch.arange(num_samples, dtype=matrix.dtype, device=matrix.device)
    to = (to - (len(SYM6) - 1 - CENTER)) / 2 - last / 2  # from the image's centre, in pixels
    columns = matrix[:, :2, 0, None] * to  # (N, 2, num_samples)
    rows = matrix[:, :2, 1, None] * to + matrix[:, :2, 2, None] + last / 2  # from pixel 0
    columns, rows = columns.to(dtype).mT[:, None], rows.to(dtype).mT[:, :, None]
    distance = (columns + rows).remainder_(2 * last).sub_(last).abs_()  # (N, y, x, 2), from `last`
    scale = 2 / (2 * size - 1)  # sample j of the doubled image is at j * scale - 1
    return distance.mul_(-2 * scale).add_((2 * last + 2 * MARGIN - CENTER) * scale - 1)


class _Sample(torch.autograd.Function):
    """Bilinear sampling of images at a fixed grid: linear, so its derivative is its adjoint's.

    PyTorch's own has no second derivative.
    """

    @staticmethod
    def forward(images: Tensor, grid: Tensor) -> Tensor:
        return torch.ops.aten.grid_sampler_2d(images, grid, *BILINEAR)

    @staticmethod
    def setup_context(ctx, inputs, output):
        images, grid = inputs
        ctx.shape = images.shape
        ctx.save_for_backward(grid)

    @staticmethod
    def backward(ctx, gradient):
        return _Spread.apply(gradient, ctx.saved_tensors[0], ctx.shape), None


class _Spread(torch.autograd.Function):
    """The adjoint of `_Sample`: adds every sample to the four pixels that it came from."""

    @staticmethod
    def forward(samples: Tensor, grid: Tensor, shape: torch.Size) -> Tensor:
        images = samples.new_zeros(()).expand(shape)  # only its shape matters
        spread = torch.ops.aten.grid_sampler_2d_backward
        return spread(samples, images, grid, *BILINEAR, (True, False))[0]

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(inputs[1])

    @staticmethod
    def backward(ctx, gradient):
        return _Sample.apply(gradient, ctx.saved_tensors[0]), None, None


def _where_changed(changed: Tensor, new: Tensor, old: Tensor) -> Tensor:
    """Whole images: those not `changed` (N, ...) anywhere stay as they were, to the bit."""
    return torch.where(changed.flatten(1).any(dim=1)[:, None, None, None], new, old)


def warp(images: Tensor, matrix: Tensor) -> Tensor:
    """Move images by matrices (N, 3, 3), at twice the rate so that no detail folds over."""
    size = images.shape[3]
    up, down = _resamplers(size, images.dtype, images.device)
    doubled = up @ (images @ up.T)  # (N, C, 2 H, 2 H)
    samples = _Sample.apply(doubled, _grid(matrix, size, images.dtype))
    moved = down @ (samples @ down.T)  # (N, C, H, H)
    return _where_changed(matrix != _identities(matrix), moved, images)


def recolor(images: Tensor, matrix: Tensor, offset: Tensor) -> Tensor:
    """Transform every pixel; grey images take what the transform of a grey pixel is on average."""
    changed = torch.cat([matrix - _identities(matrix), offset[:, :, None]], dim=2) != 0
    if images.shape[1] == 1:
        matrix = matrix.sum(dim=2, keepdim=True).mean(dim=1, keepdim=True)
        offset = offset.mean(dim=1, keepdim=True)
    matrix, offset = matrix.to(images.dtype), offset.to(images.dtype)
    colored = torch.baddbmm(offset[:, :, None], matrix, images.flatten(2))
    return _where_changed(changed, colored.view_as(images), images)


def augment(images: Tensor, p: Tensor, numbers: Tensor) -> Tensor:
    """Transform images by a row of `draw_numbers` each; twice differentiable by the images.

    Shapes: images (N, 3 or 1, H, H) in about [-1, 1], p (), numbers (N, K) -> (N, 3 or 1, H, H).
    """
    with torch.autocast(images.device.type, enabled=False):
        amount = amounts(p, numbers, images.shape[3])
        return recolor(warp(images, geometry(amount)), *color(amount))


class AdaptiveAugment(nn.Module):
    """The probability p of each transform, kept where D calls `target` more reals real than not.

    The sign of a real image's logit is +1 where D believes it. Were D to overfit, the mean r of
    the signs would near 1; p then grows, and it falls while r is below the target. The caller
    observes every batch of reals and adjusts every few steps, 4 in the paper.

    Buffers: p (); signs (2,), the sum and the number of signs since p was last adjusted.
    Args: kimg in which p could go from 0 to 1; it begins at `start` and never passes `cap`. A
        short run has no time to climb from 0, and well above 0.8 augmentations leak into samples.
    Reference: Karras et al. 2020 (arXiv:2006.06676), Sec. 3.1 and App. B.
    """

    def __init__(
        self, *, target: float = 0.6, kimg: float = 100.0, start: float = 0.2, cap: float = 0.8
    ):
        super().__init__()
        self.target, self.kimg, self.cap = target, kimg, cap
        self.register_buffer("p", torch.tensor(start))
        self.register_buffer("signs", torch.zeros(2))

    @torch.no_grad()
    def observe(self, real_logits: Tensor) -> None:
        """Take note of D's logits for augmented reals, of any shape."""
        self.signs[0] += real_logits.sign().sum(dtype=torch.float32)
        self.signs[1] += real_logits.numel()

    @torch.no_grad()
    def adjust(self, num_images: int, reduce: Callable[[Tensor], Tensor] = lambda x: x) -> None:
        """Move p for the `num_images` shown since the last time.

        `reduce` joins the signs of all processes.
        """
        total, count = reduce(self.signs).unbind()
        direction = (total - self.target * count).sign()  # of r - target; 0 if nothing was seen
        self.p.add_(direction * (num_images / (1000 * self.kimg))).clamp_(0, self.cap)
        self.signs.zero_()
