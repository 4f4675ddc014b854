"""The detector finds the one face of a portrait and survives pictures of any shape."""

import time
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest
from skimage import data

from preprocessing.detect import Box, clean, detect_faces

EYES = [(203, 112), (238, 112)]  # of the astronaut, (x, y), by eye


@pytest.fixture(scope="module")
def astronaut():
    return data.astronaut()  # (512, 512, 3), one face about 95 pixels wide


def holds_the_face(box, scale=1.0):
    """Both eyes inside, in the upper half, and the box not much wider than the head."""
    inside = all(
        box.x < x * scale < box.x + box.size and box.y < y * scale < box.y + box.size / 2
        for x, y in EYES
    )
    return inside and 70 * scale < box.size < 130 * scale


def test_one_box_around_the_only_face(astronaut):
    boxes = detect_faces(astronaut)
    assert len(boxes) == 1 and holds_the_face(boxes[0])


def test_boxes_of_a_large_picture_are_in_its_own_pixels_and_quick(astronaut):
    """24 megapixels are searched in a reduced copy, the answer is that of the original."""
    image = cv2.resize(astronaut, (4899, 4899), interpolation=cv2.INTER_CUBIC)
    started = time.monotonic()
    boxes = detect_faces(image)
    assert time.monotonic() - started < 5
    assert holds_the_face(boxes[0], scale=4899 / 512)


def test_two_people_give_two_boxes_largest_first(astronaut):
    small = cv2.resize(astronaut, (358, 358), interpolation=cv2.INTER_AREA)
    image = np.full((512, 870, 3), 128, np.uint8)
    image[:358, :358] = small
    image[:, 358:] = astronaut
    first, second = detect_faces(image)
    assert holds_the_face(Box(first.x - 358, first.y, first.size))
    assert holds_the_face(second, scale=0.7)


def test_min_size_is_in_pixels_of_the_picture(astronaut):
    assert detect_faces(astronaut, min_size=150) == []


def test_boxes_lie_inside_the_picture(astronaut):
    """Also in a picture that is reduced and cut close to the face."""
    image = cv2.resize(astronaut[60:180, 160:290], (2600, 2400), interpolation=cv2.INTER_CUBIC)
    for box in detect_faces(image):
        assert box.x >= 0 and box.x + box.size <= 2600
        assert box.y >= 0 and box.y + box.size <= 2400


@pytest.mark.parametrize("shape", [(1, 1), (3, 4000), (4000, 3), (24, 24), (23, 500), (1, 9000000)])
def test_odd_shapes_have_no_face(shape):
    assert detect_faces(np.full((*shape, 3), 90, np.uint8)) == []


def test_noise_and_turned_faces_have_no_face(astronaut):
    noise = np.random.default_rng(0).integers(0, 256, (240, 320, 3), dtype=np.uint8)
    assert detect_faces(noise) == []
    assert detect_faces(np.ascontiguousarray(np.rot90(astronaut[:256]))) == []


def test_threads_agree_with_one_another(astronaut):
    """Eight threads at once find what one finds alone."""
    alone = detect_faces(astronaut)
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(detect_faces, [astronaut] * 24)) == [alone] * 24


def test_a_larger_tie_below_does_not_replace_the_face():
    face, tie = Box(100, 50, 70), Box(95, 130, 80)
    assert clean([(3.0, tie), (8.0, face)]) == [face]


def test_of_equally_scored_neighbours_the_upper_one_is_the_face():
    face, collar = Box(100, 50, 70), Box(105, 125, 60)
    assert clean([(5.0, face), (5.1, collar)]) == [face]
    assert clean([(5.0, face), (9.0, collar)]) == [collar]


def test_a_distant_box_needs_a_score_of_its_own_and_a_lone_one_does_not():
    face, flag = Box(100, 50, 70), Box(400, 50, 70)
    assert clean([(8.0, face), (1.0, flag)]) == [face]
    assert clean([(8.0, face), (4.0, flag)]) == [face, flag]
    assert clean([(0.5, flag)]) == [flag]
    assert clean([]) == []
