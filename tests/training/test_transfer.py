"""Beginning with weights that exist: all of them, or a sentence for what does not fit."""

import pytest
import torch
from safetensors.torch import load_file, save_file

from stylegan import Discriminator, DiscriminatorConfig, Generator, GeneratorConfig
from training.config import TrainConfig
from training.transfer import begin_with, freeze

BLOCKS = ["b32", "b16", "b8"]


@pytest.fixture
def build(tiny):
    """A new pair of networks, of other random weights each time."""

    def make(**shape):
        D = Discriminator(
            DiscriminatorConfig(32, channel_base=128, channel_max=shape.get("channel_max", 8))
        )
        return Generator(tiny(**shape)), D

    return make


@pytest.fixture
def saved(build, tmp_path):
    """A folder as a snapshot leaves it, with the networks whose weights it holds."""
    G, D = build()
    G.mapping.w_avg.normal_()
    folder = tmp_path / "weights"
    G.save_pretrained(folder)
    save_file(D.state_dict(), folder / "discriminator.safetensors")
    return folder, G, D


def config_for(folder, **flags):
    return TrainConfig(str(folder.parent), "o", init_from=str(folder), **flags)


def assert_same_state(a, b):
    for (name, x), y in zip(a.state_dict().items(), b.state_dict().values(), strict=True):
        assert torch.equal(x, y), name


def test_both_networks_are_loaded_exactly(build, saved, capsys):
    folder, G_saved, D_saved = saved
    G, D = build()
    begin_with(G, D, config_for(folder))
    assert_same_state(G, G_saved)
    assert_same_state(D, D_saved)
    assert all(p.requires_grad for p in [*G.parameters(), *D.parameters()])
    assert capsys.readouterr().err == ""


def test_without_a_discriminator_d_begins_anew_and_says_so(build, saved, capsys):
    folder, G_saved, _ = saved
    (folder / "discriminator.safetensors").unlink()
    G, D = build()
    before = {name: x.clone() for name, x in D.state_dict().items()}
    begin_with(G, D, config_for(folder))
    assert_same_state(G, G_saved)
    for name, x in D.state_dict().items():
        assert torch.equal(x, before[name]), name
    assert "has no discriminator.safetensors; D begins anew" in capsys.readouterr().err


def test_a_tensor_of_another_shape_is_refused_by_name(build, saved):
    folder, *_ = saved
    sentence = (
        f"^--init-from {folder} does not fit this run's generator: mapping.fc0.weight has shape "
        r"\(12, 8\), not \(12, 6\); --partial takes the rest$"
    )
    with pytest.raises(ValueError, match=sentence):
        begin_with(*build(z_dim=6), config_for(folder))


def test_of_many_misfits_four_are_named_and_the_others_counted(build, saved):
    """Layers carry their width in their name. Four of them get another: their 5 tensors are
    missing, the 5 of the old ones surplus. 3 of the input and of the next layer change shape."""
    folder, *_ = saved
    misfits = 4 * (5 + 5) + 3 + 3
    with pytest.raises(ValueError, match=f" is missing and {misfits - 4} more; --partial") as e:
        begin_with(*build(channel_max=4), config_for(folder))
    assert str(e.value).count("is missing") == 4


@pytest.mark.parametrize(
    "name, network", [("model", "generator"), ("discriminator", "discriminator")]
)
def test_missing_and_surplus_tensors_are_refused_by_name(build, saved, name, network):
    folder, *_ = saved
    path = folder / f"{name}.safetensors"
    state = load_file(path)
    lost = "b8.skip.weight" if network == "discriminator" else "mapping.w_avg"
    state["extra"] = state.pop(lost)
    save_file(state, path)
    with pytest.raises(
        ValueError, match=f"this run's {network}: .*; --partial takes the rest"
    ) as e:
        begin_with(*build(), config_for(folder))
    assert f"{lost} is missing" in str(e.value)
    assert "extra is not part of this run's" in str(e.value)


def test_partial_takes_what_fits_and_names_the_rest(build, saved, capsys):
    folder, G_saved, D_saved = saved
    for name in ("model", "discriminator"):
        state = load_file(folder / f"{name}.safetensors")
        first = "mapping.fc0.weight" if name == "model" else "b32.fromrgb.weight"
        state[first] = state[first][:, :2].clone()
        save_file(state, folder / f"{name}.safetensors")
    G, D = build()
    before = G.mapping.fc0.weight.clone(), D.b32.fromrgb.weight.clone()
    begin_with(G, D, config_for(folder, partial=True))
    assert torch.equal(G.mapping.fc0.weight, before[0])
    assert torch.equal(D.b32.fromrgb.weight, before[1])
    with torch.no_grad():
        G_saved.mapping.fc0.weight.copy_(before[0])
        D_saved.b32.fromrgb.weight.copy_(before[1])
    assert_same_state(G, G_saved)
    assert_same_state(D, D_saved)
    said = capsys.readouterr().err
    assert "this run's generator: " in said and "this run's discriminator: " in said
    assert said.count("; the rest is taken") == 2
    assert "mapping.fc0.weight has shape (12, 2), not (12, 8)" in said
    assert "b32.fromrgb.weight has shape (4, 2, 1, 1), not (4, 3, 1, 1)" in said


@pytest.mark.parametrize("count", [0, 1, 3])
def test_the_first_blocks_of_d_are_frozen(build, saved, count):
    """The blocks from the image on; the last one, with the logits, never is."""
    folder, _, D_saved = saved
    G, D = build()
    begin_with(G, D, config_for(folder, freeze_d=count))
    freeze(D, count)
    frozen = {name.split(".")[0] for name, p in D.named_parameters() if not p.requires_grad}
    moving = {name.split(".")[0] for name, p in D.named_parameters() if p.requires_grad}
    assert frozen == set(BLOCKS[:count]) and moving == {*BLOCKS[count:], "b4"}
    assert all(p.requires_grad for p in G.parameters())
    assert_same_state(D, D_saved)


def test_more_blocks_than_there_are_cannot_be_frozen(build, saved):
    with pytest.raises(ValueError, match="--freeze-d must be at most 3, got 4"):
        begin_with(*build(), config_for(saved[0], freeze_d=4))


def test_a_discriminator_that_is_not_there_cannot_be_frozen(build, saved):
    folder, *_ = saved
    (folder / "discriminator.safetensors").unlink()
    with pytest.raises(ValueError, match=f"--freeze-d 1: {folder} has no b32.fromrgb.weight that"):
        begin_with(*build(), config_for(folder, freeze_d=1))


def test_a_block_that_did_not_fit_cannot_be_frozen(build, saved):
    folder, *_ = saved
    path = folder / "discriminator.safetensors"
    state = load_file(path)
    save_file(state | {"b16.conv0.bias": torch.zeros(3)}, path)
    with pytest.raises(ValueError, match="has no b16.conv0.bias that fits, so it has to be"):
        begin_with(*build(), config_for(folder, freeze_d=2, partial=True))
    begin_with(*build(), config_for(folder, freeze_d=1, partial=True))


def test_weights_of_which_nothing_fits_are_refused(build, saved):
    folder, *_ = saved
    save_file({"other": torch.zeros(3)}, folder / "model.safetensors")
    with pytest.raises(ValueError, match="this run's generator: .*; nothing of it fits"):
        begin_with(*build(), config_for(folder, partial=True))


def test_a_discriminator_that_is_cut_short_is_named(build, saved):
    path = saved[0] / "discriminator.safetensors"
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(ValueError, match=f"{path} is not a whole safetensors file"):
        begin_with(*build(), config_for(saved[0]))


def test_the_other_kind_of_filters_is_refused(build, saved, tiny):
    """The tensors are the same, the pictures would not be."""
    G = Generator(tiny(radial_filters=True))
    with pytest.raises(ValueError, match="is of --config t, this run of r"):
        begin_with(G, build()[1], config_for(saved[0]))


def test_another_size_of_z_is_refused_with_the_flag_that_mends_it(build, tmp_path):
    build(z_dim=8, w_dim=8)[0].save_pretrained(tmp_path / "weights")
    with pytest.raises(ValueError, match="z and w of 8 numbers, this run of 16; give --z-dim 8"):
        begin_with(*build(z_dim=16, w_dim=16), config_for(tmp_path / "weights"))


def test_a_folder_that_is_not_there_is_named(build, tmp_path):
    missing = tmp_path / "not" / "there"
    config = TrainConfig(str(tmp_path), "o", init_from=str(missing))
    with pytest.raises(FileNotFoundError, match=str(missing)):
        begin_with(*build(), config)


def test_a_run_folder_is_no_generator_and_is_named(build, tmp_path):
    config = TrainConfig(str(tmp_path), "o", init_from=str(tmp_path))
    with pytest.raises(ValueError, match=f"{tmp_path} has no config.json"):
        begin_with(*build(), config)


def test_weights_of_stylegan2_are_refused(build, tmp_path):
    config = GeneratorConfig.stylegan2(32, z_dim=8, w_dim=12, channel_base=128, channel_max=8)
    Generator(config).save_pretrained(tmp_path)
    with pytest.raises(ValueError, match="is StyleGAN2, and training is of StyleGAN3"):
        begin_with(*build(), config_for(tmp_path))
