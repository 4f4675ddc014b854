"""The command: official checkpoints become folders, whole or not at all; what is lost is said."""

import re
import shutil
import subprocess
import sys

import pytest
import torch
from safetensors.torch import load_file

from stylegan import Discriminator, DiscriminatorConfig, Generator, convert
from stylegan.reference import discriminator_from_reference
from training.config import TrainConfig
from training.transfer import begin_with

ROOT = convert.__file__.rpartition("/stylegan/")[0]


def run(*argv):
    convert.main([str(x) for x in argv])


@torch.no_grad()
@pytest.mark.parametrize("preset, protocol", [("t", 2), ("t", 4), ("r", 5)])
def test_a_checkpoint_becomes_a_folder_that_draws_the_same(
    checkpoint, goldens, tmp_path, preset, protocol, capsys
):
    run(checkpoint(preset, protocol), tmp_path / "out")
    G, tensors = Generator.from_pretrained(tmp_path / "out"), goldens(f"generator_{preset}_64")[2]
    for psi in (1.0, 0.65):
        expected = tensors[f"out.img_psi{psi}"]
        error = (G(tensors["in.z"], truncation_psi=psi) - expected).abs().max()
        assert error <= 1e-5 * expected.abs().max()
    assert f"G_ema: StyleGAN3 {preset.upper()}, 64 px\n" in capsys.readouterr().out


@torch.no_grad()
def test_the_discriminator_comes_with_it(checkpoint, goldens, tmp_path):
    run(checkpoint(), tmp_path / "out")
    args, weights, tensors = goldens("discriminator_64")
    D = discriminator_from_reference(weights, args)
    state = load_file(tmp_path / "out" / "discriminator.safetensors")
    D.load_state_dict(state)
    torch.testing.assert_close(D(tensors["in.img"]), tensors["out.logits"], rtol=1e-4, atol=1e-4)


def test_training_can_go_on_from_it(checkpoint, goldens, tmp_path):
    out = tmp_path / "out"
    run(checkpoint(), out)
    config = Generator.from_pretrained(out).config
    D = Discriminator(DiscriminatorConfig(64, channel_base=1024, channel_max=32))
    G = Generator(config)
    begin_with(G, D, TrainConfig(str(tmp_path), "run", init_from=str(out)))
    args, weights, tensors = goldens("discriminator_64")
    torch.testing.assert_close(D(tensors["in.img"]), tensors["out.logits"], rtol=1e-4, atol=1e-4)
    expected = goldens("generator_t_64")[1]["mapping.w_avg"]
    assert torch.equal(G.mapping.w_avg, expected)


def test_what_is_left_out_and_what_is_not_exact_is_said(checkpoint, tmp_path, capsys):
    run(checkpoint(), tmp_path / "out")
    said = capsys.readouterr().out
    assert "left out: G, augment_pipe, training_set_kwargs" in said
    assert "G_ema: it has no conv_clamp, and here activations are bounded by 256" in said
    assert "D: channel base 1024, channel max 32" in said
    card = (tmp_path / "out" / "README.md").read_text()
    assert "Weights of t.pkl, network G_ema" in card and str(tmp_path) not in card
    assert "for whoever trained them to say" in card


def test_names_of_a_file_do_not_reach_the_terminal(checkpoint, tmp_path, capsys):
    run(checkpoint(change=lambda c: c.update({"\x1b[2J": 1, "y" * 10**6: 2})), tmp_path / "out")
    said = capsys.readouterr().out
    assert r"'\x1b[2J'" in said and "\x1b" not in said and len(said) < 1000


def test_other_groups_of_the_discriminator_are_said(
    checkpoint, goldens, tmp_path, official, capsys
):
    args, weights, _ = goldens("discriminator_64")
    args["epilogue_kwargs"] = dict(mbstd_group_size=None)
    run(
        checkpoint(change=lambda c: c.update(D=official.network(weights, args, "Discriminator"))),
        tmp_path / "out",
    )
    assert "D: it compares all images of a batch, and here those of groups of 4" in (
        capsys.readouterr().out
    )


def test_the_last_generator_instead_of_the_average(checkpoint, goldens, tmp_path, official):
    args, weights, _ = goldens("generator_t_64")
    other = weights | {"mapping.w_avg": weights["mapping.w_avg"] + 1}
    file = checkpoint(change=lambda c: c.update(G=official.network(other, args)))
    run(file, tmp_path / "out", "--network", "G")
    state = load_file(tmp_path / "out" / "model.safetensors")
    assert torch.equal(state["mapping.w_avg"], other["mapping.w_avg"])


@torch.no_grad()
def test_numpy_1_files_half_weights_and_arguments_of_older_files(
    checkpoint, goldens, tmp_path, official, capsys
):
    args, weights, tensors = goldens("generator_t_64")
    half = {name: x.half() for name, x in weights.items()}
    nested = {k: args.pop(k) for k in list(args) if k.startswith(("channel", "num", "conv"))}
    order = [args.pop(k) for k in ("z_dim", "c_dim", "w_dim", "img_resolution", "img_channels")]
    named = official.EasyDict(args, synthesis_kwargs=nested, class_name="training.Generator")
    old = official.network(half, {}, _init_args=tuple(order), _init_kwargs=named)
    file = checkpoint(protocol=2, change=lambda c: c.update(G_ema=old))
    content = file.read_bytes()
    assert b"numpy._core." in content
    file.write_bytes(content.replace(b"numpy._core.", b"numpy.core."))
    run(file, tmp_path / "out")
    assert "it has tensors in float16, and here all are float32" in capsys.readouterr().out
    G = Generator.from_pretrained(tmp_path / "out")
    error = (G(tensors["in.z"]) - tensors["out.img_psi1.0"]).abs().max()
    assert 0 < error < 0.02


def test_a_folder_that_holds_something_is_left_alone(checkpoint, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    (out / "mine.txt").write_text("mine")
    with pytest.raises(SystemExit, match=f"error: {out} is there already and not empty"):
        run(checkpoint(), out)
    with pytest.raises(SystemExit, match=f"{out}/mine.txt is there already"):
        run(checkpoint(), out / "mine.txt")
    assert [path.name for path in out.iterdir()] == ["mine.txt"]
    (out / "mine.txt").unlink()
    run(checkpoint(), out)
    assert (out / "config.json").exists()


def test_a_folder_is_whole_or_not_there(checkpoint, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(convert, "write_whole", full)
    with pytest.raises(SystemExit, match="error: .*out cannot be written: No space left on device"):
        run(checkpoint(), tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["t.pkl"]


def bad_network(name, value):
    def change(content):
        content[name] = value

    return change


@pytest.mark.parametrize(
    "change, sentence",
    [
        (lambda c: c.pop("G_ema"), "has no network G_ema, only: D, G, augment_pipe"),
        (lambda c: c.clear(), "has no network G_ema, only: nothing that is one"),
        (lambda c: c.update(G_ema="me"), "has no network G_ema"),
    ],
)
def test_a_network_that_is_not_there_is_named(checkpoint, tmp_path, change, sentence):
    with pytest.raises(SystemExit, match=sentence):
        run(checkpoint(change=change), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_discriminator_that_is_not_followed_is_said(checkpoint, tmp_path, official, capsys):
    other = official.network({"b4.conv.weight": torch.zeros(1)}, dict(img_resolution=64))
    run(checkpoint(change=lambda c: c.update(D=other)), tmp_path / "out")
    said = capsys.readouterr().out
    assert "D is left out, so training cannot go on from it: the constructor's argument " in said
    assert not (tmp_path / "out" / "discriminator.safetensors").exists()


def test_a_network_larger_than_its_tensors_is_never_made(checkpoint, tmp_path, official, goldens):
    """It would take terabytes."""
    args, weights, _ = goldens("generator_t_64")
    huge = official.network(weights, args | dict(channel_base=2**30, channel_max=2**30))
    with pytest.raises(SystemExit, match="has shape .* the config asks for"):
        run(checkpoint(change=lambda c: c.update(G_ema=huge)), tmp_path / "out")


def shared(levels):
    """What would be written out 2 to the levels times."""
    value = []
    for _ in range(levels):
        value = [value, value]
    return value


@pytest.mark.parametrize(
    "args, sentence",
    [
        (dict(colour=torch.ones(3)), "the constructor's argument colour holds a Tensor"),
        (dict(channel_base=torch.ones(3)), "argument channel_base holds a Tensor"),
        (dict(num_layers="fourteen"), "num_layers must be a whole number from 3 to 256"),
        (dict(num_layers=10**30), "num_layers must be a whole number from 3 to 256"),
        (dict(channel_base=1e300), "channel_base must be a whole number"),
        (dict(conv_clamp=float("nan")), "conv_clamp=nan is not supported, only 256"),
        (dict(mapping_kwargs="none"), "mapping_kwargs='none' is not supported"),
        (dict(margin_size=shared(40)), "argument margin_size holds a list"),
        (dict(colour=list(range(101))), "argument colour holds a list"),
        (dict(c_dim=2**30, w_dim=2**30, z_dim=2**30), "too large for any machine"),
        (dict(img_resolution=None), "img_resolution must be 32, 64"),
        ({"x" * 10**6: 1}, "the constructor's argument xxx"),
        ({"\x1b[2J": 1}, r"the constructor's argument \?\[2J=1 is not supported"),
    ],
)
def test_arguments_that_make_no_network_are_a_sentence(
    checkpoint, tmp_path, official, goldens, args, sentence
):
    fitting, weights, _ = goldens("generator_t_64")
    network = official.network(weights, fitting | args)
    with pytest.raises(SystemExit, match=sentence) as e:
        run(checkpoint(change=lambda c: c.update(G_ema=network)), tmp_path / "out")
    assert len(str(e.value)) < 500 and not (tmp_path / "out").exists()


def test_an_argument_that_holds_networks_many_times_is_a_sentence(
    checkpoint, tmp_path, official, goldens
):
    fitting, weights, _ = goldens("generator_t_64")
    inner = official.stored("A", {})
    for _ in range(40):
        inner = official.stored("A", {"a": inner, "b": inner})
    network = official.network(weights, fitting | dict(colour=inner))
    with pytest.raises(SystemExit, match="the constructor's argument colour holds a Stored"):
        run(checkpoint(change=lambda c: c.update(G_ema=network)), tmp_path / "out")


@pytest.mark.parametrize(
    "content, sentence",
    [
        (b"PK\x03\x04", "is of torch.save or another archive, no pickle"),
        (b"", "is not read: it has no end|is not read: pickle exhausted"),
        (b"\x80\x04N.", "it holds a NoneType, not networks by name"),
        (b"version https://git-lfs", "is not read: "),
        (b"cdnnlib.tflib.network\nNetwork\n.", "of the TensorFlow version"),
    ],
)
def test_files_of_another_kind_are_named(tmp_path, content, sentence):
    (tmp_path / "it.pkl").write_bytes(content)
    with pytest.raises(SystemExit, match=f"error: {re.escape(str(tmp_path))}/it.pkl.*({sentence})"):
        run(tmp_path / "it.pkl", tmp_path / "out")


@pytest.mark.parametrize("name", ["nowhere.pkl", "alice/faces", "../x/y.pkl", "/no/such.pkl"])
def test_a_file_that_is_not_there_is_named(tmp_path, name):
    with pytest.raises(SystemExit, match=f"error: {name} is no file, and no user/repository/file"):
        run(name, tmp_path / "out")


def test_a_file_of_the_hub_is_fetched(checkpoint, tmp_path, monkeypatch):
    asked, file = [], checkpoint()
    monkeypatch.setattr(convert, "hf_hub_download", lambda *which: asked.append(which) or file)
    run("alice/faces/nets/ffhq.pkl", tmp_path / "out")
    assert asked == [("alice/faces", "nets/ffhq.pkl")] and (tmp_path / "out").is_dir()

    def offline(*_):
        raise ConnectionError("no\nway")

    monkeypatch.setattr(convert, "hf_hub_download", offline)
    with pytest.raises(SystemExit, match="a/b/c.pkl is no file here and .* the Hub: no way"):
        run("a/b/c.pkl", tmp_path / "elsewhere")


def test_the_command_ends_with_one_sentence(tmp_path):
    (tmp_path / "it.pkl").write_bytes(b"cos\nsystem\n(S'true'\ntR.")
    command = [sys.executable, "-m", "stylegan.convert", tmp_path / "it.pkl", tmp_path / "out"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 1 and not done.stdout
    assert re.fullmatch(r"error: \S+ is not read: it asks for os.system, which .*\n", done.stderr)
    shutil.rmtree(tmp_path)


FETCH = """
import sys
from huggingface_hub import HfApi
from stylegan import Generator, convert

HfApi().create_repo("alice/nets")
HfApi().upload_file(
    path_or_fileobj=sys.argv[1], path_in_repo="ffhq/t.pkl", repo_id="alice/nets"
)
convert.main(["alice/nets/ffhq/t.pkl", "out"])
assert Generator.from_pretrained("out").img_resolution == 64
try:
    convert.main(["alice/nets/none.pkl", "other"])
except SystemExit as e:
    sys.exit(0 if "alice/nets/none.pkl is no file here and cannot be had" in str(e) else 1)
"""


def test_a_file_of_the_hub_is_fetched_by_its_real_client(checkpoint, hub_env, tmp_path):
    env = hub_env | {"PYTHONPATH": ROOT}
    command = [sys.executable, "-c", FETCH, checkpoint()]
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "G_ema: StyleGAN3 T, 64 px" in done.stdout
