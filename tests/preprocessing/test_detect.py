"""Both detectors find the one face of a portrait alike and survive pictures of any shape."""

import math
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest
from skimage import data

from preprocessing.detect import DETECTORS, MAX_PIXELS, Box, Face, apart, clean, find_faces, tilt

EYES = [(203, 101), (246, 103)]  # of the astronaut, (x, y), by eye

both = pytest.mark.parametrize("detector", DETECTORS)


@pytest.fixture(scope="module")
def astronaut():
    return data.astronaut()  # (512, 512, 3), one face about 95 pixels wide


def holds_the_face(face, scale=1.0, shift=0):
    """Both eyes inside, in the upper half, and the box not much wider than the head."""
    left, top, size = face.box
    inside = all(
        left < x * scale + shift < left + size and top < y * scale < top + size / 2 for x, y in EYES
    )
    return inside and 70 * scale < size < 130 * scale


def scored(score, box):
    return Face(box, None, score)


@both
def test_one_box_around_the_only_face(astronaut, detector):
    faces = find_faces(astronaut, detector=detector)
    assert len(faces) == 1 and holds_the_face(faces[0])


def test_both_frame_a_face_alike(astronaut):
    (haar,), (yunet,) = (find_faces(astronaut, detector=detector) for detector in DETECTORS)
    assert yunet.box.size == pytest.approx(haar.box.size, rel=0.15)
    assert math.dist(centre(haar.box), centre(yunet.box)) < 0.05 * haar.box.size


def centre(box):
    return box.x + box.size / 2, box.y + box.size / 2


def test_the_points_of_yunet_are_those_of_the_face(astronaut):
    """Eyes, nose and mouth by eye; the cascade gives none."""
    (face,) = find_faces(astronaut, detector="yunet")
    expected = [*EYES, (223, 127), (204, 143), (243, 144)]
    assert np.abs(np.array(face.points) - expected).max() < 5
    assert find_faces(astronaut)[0].points is None


@both
def test_grey_pictures_hold_faces_too(astronaut, detector):
    (face,) = find_faces(cv2.cvtColor(astronaut, cv2.COLOR_RGB2GRAY), detector=detector)
    assert holds_the_face(face)


@both
def test_boxes_of_a_large_picture_are_in_its_own_pixels(astronaut, detector):
    """24 megapixels are searched in a reduced copy, the answer is that of the original."""
    image = cv2.resize(astronaut, (4899, 4899), interpolation=cv2.INTER_CUBIC)
    assert image.size / 3 > MAX_PIXELS
    assert holds_the_face(find_faces(image, detector=detector)[0], scale=4899 / 512)


@both
@pytest.mark.parametrize("side", [130, 1400])
def test_a_face_that_fills_the_picture_is_found(astronaut, detector, side):
    """Also when it is 1000 pixels wide, more than the network was made for."""
    image = cv2.resize(astronaut[50:180, 160:290], (side, side), interpolation=cv2.INTER_CUBIC)
    (face,) = find_faces(image, detector=detector)
    assert 0.55 * side < face.box.size < side


@both
def test_two_people_give_two_faces_largest_first(astronaut, detector):
    small = cv2.resize(astronaut, (358, 358), interpolation=cv2.INTER_AREA)
    image = np.full((512, 870, 3), 128, np.uint8)
    image[:358, :358] = small
    image[:, 358:] = astronaut
    first, second = find_faces(image, detector=detector)
    assert holds_the_face(first, shift=358)
    assert holds_the_face(second, scale=0.7)


@both
def test_min_size_is_in_pixels_of_the_picture(astronaut, detector):
    assert find_faces(astronaut, min_size=150, detector=detector) == []


def test_smaller_faces_are_looked_for_if_there_is_no_large_one(astronaut):
    """A face of 95 pixels beside one of 190: the small one is found alone, not beside the other."""
    large = cv2.resize(astronaut[:400, :400], (800, 800), interpolation=cv2.INTER_CUBIC)
    image = np.full((800, 1100, 3), 128, np.uint8)
    image[:300, 800:] = astronaut[:300, 60:360]
    (small,) = find_faces(image, enough=150)
    assert holds_the_face(small._replace(box=small.box._replace(x=small.box.x - 740)))
    image[:, :800] = large
    (face,) = find_faces(image, enough=150)
    assert holds_the_face(face, scale=2)
    assert len(find_faces(image)) == 2


def test_boxes_of_the_cascade_lie_inside_the_picture(astronaut):
    """Also in a picture that is reduced and cut close to the face."""
    image = cv2.resize(astronaut[60:180, 160:290], (2600, 2400), interpolation=cv2.INTER_CUBIC)
    for box, _, _ in find_faces(image):
        assert box.x >= 0 and box.x + box.size <= 2600
        assert box.y >= 0 and box.y + box.size <= 2400


@both
@pytest.mark.parametrize("shape", [(1, 1), (3, 4000), (4000, 3), (24, 24), (23, 500), (1, 9000000)])
def test_odd_shapes_have_no_face(shape, detector):
    assert find_faces(np.full((*shape, 3), 90, np.uint8), detector=detector) == []


@both
def test_noise_has_no_face(detector):
    noise = np.random.default_rng(0).integers(0, 256, (240, 320, 3), dtype=np.uint8)
    assert find_faces(noise, detector=detector) == []


def test_a_face_on_its_side_is_none_for_the_cascade(astronaut):
    assert find_faces(np.ascontiguousarray(np.rot90(astronaut[:256]))) == []


@pytest.mark.parametrize("degrees", [-25, -12, 12, 25])
def test_yunet_tells_the_tilt_of_a_head_and_frames_it_as_upright(astronaut, degrees):
    """Turned about the middle of its box, a face keeps that box; its eyes turn with it."""
    (upright,) = find_faces(astronaut, detector="yunet")
    turn = cv2.getRotationMatrix2D(centre(upright.box), -degrees, 1)
    (tilted,) = find_faces(cv2.warpAffine(astronaut, turn, (512, 512)), detector="yunet")
    more = math.degrees(tilt(tilted.points) - tilt(upright.points))
    assert more == pytest.approx(degrees, abs=7)
    assert tilted.box.size == pytest.approx(upright.box.size, rel=0.2)
    assert math.dist(centre(tilted.box), centre(upright.box)) < 0.08 * upright.box.size
    expected = np.array(upright.points) @ turn[:, :2].T + turn[:, 2]
    assert np.abs(np.array(tilted.points) - expected).max() < 9


@both
def test_threads_agree_with_one_another(astronaut, detector):
    """Eight threads at once find what one finds alone, in pictures of two sizes in turns."""
    images = [astronaut, astronaut[:300, 100:350]]
    alone = [find_faces(image, detector=detector) for image in images]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda image: find_faces(image, detector=detector), images * 12))
    assert found == alone * 12


def test_an_unknown_detector_is_named(astronaut):
    with pytest.raises(ValueError, match="haar, yunet, got dog"):
        find_faces(astronaut, detector="dog")


def test_a_larger_tie_below_does_not_replace_the_face():
    face, tie = scored(8.0, Box(100, 50, 70)), scored(3.0, Box(95, 130, 80))
    assert clean([tie, face]) == [face]


@pytest.mark.parametrize("collars, stays", [(5.1, 0), (9.0, 1)])
def test_of_equally_scored_neighbours_the_upper_one_is_the_face(collars, stays):
    found = [scored(5.0, Box(100, 50, 70)), scored(collars, Box(105, 125, 60))]
    assert clean(found) == [found[stays]]


def test_a_distant_box_needs_a_score_of_its_own_and_a_lone_one_does_not():
    face, box = scored(8.0, Box(100, 50, 70)), Box(400, 50, 70)
    assert clean([face, scored(1.0, box)]) == [face]
    assert clean([face, scored(4.0, box)]) == [face, scored(4.0, box)]
    assert clean([scored(0.5, box)]) == [scored(0.5, box)]
    assert clean([]) == []


def test_one_face_seen_at_two_scales_counts_once():
    face, again, other = (scored(1 - x / 1000, Box(x, 0, 100)) for x in (0, 40, 60))
    assert apart([face, again, other], 0.5) == [face, other]


def test_smaller_faces_are_looked_for_only_without_one_that_is_wide_enough():
    """Beside a face of about 100 pixels, one of 40: both, the large one, or both again."""
    portrait = data.astronaut()[:220, 110:340]
    picture = np.full((220, 360, 3), 128, np.uint8)
    picture[:, :230] = portrait
    picture[60:148, 250:342] = cv2.resize(portrait, (92, 88), interpolation=cv2.INTER_AREA)
    both = [face.box for face in find_faces(picture, 24)]
    assert len(both) == 2 and both[0].size > 80 > 60 > both[1].size
    (large,) = find_faces(picture, 24, enough=60)
    assert abs(large.box.size - both[0].size) < 12
    assert [face.box for face in find_faces(picture, 24, enough=180)] == both
    assert len(find_faces(picture, 24, enough=30)) == 2
