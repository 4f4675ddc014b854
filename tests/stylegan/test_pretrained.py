"""Saved weights: the same pixels after loading, and a sentence for everything that does not fit."""

import json
import os
import shutil
from pathlib import Path

import pytest
import torch
from huggingface_hub.errors import LocalEntryNotFoundError, LocalTokenNotFoundError
from huggingface_hub.utils import httpx
from safetensors.torch import load_file, save_file

from stylegan import Generator, hub, sample_z
from stylegan.layout import METRICS
from stylegan.pretrained import read_metrics


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A folder with a whole generator that is not in its first state."""
    from stylegan import GeneratorConfig

    torch.manual_seed(1)
    shape = dict(z_dim=8, w_dim=12, num_layers=4, channel_base=128, channel_max=8)
    G = Generator(GeneratorConfig.stylegan3_r(32, **shape))
    G.mapping.w_avg.normal_()
    folder = tmp_path_factory.mktemp("saved") / "weights"
    G.save_pretrained(folder)
    return folder


@pytest.fixture
def folder(saved, tmp_path):
    """A copy to spoil."""
    return shutil.copytree(saved, tmp_path / "weights")


def change_weights(folder, change):
    state = load_file(folder / "model.safetensors")
    change(state)
    save_file(state, folder / "model.safetensors")


def change_config(folder, **values):
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


@torch.no_grad()
def test_the_same_pixels_after_loading(tiny, tmp_path):
    G = Generator(tiny(c_dim=2, img_channels=1)).eval()
    z, c = torch.randn(2, 8), torch.eye(2)
    G.synthesis(G.mapping(z, c, ema_images=2), ema_images=2)
    G.save_pretrained(tmp_path / "a")
    loaded = Generator.from_pretrained(tmp_path / "a")
    assert loaded.config == G.config and not loaded.training
    assert torch.equal(loaded(z, c, truncation_psi=0.5), G(z, c, truncation_psi=0.5))
    assert Generator.from_pretrained(str(tmp_path / "a")).config == G.config


@pytest.mark.skipif(os.name == "nt", reason="names are text there")
def test_a_folder_whose_name_is_no_utf8_is_read(folder, tmp_path):
    named = folder.rename(tmp_path / os.fsdecode(b"Andr\xe9"))
    assert Generator.from_pretrained(named).z_dim == 8


def test_files_hold_flat_values_and_official_names(saved):
    config = json.loads((saved / "config.json").read_text())
    assert config["conv_kernel"] == 1 and config["radial_filters"] is True
    assert all(isinstance(value, int | bool) for value in config.values())
    assert config["format_version"] == 2
    names = set(load_file(saved / "model.safetensors"))
    assert {"mapping.fc0.weight", "mapping.w_avg", "synthesis.input.freqs"} <= names
    assert not any("filter" in name for name in names)
    card = (saved / "README.md").read_text()
    assert "license" not in card and "# A StyleGAN3 R generator" in card
    assert "- stylegan3\n" in card and "stylegan2" not in card
    assert "library_name" not in card  # without one, the Hub counts downloads of config.json


def test_half_precision_weights_come_back_as_float32(folder):
    def halve(state):
        for name, tensor in state.items():
            state[name] = tensor.half()

    whole = Generator.from_pretrained(folder)
    change_weights(folder, halve)
    G = Generator.from_pretrained(folder)
    for name, tensor in G.state_dict().items():
        assert tensor.dtype == torch.float32, name
    z = torch.randn(1, 8)
    torch.testing.assert_close(G.mapping(z), whole.mapping(z), rtol=0, atol=0.02)


def test_a_missing_tensor_is_named(folder):
    change_weights(folder, lambda state: state.pop("mapping.w_avg"))
    with pytest.raises(ValueError, match="lack the tensor mapping.w_avg"):
        Generator.from_pretrained(folder)


def test_a_surplus_tensor_is_named(folder):
    change_weights(folder, lambda state: state.update(extra=torch.zeros(1)))
    with pytest.raises(ValueError, match="tensor that the network has not: extra"):
        Generator.from_pretrained(folder)


def test_a_misshapen_tensor_is_named(folder):
    change_weights(folder, lambda state: state.update({"mapping.w_avg": torch.zeros(13)}))
    with pytest.raises(ValueError, match=r"mapping.w_avg has shape \(13,\).* \(12,\)"):
        Generator.from_pretrained(folder)


@pytest.mark.parametrize(
    "spoil, sentence",
    [
        (lambda x: x * torch.nan, "holds NaN, or more than float32 can"),
        (lambda x: x / 0, "holds NaN, or more than float32 can"),
        (lambda x: x.double() + 1e300, "holds NaN, or more than float32 can"),
        (lambda x: x.long(), "holds int64, not real numbers"),
        (lambda x: x.bool(), "holds bool, not real numbers"),
        (lambda x: x.to(torch.complex64), "holds complex64, not real numbers"),
    ],
)
def test_a_tensor_of_no_weights_is_named(folder, spoil, sentence):
    name = "synthesis.L3_32_4.bias"
    change_weights(folder, lambda state: state.update({name: spoil(state[name] + 1)}))
    path = folder / "model.safetensors"
    with pytest.raises(ValueError, match=f"^{path}: the tensor {name} {sentence}$"):
        Generator.from_pretrained(folder)


@pytest.mark.parametrize("value, told", [(0.0, "0"), (-0.5, "-0.5"), (1e-60, "0")])
def test_a_magnitude_that_cannot_be_divided_by_is_named(folder, value, told):
    """A layer divides by the root of it: zero and less make NaN of every picture."""
    name, value = "synthesis.L3_32_4.magnitude_ema", torch.tensor(value, dtype=torch.float64)
    change_weights(folder, lambda state: state.update({name: value}))
    with pytest.raises(ValueError, match=f"the tensor {name} must be above 0, got {told}$"):
        Generator.from_pretrained(folder)


@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
def test_a_missing_file_is_named(folder, name):
    (folder / name).unlink()
    with pytest.raises(ValueError, match=f"has no {name}"):
        Generator.from_pretrained(folder)


def test_broken_json_is_named(folder):
    (folder / "config.json").write_text('{"z_dim": 8')
    with pytest.raises(ValueError, match="config.json is not JSON"):
        Generator.from_pretrained(folder)
    (folder / "config.json").write_text("[1, 2]")
    with pytest.raises(ValueError, match="config.json must hold a JSON object"):
        Generator.from_pretrained(folder)


def test_unknown_fields_and_wrong_values_are_named(folder):
    change_config(folder, colour="blue")
    with pytest.raises(ValueError, match="config.json has the field 'colour'"):
        Generator.from_pretrained(folder)
    (folder / "config.json").write_text('{"img_resolution": 65}')
    with pytest.raises(ValueError, match="config.json: img_resolution .* 65"):
        Generator.from_pretrained(folder)


@pytest.mark.parametrize(
    "field, text",
    [
        ("channel_base", "1" + "0" * 400),
        ("channel_max", str(10**12)),
        ("channel_base", "128.0"),
        ("c_dim", "NaN"),
        ("z_dim", "true"),
        ("w_dim", '"' + "8" * 400 + '"'),
        ("num_layers", "1000000"),
        ("mapping_layers", "[" * 300 + "]" * 300),
        ("img_resolution", "1e9999"),
        ("conv_kernel", "3.0"),
    ],
)
def test_a_field_beyond_all_networks_is_named_in_a_short_sentence(folder, field, text):
    config = json.loads((folder / "config.json").read_text())
    config.pop(field)
    (folder / "config.json").write_text(json.dumps(config)[:-1] + f', "{field}": {text}}}')
    with pytest.raises(ValueError, match=f"config.json: {field} must be ") as caught:
        Generator.from_pretrained(folder)
    assert len(str(caught.value)) < len(str(folder)) + 200


@pytest.mark.parametrize(
    "text", ["[" * 100_000, '{"z_dim":' * 100_000, '{"z_dim": 1' + "0" * 10**4]
)
def test_json_beyond_all_bounds_is_named(folder, text):
    (folder / "config.json").write_text(text)
    with pytest.raises(ValueError, match="config.json is not JSON: "):
        Generator.from_pretrained(folder)


@pytest.mark.parametrize(
    "shape",
    [
        dict(channel_base=2**30, channel_max=2**30, img_resolution=1024, num_layers=256),
        dict(w_dim=2**30, mapping_layers=256),
        dict(z_dim=2**16, w_dim=2**16),
        dict(c_dim=2**16, w_dim=2**10),
    ],
)
def test_a_network_far_larger_than_its_weights_is_never_made(folder, shape, monkeypatch):
    """The first would take terabytes."""
    change_config(folder, **shape)
    monkeypatch.setattr(Generator, "__init__", lambda G, config: pytest.fail("it was made"))
    with pytest.raises(ValueError, match=r"config.json asks for \d{8,} parameters, and model"):
        Generator.from_pretrained(folder)


@pytest.mark.parametrize(
    "shape, name",
    [(dict(c_dim=2), "mapping.embed.weight"), (dict(mapping_layers=3), "mapping.fc2.weight")],
)
def test_where_the_config_is_another_a_tensor_is_named(folder, shape, name):
    change_config(folder, **shape)
    with pytest.raises(ValueError, match=f"model.safetensors: the weights lack the tensor {name}"):
        Generator.from_pretrained(folder)


def test_a_loaded_generator_draws_without_gradient_and_learns_when_told(saved):
    G, z = Generator.from_pretrained(saved), torch.randn(1, 8)
    assert not G.training and not G(z).requires_grad
    assert G.requires_grad_()(z).requires_grad


def test_weights_go_where_they_are_told_to(saved):
    G = Generator.from_pretrained(saved, device=torch.device("cpu"), dtype=torch.bfloat16)
    assert {tensor.dtype for tensor in G.state_dict().values()} == {torch.bfloat16}
    G = Generator.from_pretrained(saved, device="meta", dtype=torch.double)
    assert {(t.device.type, t.dtype) for t in G.parameters()} == {("meta", torch.double)}


def test_what_is_for_the_hub_goes_to_the_hub(saved, monkeypatch):
    asked = {}

    def download(repo, **options):
        asked.update(options, repo=repo)
        return saved

    monkeypatch.setattr(hub, "snapshot_download", download)
    options = dict(token="hf_alice", cache_dir="/elsewhere", local_files_only=True)
    Generator.from_pretrained("alice/faces", "v1", **options)
    files = ["config.json", "model.safetensors"]
    expected = dict(repo="alice/faces", revision="v1", allow_patterns=files, force_download=False)
    assert asked == expected | options
    asked.clear()
    Generator.from_pretrained(saved, **options)
    assert not asked


@pytest.mark.parametrize(
    "error, options, kind, sentence",
    [
        (
            LocalEntryNotFoundError("Cannot find.\nMore."),
            dict(local_files_only=True),
            FileNotFoundError,
            "a/b is no folder here, and local_files_only asks for a copy of an earlier download, "
            "of which there is none",
        ),
        (
            LocalEntryNotFoundError("Cannot find.\nMore."),
            {},
            FileNotFoundError,
            "a/b is no folder here, and the Hub cannot be reached for it",
        ),
        (
            LocalTokenNotFoundError("Token is required."),
            dict(token=True),
            ValueError,
            "token=True needs a token on this machine: run `hf auth login`",
        ),
        (
            httpx.ReadTimeout("The read\ntimed out"),
            {},
            OSError,
            "a/b cannot be had from the Hub: The read timed out",
        ),
    ],
)
def test_each_failure_of_the_hub_is_a_sentence(error, options, kind, sentence, monkeypatch):
    def download(repo, **options):
        raise error

    monkeypatch.setattr(hub, "snapshot_download", download)
    with pytest.raises(kind) as caught:
        Generator.from_pretrained("a/b", **options)
    assert str(caught.value) == sentence


def test_truncated_weights_are_named(folder):
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ValueError, match="model.safetensors is not a whole safetensors file"):
        Generator.from_pretrained(folder)


def test_a_file_that_names_a_crowd_of_tensors_is_refused_before_they_are_made(folder):
    """A stranger's: 92 MB that name 1.2 million empty ones took two gigabytes and minutes."""
    empty = {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]}
    header = json.dumps({str(i): empty for i in range(20_000)}).encode()
    path = folder / "model.safetensors"
    path.write_bytes(len(header).to_bytes(8, "little") + header)
    with pytest.raises(ValueError, match=f"safetensors file: a header of {len(header)} bytes"):
        Generator.from_pretrained(folder)


def test_a_pickle_is_never_read(folder, tmp_path):
    """Its reading would write a file."""

    class Trap:
        def __reduce__(self):
            return (open, (str(tmp_path / "sprung"), "w"))

    (folder / "model.safetensors").unlink()
    torch.save({"w": Trap()}, folder / "pytorch_model.bin")
    words = "weights has no model.safetensors, only the pickle pytorch_model.bin: it could run code"
    with pytest.raises(ValueError, match=words):
        Generator.from_pretrained(folder)
    assert not (tmp_path / "sprung").exists()


def test_a_pointer_of_git_in_place_of_the_weights_is_told(folder):
    words = f"version https://git-lfs.github.com/spec/v1\noid sha256:{'0' * 64}\nsize 12345\n"
    (folder / "model.safetensors").write_text(words)
    with pytest.raises(ValueError, match="is a git-lfs pointer in place of the weights: run `git"):
        Generator.from_pretrained(folder)


@torch.no_grad()
def test_a_folder_of_the_first_format_draws_as_it_did():
    """It was saved before the config told its version."""
    G = Generator.from_pretrained(Path(__file__).with_name("format-1"))
    pixel = G(sample_z([0], 4), truncation_psi=0.7)[0, :, 10, 10]
    expected = torch.tensor([0.0113267, 0.0216236, 0.0095330])
    torch.testing.assert_close(pixel, expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    "version, sentence",
    [
        (3, "is of format_version 3, and this StyleGAN PlayGround reads up to 2: take a newer"),
        (0, "format_version must be a whole number, got 0"),
        ("1", "format_version must be a whole number, got '1'"),
    ],
)
def test_a_format_of_later_is_refused(folder, version, sentence):
    """Whatever else it holds: its fields may be ones that nobody knows today."""
    change_config(folder, format_version=version, colour="blue")
    with pytest.raises(ValueError, match=f"config.json.* {sentence}"):
        Generator.from_pretrained(folder)


@pytest.mark.parametrize("name", ["nowhere", "/no/such/folder", "../nowhere", "a/b/c", "./x"])
def test_a_folder_that_does_not_exist_is_named(name, tmp_path, monkeypatch):
    """Without asking the Hub, where no such repository can be."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileNotFoundError, match=f"{name}.* no user/repository name"):
        Generator.from_pretrained(name)


def test_what_was_measured_is_read_and_a_bad_file_named(tmp_path):
    assert read_metrics(tmp_path) == {}
    (tmp_path / METRICS).write_text('{"score": 44.5}')
    assert read_metrics(tmp_path) == {"score": 44.5}
    for text, reason in (("score", "is not JSON"), ("[1]", "must hold a JSON object")):
        (tmp_path / METRICS).write_text(text)
        with pytest.raises(ValueError, match=f"metrics.json {reason}"):
            read_metrics(tmp_path)


def test_who_opens_a_run_without_weights_is_told_when_they_come(tmp_path):
    """The folder itself, and any that it will hold."""
    (tmp_path / "state").mkdir()
    (tmp_path / "config.json").write_text("{}")
    for name in ("", "best", "weights"):
        with pytest.raises((ValueError, FileNotFoundError), match="none yet; wait for its first"):
            Generator.from_pretrained(tmp_path / name)
    with pytest.raises(FileNotFoundError, match="no user/repository name; check how it is written"):
        Generator.from_pretrained(tmp_path / "elsewhere" / "best")


def test_who_opens_a_run_is_told_its_newest_weights(saved, tmp_path):
    """The folder itself, its best before there is one, and after both any other name."""
    for name in ("kimg-000004", "kimg-000003.512", "kimg-000004.008"):
        shutil.copytree(saved, tmp_path / "weights" / name)
    (tmp_path / "weights/kimg-000005").mkdir()  # nothing in it yet
    newest = f"take {tmp_path}/weights/kimg-000004.008$"
    with pytest.raises(FileNotFoundError, match=f"best is no folder of .* none yet.; {newest}"):
        Generator.from_pretrained(tmp_path / "best")
    with pytest.raises(FileNotFoundError, match=f"bset is no folder of .*; {newest}"):
        Generator.from_pretrained(tmp_path / "bset")
    with pytest.raises(ValueError, match=f"{tmp_path} has no config.json, .*; {newest}"):
        Generator.from_pretrained(tmp_path)
