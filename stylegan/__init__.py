"""Style-based generators in plain PyTorch: build one, load one, draw with it."""

from stylegan.config import DiscriminatorConfig, GeneratorConfig
from stylegan.discriminator import Discriminator
from stylegan.generator import Generator
from stylegan.latents import sample_z

__version__ = "0.1.0"

__all__ = ["Discriminator", "DiscriminatorConfig", "Generator", "GeneratorConfig", "sample_z"]
