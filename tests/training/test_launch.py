"""The command of the README for real: `accelerate launch training/train.py` on a CPU."""

import importlib.util
import json
import os
import socket
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
TINY = "--num-layers 6 --channel-base 512 --channel-max 16 --z-dim 16 --batch 8 --total-kimg 0.032"

pytestmark = pytest.mark.slow


def launch(script, *arguments, processes=1, precision="no", cwd, env=None):
    """Start it as the README says, wait for its end, return what it printed."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    launcher = [sys.executable, "-m", "accelerate.commands.accelerate_cli", "launch"]
    launcher += ["--multi_gpu"] if processes > 1 else []
    launcher += f"--num_machines 1 --num_processes {processes} --main_process_port {port}".split()
    launcher += f"--mixed_precision {precision} --dynamo_backend no".split()
    settings = {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE", "CUDA_VISIBLE_DEVICES": ""}
    result = subprocess.run(
        [*launcher, str(script), *arguments],
        cwd=cwd,
        env={**(env or os.environ), **settings},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


@torch.no_grad()
def assert_draws(folder_or_repo):
    G = Generator.from_pretrained(folder_or_repo)
    assert G.img_resolution == 32 and G.config.num_layers == 6 and G.z_dim == 16
    img = G(sample_z([0, 1], G.z_dim), truncation_psi=0.7)
    assert img.shape == (2, 3, 32, 32) and img.isfinite().all() and img.std() > 0
    assert G.mapping.w_avg.any()  # the running averages were saved too


def test_two_processes_train_on_one_folder(faces, tmp_path):
    """From a directory that is not the repository's."""
    arguments = f"--data {faces} --out run {TINY} --snapshot-kimg 0.016".split()
    output = launch(ROOT / "training/train.py", *arguments, processes=2, cwd=tmp_path)
    assert output.count("8 pictures of 32 px, 2 process(es) on cpu, precision no") == 1
    run = tmp_path / "run"
    assert_draws(run / "weights/kimg-000000.032")
    assert Image.open(run / "samples/kimg-000000.032.png").size == (8 * 32, 4 * 32)
    assert json.loads((run / "config.json").read_text())["batch"] == 8
    record = json.loads((run / "log.jsonl").read_text().splitlines()[-1])
    assert record["kimg"] == 0.032 and record["loss/G"] > 0 and record["r1"] >= 0
    card = (run / "weights/kimg-000000.032/README.md").read_text()
    assert "on 8 pictures of: early, late" in card


def test_a_bfloat16_run_pushes_its_snapshots(faces, tmp_path, hub_env):
    arguments = f"--data {faces} --out {tmp_path / 'run'} {TINY} --push-to-hub alice/faces".split()
    script = ROOT / "training/train.py"
    output = launch(script, *arguments, precision="bf16", cwd=ROOT, env=hub_env)
    assert "1 process(es) on cpu, precision bf16" in output
    assert_draws(tmp_path / "run/weights/kimg-000000")
    code = (
        "import sys, torch; from stylegan import Generator; z = torch.ones(1, 16); "
        "a, b = map(Generator.from_pretrained, sys.argv[1:]); assert torch.equal(a(z), b(z))"
    )
    local = str(tmp_path / "run/weights/kimg-000000")
    command = [sys.executable, "-c", code, "alice/faces", local]
    subprocess.run(command, cwd=ROOT, env=hub_env, check=True, timeout=120)


def test_two_processes_step_as_one_would_on_all_images(tmp_path):
    """Their weights stay equal bit by bit, and move as those of one process that sees both
    shares. Only the running magnitudes, which a step moves by less than 1e-3, see one share."""
    script = Path(__file__).with_name("two_processes.py")
    spec = importlib.util.spec_from_file_location("two_processes", script)
    alone = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(alone)
    inputs = {"z": torch.randn(8, 8), "reals": torch.rand(8, 3, 32, 32) * 2 - 1}
    torch.save(inputs, tmp_path / "inputs.pt")
    launch(script, str(tmp_path), processes=2, cwd=tmp_path)
    first, second = torch.load(tmp_path / "rank0.pt"), torch.load(tmp_path / "rank1.pt")
    assert all(torch.equal(first[name], second[name]) for name in first)

    def distance(other):
        return sum((first[name] - other[name]).square().sum() for name in first).sqrt()

    whole = distance(alone.step(Accelerator(cpu=True), inputs))
    half = {name: tensor[::2] for name, tensor in inputs.items()}
    one_share = distance(alone.step(Accelerator(cpu=True), half))
    assert whole < 0.02 * one_share
