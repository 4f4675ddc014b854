"""Pictures from disk as 8-bit RGB, whatever they are stored as.

Every stored form ends as the picture a viewer would show: turned upright, first frame only, 8 bits
per channel, transparent parts on white. What cannot be shown becomes one `ValueError`.

    list_pictures(folder)   the picture files below a folder, and how many other files there are
    read_image(path)        uint8 RGB (H, W, 3)
"""

import os
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError
from PIL.Image import Transpose

MAX_PIXELS = 50_000_000  # 150 MB as RGB; above every phone's usual setting, below a bomb
# Only these decoders are tried, by content and not by file name: others, EPS for one, run programs.
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "PPM")
SUFFIXES = (".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff")
SUFFIXES += (".avif", ".ppm", ".pgm", ".pbm", ".heic", ".heif")  # HEIC is reported, not passed over
ORIENTATION_TAG = 0x0112
UPRIGHT = {  # EXIF orientation -> what turns the stored picture upright
    2: Transpose.FLIP_LEFT_RIGHT,
    3: Transpose.ROTATE_180,
    4: Transpose.FLIP_TOP_BOTTOM,
    5: Transpose.TRANSPOSE,
    6: Transpose.ROTATE_270,
    7: Transpose.TRANSVERSE,
    8: Transpose.ROTATE_90,
}


def list_pictures(folder: Path) -> tuple[list[Path], int]:
    """Picture files anywhere below `folder`, sorted by path, and the number of other files.

    A picture file has a picture's extension or, whatever its name, a picture's content; files and
    folders whose name starts with a dot are passed over. A sub-folder that cannot be opened is
    listed as if it were a picture, so that reading it says why.
    """
    pictures, num_others = [], 0
    unopened = []
    for parent, folders, files in os.walk(folder, onerror=lambda e: unopened.append(e.filename)):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for path in (Path(parent, name) for name in files if not name.startswith(".")):
            if is_picture(path):
                pictures.append(path)
            else:
                num_others += 1
    return sorted([*pictures, *map(Path, unopened)]), num_others


def is_picture(path: Path) -> bool:
    """Whether a file calls itself a picture by its extension or is one by its first bytes."""
    if not path.is_file():  # a socket, a dead link
        return False
    if path.suffix.lower() in SUFFIXES:
        return True
    try:
        with Image.open(path, formats=FORMATS):
            return True
    except Exception:  # Pillow raises a dozen kinds on foreign bytes; all mean no
        return False


def read_image(path: str | Path, max_pixels: int = MAX_PIXELS) -> np.ndarray:
    """The picture in a file as uint8 RGB (H, W, 3).

    The EXIF orientation is applied, of an animation the first frame is taken, transparent parts
    are laid on white, 16-bit values are scaled down. Colours are converted without ICC profiles.

    Raises:
        ValueError: one sentence that starts with the file's name and says why it cannot be shown.
    """
    path = Path(path)
    try:
        with Image.open(path, formats=FORMATS) as image:
            if image.width * image.height > max_pixels:  # known from the header, nothing decoded
                raise Image.DecompressionBombError
            if image.mode == "F":  # measurements; nothing says which value is white
                raise UnidentifiedImageError
            image.load()
            return np.array(to_rgb(upright(image)))
    except UnidentifiedImageError:
        kinds = "JPEG, PNG, WebP, GIF, BMP, TIFF or AVIF picture"
        reason = "is empty" if path.stat().st_size == 0 else f"is not a {kinds}"
    except Image.DecompressionBombError:
        reason = f"has more than {max_pixels // 1_000_000} million pixels"
    except Exception as error:  # a damaged file can raise almost anything from its decoder
        if isinstance(error, OSError) and error.errno is not None:
            reason = f"cannot be opened ({error.strerror})"
        else:
            reason = f"cannot be decoded ({str(error) or type(error).__name__})"
    raise ValueError(f"{path.name} {reason}")


def upright(image: Image.Image) -> Image.Image:
    """Turn a picture as its EXIF orientation asks; unreadable EXIF data asks for nothing."""
    try:
        orientation = image.getexif().get(ORIENTATION_TAG)
    except Exception:
        return image
    return image.transpose(UPRIGHT[orientation]) if orientation in UPRIGHT else image


def to_rgb(image: Image.Image) -> Image.Image:
    """Convert any Pillow mode to RGB as a viewer would show it."""
    if image.mode.startswith("I"):  # 16-bit grey; Pillow's own conversion clips it to white
        image = Image.fromarray((np.asarray(image) >> 8).clip(0, 255).astype(np.uint8))
    if image.has_transparency_data:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image)  # hidden pixels contribute nothing
    return image if image.mode == "RGB" else image.convert("RGB")  # convert() always copies
