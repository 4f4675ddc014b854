"""The loop in one process: going on where a run stopped, and what it refuses."""

import dataclasses
import json
import shlex
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

import evaluation.catalogue
import training.build
import training.follow
import training.steps
import training.train
from evaluation.dataset import ImageDataset
from stylegan import Discriminator, Generator
from stylegan.history import read_history
from tests.training.one_run import built, run, state_of
from training.augment import AdaptiveAugment
from training.checkpoint import SUM_BYTES
from training.graphs import Graphed

pytestmark = pytest.mark.usefixtures("fresh_accelerate")


def test_the_last_states_are_kept(config):
    run(config)
    names = sorted(path.name for path in (Path(config.out) / "state").iterdir())
    assert names == ["kimg-000000.048.pt", "kimg-000000.064.pt"]
    longer = dataclasses.replace(config, total_kimg=0.096, keep=3)
    run(longer)
    assert len(list((Path(config.out) / "state").iterdir())) == 4


def test_after_eight_steps_there_are_faces_weights_a_state_and_the_time_left(config, capsys):
    """And once more after eight steps of a run that goes on: the time only."""
    seldom = dataclasses.replace(config, batch=4, snapshot_kimg=1.0, eval_kimg=0.0)
    run(dataclasses.replace(seldom, total_kimg=0.036))
    out = Path(config.out)
    assert [moment.kimg for moment in read_history(out)] == [0.032, 0.036]
    first = "kimg-000000.032"
    assert (out / f"state/{first}.pt").is_file() and (out / f"samples/{first}-mix.png").is_file()
    assert Generator.from_pretrained(out / "weights" / first).img_resolution == 32
    told = capsys.readouterr().out.splitlines()
    at = next(i for i, line in enumerate(told) if line.startswith("at this speed 0 h 00 min"))
    assert told[at - 1].startswith("kimg 0.03/0.036") and "left 0 h 00 min" in told[at - 1]
    run(dataclasses.replace(seldom, total_kimg=0.072))
    assert "at this speed" in capsys.readouterr().out
    assert [moment.kimg for moment in read_history(out)] == [0.032, 0.036, 0.072]


def test_a_stop_leaves_faces_weights_and_commands_that_work(
    config, tmp_path, monkeypatch, capsys, assert_same
):
    """After three steps, between two snapshots. Then it goes on as if it had not been stopped."""
    config = dataclasses.replace(config, snapshot_kimg=1.0, total_kimg=0.048)
    with monkeypatch.context() as patch:
        answers = iter([False, False, True])
        patch.setattr(training.train.Stopper, "agreed", lambda stopper: next(answers))
        run(config)
    out, name = Path(config.out), "kimg-000000.024"
    assert [path.stem for path in (out / "state").iterdir()] == [name]
    assert (out / f"samples/{name}.png").is_file()
    told = capsys.readouterr().out
    assert "stopped at kimg 0.024; the same command goes on there" in told
    program, flag, weights = shlex.split(told.splitlines()[-1].partition("python ")[2])
    assert Path(program).samefile("app.py") and flag == "--model"
    assert Path(weights) == out / "weights" / name
    assert Generator.from_pretrained(weights).img_resolution == 32
    with pytest.raises(FileNotFoundError, match=f"measured none yet.; take {weights}$"):
        Generator.from_pretrained(out / "best")
    run(config)
    assert "--total-kimg 0.048 is reached; with a larger one" in capsys.readouterr().out
    whole = dataclasses.replace(config, out=str(tmp_path / "whole"))
    run(whole)
    assert_same(state_of(config), state_of(whole))


def test_a_stop_saves_the_state_before_it_draws(config, monkeypatch):
    """Who stops a run may kill it soon."""

    def killed(*arguments, **how):
        raise KeyboardInterrupt

    monkeypatch.setattr(training.train.Stopper, "agreed", lambda stopper: True)
    monkeypatch.setattr(training.follow, "save_pictures", killed)
    with pytest.raises(KeyboardInterrupt):
        run(dataclasses.replace(config, snapshot_kimg=1.0))
    assert state_of(config)["nimg"] == 8


def test_the_last_words_name_the_best_and_no_page_for_labels(config, monkeypatch, tmp_path):
    for name in ("best", "weights/kimg-000000"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "weights/kimg-000000/model.safetensors").touch()
    config = dataclasses.replace(config, out=str(tmp_path), eval_kimg=0.0)
    dataset = ImageDataset(config.data)
    words = training.follow.Follower(config, dataset, 0).farewell(8)
    assert words.endswith(f"app.py --model {tmp_path}/best")
    labelled = dataclasses.replace(config, conditional=True)
    words = training.follow.Follower(labelled, dataset, 0).farewell(8)
    assert words.endswith(f"best weights          {tmp_path}/best")


def test_a_run_of_which_nothing_is_whole_is_not_begun_anew(config):
    config = dataclasses.replace(config, total_kimg=0.048)
    run(config)
    states = sorted((Path(config.out) / "state").iterdir())
    for path in states:
        path.write_bytes(b"nothing")
    sentence = f"no state in {path.parent} is whole; delete {config.out} "
    with pytest.raises(ValueError, match=sentence):
        run(config)
    assert len(states) == 2
    assert all(path.with_suffix(".torn").read_bytes() == b"nothing" for path in states)
    assert [line["kimg"] for line in log_of(config)] == [0.024, 0.048]


def test_a_full_disk_and_a_torn_state_cost_only_time(
    config, tmp_path, assert_same, monkeypatch, capsys
):
    """The state of image 64 cannot be saved; then the one before it is not whole."""
    whole = dataclasses.replace(config, out=str(tmp_path / "whole"))
    run(whole)
    run(dataclasses.replace(config, total_kimg=0.024))
    states = Path(config.out) / "state"
    real, new = training.train.take_step, states / ".kimg-000000.064.pt.new"

    def fill_the_disk(*given):
        if not new.is_symlink():
            new.symlink_to("/dev/full")
        return real(*given)

    sentence = r"kimg-000000\.064\.pt cannot be saved: No space left on device; once it can"
    with monkeypatch.context() as patch, pytest.raises(OSError, match=sentence):
        patch.setattr(training.train, "take_step", fill_the_disk)
        run(config)
    kept = sorted(path.name for path in states.iterdir())
    assert kept == ["kimg-000000.024.pt", "kimg-000000.048.pt"]
    torn = states / "kimg-000000.048.pt"
    torn.write_bytes(torn.read_bytes()[: -SUM_BYTES - 100])
    capsys.readouterr()
    run(config)
    told = capsys.readouterr()
    assert f"{torn} is torn, looking for the state before it" in told.err
    assert "going on at kimg 0.024" in told.out
    assert_same(state_of(config), state_of(whole))


@pytest.mark.parametrize("critic", ["pixels", "features"])
def test_a_finished_run_can_be_made_longer(config, critic, tmp_path, assert_same):
    config = dataclasses.replace(config, critic=critic)
    run(dataclasses.replace(config, total_kimg=0.048))
    torch.randn(7)  # the state of the global generators plays no part
    np.random.rand(7)
    run(config)
    whole = dataclasses.replace(config, out=str(tmp_path / "whole"))
    run(whole)
    assert_same(state_of(config), state_of(whole))


def test_measuring_leaves_the_training_alone_and_goes_on_with_it(
    face_folder, config, tmp_path, assert_same, monkeypatch
):
    """Measured, measured in two parts, and not measured."""
    monkeypatch.setattr(training.follow, "SAMPLES", 60)
    monkeypatch.setattr(evaluation.catalogue, "SEEDS", 50)
    measured = dataclasses.replace(config, data=str(face_folder), eval_kimg=0.016, total_kimg=0.032)
    run(measured)
    parts = dataclasses.replace(measured, out=str(tmp_path / "parts"))
    run(dataclasses.replace(parts, total_kimg=0.024))
    run(parts)
    plain = dataclasses.replace(measured, out=str(tmp_path / "plain"), eval_kimg=0.0)
    run(plain)
    assert_same(state_of(plain), state_of(measured))
    assert_same(state_of(parts), state_of(measured))
    history = read_history(measured.out)
    assert [moment.kimg for moment in history] == [0.016, 0.024, 0.032]
    assert [bool(moment.figures) for moment in history] == [True, False, True]
    again = {moment.kimg: moment for moment in read_history(parts.out)}
    assert all(again[moment.kimg].figures == moment.figures for moment in history[::2])
    best = max(moment.figures["score"] for moment in history if moment.figures)
    assert json.loads((Path(measured.out) / "best/metrics.json").read_text())["score"] == best
    assert not any(moment.figures for moment in read_history(plain.out))
    # best/ has what lets another run go on from it: G as it was trained, not the average
    where = dict(init_from=str(Path(measured.out) / "best"), out=str(tmp_path / "other"))
    other = built(dataclasses.replace(measured, **where))
    assert all("exp_avg_sq" in other.G_opt.state[p] for p in other.G.parameters())
    trained = {"G": other.G.G, "G_ema": other.G_ema}
    held = load_file(Path(measured.out) / "best/training.safetensors")
    for name, x in trained["G"].state_dict().items():
        torch.testing.assert_close(x, held[f"G.{name}"].float(), rtol=0, atol=0)
    assert any(
        not torch.equal(x, y)
        for x, y in zip(trained["G"].parameters(), trained["G_ema"].parameters(), strict=True)
    )


def test_training_moves_all_that_it_should(config):
    """Weights of G and D, and G_ema after them; buffers of G_ema are those of G."""
    run(dataclasses.replace(config, total_kimg=0.016))
    state = state_of(config)
    fresh = built(config)
    for name, parameter in fresh.G.G.named_parameters():
        assert not torch.equal(parameter, state["G"][name]), name
        assert not torch.equal(parameter, state["G_ema"][name]), name
        assert not torch.equal(state["G"][name], state["G_ema"][name]) or parameter.ndim == 1, name
    for name, parameter in fresh.D.named_parameters():
        assert not torch.equal(parameter, state["D"][name]) or name == "b4.out.bias", name
    for name, buffer in fresh.G_ema.named_buffers():
        if name in state["G"]:
            assert torch.equal(state["G_ema"][name], state["G"][name]), name
            assert torch.equal(buffer, state["G"][name]) == name.endswith(("freqs", "phases"))


@pytest.mark.parametrize("sign, p, mean", [(1.0, 0.5, 0.5), (-1.0, 0.2, 0.25)])
def test_the_augmentation_follows_the_signs(config, monkeypatch, sign, p, mean):
    """Each fourth step moves p by 32 images of 320, from 0.4: up to the largest, or down twice.
    The last report is of the seventh and the eighth step."""
    observe = AdaptiveAugment.observe
    monkeypatch.setattr(
        AdaptiveAugment, "observe", lambda ada, logits: observe(ada, torch.full_like(logits, sign))
    )
    run(dataclasses.replace(config, ada_start=0.4, ada_kimg=0.32, ada_max=0.5))
    assert state_of(config)["ada"]["p"].item() == pytest.approx(p)
    assert log_of(config)[-1]["ada/p"] == pytest.approx(mean)


def log_of(config):
    lines = (Path(config.out) / "log.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


def test_without_augmentation_nothing_is_augmented(config, monkeypatch):
    plain = dataclasses.replace(config, ada_max=0.0, total_kimg=0.016)
    monkeypatch.setattr(training.steps, "augment", None)
    run(plain)
    assert log_of(plain)[-1]["ada/p"] == 0


def test_a_loss_that_is_no_number_ends_the_run_and_spoils_nothing(config):
    """Rates without measure: the step and the term are named, what was saved stays."""
    run(dataclasses.replace(config, total_kimg=0.024))
    kept = {path: path.read_bytes() for path in Path(config.out).rglob("*.*") if path.is_file()}
    wild = dataclasses.replace(config, total_kimg=0.16, snapshot_kimg=0.08)
    real = training.train.take_step

    def explode(run, *arguments):
        for parameter in run.G.parameters():
            parameter.data.fill_(float("nan"))
        return real(run, *arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training.train, "take_step", explode)
        with pytest.raises(FloatingPointError, match="loss/D is nan .* began at kimg 0.024"):
            run(wild)
    for path, content in kept.items():
        assert path.name == "config.json" or path.read_bytes() == content, path
    run(wild)
    assert state_of(wild)["nimg"] == 160


def test_a_changed_flag_is_named_and_the_record_kept(config):
    run(dataclasses.replace(config, total_kimg=0.008))
    words = "begun with --batch 8, not 4; give that to go on, or another --out"
    with pytest.raises(ValueError, match=words):
        run(dataclasses.replace(config, batch=4))
    with pytest.raises(ValueError, match="begun with --channel-max 8, not 16"):
        run(dataclasses.replace(config, channel_max=16))
    with pytest.raises(ValueError, match="begun with --mixed-precision no, not bf16"):
        run(dataclasses.replace(config, mixed_precision="bf16"))
    run(dataclasses.replace(config, mixed_precision="auto", total_kimg=0.016))  # as it was begun
    assert json.loads((Path(config.out) / "config.json").read_text())["batch"] == 8


def test_going_on_does_not_need_the_weights_it_began_with(config, tmp_path):
    run(dataclasses.replace(config, total_kimg=0.024))
    weights = Path(config.out) / "weights/kimg-000000.024"
    second = dataclasses.replace(config, out=str(tmp_path / "second"), init_from=str(weights))
    second = dataclasses.replace(second, z_dim=None)  # as they have it
    run(dataclasses.replace(second, total_kimg=0.008))
    assert json.loads((Path(second.out) / "config.json").read_text())["z_dim"] == config.z_dim
    shutil.rmtree(weights)
    run(second)
    assert state_of(second)["nimg"] == 64
    with pytest.raises(ValueError, match="begun with --init-from .*, not None"):
        run(dataclasses.replace(second, init_from=None))


def test_the_length_of_a_run_with_a_schedule_is_fixed(config):
    labelled = dataclasses.replace(config, conditional=True, total_kimg=0.008)
    run(labelled)
    with pytest.raises(ValueError, match="begun with --total-kimg 0.008, not 0.016"):
        run(dataclasses.replace(labelled, total_kimg=0.016))


def test_rates_fall_with_the_square_root_of_the_images(config, tmp_path, assert_same):
    """The last step begins at image 56: a quarter of 14 images. A run that goes on has them too."""
    config = dataclasses.replace(config, rate_kimg=0.014)
    assert [config.rate(nimg) for nimg in (0, 14, 56)] == [1, 1, 0.5]
    run(dataclasses.replace(config, total_kimg=0.04))
    run(config)
    for optimizer, lr in (("G_opt", 0.0025), ("D_opt", 0.002 * 2 / 3)):
        assert state_of(config)[optimizer]["param_groups"][0]["lr"] == pytest.approx(lr / 2)
    whole = dataclasses.replace(config, out=str(tmp_path / "whole"))
    run(whole)
    assert_same(state_of(config), state_of(whole))
    steady = dataclasses.replace(config, out=str(tmp_path / "steady"), rate_kimg=0.0)
    run(steady)
    assert not state_of(steady)["G"]["mapping.fc0.weight"].equal(
        state_of(config)["G"]["mapping.fc0.weight"]
    )


def test_config_r_trains_with_a_blur(config, monkeypatch):
    """Both steps blur their fakes, and their reals."""
    real, taps = training.steps.blur, []

    def blur(img, widths):
        taps.append(len(widths))
        return real(img, widths)

    monkeypatch.setattr(training.steps, "blur", blur)
    r = dataclasses.replace(config, config="r", total_kimg=0.016)
    run(r)
    assert log_of(r)[-1]["loss/D"] > 0
    assert taps == [7] * 4


def test_what_does_not_fit_ends_with_a_sentence_and_leaves_nothing(tmp_path, monkeypatch):
    (tmp_path / "empty").mkdir()
    argv = ["train.py", "--data", str(tmp_path / "empty"), "--out", str(tmp_path / "run")]
    monkeypatch.setattr("sys.argv", argv)
    monkeypatch.setattr(training.train, "use_all_cores", lambda: None)
    monkeypatch.setattr(training.train, "keep_freed_memory", lambda: None)
    with pytest.raises(SystemExit, match="^error: --data .* holds no pictures"):
        training.train.main()
    assert not (tmp_path / "run").exists()


def test_a_run_begins_with_the_weights_it_is_given(config, tmp_path, assert_same):
    run(dataclasses.replace(config, total_kimg=0.024))
    weights = Path(config.out) / "weights/kimg-000000.024"
    out = str(tmp_path / "next")
    begun = built(dataclasses.replace(config, init_from=str(weights), out=out, seed=5))
    G = Generator.from_pretrained(weights)
    assert_same(dict(begun.G_ema.state_dict()), dict(G.state_dict()))
    assert_same(dict(begun.G.G.state_dict()), dict(G.state_dict()))
    assert isinstance(begun.D, Discriminator)
    assert_same(dict(begun.D.state_dict()), dict(state_of(config)["D"]))


def test_the_flag_makes_a_run_record_its_steps(
    config, tmp_path, recorder, monkeypatch, assert_same
):
    """The same end as without it."""
    monkeypatch.setattr(training.train, "check", lambda *arguments: None)  # it asks for a GPU
    monkeypatch.setattr(training.train, "Graphed", lambda step: Graphed(step, recorder))
    rates = dict(g_lr=2**-9, d_lr=3 * 2**-11)  # which a recording holds as float32, exactly
    config = dataclasses.replace(config, batch=4, snapshot_kimg=0.064, **rates)
    graphs = dataclasses.replace(config, out=str(tmp_path / "graphs"), cuda_graphs=True)
    run(config)
    run(graphs)
    expected, actual = state_of(config), state_of(graphs)
    assert recorder.ran == 4 and recorder.replays == [6, 6]  # with R1 and without
    for optimizer in ("G_opt", "D_opt"):
        (recorded,), (usual,) = (x[optimizer]["param_groups"] for x in (actual, expected))
        assert recorded.pop("capturable") and not usual.pop("capturable")
        assert recorded.pop("lr").item() == usual["lr"] == usual["initial_lr"]
        del usual["lr"]
    assert_same(actual, expected)


# Channels last, as on a GPU


@pytest.fixture
def channels_last(monkeypatch):
    """Build networks as on a GPU, from now on."""

    def switch(layout=torch.channels_last):
        monkeypatch.setattr(training.build, "weight_layout", lambda device: layout)

    return switch


@pytest.mark.parametrize("first, then", [("gpu", "cpu"), ("cpu", "gpu"), ("gpu", "gpu")])
def test_a_run_goes_on_where_weights_lie_otherwise(config, tmp_path, channels_last, first, then):
    """The optimizer's moments follow the weights; all is saved and loaded as it should."""
    layouts = {"cpu": torch.contiguous_format, "gpu": torch.channels_last}
    whole = dataclasses.replace(config, out=str(tmp_path / "whole"), total_kimg=0.032)
    run(whole)
    channels_last(layouts[first])
    run(dataclasses.replace(config, total_kimg=0.024))
    channels_last(layouts[then])
    run(dataclasses.replace(config, total_kimg=0.032))
    expected, actual = state_of(whole), state_of(config)
    for name in ("G", "D", "G_ema"):
        for key, x in expected[name].items():
            torch.testing.assert_close(actual[name][key], x, rtol=1e-3, atol=1e-4, msg=key)
    folder = Path(config.out) / "weights" / "kimg-000000.032"
    saved = load_file(folder / "discriminator.safetensors")
    assert torch.equal(saved["b32.conv0.weight"], actual["D"]["b32.conv0.weight"])
    assert torch.equal(
        Generator.from_pretrained(folder).mapping.fc0.weight, actual["G_ema"]["mapping.fc0.weight"]
    )


@pytest.mark.parametrize("code, status", [(None, 0), (0, 0), (3, 3), ("why", "why")])
def test_the_status_of_a_run_that_is_left_is_passed_on(config, monkeypatch, code, status):
    def leave_it(config):
        raise SystemExit(code)

    left = []
    monkeypatch.setattr(training.train, "parse_args", lambda: config)
    monkeypatch.setattr(training.train, "start", leave_it)
    monkeypatch.setattr(training.train, "leave", left.append)
    training.train.main()
    assert left == [status]
