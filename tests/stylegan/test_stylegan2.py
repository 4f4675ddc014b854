"""StyleGAN2 held against a slow and plain formulation by its official tensor names, and its parts
against what the paper says of them."""

import math

import pytest
import torch
import torch.nn.functional as F
from huggingface_hub import ModelCard
from safetensors.torch import load_file

from stylegan import Generator, GeneratorConfig, convert, sample_z
from stylegan.cost import generator_cost
from stylegan.directions import affine_directions, sample_w
from stylegan.latents import blend
from stylegan.precision import draw
from stylegan.reference import generator_from_reference
from stylegan.specs import style_bands
from stylegan.stylegan2 import ModulatedLayer

ARGS = dict(z_dim=16, w_dim=24, c_dim=0, img_resolution=32, img_channels=3)
SIZE = dict(channel_base=256, channel_max=16)


def small(**shape) -> GeneratorConfig:
    return GeneratorConfig.stylegan2(
        **dict(img_resolution=32, z_dim=16, w_dim=24, mapping_layers=2) | SIZE | shape
    )


def lively(config) -> Generator:
    """A generator in which every term matters."""
    G = Generator(config).eval().requires_grad_(False)
    for name, x in [*G.named_parameters(), *G.named_buffers()]:
        if name.endswith(("bias", "noise_strength", "w_avg")):
            x.add_(torch.randn_like(x) * (0.3 if "synthesis" in name else 1))
    return G


# The plain formulation: one sample at a time, kernels made for it, zeros put in by hand.


def dense(x, state, name, multiplier=1.0):
    weight = state[f"{name}.weight"] * multiplier / math.sqrt(state[f"{name}.weight"].shape[1])
    return x @ weight.T + state[f"{name}.bias"] * multiplier


def upsampled(x):
    """Zeros between the samples, then [1, 3, 3, 1] along each axis, brightness kept."""
    n, c, h, w = x.shape
    wide = torch.zeros(n, c, 2 * h, 2 * w, dtype=x.dtype)
    wide[:, :, ::2, ::2] = x
    return wide


def blurred(x, before, after):
    taps = torch.tensor([1.0, 3.0, 3.0, 1.0], dtype=x.dtype) / 8
    kernel = 4 * torch.outer(taps, taps)[None, None]
    padded = F.pad(x, [before, after, before, after])
    return torch.cat([F.conv2d(channel, kernel) for channel in padded.split(1, dim=1)], dim=1)


def plain_layer(x, w, state, name, noise, clamp, up):
    style = dense(w, state, f"{name}.affine")  # (I,)
    weight = state[f"{name}.weight"] * style[None, :, None, None]
    weight = weight / torch.sqrt(weight.square().sum(dim=(1, 2, 3), keepdim=True) + 1e-8)
    if up:
        x = F.conv2d(F.pad(upsampled(x), [2, 2, 2, 2]), weight.flip(2, 3))  # a true convolution
        x = blurred(x, 1, 2)[:, :, : x.shape[2] - 2, : x.shape[3] - 2]
    else:
        x = F.conv2d(x, weight, padding=1)
    if noise:
        x = x + state[f"{name}.noise_const"] * state[f"{name}.noise_strength"]
    x = F.leaky_relu(x + state[f"{name}.bias"][:, None, None], 0.2) * math.sqrt(2)
    return x.clamp(-clamp, clamp) if clamp else x


def plain_image(state, ws, resolution, noise=True, clamp=256):
    state = {name.removeprefix("synthesis."): x for name, x in state.items()}
    images = []
    for styles in ws:
        styles, x, img, size, place = list(styles), state["b4.const"][None], None, 4, 0
        while size <= resolution:
            for layer in ["conv1"] if size == 4 else ["conv0", "conv1"]:
                how = noise, clamp, layer == "conv0"
                x = plain_layer(x, styles[place], state, f"b{size}.{layer}", *how)
                place += 1
            name = f"b{size}.torgb"
            weight = state[f"{name}.weight"]
            style = dense(styles[place], state, f"{name}.affine") / math.sqrt(weight.shape[1])
            y = (
                F.conv2d(x, weight * style[None, :, None, None])
                + state[f"{name}.bias"][:, None, None]
            )
            y = y.clamp(-clamp, clamp) if clamp else y
            img = y if img is None else blurred(upsampled(img), 2, 1) + y
            size *= 2
        images.append(img)
    return torch.cat(images)


def near(actual, expected, tolerance=1e-5):
    assert actual.shape == expected.shape
    assert (actual.double() - expected).abs().max() <= tolerance * expected.abs().max()


@pytest.mark.parametrize("shape", [{}, dict(img_resolution=64, img_channels=1, conv_clamp=1)])
@pytest.mark.parametrize("noise", ["constant", "none"])
def test_images_are_those_of_the_plain_formulation(shape, noise):
    """One at a time and together; a bound of 1 is reached everywhere."""
    G = lively(small(**shape))
    state = {name: x.double() for name, x in G.state_dict().items()}
    ws = torch.randn(2, G.num_ws, 24)
    clamp = G.config.conv_clamp
    expected = plain_image(state, ws.double(), G.img_resolution, noise == "constant", clamp)
    near(G.synthesis(ws, noise=noise), expected)
    near(G.synthesis(ws[1:], noise=noise), expected[1:])


def test_the_up_convolution_is_that_of_its_definition_at_the_border_too():
    layer = ModulatedLayer(5, 3, 4, 10, up=True, clamp=0).requires_grad_(False)
    x, w = torch.randn(2, 3, 5, 5), torch.randn(2, 5)
    state = {f"l.{name}": p.double() for name, p in layer.state_dict().items()}
    for i in range(2):
        expected = plain_layer(x[i : i + 1].double(), w[i].double(), state, "l", False, 0, True)
        near(layer(x, w, None)[i : i + 1], expected)


def test_styles_come_from_eight_layers_with_a_hundredth_of_the_rate():
    G = lively(small(mapping_layers=8, c_dim=3))
    z, c = torch.randn(2, 16), torch.eye(3)[:2]
    state = {name: x.double() for name, x in G.state_dict().items()}
    x, y = z.double(), dense(c.double(), state, "mapping.embed")
    x, y = (a / (a.square().mean(dim=1, keepdim=True) + 1e-8).sqrt() for a in (x, y))
    x = torch.cat([x, y], dim=1)
    for i in range(8):
        x = F.leaky_relu(dense(x, state, f"mapping.fc{i}", 0.01), 0.2) * math.sqrt(2)
    near(G.mapping(z, c), x[:, None].expand(-1, G.num_ws, -1))
    pulled = state["mapping.w_avg"] + 0.7 * (x - state["mapping.w_avg"])
    ws = G.mapping(z, c, truncation_psi=0.7, truncation_cutoff=3)
    near(ws[:, :3], pulled[:, None].expand(-1, 3, -1))
    near(ws[:, 3:], x[:, None].expand(-1, G.num_ws - 3, -1))


def test_published_sizes():
    """30 370 060 parameters of config F at 1024 pixels; 18 styles there, 10 at 64."""
    with torch.device("meta"):
        G = Generator(GeneratorConfig.stylegan2(1024))
    assert sum(p.numel() for p in G.parameters()) == 30_370_060
    assert G.num_ws == 18 and GeneratorConfig.stylegan2(64).num_ws == 10
    assert GeneratorConfig.stylegan2(256).channels(256) == 128


def test_names_and_shapes_are_the_official_ones():
    shapes = {name: tuple(x.shape) for name, x in Generator(small()).state_dict().items()}
    assert shapes["synthesis.b4.const"] == (16, 4, 4)
    assert shapes["synthesis.b4.conv1.weight"] == (16, 16, 3, 3)
    assert shapes["synthesis.b32.conv0.weight"] == (8, 16, 3, 3)
    assert shapes["synthesis.b32.conv0.affine.weight"] == (16, 24)
    assert shapes["synthesis.b32.conv1.noise_const"] == (32, 32)
    assert shapes["synthesis.b32.conv1.noise_strength"] == ()
    assert shapes["synthesis.b32.torgb.weight"] == (3, 8, 1, 1)
    assert shapes["synthesis.b32.torgb.affine.bias"] == (8,)
    assert not any("filter" in name or "b4.conv0" in name for name in shapes)


def test_every_style_steers_its_layer_and_the_colours_before():
    """Without later layers, a picture of the first styles: colours of 4 and 8 pixels, say, are
    smooth sums, so a change of the last style alone changes the last colours only."""
    G = lively(small())
    ws = torch.randn(1, G.num_ws, 24)
    seen = {}
    for size in G.synthesis.sizes:
        block = G.synthesis.get_submodule(f"b{size}")
        for name in [*block.layers(), "torgb"]:
            key = f"b{size}.{name}"
            block.get_submodule(name).register_forward_hook(
                lambda m, a, y, key=key: seen.__setitem__(key, y)
            )
    G.synthesis(ws)
    before = dict(seen)
    order = ["b4.conv1", "b4.torgb b8.conv0", "b8.conv1", "b8.torgb b16.conv0", "b16.conv1"]
    order += ["b16.torgb b32.conv0", "b32.conv1", "b32.torgb"]
    flow = [name for place in order for name in place.split()]
    for place, names in enumerate(order):
        changed = ws.clone()
        changed[:, place] += 1
        G.synthesis(changed)
        moved = [name for name in flow if not torch.equal(seen[name], before[name])]
        assert moved[: len(names.split())] == names.split()
        assert moved == flow[flow.index(names.split()[0]) :]


def test_demodulation_keeps_the_variance_whatever_the_style():
    layer = ModulatedLayer(5, 64, 64, 32, up=False, clamp=0).requires_grad_(False)
    layer.affine.weight.mul_(10)
    x = torch.randn(8, 64, 32, 32)
    y = layer(x, torch.randn(8, 5), None)
    assert y[:, :, 1:-1, 1:-1].square().mean() == pytest.approx(
        1, abs=0.1
    )  # of sqrt(2) lrelu: 1.04


def test_noise_is_constant_or_absent_or_of_a_seed():
    G = lively(small())
    ws = torch.randn(2, G.num_ws, 24)
    constant, none, a, b = (G.synthesis(ws, noise=noise) for noise in ("constant", "none", 1, 2))
    assert torch.equal(constant, G.synthesis(ws)) and torch.equal(a, G.synthesis(ws, noise=1))
    pictures = [constant, none, a, b]
    for i, one in enumerate(pictures):
        assert all((one - other).abs().max() > 1e-3 for other in pictures[i + 1 :])
    near(G.synthesis(ws[1:], noise=1), a[1:].double())  # the same in every batch
    for noise in ("random", -1, 2**32, None, 1.5):
        with pytest.raises(ValueError, match="noise must be 'constant', 'none' or a seed"):
            G.synthesis(ws, noise=noise)


def test_a_transform_is_refused_in_words():
    G = Generator(small())
    with pytest.raises(ValueError, match="StyleGAN2 cannot move its image: leave transform out"):
        G.synthesis(torch.randn(1, G.num_ws, 24), torch.eye(3))


@pytest.mark.parametrize("dtype", [torch.half, torch.bfloat16, torch.double])
def test_weights_of_another_type_draw_nearly_the_same(dtype):
    G = lively(small())
    z = torch.randn(2, 16).to(dtype)
    expected = G(z.float())
    found = G.to(dtype)(z)
    assert found.dtype == (torch.double if dtype == torch.double else torch.float32)
    error = (found - expected).abs().max() / expected.abs().max()
    assert 0 < error < 30 * torch.finfo(dtype).eps + 1e-5


def test_bfloat16_of_the_page_draws_nearly_the_same():
    G = lively(small())
    ws = torch.randn(1, G.num_ws, 24)
    expected, rough = (draw(G, ws, dtype) for dtype in (torch.float32, torch.bfloat16))
    assert rough.dtype == torch.float32
    assert 0 < (rough - expected).abs().max() < 0.1 * expected.abs().max()


@torch.no_grad()
def test_a_folder_draws_the_same_after_loading(tmp_path):
    G = lively(small(conv_clamp=0, c_dim=2))
    G.save_pretrained(tmp_path)
    copy = Generator.from_pretrained(tmp_path)
    z, c = torch.randn(2, 16), torch.eye(2)
    assert copy.config == G.config and torch.equal(copy(z, c), G(z, c))


@pytest.mark.parametrize(
    "shape, sentence",
    [
        (dict(num_layers=10), "num_layers must be 7, got 10"),
        (dict(conv_kernel=1), "conv_kernel must be 3, got 1"),
        (dict(radial_filters=True), "radial_filters must be false in StyleGAN2"),
        (dict(generation=1), "generation must be 2 or 3, got 1"),
        (dict(channel_base=16), "channel_base must be a whole number from 32 "),
        (dict(conv_clamp=-1), "conv_clamp must be a whole number from 0 "),
        (dict(generation=3, conv_clamp=0), "conv_clamp must be 256, got 0"),
    ],
)
def test_configs_that_are_none_are_refused(shape, sentence):
    with pytest.raises(ValueError, match=sentence):
        small(**shape)


def test_configs_of_before_are_of_stylegan3():
    assert GeneratorConfig(img_resolution=64).generation == 3
    kinds = GeneratorConfig.stylegan3_t(), GeneratorConfig.stylegan3_r(), small()
    assert [config.kind for config in kinds] == ["StyleGAN3 T", "StyleGAN3 R", "StyleGAN2"]


def test_bands_are_those_of_the_first_paper():
    """Styles of up to 8 pixels, of 16 and 32, of more."""
    bands = style_bands(GeneratorConfig.stylegan2(256))
    assert list(bands.values()) == [[0, 1, 2], [3, 4, 5, 6], [7, 8, 9, 10, 11, 12, 13]]


def test_mixing_and_directions_work_as_with_stylegan3():
    G = lively(small())
    a, b = G.mapping(sample_z([0, 1], 16)).split(1)
    halfway = G.synthesis(blend(a, b, 0.5))
    assert halfway.shape == (1, 3, 32, 32) and halfway.isfinite().all()
    w = sample_w(G)
    assert affine_directions(G, w, 2).shape == (2, 24)
    weights = [G.synthesis.affine_at(place).weight for place in range(G.num_ws)]
    assert weights[0] is G.synthesis.b4.conv1.affine.weight
    assert weights[-1] is G.synthesis.b32.torgb.affine.weight


def test_every_parameter_gets_a_gradient():
    G = Generator(small(c_dim=2))
    for block in G.synthesis.children():  # or the constant noise would have none
        block.conv1.noise_strength.data.fill_(0.1)
    G(torch.randn(2, 16), torch.eye(2)).square().sum().backward()
    for name, parameter in G.named_parameters():
        assert parameter.grad is not None and parameter.grad.isfinite().all(), name
        assert parameter.grad.any(), name


def official_state(G):
    """With the filters that official files have everywhere."""
    taps = torch.tensor([1.0, 3.0, 3.0, 1.0])
    state = dict(G.state_dict())
    for size in G.synthesis.sizes:
        for part in ("", ".conv1") if size == 4 else ("", ".conv0", ".conv1"):
            state[f"synthesis.b{size}{part}.resample_filter"] = taps.outer(taps) / 64
    return state


OFFICIAL = ARGS | SIZE | dict(num_fp16_res=4, conv_clamp=256, mapping_kwargs=dict(num_layers=2))


def test_tensors_of_the_official_names_become_one():
    G = lively(small())
    z, state = torch.randn(2, 16), official_state(G)
    assert torch.equal(generator_from_reference(state, OFFICIAL)(z), G(z))
    older = ARGS | dict(mapping_kwargs=dict(num_layers=2), synthesis_kwargs=SIZE)
    unbound = generator_from_reference(state, older)
    assert unbound.config.conv_clamp == 0 and torch.equal(unbound(z), G(z))  # 256 is not reached
    neutral = dict(block_kwargs=dict(fp16_channels_last=False, resample_filter=[1, 3, 3, 1]))
    assert torch.equal(generator_from_reference(state, OFFICIAL | neutral)(z), G(z))


@pytest.mark.parametrize(
    "args, sentence",
    [
        (dict(architecture="resnet"), "architecture='resnet' is not supported, only 'skip'"),
        (dict(use_noise=False), "use_noise=False is not supported, only True"),
        (dict(conv_clamp=0.5), "conv_clamp=0.5 is not supported"),
        (dict(mapping_kwargs=dict(layer_features=7)), "layer_features=7 is not supported, only 24"),
    ],
)
def test_arguments_that_are_not_followed_are_named(args, sentence):
    G = Generator(small())
    with pytest.raises(ValueError, match=sentence):
        generator_from_reference(official_state(G), OFFICIAL | args)


def test_another_filter_is_named():
    state = official_state(Generator(small()))
    state["synthesis.b8.conv0.resample_filter"] = torch.ones(4, 4) / 16
    with pytest.raises(ValueError, match="filter synthesis.b8.conv0.resample_filter differs by"):
        generator_from_reference(state, OFFICIAL)


@torch.no_grad()
@pytest.mark.parametrize("protocol", [2, 4])
def test_a_checkpoint_becomes_a_folder_that_draws_the_same(official, tmp_path, protocol, capsys):
    G = lively(small())
    args = official.EasyDict(OFFICIAL, synthesis_kwargs=official.EasyDict(SIZE))
    content = {"G_ema": official.network(official_state(G), args), "D": None}
    file = official.write(tmp_path / "it.pkl", content, protocol)
    convert.main([str(file), str(tmp_path / "out")])
    copy, z = Generator.from_pretrained(tmp_path / "out"), torch.randn(2, 16)
    assert torch.equal(copy(z), G(z))
    said = capsys.readouterr().out
    assert "G_ema: StyleGAN2, 32 px\n" in said and "D is left out" in said
    card = ModelCard.load(tmp_path / "out" / "README.md")
    assert "# A StyleGAN2 generator" in card.text
    assert "stylegan2" in card.data.tags and "stylegan3" not in card.data.tags
    assert "synthesis.b4.const" in load_file(tmp_path / "out" / "model.safetensors")


def test_a_network_far_larger_than_its_weights_is_never_made(tmp_path, monkeypatch):
    G = Generator(small())
    G.save_pretrained(tmp_path)
    cost = generator_cost(GeneratorConfig.stylegan2(1024))
    assert cost.multiply_adds > 7e10 and cost.largest_map == 32 * 1025**2
    text = (tmp_path / "config.json").read_text()
    (tmp_path / "config.json").write_text(text.replace('"w_dim": 24', '"w_dim": 1000000'))
    monkeypatch.setattr(Generator, "__init__", lambda G, config: pytest.fail("it was made"))
    with pytest.raises(ValueError, match="config.json asks for"):
        Generator.from_pretrained(tmp_path)
