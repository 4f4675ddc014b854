"""Pictures in every stored form become the same 8-bit RGB; what cannot be read says why."""

import os
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from preprocessing import bounded
from preprocessing.bounded import BoundedFile
from preprocessing.read import MAX_PIXELS, list_pictures, read_image, read_size, readable

ROOT = Path(__file__).parents[2]
RED, WHITE = (255, 0, 0), (255, 255, 255)


@pytest.fixture
def picture():
    """An RGB picture (20, 30) without any symmetry: a grey ramp with a red corner."""
    ramp = np.linspace(0, 200, 20 * 30).reshape(20, 30, 1).repeat(3, axis=2).astype(np.uint8)
    ramp[:6, :8] = RED
    return Image.fromarray(ramp)


def test_decoders_write_nothing_into_the_log(picture, tmp_path, capfd):
    """What libtiff would say of a damaged file is no more than what is raised."""
    path = tmp_path / "damaged.tif"
    picture.save(path, compression="tiff_lzw")
    whole = bytearray(path.read_bytes())
    whole[20:60] = b"\xff" * 40
    path.write_bytes(whole)
    with pytest.raises(ValueError, match="damaged.tif cannot be decoded"):
        read_image(path)
    assert capfd.readouterr().err == ""


def png_chunk(kind, content):
    crc = struct.pack(">I", zlib.crc32(kind + content))
    return struct.pack(">I", len(content)) + kind + content + crc


def png_header(width, height):
    """A PNG file that claims a size and holds no pixels."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", header) + png_chunk(b"IDAT", b"")


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", ["png", "tiff"])
def test_exif_orientation_is_undone(picture, tmp_path, orientation, suffix):
    """Whatever way the camera stored it, the picture comes out as it was seen."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = {  # the inverse of each orientation
        1: lambda image: image,
        2: ImageOps.mirror,
        3: lambda image: image.rotate(180),
        4: ImageOps.flip,
        5: lambda image: image.transpose(Image.Transpose.TRANSPOSE),
        6: lambda image: image.rotate(90, expand=True),
        7: lambda image: image.transpose(Image.Transpose.TRANSVERSE),
        8: lambda image: image.rotate(-90, expand=True),
    }[orientation](picture)
    path = tmp_path / f"turned.{suffix}"
    stored.save(path, exif=exif)
    np.testing.assert_array_equal(read_image(path), np.asarray(picture))


@pytest.mark.filterwarnings("ignore:Corrupt EXIF")
def test_broken_exif_does_not_lose_the_picture(picture, tmp_path):
    path = tmp_path / "a.jpg"
    picture.save(path, exif=b"Exif\x00\x00MM\x00\x2a\xff\xff\xff\xff", quality=95)
    assert read_image(path).shape == (20, 30, 3)


@pytest.mark.parametrize("suffix", ["png", "bmp", "gif", "tiff", "webp", "avif"])
def test_formats_hold_the_same_picture(picture, tmp_path, suffix):
    path = tmp_path / f"a.{suffix}"
    options = {"quality": 100} if suffix in ("webp", "avif") else {}
    picture.save(path, **options)
    image = read_image(path)
    assert image.dtype == np.uint8 and image.flags.writeable
    assert np.abs(image.astype(int) - np.asarray(picture)).mean() < 5


def test_grey_becomes_three_equal_channels(picture, tmp_path):
    picture.convert("L").save(tmp_path / "grey.png")
    image = read_image(tmp_path / "grey.png")
    assert image.shape == (20, 30, 3)
    assert (image == image[..., :1]).all()


@pytest.mark.parametrize("byteorder", ["<u2", ">u2"])
def test_16_bits_are_scaled_not_clipped(tmp_path, byteorder):
    """Half of the 16-bit range is half of the 8-bit range."""
    values = np.array([[0, 32768, 65535]], dtype=byteorder)
    for name in ("a.png", "a.tiff"):
        Image.fromarray(values).save(tmp_path / name)
        assert read_image(tmp_path / name)[0, :, 0].tolist() == [0, 128, 255]


def test_transparent_pixels_are_white_whatever_they_hide(tmp_path):
    """Left pixel opaque red, middle half transparent black, right hidden magenta."""
    pixels = np.array([[(255, 0, 0, 255), (0, 0, 0, 128), (255, 0, 255, 0)]], np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    assert read_image(tmp_path / "a.png")[0].tolist() == [[255, 0, 0], [127] * 3, [255] * 3]


def test_transparent_palette_entry_is_white(tmp_path):
    image = Image.new("P", (2, 1))
    image.putpalette([*RED, 0, 255, 0])
    image.putpixel((1, 0), 1)
    for name in ("a.png", "a.gif"):
        image.save(tmp_path / name, transparency=1)
        assert read_image(tmp_path / name)[0].tolist() == [list(RED), list(WHITE)]


def test_cmyk_is_not_inverted(tmp_path):
    path = tmp_path / "cmyk.jpg"
    Image.new("RGB", (16, 16), RED).convert("CMYK").save(path, quality=95)
    red, green, blue = read_image(path)[8, 8]
    assert red > 240 and green < 15 and blue < 15


@pytest.mark.parametrize("suffix", ["gif", "webp", "mpo"])
def test_first_frame_of_an_animation(tmp_path, suffix):
    path = tmp_path / f"a.{suffix}"
    first, second = Image.new("RGB", (8, 8), RED), Image.new("RGB", (8, 8), (0, 0, 255))
    first.save(path, save_all=True, append_images=[second])
    red, _, blue = read_image(path)[4, 4]
    assert red > 230 and blue < 25


def test_one_pixel_is_a_picture(tmp_path):
    Image.new("RGB", (1, 1), RED).save(tmp_path / "a.png")
    assert read_image(tmp_path / "a.png").tolist() == [[list(RED)]]


@pytest.mark.parametrize(
    "content, reason",
    [
        (b"", "is empty"),
        (b"<!DOCTYPE html><html><body>404</body></html>", "is not a JPEG, PNG"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "is not a JPEG, PNG"),
        (b"P3 1 1 255\n" + b"#x\n" * 9 + b"0 0 0\n", "is not a JPEG, PNG"),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "is a HEIC picture; make a JPEG"),
        (png_header(100_000, 100_000), "has more than 50 million pixels"),
        (png_header(8000, MAX_PIXELS // 8000 + 1), "has more than 50 million pixels"),
        (png_header(64, 64), "cannot be decoded"),
    ],
    ids=[
        "zero bytes",
        "html",
        "postscript",
        "plain text",
        "heic",
        "30 GB header",
        "just too large",
        "no pixels",
    ],
)
@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_unreadable_files_say_why(tmp_path, content, reason):
    path = tmp_path / "broken.jpg"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=f"^broken.jpg {reason}"):
        read_image(path)


def test_truncated_picture_is_refused(picture, tmp_path):
    path = tmp_path / "cut.jpg"
    picture.resize((300, 200)).save(path)
    path.write_bytes(path.read_bytes()[:1500])
    with pytest.raises(ValueError, match=r"^cut.jpg cannot be decoded"):
        read_image(path)


def test_missing_file_and_folder_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"^none.png cannot be opened"):
        read_image(tmp_path / "none.png")
    with pytest.raises(ValueError, match="cannot be opened"):
        read_image(tmp_path)


@pytest.mark.parametrize("kind", ["iCCP", "zTXt", "tEXt"])
def test_megabytes_of_text_or_colour_profile_do_not_spoil_a_picture(picture, tmp_path, kind):
    picture.save(tmp_path / "a.png")
    content = (tmp_path / "a.png").read_bytes()
    text = bytes(3_000_000)
    added = b"name\0" + (text if kind == "tEXt" else b"\0" + zlib.compress(text))
    start = 33  # of what follows the signature and IHDR
    added = png_chunk(kind.encode(), added)
    (tmp_path / "a.png").write_bytes(content[:start] + added + content[start:])
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), np.asarray(picture))


def test_a_decoder_that_works_too_long_is_stopped(tmp_path, monkeypatch):
    """The comments of a GIF are joined one by one: four times as many take 16 times as long."""
    Image.new("P", (8, 8)).save(tmp_path / "a.gif")
    content = (tmp_path / "a.gif").read_bytes()
    start = content.index(b",\0\0\0\0")
    comments = b"!\xfe\x01c\0" * 200_000
    (tmp_path / "a.gif").write_bytes(content[:start] + comments + content[start:])
    monkeypatch.setattr(bounded, "MAX_SECONDS", 0.05)
    with pytest.raises(ValueError, match=r"^a.gif cannot be decoded \(it takes more than 0.05 s"):
        read_image(tmp_path / "a.gif")


def test_the_same_bytes_are_not_given_without_end(tmp_path):
    """A thousand tags of a TIFF that all name the same megabyte are a gigabyte."""
    (tmp_path / "a").write_bytes(bytes(1 << 20))
    with BoundedFile(tmp_path / "a") as file, pytest.raises(OSError, match="again and again"):
        for _ in range(20):
            file.seek(0)
            file.read(1 << 20)


def directory(tags):
    """The beginning of a TIFF or of EXIF data: tags of (number, type, count, value or place)."""
    entries = b"".join(struct.pack("<HHLL", *tag) for tag in sorted(tags))
    return b"II*\0" + struct.pack("<LH", 8, len(tags)) + entries + bytes(4)


def tiff(*more, size=(64, 64), packed=False, tail=b""):
    """A grey TIFF whose further tags may name what follows them by the place 200."""
    tags = [(256, 4, 1, size[0]), (257, 4, 1, size[1]), (258, 3, 1, 8), (262, 3, 1, 1)]
    tags += [(259, 3, 1, 8 if packed else 1), (277, 3, 1, 1), *more]
    return directory(tags).ljust(200, b"\0") + tail


@pytest.fixture
def takes_gigabytes(picture, tmp_path):
    """Small files that a decoder makes gigabytes of, in a folder."""
    tags = directory([(1000 + i, 7, 30_000, 8) for i in range(60_000)])
    empty = directory([]).ljust(len(tags), b"\0")
    picture.save(tmp_path / "exif.avif", exif=empty)
    content = (tmp_path / "exif.avif").read_bytes()
    (tmp_path / "exif.avif").write_bytes(content.replace(empty, tags))
    strips = dict(size=(4, 3_000_000), tail=bytes(12_000_000))
    content = tiff((273, 4, 3_000_000, 200), (278, 4, 1, 1), **strips)
    (tmp_path / "strips.tif").write_bytes(content)
    side = 30_000
    pack = zlib.compressobj(1)
    flat = b"".join(pack.compress(bytes(side * 1000)) for _ in range(side // 1000)) + pack.flush()
    of_tile = (323, 4, 1, side), (324, 4, 1, 200), (325, 4, 1, len(flat))
    content = tiff((322, 4, 1, side), *of_tile, packed=True, tail=flat)
    (tmp_path / "tile.tif").write_bytes(content)
    both = (322, 4, 1, 64), (322, 4, 1, side)  # a reader takes the first or the last
    entry = [struct.pack("<HHLL", *tag) for tag in both]
    content = tiff(*both, *of_tile, packed=True, tail=flat)
    content = content.replace(b"".join(entry), b"".join(reversed(entry)))
    (tmp_path / "twice.tif").write_bytes(content)
    with (tmp_path / "long.avif").open("wb") as file:
        file.write((tmp_path / "exif.avif").read_bytes()[:100])
        file.truncate(2 << 30)
    return tmp_path


@pytest.mark.skipif(sys.platform != "linux", reason="asks Linux for the peak of memory")
def test_a_small_file_does_not_take_gigabytes(takes_gigabytes):
    """In a process of its own, which may not have more than 3 GB."""
    code = """if True:
        import resource, sys
        from preprocessing.read import read_image
        resource.setrlimit(resource.RLIMIT_AS, (3 << 30, 3 << 30))
        for path in sys.argv[1:]:
            open("/proc/self/clear_refs", "w").write("5")  # forget the peak
            try:
                read_image(path)
            except ValueError as e:
                told = e
            peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
            print(peak.split()[1], told)
    """
    files = sorted(map(str, takes_gigabytes.iterdir()))
    child = [sys.executable, "-c", code, *files]
    output = subprocess.run(child, cwd=ROOT, text=True, capture_output=True, check=True).stdout
    peaks, sentences = zip(*(line.split(" ", 1) for line in output.splitlines()), strict=True)
    assert sentences == (
        "exif.avif cannot be decoded (its tags hold more than those of a picture)",
        "long.avif cannot be decoded (it has more than 500 MB)",
        "strips.tif cannot be decoded (its tags hold more than those of a picture)",
        "tile.tif has more than 50 million pixels",
        "twice.tif cannot be decoded (it tells the size of its tiles twice)",
    )
    assert max(map(int, peaks)) < 300_000, output  # kB


def test_a_tag_that_names_more_than_there_is_does_not_lose_the_picture(picture, tmp_path):
    exif = directory([(0x0112, 3, 1, 3), (1000, 4, 2**31, 8), (1001, 7, 10**6, 8)])
    picture.save(tmp_path / "a.jpg", quality=95, exif=b"Exif\0\0" + exif)
    with pytest.warns(UserWarning, match="Truncated"):
        turned = read_image(tmp_path / "a.jpg")
    assert np.abs(turned[::-1, ::-1].astype(int) - np.asarray(picture)).mean() < 9


def test_the_size_is_known_from_the_header(picture, tmp_path):
    picture.save(tmp_path / "a.png")
    (tmp_path / "a.png").write_bytes((tmp_path / "a.png").read_bytes()[:60])
    assert read_size(tmp_path / "a.png") == (30, 20)
    (tmp_path / "a.png").write_bytes(b"text")
    assert read_size(tmp_path / "a.png") is None


def test_the_reader_needs_no_opencv():
    code = "import sys, preprocessing.read; sys.exit('cv2' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0


def test_listing_knows_pictures_by_extension_or_content(picture, tmp_path):
    """Five files are tried; what is none, is hidden or was made by a system is counted."""
    for folder in ("sub/.ipynb_checkpoints", "__MACOSX", "dir.png"):
        (tmp_path / folder).mkdir(parents=True)
        picture.save(tmp_path / folder / "thumb.png")
    picture.save(tmp_path / "b.JPG", format="JPEG")
    picture.save(tmp_path / "a.png")
    picture.save(tmp_path / "no_extension", format="PNG")
    picture.save(tmp_path / "sub" / "a.png")
    (tmp_path / "broken.jpg").write_bytes(b"")
    (tmp_path / "notes.txt").write_text("text")
    (tmp_path / "Thumbs.db").write_bytes(b"\xd0\xcf\x11\xe0" + bytes(100))
    (tmp_path / "film.mp4").write_bytes(bytes(100))
    (tmp_path / "._b.JPG").write_bytes(b"resource fork")
    pictures, passed_over = list_pictures(tmp_path)
    names = [path.relative_to(tmp_path).as_posix() for path in pictures]
    assert names == ["a.png", "b.JPG", "broken.jpg", "no_extension", "sub/a.png"]
    assert passed_over == {
        "files that are no pictures": 3,
        "hidden": 3,
        "folders named as pictures": 1,
    }


def test_linked_folders_are_followed_and_each_is_listed_once(picture, tmp_path):
    """Under its own name if it has one here, however the link to it is called; loops end."""
    (tmp_path / "disk").mkdir()
    (tmp_path / "in" / "photos").mkdir(parents=True)
    picture.save(tmp_path / "disk" / "a.png")
    picture.save(tmp_path / "in" / "photos" / "b.png")
    (tmp_path / "in" / "album").symlink_to(tmp_path / "disk")
    (tmp_path / "in" / "again").symlink_to(tmp_path / "in" / "photos")
    (tmp_path / "in" / "photos" / "loop").symlink_to(tmp_path / "in")
    (tmp_path / "in" / "dead.png").symlink_to(tmp_path / "nowhere")
    (tmp_path / "in" / "own.png").symlink_to(tmp_path / "in" / "own.png")
    pictures, passed_over = list_pictures(tmp_path / "in")
    names = [path.relative_to(tmp_path / "in").as_posix() for path in pictures]
    assert names == ["album/a.png", "photos/b.png"]
    assert passed_over == {"folders seen already": 2, "files that are no pictures": 2}


@pytest.mark.skipif(os.name == "nt", reason="names are text there")
def test_names_that_are_no_utf8_are_listed_and_read(picture, tmp_path):
    path = tmp_path / os.fsdecode(b"Andr\xe9.png")
    picture.save(path)
    assert list_pictures(tmp_path) == ([path], {})
    np.testing.assert_array_equal(read_image(path), np.asarray(picture))


def test_a_name_that_is_no_text_is_spelled_out():
    assert readable("caf\udce9 顔.jpg") == "caf\\xe9 顔.jpg"
    assert readable("\ud800") == "\\ud800"
