"""The generator: a latent becomes styles, styles steer a signal that becomes an image.

    MappingNetwork      z (and a label) -> ws, one style per synthesis layer
    SynthesisInput      style -> Fourier features on a margin-padded grid, moved by a transform
    SynthesisLayer      modulated convolution and filtered nonlinearity
    SynthesisNetwork    ws -> image; that of StyleGAN2 is in `stylegan.stylegan2`
    Generator           z -> image; loads, saves and shares itself

Images are float32 (N, C, H, W) in [-1, 1]. Everything that decides where and how strongly a
feature lies keeps its precision: the mapping, the Fourier features and ToRGB's result are float32,
styles are computed in float64, where a device has it, because an error there is the same all over
the image and adds up from layer to layer. The layers between run in the type of autocast or else of
the weights: after `.half()` or `.bfloat16()` only they are narrow; after `.double()` all is
float64.
Legend: N batch, C channels, H and W pixels.

Reference: Karras et al. 2021 (arXiv:2106.12423).
"""

import math
from itertools import pairwise
from pathlib import Path
from typing import Self

import torch
from huggingface_hub import ModelCard, PyTorchModelHubMixin
from torch import Tensor, nn

from stylegan.activation import CLAMP, GAIN
from stylegan.checks import (
    check_labels,
    check_place,
    check_tensor,
    check_transform,
    check_truncation,
)
from stylegan.config import GeneratorConfig
from stylegan.config_file import save_config
from stylegan.filters import lowpass, radial_lowpass
from stylegan.find import find_pretrained
from stylegan.latents import truncate
from stylegan.layers import (
    EqualizedLinear,
    compute_dtype,
    embed_label,
    exact_dtype,
    mean_over_processes,
    precise_dtype,
    scaled_leaky_relu,
    unit_second_moment,
)
from stylegan.layout import MODEL_CARD, WEIGHTS
from stylegan.ops import filtered_lrelu, mean_square, modulate, modulated_conv2d
from stylegan.pretrained import load_pretrained
from stylegan.specs import LayerSpec, layer_specs
from stylegan.stylegan2 import StyleGAN2Synthesis
from stylegan.tensors import check_fit

W_AVG_DECAY = 0.998
MAGNITUDE_HALF_LIFE = 20_000  # images
OUTPUT_SCALE = 0.25


class MappingNetwork(nn.Module):
    """Turn latents into one style per synthesis layer, pulled towards the mean by truncation.

    Shapes: z (N, z_dim), c (N, c_dim) -> ws (N, num_ws, w_dim). Buffer w_avg (w_dim,) is the
    running mean of w.
    Raises: TypeError or ValueError naming an argument of another kind, shape or value.
    Reference: Karras et al. 2019 (arXiv:1812.04948), App. B for truncation.
    """

    def __init__(self, config: GeneratorConfig):
        super().__init__()
        self.num_ws, self.z_dim = config.num_ws, config.z_dim
        dims = [config.z_dim] + [config.w_dim] * config.mapping_layers
        if config.c_dim:
            self.embed = EqualizedLinear(config.c_dim, config.w_dim)
            dims[0] += config.w_dim
        self.c_dim = config.c_dim
        self.num_layers = config.mapping_layers
        for i, (n_in, n_out) in enumerate(pairwise(dims)):
            self.add_module(f"fc{i}", EqualizedLinear(n_in, n_out, lr_multiplier=0.01))
        self.register_buffer("w_avg", torch.zeros(config.w_dim))

    def forward(
        self,
        z: Tensor,
        c: Tensor | None = None,
        truncation_psi: float | Tensor = 1.0,
        truncation_cutoff: int | None = None,
        ema_images: int = 0,
        label_weight: float | Tensor = 1.0,
    ) -> Tensor:
        """`truncation_psi` is one number or, one for each sample, a tensor (N,). Only the first
        `truncation_cutoff` styles are truncated; None: all of them.

        Training: with `ema_images`, the number of images in the whole batch, w_avg moves towards
        this batch's mean; `label_weight` scales the embedding of c, which a run raises from 0 to 1
        to bring its labels in gradually.
        """
        check_tensor("z", z, self.z_dim)
        check_labels(c, self.c_dim, z.shape[0])
        check_truncation(truncation_psi, truncation_cutoff, z.shape[0])
        with torch.autocast(z.device.type, enabled=False):
            w = unit_second_moment(z.to(precise_dtype(self.w_avg)))  # (N, z_dim)
            if self.c_dim:
                label = embed_label(self.embed, c) * label_weight
                w = torch.cat([w, label], dim=1)  # (N, z_dim + w_dim)
            for i in range(self.num_layers):
                w = scaled_leaky_relu(self.get_submodule(f"fc{i}")(w))  # (N, w_dim)
        if ema_images:
            mean = mean_over_processes(w.detach().mean(dim=0))
            self.w_avg.copy_(mean.lerp(self.w_avg.to(mean.dtype), W_AVG_DECAY))
        ws = w.unsqueeze(1).expand(-1, self.num_ws, -1)  # (N, num_ws, w_dim)
        if not isinstance(truncation_psi, Tensor) and truncation_psi == 1:
            return ws
        truncated = truncate(ws[:, :truncation_cutoff], self.w_avg, truncation_psi)
        return torch.cat([truncated, ws[:, truncated.shape[1] :]], dim=1)


class SynthesisInput(nn.Module):
    """Fourier features whose frequencies are fixed and whose position a style and a caller choose.

    Shapes: w (N, w_dim) in `exact_dtype`, transform (3, 3) or (N, 3, 3) -> (N, channels, size,
    size).
    Reference: Karras et al. 2021 (arXiv:2106.12423), Sec. 3.1 and App. F.
    """

    def __init__(self, w_dim: int, spec: LayerSpec):
        super().__init__()
        self.size, self.rate, self.band = spec.in_size, spec.in_rate, spec.in_cutoff
        channels = spec.in_channels
        self.affine = EqualizedLinear(w_dim, 4)
        nn.init.zeros_(self.affine.weight)
        with torch.no_grad():
            self.affine.bias.copy_(torch.tensor([1.0, 0.0, 0.0, 0.0]))
        self.weight = nn.Parameter(torch.randn(channels, channels))
        radius = self.band * torch.rand(channels).sqrt()  # uniform in the disc
        angle = 2 * math.pi * torch.rand(channels)
        freqs = torch.stack([radius * angle.cos(), radius * angle.sin()], dim=1)
        self.register_buffer("freqs", freqs)
        self.register_buffer("phases", torch.rand(channels) - 0.5)

    def forward(self, w: Tensor, transform: Tensor | None = None) -> Tensor:
        t = self.affine(w)  # (N, 4): cos, sin, x, y
        t = t / t[:, :2].norm(dim=1, keepdim=True)
        cos, sin, x, y = t[:, :, None, None].unbind(1)  # (N, 1, 1) each
        # rotation . translation, applied to points as rows of frequencies
        motion = torch.cat(
            [
                torch.cat([cos, -sin, -x * cos + y * sin], dim=2),
                torch.cat([sin, cos, -x * sin - y * cos], dim=2),
            ],
            dim=1,
        )  # (N, 2, 3)
        if transform is not None:
            transform = transform.to(motion)
            shift = motion[:, :, :2] @ transform[..., :2, 2:] + motion[:, :, 2:]
            motion = torch.cat([motion[:, :, :2] @ transform[..., :2, :2], shift], dim=2)
        phases = self.phases + (self.freqs.to(w) @ motion[:, :, 2:]).squeeze(2)  # (N, C)
        freqs = self.freqs.to(w) @ motion[:, :, :2]  # (N, C, 2)
        nyquist = self.rate / 2
        excess = (freqs.norm(dim=2) - self.band) / (nyquist - self.band)
        amplitudes = (1 - excess).clamp(0, 1)  # (N, C): fade what left the band
        centres = (torch.arange(self.size, device=w.device) + 0.5) / self.size * 2 - 1
        centres = centres * (self.size / (2 * self.rate))  # exact in float32
        # sin(2 pi (f_x x + f_y y + phase)) by the addition theorem: H + W sines in place of H W
        freqs = 2 * math.pi * freqs
        columns = centres[:, None] * freqs[:, None, :, 0]  # (N, W, C)
        rows = centres[:, None] * freqs[:, None, :, 1] + 2 * math.pi * phases[:, None]
        dtype = precise_dtype(self.weight)
        sin_rows = (rows.sin() * amplitudes[:, None]).to(dtype)[:, :, None]  # (N, H, 1, C)
        cos_rows = (rows.cos() * amplitudes[:, None]).to(dtype)[:, :, None]
        sin_columns, cos_columns = (f(columns).to(dtype)[:, None] for f in (torch.sin, torch.cos))
        x = sin_rows * cos_columns + cos_rows * sin_columns  # (N, H, W, C)
        x = x @ (self.weight.to(dtype).T / math.sqrt(self.weight.shape[1]))  # (N, H, W, C)
        return x.permute(0, 3, 1, 2)


class SynthesisLayer(nn.Module):
    """One modulated convolution with its filtered nonlinearity; ToRGB is the last and linear.

    Shapes: x (N, in_channels, in_size, in_size), w (N, w_dim) -> (N, out_channels, out_size,
    out_size) in the type of x. Scalar buffer magnitude_ema tracks the mean square of the input.
    Reference: Karras et al. 2021 (arXiv:2106.12423), Sec. 3.2 and App. B.
    """

    def __init__(self, w_dim: int, spec: LayerSpec):
        super().__init__()
        self.spec = spec
        self.affine = EqualizedLinear(w_dim, spec.in_channels, bias_init=1.0)
        shape = (spec.out_channels, spec.in_channels, spec.kernel, spec.kernel)
        self.weight = nn.Parameter(torch.randn(shape))
        self.bias = nn.Parameter(torch.zeros(spec.out_channels))
        self.register_buffer("magnitude_ema", torch.ones(()))
        if not spec.is_torgb:
            up = lowpass(spec.up_taps, spec.in_cutoff, spec.in_half_width, spec.tmp_rate)
            design = radial_lowpass if spec.down_radial else lowpass
            down = design(spec.down_taps, spec.out_cutoff, spec.out_half_width, spec.tmp_rate)
            self.register_buffer("up_filter", up, persistent=False)
            self.register_buffer("down_filter", down, persistent=False)

    def forward(self, x: Tensor, w: Tensor, ema_images: int = 0) -> Tensor:
        dtype, spec = precise_dtype(self.weight), self.spec
        weight, bias, magnitude = (
            p.to(dtype) for p in (self.weight, self.bias, self.magnitude_ema)
        )
        gain, style = magnitude.rsqrt(), self.affine(w).to(dtype)
        if ema_images:  # the next pass sees it: parts of one batch are all drawn with one gain
            newest = mean_over_processes(mean_square(x))
            decay = 0.5 ** (ema_images / MAGNITUDE_HALF_LIFE)
            self.magnitude_ema.copy_(newest.lerp(magnitude, decay))
        if spec.is_torgb:
            style = style / math.sqrt(weight[0].numel())
            x = modulated_conv2d(x, weight, bias, style, gain, demodulate=False)
            return x.to(dtype).clamp(-CLAMP, CLAMP)
        x, *affine = modulate(x, weight, bias * GAIN, style, gain * GAIN, demodulate=True)
        up_taps, down_taps = self.up_filter.to(dtype), self.down_filter.to(dtype)
        filters = up_taps, down_taps, spec.up, spec.down
        return filtered_lrelu(x, *filters, spec.padding[0], spec.out_size, *affine)


class SynthesisNetwork(nn.Module):
    """Draw images from styles.

    Shapes: ws (N, num_ws, w_dim) -> img (N, img_channels, img_resolution, img_resolution), about
    [-1, 1] and not clipped.
    Raises: TypeError or ValueError naming an argument of another kind or shape.
    """

    def __init__(self, config: GeneratorConfig):
        super().__init__()
        specs = layer_specs(config)
        self.input = SynthesisInput(config.w_dim, specs[0])
        self.w_dim = config.w_dim
        self.layer_names = [spec.name for spec in specs]
        for spec in specs:
            self.add_module(spec.name, SynthesisLayer(config.w_dim, spec))

    def affine_at(self, place: int) -> EqualizedLinear:
        """What the style at that place of ws goes through."""
        return self.get_submodule(["input", *self.layer_names][place]).affine

    def forward(self, ws: Tensor, transform: Tensor | None = None, ema_images: int = 0) -> Tensor:
        """`transform` (3, 3) or (N, 3, 3) moves the image: see `stylegan.transforms`. One style and
        several transforms give an image for each.

        With `ema_images`, the number of images in the whole batch, the layers' magnitudes move
        towards this batch's.
        """
        check_tensor("ws", ws, len(self.layer_names) + 1, self.w_dim)
        check_transform(transform, ws.shape[0])
        dtype = compute_dtype(self.input.weight)
        with torch.autocast(ws.device.type, enabled=False):
            ws = ws.to(exact_dtype(ws.device))
            x = self.input(ws[:, 0], transform).to(dtype)
            for i, name in enumerate(self.layer_names, start=1):
                x = self.get_submodule(name)(x, ws[:, i], ema_images)
        return x * OUTPUT_SCALE


class Generator(
    nn.Module,
    PyTorchModelHubMixin,
    model_card_template=MODEL_CARD,
    pipeline_tag="unconditional-image-generation",
    tags=["gan"],
):
    """Draw images from latents.

        G = Generator.from_pretrained("folder or user/repository")
        img = G(sample_z([0, 1], G.z_dim), truncation_psi=0.65)

    Shapes: z (N, z_dim), c (N, c_dim) -> img (N, img_channels, img_resolution, img_resolution),
    float32 (float64 after `.double()`), about [-1, 1] and not clipped.
    Raises: TypeError or ValueError naming an argument of another kind, shape or value.
    Reference: Karras et al. 2021 (arXiv:2106.12423).
    """

    def __init__(self, config: GeneratorConfig):
        super().__init__()
        self.config = config
        self.z_dim, self.w_dim, self.c_dim = config.z_dim, config.w_dim, config.c_dim
        self.num_ws = config.num_ws
        self.img_resolution, self.img_channels = config.img_resolution, config.img_channels
        self.mapping = MappingNetwork(config)
        self.synthesis = (SynthesisNetwork if config.generation == 3 else StyleGAN2Synthesis)(
            config
        )

    def forward(
        self,
        z: Tensor,
        c: Tensor | None = None,
        truncation_psi: float | Tensor = 1.0,
        truncation_cutoff: int | None = None,
    ) -> Tensor:
        """`truncation_psi` and `truncation_cutoff`: see `MappingNetwork.forward`."""
        return self.synthesis(self.mapping(z, c, truncation_psi, truncation_cutoff))

    def generate_model_card(self, **words: str) -> ModelCard:
        """The card of `push_to_hub` and `save_pretrained`, which tells what kind of generator it
        is; `words` fill the template."""
        card = super().generate_model_card(kind=self.config.kind, **words)
        card.data.tags = [*card.data.tags, f"stylegan{self.config.generation}"]
        return card

    def _save_pretrained(self, save_directory: Path) -> None:
        super()._save_pretrained(save_directory)
        save_config(self.config, save_directory)

    @classmethod
    def from_pretrained(
        cls,
        folder_or_repo: str | Path,
        revision: str | None = None,
        *,
        device: str | torch.device = "cpu",
        dtype: torch.dtype = torch.float32,
        token: str | bool | None = None,
        cache_dir: str | Path | None = None,
        local_files_only: bool = False,
        force_download: bool = False,
    ) -> Self:
        """Load `config.json` and `model.safetensors` of a folder or a Hub repository.

        The network is in eval mode and its parameters need no gradient; `requires_grad_()` makes
        them need it again.

        Args:
            revision: branch, tag or commit; the newest commit without one.
            device, dtype: where, and in which floating type, the weights are then kept, whatever
                that of the file.
            token: for private repositories; True: the one that `hf auth login` keeps, False: none.
            cache_dir: where downloads are kept, in place of huggingface_hub's folder.
            local_files_only: ask no network, take what an earlier call downloaded.
            force_download: download again.
        Raises: ValueError naming what is missing or does not fit; TypeError for an option of
        another kind. FileNotFoundError if there is no such folder or Hub repository, or no way to
        reach it; OSError for other answers of the Hub.
        """
        check_place(device, dtype)
        options = dict(local_files_only=local_files_only, force_download=force_download)
        folder = find_pretrained(
            folder_or_repo, revision, token=token, cache_dir=cache_dir, **options
        )
        config, state = load_pretrained(folder, folder_or_repo)
        G = cls(config)
        check_fit(G, state, folder / WEIGHTS)
        G.load_state_dict(state)
        return G.to(device, dtype).eval().requires_grad_(False)
