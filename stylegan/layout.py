"""What a folder of weights holds, here or on the Hub: its files by name, and no pickle."""

from collections.abc import Sequence
from pathlib import Path

CONFIG, WEIGHTS = "config.json", "model.safetensors"
DISCRIMINATOR = "discriminator.safetensors"  # for training to begin with
METRICS = "metrics.json"  # what evaluation measured, if it was
ENCODER = "encoder"  # folder in a model's, of what finds latents of pictures, if it was taught
CARD = "README.md"  # what people are told of the weights
PICKLES = ".bin", ".ckpt", ".pkl", ".pt", ".pth"

MODEL_CARD = """\
---
{{ card_data }}
---

# A {{ kind }} generator

{{ summary | default("Weights of a style-based generator.", true) }}

Made with StyleGAN PlayGround. To draw with it:

    from stylegan import Generator, sample_z

    G = Generator.from_pretrained("this repository or a folder with its files")
    img = G(sample_z([0], G.z_dim), truncation_psi=0.65)  # (1, C, H, W), about [-1, 1]
"""


def refuse_pickles(names: Sequence[str], source: str | Path) -> None:
    """Raise ValueError if a pickle is among the names of a source that lacks the weights."""
    for name in sorted(names):
        if name.lower().endswith(PICKLES):
            raise ValueError(
                f"{source} has no {WEIGHTS}, only the pickle {name}: it could run code of its "
                "author's and is never read; stylegan.convert turns official ones into safetensors"
            )
