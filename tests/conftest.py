"""What the tests share: tiny configs, a generator with measured magnitudes, faces, a Hub, a
recorder of steps."""

import dataclasses
import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import skimage.data
import torch
from accelerate.state import AcceleratorState
from filelock import FileLock
from PIL import Image

from evaluation.dataset import ImageDataset
from playground.model import Model, load_model
from preprocessing.listing import Listing, write_listing
from stylegan import Generator, GeneratorConfig, sample_z
from stylegan.domains import Domain
from stylegan.history import Moment, save_history
from stylegan.images import to_uint8
from tests.hub import Hub
from training.checkpoint import save_flags
from training.config import TrainConfig

ROOT = Path(__file__).parents[1]
SHARED = ROOT.parent / "shared"  # pictures that are not part of the project


def close(a: np.ndarray, b: np.ndarray) -> bool:
    """Equal up to rounding: a batch of one and a batch of three may differ in the last bit."""
    return np.abs(np.asarray(a).astype(int) - np.asarray(b)).max() <= 1


@pytest.fixture(autouse=True, scope="session")
def one_thread():
    """The order of sums, and with it the last bits, depends on the number of threads."""
    torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def same_random_numbers():
    torch.manual_seed(0)


@pytest.fixture
def tiny() -> Callable[..., GeneratorConfig]:
    """A config of config T or R with a few features: `tiny("r", img_resolution=64)`."""

    def make(preset: str = "t", **shape) -> GeneratorConfig:
        presets = {"t": GeneratorConfig.stylegan3_t, "r": GeneratorConfig.stylegan3_r}
        small = dict(img_resolution=32, z_dim=8, w_dim=12, num_layers=6)
        return presets[preset](**small | dict(channel_base=128, channel_max=8) | shape)

    return make


@pytest.fixture
def two_faces(tmp_path) -> Path:
    """A picture with the same face twice, once half as large."""
    one = Image.fromarray(skimage.data.astronaut())
    both = Image.new("RGB", (768, 512), "white")
    both.paste(one.resize((256, 256)), (0, 128))
    both.paste(one, (256, 0))
    both.save(tmp_path / "both.png")
    return tmp_path / "both.png"


@pytest.fixture
def no_precision_left_behind():
    """accelerate keeps the last precision for whoever comes next in this process."""
    yield
    AcceleratorState._reset_state(True)


class Repeat:
    """In place of `training.graphs.CudaRecorder`: a replay does the recorded work again."""

    def __init__(self):
        self.ran, self.replays = 0, []

    def run(self, work):
        self.ran += 1
        return work()

    def record(self, work):
        number, results = len(self.replays), {}
        self.replays.append(0)

        def replay():
            self.replays[number] += 1
            for name, x in work().items():
                results.setdefault(name, torch.empty_like(x)).copy_(x)

        return replay, results


@pytest.fixture
def recorder() -> Repeat:
    """What records steps without a GPU, and counts."""
    return Repeat()


@pytest.fixture
def calibrate() -> Callable[..., Generator]:
    """Set every magnitude_ema to the mean square of its layer's input, as a long run would."""

    @torch.no_grad()
    def measure(G: Generator, *latents: torch.Tensor) -> Generator:
        def hook(layer, arguments):
            layer.magnitude_ema.copy_(arguments[0].square().mean())

        layers = [G.synthesis.get_submodule(name) for name in G.synthesis.layer_names]
        handles = [layer.register_forward_pre_hook(hook) for layer in layers]
        G(*latents)
        for handle in handles:
            handle.remove()
        return G.eval()

    return measure


@pytest.fixture(scope="session")
def faces(tmp_path_factory) -> Path:
    """Eight pictures of 32 pixels of one real face, shifted and mirrored, in two sub-folders."""
    data = pytest.importorskip("skimage.data")
    folder = tmp_path_factory.mktemp("faces")
    for i in range(8):
        top, left = 30 + 4 * (i % 3), 140 + 5 * (i % 4)
        face = np.ascontiguousarray(data.astronaut()[top : top + 160, left : left + 160])
        face = face[:, ::-1] if i % 2 else face
        path = folder / ("early" if i < 4 else "late") / f"face{i}.png"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(face).resize((32, 32), Image.Resampling.LANCZOS).save(path)
    return folder


@pytest.fixture(scope="session")
def weights() -> str:
    """The folder of the weights in the repository."""
    return str(ROOT / "weights" / "faces-64")


@pytest.fixture(scope="session")
def bundled() -> Model:
    """The page's own model in float32: in bfloat16, which a page takes where it is faster, the same
    face in another batch is another by some of 255."""
    return dataclasses.replace(load_model(), dtype=torch.float32)


def draw_faces() -> torch.Tensor:
    """400 faces that the weights in the repository draw, uint8 (N, 3, 64, 64)."""
    G = Generator.from_pretrained(ROOT / "weights" / "faces-64")
    with torch.inference_mode():
        ws = G.mapping(sample_z(range(10_000, 10_400), G.z_dim))
        img = torch.cat([G.synthesis(part) for part in ws.split(50)])
    return torch.from_numpy(to_uint8(img)).permute(0, 3, 1, 2)


@pytest.fixture(scope="session")
def drawn(worker_id, tmp_path_factory) -> torch.Tensor:
    """`draw_faces`; one of the processes that test draws them for all."""
    if worker_id == "master":  # the only one
        return draw_faces()
    path = tmp_path_factory.getbasetemp().parent / "drawn.pt"
    with FileLock(f"{path}.lock"):
        if not path.exists():
            torch.save(draw_faces(), path)
    return torch.load(path)


def dark_and_light(faces: torch.Tensor, each: int, folder: Path) -> Path:
    """As a dataset: as many of the darkest in one sub-folder as of the lightest in another."""
    order = faces.float().mean(dim=(1, 2, 3)).argsort()
    for name, most in (("dark", order[:each]), ("light", order[-each:])):
        (folder / name).mkdir()
        for i in most.tolist():
            Image.fromarray(faces[i].permute(1, 2, 0).numpy()).save(folder / name / f"{i}.png")
    return folder


@pytest.fixture(scope="session")
def face_folder(drawn, tmp_path_factory) -> Path:
    """240 of them as a dataset, the darker half in one sub-folder and the lighter in another."""
    return dark_and_light(drawn[:240], 120, tmp_path_factory.mktemp("drawn"))


@pytest.fixture(scope="session")
def distinct_folder(drawn, tmp_path_factory) -> Path:
    """The same of all 400, without those that are neither dark nor light."""
    return dark_and_light(drawn, 120, tmp_path_factory.mktemp("distinct"))


@pytest.fixture
def figures() -> Callable[..., dict[str, object]]:
    """What a measurement finds, made up: `figures(61.25, coverage=0.9, turned=0.2)`."""

    def make(score: float, *, coverage=0.8, shares=None, copies=0.0, turned=0.0):
        pairs = {"kernel": (0.125, -0.001), "coverage": (coverage, 0.97)}
        names = "value", "floor"
        group = {name: dict(zip(names, pair, strict=True)) for name, pair in pairs.items()}
        return {
            "score": score,
            "samples": 500,
            "features": "0123456789ab",
            "distances": {"all": group, "early": group},
            "shares": shares or {"early": 0.5, "late": 0.5},
            "as close as a copy": copies,
            "turned": turned,
        }

    return make


@pytest.fixture
def run_to_look_at(faces, figures, tmp_path) -> tuple[Path, float]:
    """A run of two moments and one report, and when it made that; the grey level of a picture is
    which it is."""
    run, now = tmp_path / "run", time.time()
    (run / "samples").mkdir(parents=True)
    config = TrainConfig(str(faces), str(run), total_kimg=300.0, eval_kimg=5.0, init_from="begun")
    save_flags(config, ImageDataset(config.data))
    values = {"loss/G": 1.0, "loss/D": 1.0, "r1": 0.1, "ada/p": 0.0, "unix_time": now}
    line = {"kimg": 8.0, "sec_per_kimg": 90.0, **values}
    (run / "log.jsonl").write_text(json.dumps(line) + "\n")
    for name, grey in (("000000.064", 10), ("000000.064-mix", 60), ("000005", 20)):
        Image.new("RGB", (64, 32), (grey,) * 3).save(run / f"samples/kimg-{name}.png")
    first = Moment(0.064, "samples/kimg-000000.064.png")
    save_history(run, [first, Moment(5.0, "samples/kimg-000005.png", figures(31.5))])
    return run, now


@pytest.fixture
def hub(tmp_path) -> Iterator[Hub]:
    """A Hub on loopback of which alice and bob are users."""
    with Hub({"hf_alice": "alice", "hf_bob": "bob"}, tmp_path / "hub") as hub:
        yield hub


@pytest.fixture
def hub_env(hub: Hub, tmp_path) -> dict[str, str]:
    """Environment of a process that talks to it as alice."""
    return {**os.environ, **hub.env("hf_alice", tmp_path / "home"), "OMP_NUM_THREADS": "1"}


@pytest.fixture
def hub_here(hub: Hub, tmp_path, monkeypatch) -> Hub:
    """That Hub for the client in this process, as alice; the client and ours cache in tmp_path."""
    template = f"{hub.url}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", hub.url)
    monkeypatch.setattr("huggingface_hub.constants.HUGGINGFACE_CO_URL_TEMPLATE", template)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_XET", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hf"))
    monkeypatch.setenv("HF_TOKEN", "hf_alice")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return hub


@pytest.fixture
def prepared(tmp_path) -> Path:
    """A data set as preparation writes it: six faces of 32 pixels of two labels, one of a film, and
    two more that were refused."""
    folder, rows = tmp_path / "prepared", []
    for number in range(8):
        label = "photos" if number % 2 else "film"
        file = f"{'rejected/' if number > 5 else ''}{label}/{number:06d}-1.png"
        pixels = np.random.default_rng(number).integers(0, 256, (32, 32, 3), dtype=np.uint8)
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(folder / file)
        source = f"/home/alice/holiday/{number}.jpg" if number % 2 else "C:\\alice\\film.mkv"
        row = {"file": file, "label": label, "source": source, "box": [0, 0, 32]}
        row |= {} if number % 2 else {"time": number / 2, "frame": number}
        rows.append(row | ({"reason": "blurred"} if number > 5 else {}))
    settings = {"inputs": ["/home/alice/holiday"], "size": 32, "detector": "haar", "level": True}
    write_listing(folder, Listing(32, settings, rows[:6], rows[6:]))
    return folder


@pytest.fixture(scope="module")
def kinds(bundled: Model) -> Model:
    """The bundled generator, with two kinds of faces made up."""
    centre = torch.randn(bundled.G.w_dim, generator=torch.Generator().manual_seed(0))
    first = Domain("first", centre, 0.5, [5, 6, 7, 8], [1.0] * 4)
    last = Domain("last", -centre, 0.5, [9, 10, 11, 12], [1.0] * 4)
    return Model(bundled.G, "two kinds", domains=[first, last])
