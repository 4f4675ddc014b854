"""What people are told of the weights of a run: their card, for a folder and for the Hub.

It is written from the run. Nothing in it tells where something lay on the machine that it came
from. Front matter: https://huggingface.co/docs/hub/model-cards. It names no `library_name`: this is
none of the Hub's registered libraries, and without a name downloads of config.json are counted.
"""

import os
import platform
import statistics
from pathlib import Path

import torch
from huggingface_hub import EvalResult, ModelCardData

from evaluation.card import section
from evaluation.dataset import ImageDataset
from preprocessing.read import readable
from stylegan import Generator
from stylegan.history import whole_lines
from training.config import TrainConfig
from training.report import pace_of

MARK = "<!-- training writes this card anew; delete this line and it stays as it is on the Hub -->"
SAMPLES, MIXING = "samples.png", "mixing.png"
TASK = "unconditional-image-generation"
LOG = "log.jsonl"

CARD = """\
---
{front}
---
{mark}

# {title}

{summary}

![The first 32 seeds, not truncated]({samples})

A row of faces, a column of faces, and every crossing half of each:

![A grid of mixes]({mixing})

## To draw with them

```python
{imports}from stylegan import Generator, sample_z  # of StyleGAN PlayGround

G = Generator.from_pretrained("{name}")
img = G(sample_z([0], G.z_dim){labels}, truncation_psi=0.65)  # (1, {channels}, {px}, {px}), \
about [-1, 1]
```

Training goes on from them with `--init-from {name}`; `discriminator.safetensors` is for that.

## What they were trained on

{total} {kind} of {px}x{px} pixels{source}:

| label | pictures |
| --- | --- |
{counts}

## How

{recipe}

## Licence

{licence}

## What they are for

To try and to teach: mixing faces, films, experiments with small networks. They are no measure of
how people look, and show some kinds of faces seldom or never. Do not pass the faces off as
photographs of somebody, and do not use them to decide anything about people.

## Faces of real people

The training pictures may show real people, who may not have agreed to it. Many countries count
faces as personal data, whatever the licence of a picture says. A network that is trained on few
pictures can draw nearly the same faces again. Do not use it to recognise anybody, nor to make a
likeness of somebody who did not agree. Whoever finds their own face in what it draws may ask the
owner of these weights to take them back.
"""

PROTOCOL = """
Faces are drawn from random latents, not truncated, and compared with one half of the training
pictures; the floor is the same figure of the other half. `python -m evaluation` measures again.
"""


def origin(config: TrainConfig) -> str:
    """The weights that a run began with, without the folders of this machine; empty if with none.

    A repository of the Hub is named whole.
    """
    if not config.init_from:
        return ""
    here = Path(config.init_from)
    name = here.resolve().name if here.exists() else config.init_from
    return readable(name)


def describe(config: TrainConfig, dataset: ImageDataset, nimg: int) -> str:
    """What the weights are and how they came about, in a sentence or two."""
    resolution = dataset.resolution
    start = f", beginning with {origin(config)}" if config.init_from else ""
    judge = "judged by frozen features"
    if config.critic != "features":
        judge = f"R1 gamma {config.r1_gamma(resolution):g}"
        judge += ", judged by frozen features, too" if config.critic == "both" else ""
    return (
        f"Config {config.config.upper()}, {resolution}x{resolution} pixels"
        f"{', grey' if dataset.channels == 1 else ''}, "
        f"{config.num_layers} layers, channel base {config.channel_base}, channel max "
        f"{config.channel_max}. Trained for {nimg / 1000:g} thousand images (batch {config.batch}, "
        f"{judge}) on {len(dataset)} pictures of: "
        f"{', '.join(dataset.labels)}{start}. These are the averaged weights (G_ema)."
    )


def hardware() -> str:
    """What this process computes on, and how many others do."""
    processes = int(os.environ.get("WORLD_SIZE", "1"))
    told = f"{processes} processes, each on " if processes > 1 else ""
    if torch.cuda.is_available():
        return told + torch.cuda.get_device_name()
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    name = models[0] if models else platform.processor() or platform.machine()
    threads = torch.get_num_threads()
    return f"{told}{name}, {threads} thread{'s' if threads > 1 else ''}"


def _pace(out: Path) -> str:
    """Seconds per thousand images, the median of a run's reports; empty without any."""
    paces = [pace for line in whole_lines(out / LOG) if (pace := pace_of(line))]
    return f"{statistics.median(paces):.1f}" if paces else ""


def _recipe(config: TrainConfig, resolution: int, nimg: int) -> str:
    """A table of what makes the run what it is."""
    pace = _pace(Path(config.out))
    rows = {
        "preset": config.preset,
        "images shown": f"{nimg / 1000:g} thousand",
        "batch": str(config.batch),
        "learning rates": f"G {config.g_lr:g}, D {config.d_lr:g}"
        + f", falling from kimg {config.rate_kimg:g} on" * (config.rate_kimg > 0),
        "judge": config.critic,
        "real faces drawn again": f"weight {config.redraw:g}, a z each" if config.redraw else "no",
        "R1 gamma": f"{config.r1_gamma(resolution):g}",
        "augmentation": f"ADA, p at most {config.ada_max:g}" if config.ada_max else "none",
        "mirrored": "yes" if config.mirror else "no",
        "folders equally often": "yes" if config.balance else "no",
        "labels": "yes" if config.conditional else "no",
        "began with": origin(config) or "nothing",
        "precision": config.mixed_precision,
        "hardware": hardware(),
        "seconds per thousand images": pace or "not reported yet",
    }
    lines = [f"| {name} | {_cell(value)} |" for name, value in rows.items()]
    return "\n".join(["| | |", "| --- | --- |", *lines])


def _cell(text: str) -> str:
    """Any text in a cell of a table."""
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")


def _results(figures: dict[str, object], data: str, dataset: ImageDataset) -> list[EvalResult]:
    """For the Hub's model-index: the score, and each distance of all faces beside its floor."""
    where = dict(
        task_type=TASK,
        dataset_type=data if dataset.commit else "image-folder",
        dataset_name=", ".join(dataset.labels),
    )
    values = {"score, of 100": figures["score"]}
    for name, pair in next(iter(figures["distances"].values())).items():
        values |= {name: pair["value"], f"{name}, floor of real faces": pair["floor"]}
    return [
        EvalResult(
            **where,
            metric_type=name.partition(",")[0].replace(" ", "-"),
            metric_name=name,
            metric_value=round(float(value), 4),
        )
        for name, value in values.items()
    ]


def card_text(
    config: TrainConfig,
    dataset: ImageDataset,
    G: Generator,
    nimg: int,
    figures: dict[str, object],
) -> str:
    """The whole card; `figures` are those of evaluation, empty without."""
    name = config.push_to_hub or "FOLDER or user/repository"
    title = (config.push_to_hub or "").partition("/")[2] or "Faces of a StyleGAN3"
    base = config.init_from if config.init_from and not Path(config.init_from).exists() else None
    front = ModelCardData(
        license=config.license,
        pipeline_tag=TASK,
        tags=["stylegan3", "gan", "faces", "stylegan-playground"],
        datasets=[config.data] if dataset.commit else None,
        base_model=base,
        model_name=title if figures else None,
        eval_results=_results(figures, config.data, dataset) if figures else None,
    )
    text = CARD.format(
        front=front.to_yaml(),
        mark=MARK,
        title=title,
        summary=describe(config, dataset, nimg),
        samples=SAMPLES,
        mixing=MIXING,
        name=name,
        imports="import torch\n\n" if G.c_dim else "",
        labels=f", torch.eye({G.c_dim})[:1]" if G.c_dim else "",
        channels=G.img_channels,
        px=dataset.resolution,
        total=len(dataset),
        kind="grey pictures" if dataset.channels == 1 else "pictures",
        source=f" of the data set {config.data} at {dataset.commit}" if dataset.commit else "",
        counts="\n".join(f"| {_cell(k)} | {n} |" for k, n in dataset.counts().items()),
        recipe=_recipe(config, dataset.resolution, nimg),
        licence=licence_words(config.license),
    )
    return text + (f"\n{section(figures)}{PROTOCOL}" if figures else "")


def licence_words(licence: str | None) -> str:
    """What the card says of what others may do."""
    told = "None is given: ask the owner before you use them."
    return f"As the owner gives it: {licence}." if licence else told
