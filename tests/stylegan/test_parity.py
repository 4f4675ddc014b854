"""Agreement with the reference tensors of tests/goldens, from weights to second gradients."""

import json
from pathlib import Path

import pytest
import torch
from safetensors import safe_open

from stylegan.reference import discriminator_from_reference, generator_from_reference

GOLDENS = Path(__file__).parents[1] / "goldens"


def load(name):
    """Constructor's arguments, weights and the other tensors of a file."""
    with safe_open(GOLDENS / f"{name}.safetensors", "pt") as file:
        tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
        args = json.loads(file.metadata()["args"])
    weights = {k[2:]: v for k, v in tensors.items() if k.startswith("w.")}
    return args, weights, {k: v for k, v in tensors.items() if not k.startswith("w.")}


def assert_near(actual, expected, tolerance):
    """The largest difference, relative to the largest value."""
    assert actual.shape == expected.shape
    error = (actual - expected).abs().max() / expected.abs().max()
    assert error <= tolerance, f"relative error {error:.2g}"


@pytest.fixture(scope="module", params=["t", "r"])
def reference(request):
    args, weights, tensors = load(f"generator_{request.param}_64")
    return generator_from_reference(weights, args), tensors


@torch.no_grad()
def test_styles(reference):
    G, t = reference
    assert_near(G.mapping(t["in.z"]), t["out.ws"], 1e-5)
    assert_near(G.mapping(t["in.z"], truncation_psi=1.0), t["out.ws_psi1.0"], 1e-5)
    assert_near(G.mapping(t["in.z"], truncation_psi=0.65), t["out.ws_psi0.65"], 1e-5)
    ws = G.mapping(t["in.z"], truncation_psi=0.5, truncation_cutoff=4)
    assert_near(ws, t["out.ws_psi0.5_cutoff4"], 1e-5)


@torch.no_grad()
@pytest.mark.parametrize("psi", [1.0, 0.65])
def test_images(reference, psi):
    G, t = reference
    assert_near(G(t["in.z"], truncation_psi=psi), t[f"out.img_psi{psi}"], 1e-5)


@torch.no_grad()
def test_mixed_styles(reference):
    """The first half of the styles from sample 0, the rest from sample 1."""
    G, t = reference
    half = G.num_ws // 2
    ws = torch.cat([t["out.ws"][:1, :half], t["out.ws"][1:, half:]], dim=1)
    assert_near(G.synthesis(ws), t["out.img_mixed"], 1e-5)


@torch.no_grad()
def test_transformed_images(reference):
    G, t = reference
    assert_near(G.synthesis(t["out.ws"], t["in.transform"]), t["out.img_transformed"], 1e-5)


def test_first_and_second_gradients(reference):
    G, t = reference
    ws = t["out.ws"].clone().requires_grad_()
    loss = (G.synthesis(ws) * t["in.probe"]).sum()
    (grad,) = torch.autograd.grad(loss, ws, create_graph=True)
    assert_near(grad, t["out.grad_ws"], 1e-4)
    (second,) = torch.autograd.grad(grad.square().sum(), ws)
    assert_near(second, t["out.gradgrad_ws"], 1e-4)


def test_discriminator():
    args, weights, t = load("discriminator_64")
    D = discriminator_from_reference(weights, args)
    img = t["in.img"].requires_grad_()
    logits = D(img)
    assert_near(logits, t["out.logits"], 1e-4)
    (grad,) = torch.autograd.grad(logits.sum(), img, create_graph=True)
    r1 = grad.square().sum(dim=(1, 2, 3))
    assert_near(r1, t["out.r1"], 1e-4)
    (second,) = torch.autograd.grad(r1.mean(), D.b4.conv.weight)
    assert_near(second, t["out.r1_grad_b4_conv_weight"], 1e-4)
