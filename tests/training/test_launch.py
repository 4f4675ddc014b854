"""Several processes and machines for real: `accelerate launch training/train.py` on a CPU."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from accelerate import Accelerator
from PIL import Image

from stylegan import Generator
from stylegan.latents import sample_z

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "training/train.py"
TINY = (
    "--preset tiny --num-layers 6 --channel-base 512 --channel-max 16 "
    "--d-channel-base 512 --d-channel-max 16 --z-dim 16 --total-kimg 0.032 --mixed-precision no"
)

pytestmark = pytest.mark.slow


@torch.no_grad()
def assert_draws(folder_or_repo):
    G = Generator.from_pretrained(folder_or_repo)
    assert G.img_resolution == 32 and G.config.num_layers == 6 and G.z_dim == 16
    img = G(sample_z([0, 1], G.z_dim), truncation_psi=0.7)
    assert img.shape == (2, 3, 32, 32) and img.isfinite().all() and img.std() > 0
    assert G.mapping.w_avg.any()  # the running averages were saved too


def test_two_processes_train_on_one_folder(launch, faces, tmp_path):
    """From a directory that is not the repository's."""
    arguments = f"--data {faces} --out run {TINY} --ada-start 0.5 --snapshot-kimg 0.016".split()
    output = launch(SCRIPT, *arguments, processes=2, cwd=tmp_path)
    assert "Warning" not in output
    assert output.count("8 pictures of 32 px, 2 process(es) on cpu, precision no") == 1
    assert output.count("preset tiny: G ") == 1 and "GFLOP per image shown" in output
    assert output.count("loading libraries\n") == 1
    assert (
        "to measure faces by them; the first losses come after 8 steps, then after every" in output
    )
    run = tmp_path / "run"
    assert_draws(run / "weights/kimg-000000.032")
    assert Image.open(run / "samples/kimg-000000.032.png").size == (8 * 32, 4 * 32)
    assert Image.open(run / "samples/kimg-000000.032-mix.png").size == (8 * 32, 8 * 32)
    assert json.loads((run / "config.json").read_text())["batch"] == 8
    records = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    assert [record["kimg"] for record in records] == [0.016, 0.032]
    assert records[0]["r1"] >= 0 and "r1" not in records[1]  # in the first step of sixteen
    record = records[1]
    assert record["loss/G"] > 0
    assert -1 <= record["signs/real/early"] <= 1 and record["ada/p"] == pytest.approx(0.5, abs=0.01)
    card = (run / "weights/kimg-000000.032/README.md").read_text()
    assert "on 8 pictures of: early, late" in card
    assert f"training/train.py {' '.join(arguments)}" in (run / "README.md").read_text()


PULL = """
import dataclasses, sys
import numpy as np, torch
from pathlib import Path
from huggingface_hub import snapshot_download
from playground.mixing import Mixer
from playground.model import Models, load_model
from playground.scene import Scene
from stylegan import Generator, sample_z
from stylegan.history import read_history
from stylegan.images import to_uint8

a, b = map(Generator.from_pretrained, sys.argv[1:])
z = sample_z([3], 16)
assert torch.equal(a(z), b(z))
first = Generator.from_pretrained(sys.argv[1], revision="kimg-000000.008")
assert not torch.equal(a(z), first(z))
folder = Path(snapshot_download(sys.argv[1]))
assert [(m.kimg, (folder / m.grid).is_file()) for m in read_history(folder)] == [
    (0.008, True), (0.016, True)
]
models = Models(dataclasses.replace(load_model(), dtype=torch.float32))
model = models.load(sys.argv[1])
drawn = Mixer(models).mix(Scene(3, 4, 0, 0.7, False, model=model.key))
assert np.array_equal(np.asarray(drawn), to_uint8(b(z, truncation_psi=0.7))[0])
assert [moment.kimg for moment, _ in model.history] == [0.008, 0.016] and not model.left_out
"""


def test_a_bfloat16_run_pushes_its_snapshots(launch, faces, tmp_path, hub, hub_env):
    """To a Hub, from there into another process and onto its page, and on with training."""
    arguments = f"--data {faces} --out {tmp_path / 'run'} {TINY} --push-to-hub alice/faces".split()
    arguments += ["--mixed-precision", "bf16", "--total-kimg", "0.016"]
    arguments += ["--snapshot-kimg", "0.008", "--hub-private", "--license", "cc-by-4.0"]
    output = launch(SCRIPT, *arguments, cwd=ROOT, env=hub_env)
    assert "1 process(es) on cpu, precision bf16" in output
    repo = hub.repos["models/alice/faces"]
    titles = ["initial commit", "Weights at kimg-000000.008", "Weights at kimg-000000.016"]
    assert [commit["title"] for commit in repo.commits.values()] == titles
    assert list(repo.tags.values()) == list(repo.commits)[1:] and repo.private
    repo.private = False  # for the page, which sends no token
    local = tmp_path / "run/weights/kimg-000000.016"
    command = [sys.executable, "-c", PULL, "alice/faces", str(local)]
    subprocess.run(command, cwd=ROOT, env=hub_env, check=True, timeout=120)
    # and from there training can begin: the discriminator travels with the generator
    flags = TINY.replace("--z-dim 16 ", "")  # that of the weights
    arguments = f"--data {faces} --out {tmp_path / 'next'} {flags}".split()
    arguments += ["--init-from", "alice/faces", "--freeze-d", "1", "--total-kimg", "0.008"]
    launch(SCRIPT, *arguments, cwd=ROOT, env=hub_env)
    a, b = (
        torch.load(tmp_path / run / "state" / state, weights_only=True)["D"]
        for run, state in (("run", "kimg-000000.016.pt"), ("next", "kimg-000000.008.pt"))
    )
    same = {name for name in a if torch.equal(a[name], b[name])}
    assert same >= {name for name in a if name.startswith("b32.")}
    assert not same & {name for name in a if name.startswith("b16.")}


def load_script(name):
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


# Rounding; where the trunk looks it also takes some of many millions of samples across a kink of
# ReLU6, which moves the gradient of their picture (seen: 4e-3; in float64 2e-14)
ERROR = {"pixels": 1e-5, "features": 1e-2, "redraw": 1e-2}


def assert_close(actual, expected, names, error):
    """Within that part of each tensor's largest value, or of 1e-3 where the terms cancel."""
    for name in names:
        difference = (actual[name] - expected[name]).abs().max()
        assert difference < error * max(expected[name].abs().max(), 1e-3), name


def test_two_processes_compute_what_one_would(launch, tmp_path):
    """Gradients and running averages of all networks, with augmentation, labels and, on pixels, R1;
    statistics of groups of images too, for processes hold whole groups."""
    launch(Path(__file__).with_name("two_processes.py"), str(tmp_path), processes=2, cwd=tmp_path)
    ranks = [torch.load(tmp_path / f"rank{rank}.pt") for rank in (0, 1)]
    for critic in ERROR:
        first, second = (found[critic] for found in ranks)
        own = first.pop("own signs"), second.pop("own signs")
        assert critic == "redraw" or not torch.equal(*own)  # without labels D finds all alike
        assert all(torch.equal(first[name], second[name]) for name in first)
        whole = load_script("two_processes").step(Accelerator(cpu=True), critic)
        torch.testing.assert_close(2 * first.pop("signs"), whole.pop("signs"))
        whole.pop("own signs")
        assert_close(first, whole, whole, ERROR[critic])


@pytest.mark.parametrize("critic", ERROR)
def test_parts_of_a_batch_add_up_to_the_whole(critic):
    """`--accumulate`: the same gradients. The averages are those of the last part."""
    step = load_script("two_processes").step
    whole, parts = (step(Accelerator(cpu=True), critic, accumulate=n) for n in (1, 2))
    torch.testing.assert_close(whole["signs"], parts["signs"])
    names = [name for name in whole if name.startswith(("G.", "D.", "heads."))]
    assert_close(parts, whole, names, ERROR[critic])


def test_two_machines_with_one_process_each(start, port, faces, tmp_path):
    """Both have local rank 0, and only the first writes; the second has no state to go on from and
    gets it from the first."""
    steps = {}
    for kimg in ("0.016", "0.032"):
        where = f"--main_process_ip 127.0.0.1 --main_process_port {port()}"
        machines = [
            start(
                SCRIPT,
                *f"--data {faces} --out run {TINY} --total-kimg {kimg}".split(),
                processes=2,
                cwd=tmp_path / f"machine{rank}",
                machine=f"--num_machines 2 {where} --machine_rank {rank}",
            )
            for rank in (0, 1)
            if not (tmp_path / f"machine{rank}").mkdir(exist_ok=True)
        ]
        outputs = [machine.communicate(timeout=300)[0] for machine in machines]
        # When all is done and said, the second launcher may find the first gone without a goodbye.
        assert machines[0].returncode == 0 and "error: " not in outputs[1], outputs
        assert "ChildFailedError" not in outputs[1], outputs  # its trainer has ended well
        assert machines[1].returncode == 0 or "DistNetworkError" in outputs[1], outputs
        steps[kimg] = outputs
    assert "2 process(es) on cpu" in steps["0.016"][0] and "beginning at" in steps["0.016"][0]
    assert "going on at kimg 0.016" in steps["0.032"][0]
    assert_draws(tmp_path / "machine0/run/weights/kimg-000000.032")
    assert not any((tmp_path / "machine1").rglob("*.pt"))
