"""Faces against faces: pictures that were spoiled on purpose are told from good ones."""

import pytest
import torch
import torch.nn.functional as F
from PIL import Image

from benchmarks.metrics import bent
from evaluation.dataset import ImageDataset
from evaluation.quality import ALL, JUDGED, Figure, Reference, measurable, score
from stylegan.images import from_uint8


def test_the_score_is_half_at_half_distances_and_falls_with_copies():
    """A distance below the floor, which chance brings, is none."""

    def found(full, half, details, *, floor=0.0, copies=0.0):
        values = zip(JUDGED, (full, half, details), strict=True)
        return score({name: Figure(value, floor) for name, value in values}, copies)

    assert found(0.05, 0.15, 0.5) == pytest.approx(50)
    assert found(0.06, 0.16, 0.51, floor=0.01) == pytest.approx(50)
    assert found(0.1, 0.1, 0.0) == found(0.0, 0.0, 0.5) == pytest.approx(100 / 1.5)
    assert found(0.3, 0.3, 1.5, copies=0.2) == pytest.approx(20)
    assert found(-0.01, 0.005, -0.01) == 100
    assert found(0.0, 0.0, 0.0, copies=1.0) == 0


@pytest.fixture(scope="module")
def reference(face_folder):
    return Reference(ImageDataset(str(face_folder)))


@pytest.fixture(scope="module")
def good(reference, drawn):
    """Other faces of the same kind, and their figures."""
    pictures = reference.look_at(from_uint8(drawn[240:]))
    return pictures, reference.compare(pictures)


def test_faces_of_the_same_kind_are_at_the_floor(good):
    figures = good[1][ALL]
    for name in ("kernel", "kernel, random features"):
        assert abs(figures[name].value - figures[name].floor) < 0.3
    for name in ("frechet", "sliced"):
        assert figures[name].value < 1.5 * figures[name].floor
    assert figures["neighbours"].value == pytest.approx(0.5, abs=0.15)
    assert figures["coverage"].value > 0.8


def test_groups_and_floors_are_the_reference_s(reference, good):
    """Floors are of reals alone, so they depend on the number of fakes only."""
    pictures, figures = good
    assert list(figures) == [ALL, *reference.names]
    noisy = reference.look_at(pictures.img + 0.3 * torch.randn_like(pictures.img))
    again = reference.compare(noisy)[ALL]
    assert all(again[name].floor == pytest.approx(figures[ALL][name].floor) for name in again)


def test_noise_and_blur_are_seen(reference, good):
    img, fine = good[0].img, good[1][ALL]
    noisy = reference.compare(reference.look_at(img + 0.3 * torch.randn_like(img)))[ALL]
    assert noisy["kernel, random features"].value > fine["kernel, random features"].value + 0.3
    assert noisy["patches/0"].value > 3 * fine["patches/0"].value
    small = F.interpolate(img, scale_factor=0.25, mode="bilinear", antialias=True)
    blurred = F.interpolate(small, size=img.shape[2:], mode="bilinear")
    blurred = reference.compare(reference.look_at(blurred))[ALL]
    assert blurred["patches/0"].value > 3 * fine["patches/0"].value


def test_bent_faces_are_seen(reference, good):
    """The network that learned on faces hardly sees them."""
    found = reference.judge(reference.look_at(bent(good[0].img)))
    figures, fine = found["distances"][ALL], good[1][ALL]
    above = {name: figures[name]["value"] - fine[name].value for name in JUDGED}
    assert above["kernel"] < 0.1 and above["kernel, ImageNet features"] > 0.4
    assert found["score"] < 60


def test_a_copy_is_seen(reference, good):
    pictures, _ = good
    index, closeness = reference.nearest(reference.reals.rows(torch.arange(7, 27)))
    assert index.tolist() == list(range(7, 27)) and closeness.max() < 0.01
    assert reference.nearest(pictures)[1].median() > 0.5


def test_few_fakes_of_a_folder_are_not_judged(reference, good):
    pictures, _ = good
    ours = reference.classifier.labels(pictures.taught) == 0
    found = reference.compare(pictures.rows(ours))
    assert reference.names[0] in found and reference.names[1] not in found


def test_few_pictures_are_refused(tmp_path):
    for i in range(3):
        Image.new("RGB", (32, 32), (80 * i, 0, 0)).save(tmp_path / f"{i}.png")
    with pytest.raises(
        ValueError, match="has 3 pictures; 16 are the fewest to measure anything, 100"
    ):
        Reference(ImageDataset(str(tmp_path)))


def folders(folder, drawn, **counts):
    """A data set of so many of the drawn faces in each sub-folder."""
    faces = iter(drawn)
    for name, count in counts.items():
        (folder / name).mkdir()
        for i in range(count):
            Image.fromarray(next(faces).permute(1, 2, 0).numpy()).save(folder / name / f"{i}.png")
    return ImageDataset(str(folder))


def test_small_folders_are_measured_as_far_as_they_can_be_and_marked(drawn, tmp_path):
    """40 faces of one kind and 12 of another, beside 60 drawn ones."""
    reference = Reference(folders(tmp_path, drawn, many=40, few=12))
    assert reference.few == {"few": 12, "many": 40}
    few, many = reference.warnings()
    assert few.startswith("few has 12 pictures, fewer than 100: by itself it is not measured, for")
    assert "its figures are rough, of 20 pictures beside 20" in many and "add 60" in many
    found = reference.compare(reference.look_at(from_uint8(drawn[100:160])))
    assert ALL in found and "few" not in found


def test_labels_that_are_too_small_are_left_out_until_the_others_can_be_measured():
    assert measurable({"film": 5, "photos": 239}) == ["photos"]
    assert measurable({"b": 8, "a": 8}) == ["b", "a"] and measurable({"b": 8, "a": 7}) == []
    assert measurable({"a": 6, "b": 20, "c": 6}) == ["a", "b", "c"]


def test_the_others_are_measured_beside_a_label_of_few_pictures(drawn, tmp_path):
    """5 faces of a label that comes first, and 40 of another."""
    reference = Reference(folders(tmp_path, drawn, film=5, photos=40))
    assert reference.names == ["photos"] and reference.labels.tolist() == [0] * 40
    assert reference.warnings()[0].startswith(
        "film has 5 pictures, fewer than 100: it is not measured, the others are; add 95 to"
    )
    found = reference.judge(reference.look_at(from_uint8(drawn[100:160])))
    assert found["distances"].keys() == {ALL} and found["few"] == {"film": 5, "photos": 40}


def test_turned_faces_are_seen(reference, good):
    """A quarter of them on their side."""
    pictures, _ = good
    img = pictures.img.clone()
    img[::4] = img[::4].rot90(1, (2, 3))
    assert reference.judge(reference.look_at(img))["turned"] == pytest.approx(0.25, abs=0.05)
    assert reference.judge(pictures)["turned"] < 0.05
