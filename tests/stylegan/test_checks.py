"""Arguments that no network can take: one sentence that names them, at every public entry."""

import numpy as np
import pytest
import torch

from stylegan import Discriminator, DiscriminatorConfig, Generator, GeneratorConfig

SMALL = dict(channel_base=128, channel_max=8)
SHAPE = dict(z_dim=8, w_dim=12, num_layers=4) | SMALL
G = Generator(GeneratorConfig.stylegan3_t(32, **SHAPE)).eval()
LABELLED = Generator(GeneratorConfig.stylegan3_t(32, c_dim=3, **SHAPE)).eval()
D = Discriminator(DiscriminatorConfig(32, **SMALL))
Z, WS, IMG = torch.randn(2, 8), torch.randn(2, 6, 12), torch.randn(2, 3, 32, 32)


@pytest.mark.parametrize(
    "network, arguments, sentence",
    [
        (G, (np.zeros((2, 8)),), "z must be a tensor of shape (N, 8), got ndarray"),
        (G, ([0, 1],), "z must be a tensor of shape (N, 8), got list"),
        (G, (torch.zeros(2, 9),), "z must have shape (N, 8), got (2, 9)"),
        (G, (torch.zeros(8),), "z must have shape (N, 8), got (8,)"),
        (G, (torch.zeros(()),), "z must have shape (N, 8), got ()"),
        (G, (Z, torch.eye(3)[:2]), "this network has no labels: leave c out"),
        (G, (Z, [0, 1]), "this network has no labels: leave c out"),
        (LABELLED, (Z,), "this network is conditional: give labels c of shape (N, 3)"),
        (LABELLED, (Z, 1), "labels c must be a tensor of shape (N, 3), got int"),
        (LABELLED, (Z, torch.tensor([0, 1])), "labels c must have shape (N, 3), got (2,)"),
        (LABELLED, (Z, torch.eye(3)), "labels c must be as many as the 2 samples, got 3"),
        (G, (Z, None, "0.5"), "truncation_psi must be a number or a tensor (N,), got '0.5'"),
        (G, (Z, None, None), "truncation_psi must be a number or a tensor (N,), got None"),
        (G, (Z, None, [0.5, 1]), "truncation_psi must be a number or a tensor (N,), got list"),
        (G, (Z, None, float("nan")), "truncation_psi must be finite, got nan"),
        (G, (Z, None, torch.tensor([1, torch.nan])), "truncation_psi must be finite, got tensor"),
        (G, (Z, None, torch.ones(3)), "truncation_psi must be a number or have shape (2,), got (3"),
        (G, (Z, None, torch.ones(1, 2)), "truncation_psi must be a number or have shape (2,), got"),
        (G, (Z, None, 1, 2.5), "truncation_cutoff must be None or a whole number, got 2.5"),
        (G, (Z, None, 1, -1), "truncation_cutoff must be 0 or more, got -1"),
        (G.synthesis, (WS.numpy(),), "ws must be a tensor of shape (N, 6, 12), got ndarray"),
        (G.synthesis, (WS[:, :5],), "ws must have shape (N, 6, 12), got (2, 5, 12)"),
        (G.synthesis, (WS[:, 0],), "ws must have shape (N, 6, 12), got (2, 12)"),
        (G.synthesis, (WS[..., :8],), "ws must have shape (N, 6, 12), got (2, 6, 8)"),
        (G.synthesis, (WS, np.eye(3)), "transform must be a tensor of shape (3, 3) or (N, 3, 3),"),
        (G.synthesis, (WS, torch.eye(2)), "transform must have shape (3, 3) or (N, 3, 3), got (2,"),
        (G.synthesis, (WS, torch.eye(3)[0]), "transform must have shape (3, 3) or (N, 3, 3), got"),
        (G.synthesis, (WS, torch.zeros(3, 3, 3)), "transform must be one for all or as many as th"),
        (D, (IMG.numpy(),), "img must be a tensor of shape (N, 3, 32, 32), got ndarray"),
        (D, (IMG[:, :1],), "img must have shape (N, 3, 32, 32), got (2, 1, 32, 32)"),
        (D, (IMG, torch.eye(2)), "this network has no labels: leave c out"),
    ],
)
def test_a_wrong_argument_is_named(network, arguments, sentence):
    entries = [network] if network is not G else [G, G.mapping]
    for entry in entries:
        with pytest.raises((TypeError, ValueError)) as caught:
            entry(*arguments)
        assert str(caught.value).startswith(sentence)
        assert str(caught.value).count("\n") == 0


def test_labels_of_no_width_are_no_labels():
    """Tools that serve both kinds give c (N, c_dim)."""
    assert torch.equal(G.mapping(Z, torch.zeros(2, 0)), G.mapping(Z))


@pytest.mark.parametrize(
    "options, sentence",
    [
        (dict(device="cupboard"), "device 'cupboard' cannot be used here: "),
        (dict(device="privateuseone"), "device 'privateuseone' cannot be used here: "),
        (dict(device=0.5), "device 0.5 cannot be used here: "),
        (dict(dtype=torch.int8), "dtype must be one of torch.float32, .* got torch.int8"),
        (dict(dtype="half"), "dtype must be one of torch.float32, .* got 'half'"),
        (dict(revision=5), "revision must be a branch, tag or commit, got int"),
        (dict(token=5), "token must be a string, True or False, got int"),
        (dict(token="f\xfcnf"), "token must be of ASCII characters, as the Hub gives it"),
        (dict(cache_dir=5), "cache_dir must be a folder, got int"),
    ],
)
def test_a_wrong_option_is_told_before_anything_is_read(options, sentence):
    with pytest.raises((TypeError, ValueError), match=f"^{sentence}[^\n]*$"):
        Generator.from_pretrained("nobody/nothing", **options)
