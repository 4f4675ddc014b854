"""Push and pull with the real client of the Hub, in a process that knows only a local one."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

SCRIPT = """
import torch
from huggingface_hub import HfApi
from stylegan import Generator, GeneratorConfig

shape = dict(z_dim=8, w_dim=12, num_layers=4, channel_base=128, channel_max=8)
config = GeneratorConfig.stylegan3_t(32, **shape)
z = torch.randn(2, 8)

with torch.no_grad():
    first = Generator(config).eval()
    first.push_to_hub("alice/faces")
    HfApi().create_tag("alice/faces", tag="v1")
    loaded = Generator.from_pretrained("alice/faces")
    assert loaded.config == config and not loaded.training
    assert torch.equal(loaded(z), first(z))

    second = Generator(config).eval()
    second.push_to_hub("alice/faces", private=False)
    assert torch.equal(Generator.from_pretrained("alice/faces")(z), second(z))
    assert torch.equal(Generator.from_pretrained("alice/faces", revision="v1")(z), first(z))

    elsewhere = dict(cache_dir="elsewhere", local_files_only=True)
    try:
        Generator.from_pretrained("alice/faces", **elsewhere)
        raise SystemExit("the Hub was asked")
    except FileNotFoundError as e:
        assert "of an earlier download, of which there is none" in str(e), e
    Generator.from_pretrained("alice/faces", cache_dir="elsewhere", token="hf_alice")
    assert torch.equal(Generator.from_pretrained("alice/faces", **elsewhere)(z), second(z))
    second.push_to_hub("alice/secret", private=True)
    assert torch.equal(Generator.from_pretrained("alice/secret", token=True)(z), second(z))

for name, options, sentence in [
    ("alice/nothing", {}, "alice/nothing is no folder here, and no repository on the Hub"),
    ("alice/faces", dict(revision="v9"), "alice/faces on the Hub has no revision v9"),
    (
        "alice/secret",
        dict(token=False, cache_dir="empty"),
        "alice/secret is no folder here, and no repository on the Hub that you may read",
    ),
]:
    try:
        Generator.from_pretrained(name, **options)
        raise SystemExit(f"{name} was found")
    except FileNotFoundError as e:
        assert sentence in str(e), e

HfApi().create_repo("alice/empty")
try:
    Generator.from_pretrained("alice/empty")
    raise SystemExit("an empty repository was read")
except ValueError as e:
    assert "alice/empty has no config.json" in str(e), e
print("all is well")
"""


@pytest.mark.slow
def test_push_and_pull_keep_every_pixel(hub_env, tmp_path):
    result = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        cwd=tmp_path,
        env=hub_env | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert result.returncode == 0, result.stderr
    assert "all is well" in result.stdout
