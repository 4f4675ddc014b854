"""Pictures that visitors bring: their faces, cropped as the training data is."""

import numpy as np
import pytest
import skimage.data
from PIL import Image

from app import build_page
from playground.find import FOUND, STOPPED
from playground.upload import crop_upload
from preprocessing import detect
from preprocessing.detect import find_faces
from preprocessing.read import read_image
from stylegan.images import to_uint8
from stylegan.latents import sample_z
from tests.conftest import SHARED


@pytest.fixture(scope="module")
def model(bundled):
    return bundled


@pytest.fixture
def portrait(tmp_path):
    path = tmp_path / "astronaut.png"
    Image.fromarray(skimage.data.astronaut()).save(path)
    return str(path)


def test_the_crop_of_a_portrait_is_its_face(portrait):
    (face,), words = crop_upload(portrait, 64)
    assert face.shape == (64, 64, 3)
    # Chosen by eye: from the top of the hair to below the chin.
    expected = np.asarray(Image.fromarray(skimage.data.astronaut()).crop((148, 32, 304, 188)))
    expected = np.asarray(Image.fromarray(expected).resize((64, 64), Image.Resampling.BOX))
    assert np.corrcoef(face.ravel(), expected.ravel())[0, 1] > 0.9
    assert "face" in words


def test_a_crop_is_framed_as_the_training_data_is(portrait):
    """There the eyes lie 0.22 to 0.28 of the crop apart, nine times in ten; see docs/log.md."""
    (face,), _ = crop_upload(portrait, 256)
    (found,) = find_faces(face, 100, "yunet")
    assert 0.22 < np.hypot(*np.subtract(*found.points[:2])) / 256 < 0.3


def test_every_face_of_a_picture_is_cropped(portrait, two_faces):
    """The large one first."""
    (alone,), _ = crop_upload(portrait, 64)
    faces, words = crop_upload(str(two_faces), 64)
    assert len(faces) == 2 and "the largest of 2 faces" in words
    for face in faces:
        assert np.corrcoef(face.ravel(), alone.ravel())[0, 1] > 0.8


def drawn_on_white(face, degrees, path):
    """A face (64, 64, 3), three times as large, tilted on a sheet; where it lies, (192, 192, 3)."""
    sheet = Image.new("RGB", (400, 300), "white")
    sheet.paste(Image.fromarray(face).resize((192, 192), Image.Resampling.BICUBIC), (104, 54))
    sheet = sheet.rotate(degrees, Image.Resampling.BICUBIC, fillcolor="white")
    sheet.save(path)
    return np.asarray(sheet)[54:246, 104:296]


def test_a_tilted_face_is_levelled_for_a_network_that_learnt_level_ones(portrait, tmp_path):
    (upright,), _ = crop_upload(portrait, 64, level=True)
    turned = Image.open(portrait).rotate(20, Image.Resampling.BICUBIC, fillcolor="white")
    turned.save(tmp_path / "turned.png")
    alike = {}
    for level in (False, True):
        (face,), _ = crop_upload(str(tmp_path / "turned.png"), 64, level=level)
        alike[level] = np.corrcoef(face.ravel(), upright.ravel())[0, 1]
    assert alike[True] > 0.85 > alike[False] + 0.2, alike


@pytest.mark.parametrize("degrees", [0, 30])
def test_a_drawn_face_comes_back_as_it_was_cropped(model, tmp_path, degrees):
    seed = model.domains[0].seeds[2]
    ws = model.G.mapping(sample_z([seed], model.G.z_dim), truncation_psi=0.65)
    drawn = to_uint8(model.G.synthesis(ws))[0]
    patch = drawn_on_white(np.asarray(drawn), degrees, tmp_path / "drawn.png")
    (face,), words = crop_upload(str(tmp_path / "drawn.png"), 64)
    expected = np.asarray(Image.fromarray(patch).resize((64, 64), Image.Resampling.BOX))
    assert np.corrcoef(face.ravel(), expected.ravel())[0, 1] > 0.75
    assert "One face was found" in words


def test_a_face_of_a_series_that_the_cascade_misses_is_found():
    path = SHARED / "data/cartoon_arcane_research/arcane_02.jpg"
    if not path.exists():
        pytest.skip("the faces of a series are not here: ../shared/data")
    assert find_faces(read_image(path), 24) == []
    (face,), words = crop_upload(str(path), 64)
    assert face.shape == (64, 64, 3) and "One face was found" in words


def test_a_picture_of_more_than_40_million_pixels_is_refused(tmp_path):
    path = tmp_path / "large.png"
    Image.new("1", (8000, 5001)).save(path)
    assert crop_upload(str(path), 64) == (
        [],
        "large.png has more than 40 million pixels. Try another picture.",
    )


def test_a_picture_without_a_face_says_so_and_a_large_one_is_not_kept_by_the_detectors(tmp_path):
    for size, kept in (((200, 200), True), ((2000, 1100), False)):
        Image.new("RGB", size, "grey").save(tmp_path / "grey.png")
        faces, words = crop_upload(str(tmp_path / "grey.png"), 64)
        assert faces == []
        assert "No face was found" in words
        assert bool(vars(detect._local)) == kept


def test_a_file_that_is_no_picture_is_named(tmp_path):
    path = tmp_path / "letter.jpg"
    path.write_text("Dear all")
    faces, words = crop_upload(str(path), 64)
    assert faces == []
    assert words.startswith("letter.jpg is not a JPEG")


def test_taking_the_picture_away_clears_the_crop():
    assert crop_upload(None, 64) == ([], "")


def test_after_a_stop_the_face_is_shown_that_would_be_mixed(model):
    """Whatever was handed over last; a search that came to its end stays as it is."""
    stopped = next(event.fn for event in build_page(model).fns.values() if event.name == "stopped")
    ws = model.styles([7], 0.8)
    picture, words = stopped(ws, "Looking: step 5 of at most 60", "")
    assert words == STOPPED
    np.testing.assert_array_equal(picture, model.draw(ws)[0])
    assert not isinstance(stopped(ws, f"{FOUND}: a good likeness", "")[0], np.ndarray)
    assert stopped(None, "Looking", "")[1] == "Looking"
