"""The type of numbers that drawing is fastest in: what is chosen, and what it costs in quality."""

import copy
from pathlib import Path

import pytest
import torch

from stylegan import Generator, GeneratorConfig, precision, sample_z

FACES = Path(__file__).resolve().parents[2] / "weights" / "faces-64"


@pytest.fixture(scope="module")
def G():
    return Generator.from_pretrained(FACES)


@torch.inference_mode()
def test_bfloat16_draws_the_same_faces_within_40_db(G):
    ws = G.mapping(sample_z(range(4), G.z_dim), truncation_psi=0.7)
    expected, actual = (
        precision.draw(G, ws, dtype).clamp(-1, 1) for dtype in (torch.float32, torch.bfloat16)
    )
    assert actual.dtype == torch.float32
    torch.testing.assert_close(expected, G.synthesis(ws).clamp(-1, 1), rtol=0, atol=0)
    noise = (actual - expected).square().mean()
    assert 0 < noise < 4 / 10**4  # black to white is 2


@torch.inference_mode()
@pytest.mark.parametrize(("dtype", "db"), [(torch.half, 58), (torch.bfloat16, 38)])
def test_weights_of_half_precision_draw_the_same_faces(G, dtype, db):
    z = sample_z(range(2), G.z_dim)
    expected = G(z, truncation_psi=0.7).clamp(-1, 1)
    actual = copy.deepcopy(G).to(dtype)(z, truncation_psi=0.7).clamp(-1, 1)
    assert actual.dtype == torch.float32
    assert 0 < (actual - expected).square().mean() < 4 / 10 ** (db / 10)  # black to white is 2


@pytest.mark.parametrize(
    ("single", "half", "expected"),
    [(1.0, 0.5, torch.bfloat16), (1.0, 0.95, torch.float32), (1.0, 2.0, torch.float32)],
)
def test_bfloat16_is_chosen_where_it_is_clearly_faster(monkeypatch, single, half, expected):
    seconds = {torch.float32: single, torch.bfloat16: half}
    monkeypatch.setattr(precision, "seconds_an_image", lambda G, dtype: seconds[dtype])
    config = GeneratorConfig.stylegan3_t(32, num_layers=4, channel_base=128, channel_max=8)
    assert precision.fastest_dtype(Generator(config)) == expected


def test_both_are_drawn_to_find_out(monkeypatch):
    """The first round warms up and does not count."""
    drawn = []
    monkeypatch.setattr(precision, "draw", lambda G, ws, dtype: drawn.append((ws.shape, dtype)))
    config = GeneratorConfig.stylegan3_t(32, num_layers=4, channel_base=128, channel_max=8)
    precision.fastest_dtype(Generator(config))
    shape = torch.Size([1, config.num_ws, config.w_dim])
    assert drawn == [(shape, torch.float32), (shape, torch.bfloat16)] * 4
