"""The generator as a whole: shapes, truncation, running averages, gradients."""

import copy

import pytest
import torch

from stylegan import Generator, GeneratorConfig
from stylegan.activation import CLAMP
from stylegan.latents import sample_z
from stylegan.transforms import rotation, translation


@torch.no_grad()
@pytest.mark.parametrize(
    "preset, shape",
    [
        ("t", dict(img_resolution=32, num_layers=8)),
        ("r", dict(img_resolution=32, num_layers=14)),
        ("t", dict(img_resolution=64, num_layers=10, img_channels=1)),
        ("r", dict(img_resolution=64, num_layers=8)),
        ("t", dict(img_resolution=128, num_layers=8)),
        ("t", dict(img_resolution=128, num_layers=14, c_dim=2)),
        ("t", dict(img_resolution=256, num_layers=5)),
        ("t", dict(img_resolution=256, num_layers=14, channel_base=64, channel_max=4)),
        ("t", dict(num_layers=3, mapping_layers=1)),
    ],
)
def test_shapes(tiny, preset, shape):
    config = tiny(preset, **shape)
    G = Generator(config)
    z = torch.randn(2, config.z_dim)
    c = torch.eye(2) if config.c_dim else None
    assert G.mapping(z, c).shape == (2, config.num_layers + 2, config.w_dim)
    img = G(z, c)
    size = config.img_resolution
    assert img.shape == (2, config.img_channels, size, size) and img.dtype == torch.float32
    assert img.isfinite().all() and img.std() > 0


def test_presets_have_the_published_number_of_parameters():
    with torch.device("meta"):
        t, r = (
            Generator(GeneratorConfig.stylegan3_t(64)),
            Generator(GeneratorConfig.stylegan3_r(64)),
        )
    assert sum(p.numel() for p in t.parameters()) == 37_768_199
    assert sum(p.numel() for p in r.parameters()) == 24_153_095


@torch.no_grad()
def test_the_same_latents_give_the_same_pixels(tiny):
    G, z = Generator(tiny()), torch.randn(3, 8)
    assert torch.equal(G(z), G(z))


@torch.no_grad()
def test_a_batch_equals_its_samples_one_by_one(tiny):
    G, z = Generator(tiny()), torch.randn(3, 8)
    alone = torch.cat([G(z[i : i + 1]) for i in range(3)])
    torch.testing.assert_close(G(z), alone, rtol=0, atol=1e-5 * alone.abs().max().item())


def test_drawing_leaves_the_network_alone(tiny):
    G = Generator(tiny())
    before = copy.deepcopy(G.state_dict())
    G(torch.randn(2, 8), truncation_psi=0.5)
    for name, tensor in G.state_dict().items():
        assert torch.equal(tensor, before[name]), name


@torch.no_grad()
def test_w_avg_moves_by_two_thousandths(tiny):
    """0.998 * 1 + 0.002 * mean of the batch's w, and not with truncation's w."""
    G = Generator(tiny())
    G.mapping.w_avg.fill_(1.0)
    z = torch.randn(4, 8)
    w = G.mapping(z)[:, 0]
    G.mapping(z, truncation_psi=0.5, ema_images=4)
    torch.testing.assert_close(G.mapping.w_avg, 0.998 + 0.002 * w.mean(dim=0))


@torch.no_grad()
def test_magnitude_ema_moves_with_a_half_life_of_20000_images(tiny):
    """A constant input of 3 has a mean square of 9. A batch of 60 images of 20000, of which three
    are drawn here, moves 1 towards it."""
    G = Generator(tiny())
    layer = G.synthesis.get_submodule(G.synthesis.layer_names[0])
    x, w = torch.full((3, 8, 36, 36), 3.0), torch.randn(3, 12, dtype=torch.float64)
    before = layer(x, w)
    assert torch.equal(before, layer(x, w, ema_images=60))  # the next pass sees the new value
    expected = 9 - 8 * 0.5 ** (60 / 20_000)
    assert layer.magnitude_ema.item() - 1 == pytest.approx(expected - 1, rel=1e-3)
    assert not torch.equal(before, layer(x, w))


@torch.no_grad()
def test_averages_are_updated_in_every_layer(tiny):
    G = Generator(tiny())
    G.synthesis(G.mapping(torch.randn(2, 8), ema_images=2), ema_images=2)
    for name, buffer in G.named_buffers():
        if name.endswith("magnitude_ema"):
            assert buffer != 1, name
    assert G.mapping.w_avg.any()


@torch.no_grad()
def test_features_are_divided_by_the_root_of_magnitude_ema(tiny):
    """ToRGB is linear: a magnitude of 4 halves the image (without bias)."""
    G, z = Generator(tiny()), torch.randn(2, 8)
    img = G(z)
    last = G.synthesis.get_submodule(G.synthesis.layer_names[-1])
    last.magnitude_ema.fill_(4.0)
    torch.testing.assert_close(G(z), img / 2)


@torch.no_grad()
def test_the_image_is_a_quarter_of_a_clamped_torgb(tiny):
    """A bias of 1000 is held at 256, and 256 / 4 = 64."""
    G = Generator(tiny())
    last = G.synthesis.get_submodule(G.synthesis.layer_names[-1])
    last.weight.zero_()
    last.bias.copy_(torch.tensor([1000.0, -1000.0, 2.0]))
    img = G(torch.randn(1, 8))
    expected = torch.tensor([CLAMP / 4, -CLAMP / 4, 0.5])
    torch.testing.assert_close(img, expected[None, :, None, None].expand_as(img))


@torch.no_grad()
def test_truncation_goes_from_the_average_face_to_the_own_one(tiny):
    G = Generator(tiny())
    G.mapping.w_avg.normal_()
    z = sample_z([0, 1], 8)
    ws = G.mapping(z)
    average = G.mapping.w_avg.expand(2, G.num_ws, -1)
    torch.testing.assert_close(G.mapping(z, truncation_psi=0.0), average)
    torch.testing.assert_close(G.mapping(z, truncation_psi=0.25), 0.75 * average + 0.25 * ws)
    face = G.synthesis(average[:1])
    torch.testing.assert_close(G(z, truncation_psi=0.0), face.expand(2, -1, -1, -1))


@torch.no_grad()
def test_truncation_stops_at_its_cutoff(tiny):
    """Styles 0 to 2 are the average, the others untouched."""
    G = Generator(tiny())
    G.mapping.w_avg.normal_()
    z = sample_z([0, 1], 8)
    ws = G.mapping(z, truncation_psi=0.0, truncation_cutoff=3)
    torch.testing.assert_close(ws[:, :3], G.mapping.w_avg.expand(2, 3, -1))
    torch.testing.assert_close(ws[:, 3:], G.mapping(z)[:, 3:])


@torch.no_grad()
def test_each_sample_may_have_its_own_psi(tiny):
    G = Generator(tiny())
    G.mapping.w_avg.normal_()
    z, psi = sample_z([0, 1], 8), torch.tensor([0.25, 1.0])
    alone = [G.mapping(z[i : i + 1], truncation_psi=psi[i].item()) for i in range(2)]
    for each in (psi, psi[:, None, None]):
        torch.testing.assert_close(G.mapping(z, truncation_psi=each), torch.cat(alone))
    torch.testing.assert_close(G(z, truncation_psi=psi), G.synthesis(torch.cat(alone)))
    assert torch.equal(G.mapping(z, None, psi, 3)[:, 3:], G.mapping(z)[:, 3:])
    torch.testing.assert_close(G.mapping(z, None, psi[0]), G.mapping(z, None, 0.25))


@torch.no_grad()
def test_no_latents_give_no_images(tiny):
    assert Generator(tiny())(sample_z([], 8)).shape == (0, 3, 32, 32)


@torch.no_grad()
def test_one_style_and_several_transforms_give_an_image_for_each(tiny):
    G, moves = Generator(tiny()), torch.stack([translation(0.1, 0), rotation(0.5)])
    ws = G.mapping(torch.randn(1, 8))
    alone = torch.cat([G.synthesis(ws, move) for move in moves])
    torch.testing.assert_close(G.synthesis(ws, moves), alone, rtol=0, atol=1e-5 * alone.abs().max())


@torch.no_grad()
def test_the_length_of_z_does_not_matter(tiny):
    G, z = Generator(tiny()), torch.randn(2, 8)
    torch.testing.assert_close(G.mapping(5 * z), G.mapping(z))


@torch.no_grad()
def test_labels_steer_the_styles_and_are_required(tiny):
    G, z = Generator(tiny(c_dim=3)), torch.randn(1, 8)
    a, b = G.mapping(z, torch.eye(3)[:1]), G.mapping(z, torch.eye(3)[1:2])
    assert (a - b).abs().max() > 0.1
    with pytest.raises(ValueError, match="give labels c"):
        G(z)


@torch.no_grad()
def test_every_style_steers_its_own_layer(tiny):
    """Style i + 1 reaches layer i and none before it."""
    G = Generator(tiny())
    with torch.no_grad():
        torch.nn.init.normal_(G.synthesis.input.affine.weight)
    ws = G.mapping(torch.randn(1, 8)).clone()

    def features(ws):
        seen = []
        layers = [G.synthesis.input]
        layers += [G.synthesis.get_submodule(name) for name in G.synthesis.layer_names]
        handles = [m.register_forward_hook(lambda m, a, y: seen.append(y)) for m in layers]
        G.synthesis(ws)
        for handle in handles:
            handle.remove()
        return seen

    plain = features(ws)
    assert len(plain) == G.num_ws
    for i in range(G.num_ws):
        changed = ws.clone()
        changed[:, i] += 1
        for k, (a, b) in enumerate(zip(plain, features(changed), strict=True)):
            assert torch.equal(a, b) == (k < i), (i, k)


@torch.no_grad()
def test_half_precision_draws_nearly_the_same(tiny, calibrate):
    """Under autocast the layers run in bfloat16, the image comes out as float32."""
    G = calibrate(Generator(tiny()), torch.randn(8, 8))
    z = torch.randn(2, 8)
    img = G(z)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        rough = G(z)
    assert rough.dtype == torch.float32 and not torch.equal(rough, img)
    torch.testing.assert_close(rough, img, rtol=0, atol=0.15 * img.abs().max().item())


@torch.no_grad()
@pytest.mark.parametrize("preset", ["t", "r"])
@pytest.mark.parametrize("dtype", [torch.half, torch.bfloat16, torch.double])
def test_weights_of_another_type_draw_nearly_the_same(tiny, calibrate, preset, dtype):
    """Of the narrow types each layer and each weight adds an error of half a last bit."""
    G = calibrate(Generator(tiny(preset, c_dim=2)), torch.randn(8, 8), torch.eye(2)[[0, 1] * 4])
    G.mapping.w_avg.normal_()
    arguments = torch.randn(2, 8), torch.eye(2), torch.tensor([0.7, 0.9])
    img = G(*arguments)
    for n in (1, 2):
        narrow = [x[:n].to(dtype) for x in arguments]
        found = copy.deepcopy(G).to(dtype)(*narrow)
        wanted = G(*(x.float() for x in narrow))
        assert found.dtype == (torch.double if dtype == torch.double else torch.float32)
        error = (found - wanted).abs().max() / img.abs().max()
        assert 0 < error < 30 * torch.finfo(dtype).eps + 1e-5


@pytest.mark.parametrize("dtype", [torch.half, torch.bfloat16, torch.double])
def test_weights_of_another_type_keep_their_averages(tiny, dtype):
    G = Generator(tiny()).to(dtype)
    G.synthesis(G.mapping(torch.randn(2, 8, dtype=dtype), ema_images=2), ema_images=1000)
    for name, buffer in G.named_buffers():
        assert buffer.dtype == dtype and buffer.isfinite().all(), name
    assert G.mapping.w_avg.any() and G.synthesis.L0_36_8.magnitude_ema != 1


def test_a_single_image_is_drawn_the_short_way_where_nothing_learns(tiny):
    """The bits tell which way it went."""
    G, z = Generator(tiny()), torch.randn(1, 8)
    with torch.no_grad():
        short = G(z)
    learning = G(z)
    assert learning.requires_grad and not torch.equal(short, learning)
    assert torch.equal(short, G.requires_grad_(False)(z))
    assert G(z.requires_grad_()).requires_grad


def test_every_parameter_gets_a_gradient(tiny):
    G = Generator(tiny(c_dim=2))
    G(torch.randn(2, 8), torch.eye(2)).square().sum().backward()
    for name, parameter in G.named_parameters():
        assert parameter.grad is not None and parameter.grad.isfinite().all(), name
        assert parameter.grad.any(), name
