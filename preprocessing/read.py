"""Pictures from disk as 8-bit RGB, whatever they are stored as.

Every stored form ends as the picture a viewer would show: turned upright, first frame only, 8 bits
per channel, transparent parts on white. What cannot be shown becomes one `ValueError`.

    list_pictures(folder)   the picture files below a folder, and what was passed over
    read_size(path)         width and height
    is_grey(path)           whether it has no colours
    read_image(path)        uint8 RGB (H, W, 3)
    readable(name)          a file's name as text that everything can hold

What prepares faces, trains on them, measures them or takes a visitor's picture reads it here, so
that a file is the same picture to all of them.
"""

import ctypes
import os
import re
import warnings
from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image, PngImagePlugin, UnidentifiedImageError
from PIL.Image import Transpose

from preprocessing.bounded import BoundedFile, tile_pixels

MAX_PIXELS = 50_000_000  # 150 MB as RGB; above every phone's usual setting, below a bomb
# Only these decoders are tried, by content and not by file name. Others run programs, as EPS does,
# or take minutes, as PPM does for a file of comments. MPO, of cameras with two lenses, is JPEG.
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF")
SUFFIXES = (".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".png", ".webp", ".gif", ".bmp")
SUFFIXES += (".tif", ".tiff", ".avif")
REPORTED = (".heic", ".heif", ".ppm", ".pgm", ".pbm")  # pictures that are named, not passed over
HEIC_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
# Folders that systems and programs make: copies, thumbnails and waste.
NO_ALBUMS = ("__MACOSX", "@eaDir", "#recycle", "$RECYCLE.BIN", "System Volume Information")
GREY = ("1", "L", "LA", "I", "I;16", "I;16B", "I;16L")  # Pillow's modes of one value a pixel
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
# Pillow gives up a picture whose compressed text or colour profile has more than a megabyte.
PngImagePlugin.MAX_TEXT_CHUNK = PngImagePlugin.MAX_TEXT_MEMORY


def quiet_decoders() -> None:
    """Keep what Pillow and its libtiff think of a stranger's file out of the log.

    Pillow has no setting for libtiff. On Windows libtiff is a part of Pillow out of reach.
    """
    warnings.filterwarnings("ignore", category=UserWarning, module="PIL")
    pillow = ctypes.CDLL(Image.core.__file__)  # and what it is linked with
    for name in ("TIFFSetWarningHandler", "TIFFSetErrorHandler"):
        if handler := getattr(pillow, name, None):
            handler(None)


quiet_decoders()


def readable(name: str) -> str:
    """A file's name as text: bytes of it that are no UTF-8 become `\\xe9` and the like."""
    spelled = re.sub("[\udc80-\udcff]", lambda found: f"\\x{ord(found[0]) & 255:02x}", name)
    return spelled.encode(errors="backslashreplace").decode()


def list_pictures(folder: Path) -> tuple[list[Path], Counter]:
    """Picture files anywhere below `folder`, as `list_files` finds them.

    A picture file has a picture's extension or, whatever its name, a picture's content.
    """
    files, passed_over = list_files(folder, is_picture)
    return [Path(file) for file in files], passed_over


def list_files(folder: Path, is_wanted: Callable[[Path], bool]) -> tuple[list[str], Counter]:
    """The wanted files anywhere below `folder`, sorted, and what was passed over, by reason.

    Links are followed, and a folder that is reached twice counts once. What is hidden is passed
    over (a name that begins with a dot, a folder that a system made) and so are folders named as
    pictures are. A sub-folder that cannot be opened is listed as if it were a picture, so that
    reading it says why.
    """
    files, passed_over = [], Counter()
    seen, waiting = set(), deque([folder])
    while waiting:
        parent = waiting.popleft()
        try:
            status, entries = parent.stat(), list(os.scandir(parent))
        except OSError:
            files.append(str(parent))
            continue
        if (status.st_dev, status.st_ino) in seen:
            passed_over["folders seen already"] += 1
            continue
        seen.add((status.st_dev, status.st_ino))
        for entry in entries:
            path = parent / entry.name
            if entry.name.startswith(".") or entry.name in NO_ALBUMS:
                passed_over["hidden"] += 1
            elif not os.path.isdir(path):
                if is_wanted(path):
                    files.append(str(path))
                else:
                    passed_over["files that are no pictures"] += 1
            elif path.suffix.lower() in SUFFIXES:
                passed_over["folders named as pictures"] += 1
            elif entry.is_symlink():
                waiting.append(path)  # after all others, so that its own place names a folder
            else:
                waiting.appendleft(path)
    return sorted(files, key=lambda file: file.split(os.sep)), passed_over


def is_picture(path: Path) -> bool:
    """Whether a file calls itself a picture by its extension or is one by its first bytes."""
    if not os.path.isfile(path):  # a socket, a dead link, a link to itself
        return False
    if path.suffix.lower() in SUFFIXES + REPORTED:
        return True
    try:
        with opened(path):
            return True
    except Exception:  # Pillow raises a dozen kinds on foreign bytes; all mean no
        return False


@contextmanager
def opened(source: Path | bytes) -> Iterator[Image.Image]:
    """The picture in a file, or in the bytes of one, of which only the header is read.

    Raises: almost anything, as Pillow's decoders do.
    """
    with BoundedFile(source) as file, Image.open(file, formats=FORMATS) as image:
        yield image


def read_size(path: Path) -> tuple[int, int] | None:
    """Width and height of a picture as it is stored, from its header; None if it has none."""
    try:
        with opened(path) as image:
            return image.size
    except Exception:  # whatever a decoder raises; `read_image` says why
        return None


def read_image(
    path: str | Path, max_pixels: int = MAX_PIXELS, content: bytes | None = None
) -> np.ndarray:
    """The picture in a file, or in `content` under the file's name, as uint8 RGB (H, W, 3).

    The EXIF orientation is applied, of an animation the first frame is taken, transparent parts
    are laid on white, 16-bit values are scaled down. Colours are converted without ICC profiles.

    Raises:
        ValueError: one sentence that starts with the file's name and says why it cannot be shown.
    """
    path = Path(path)
    try:
        with opened(path if content is None else content) as image:
            # known from the header, nothing decoded
            if max(image.width * image.height, tile_pixels(image)) > max_pixels:
                raise Image.DecompressionBombError
            if image.mode == "F":  # measurements; nothing says which value is white
                raise UnidentifiedImageError
            image.load()
            return np.array(to_rgb(upright(image)))
    except UnidentifiedImageError:
        reason = what_it_is(path, content)
    except Image.DecompressionBombError:
        reason = f"has more than {max_pixels // 1_000_000} million pixels"
    except Exception as error:  # a damaged file can raise almost anything from its decoder
        if isinstance(error, OSError) and error.errno is not None:
            reason = f"cannot be opened ({error.strerror})"
        else:
            reason = f"cannot be decoded ({str(error) or type(error).__name__})"
    raise ValueError(f"{path.name} {reason}")


def what_it_is(path: Path, content: bytes | None) -> str:
    """Of a file that no decoder knows, from its first bytes."""
    with BoundedFile(path if content is None else content) as file:
        start = file.read(12)
    if not start:
        return "is empty"
    if start[4:8] == b"ftyp" and start[8:] in HEIC_BRANDS:
        return "is a HEIC picture; make a JPEG of it, as `heif-convert photo.heic photo.jpg` does"
    return "is not a JPEG, PNG, WebP, GIF, BMP, TIFF or AVIF picture"


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


def is_grey(path: Path) -> bool:
    """Whether a picture is stored without colours, from its header."""
    try:
        with opened(path) as image:
            return image.mode in GREY
    except Exception:  # whatever a decoder raises; `read_image` says why
        return False
