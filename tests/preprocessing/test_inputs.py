"""What is named -> labels and sources in order."""

import os
import zipfile
from pathlib import Path

import pytest
from PIL import Image

from preprocessing.inputs import list_inputs


def album(folder, *names):
    """A folder with small pictures and, of other names, empty files."""
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".png":
            Image.new("RGB", (8, 8)).save(path)
        elif path.suffix == ".zip":
            with zipfile.ZipFile(path, "w") as file:
                file.writestr("x.png", b"")
                file.writestr("w/v.png", b"")
        else:
            path.touch()
    return folder


def labels(inputs):
    return [input.label for input in inputs]


def names(input, folder):
    return [Path(source.name).relative_to(folder).as_posix() for source in input.sources]


def test_mixed_inputs_each_have_a_label_and_sources_in_order(tmp_path):
    photos = album(tmp_path / "photos", "b.png", "a/deep/er.png", "c.mkv", "pack.zip", "note.txt")
    album(tmp_path, "film.mkv", "comic.zip", "one.png")
    paths = [photos, tmp_path / "film.mkv", tmp_path / "comic.zip", tmp_path / "one.png"]
    inputs = list_inputs(paths)
    assert labels(inputs) == ["photos", "film", "comic", tmp_path.name]
    in_order = ["a/deep/er.png", "b.png", "c.mkv", "pack.zip/w/v.png", "pack.zip/x.png"]
    assert names(inputs[0], photos) == in_order
    assert [source.is_film for source in inputs[0].sources] == [False, False, True, False, False]
    assert inputs[0].passed_over == {"files that are no pictures": 1}
    assert names(inputs[2], tmp_path) == ["comic.zip/w/v.png", "comic.zip/x.png"]


def test_inputs_of_one_name_get_numbers_and_none_takes_a_name_of_the_dataset(tmp_path):
    paths = [album(tmp_path / p, "a.png") for p in ("x/faces", "y/Faces", "rejected", "z/.hidden")]
    album(tmp_path / "z", "faces.mkv")
    found = labels(list_inputs([*paths, tmp_path / "z" / "faces.mkv"]))
    assert found == ["faces", "Faces_2", "rejected_2", "hidden", "faces_3"]


def test_long_and_strange_names_give_labels_that_others_can_read(tmp_path):
    strange = album(tmp_path / os.fsdecode(b"Andr\xe9"), "a.png")
    long = album(tmp_path / ("顔" * 80), "a.png")
    assert labels(list_inputs([strange, long])) == [r"Andr\xe9", "顔" * 60]


def test_what_is_named_twice_counts_once(tmp_path):
    folder = album(tmp_path / "a", "1.png", "2.png")
    (input,) = list_inputs([folder / "2.png", folder, folder / "2.png", folder])
    assert input.label == "a" and sorted(names(input, folder)) == ["1.png", "2.png"]
    zipped = album(tmp_path, "b.zip") / "b.zip"
    (input,) = list_inputs([zipped, zipped])
    assert len(input.sources) == 2


def test_a_picture_in_two_inputs_goes_with_the_first(tmp_path):
    folder = album(tmp_path / "a", "1.png", "sub/2.png")
    first, second = list_inputs([folder / "sub", folder])
    assert names(first, folder) == ["sub/2.png"] and names(second, folder) == ["1.png"]
    assert second.passed_over == {"pictures that were given before": 1}
    with pytest.raises(ValueError, match="sub holds no pictures .pictures that were given before"):
        list_inputs([folder, folder / "sub"])


def test_a_zip_file_that_is_damaged_is_told_and_the_rest_is_found(tmp_path):
    folder = album(tmp_path / "a", "1.png")
    (folder / "bad.zip").write_bytes(b"PK\3\4")
    (input,) = list_inputs([folder])
    assert names(input, folder) == ["1.png"]
    assert input.told == [f"{folder}/bad.zip cannot be read as a zip file (File is not a zip file)"]
    with pytest.raises(
        ValueError, match="bad.zip holds no pictures .zip files that cannot be read"
    ):
        list_inputs([folder / "bad.zip"])


def test_a_choice_by_chance_is_the_same_for_a_seed_and_larger_ones_hold_it(tmp_path):
    folder = album(tmp_path / "a", *(f"{n:02d}.png" for n in range(30)), "film.mkv")

    def choice(number, seed):
        (input,) = list_inputs([folder], pick=number, seed=seed)
        return names(input, folder)

    few, many = choice(5, 0), choice(9, 0)
    assert len(few) == 6 and "film.mkv" in few and few == sorted(few)
    assert few == choice(5, 0) != choice(5, 1)
    assert set(few) < set(many)
    assert len(choice(99, 0)) == 31


@pytest.fixture
def celeba(tmp_path):
    """CelebA as its authors lay it out: three pictures of person 7, two of 3, one of 5."""
    folder = tmp_path / "celeba"
    album(folder / "img_align_celeba", *(f"{n:06d}.png" for n in range(1, 7)))
    people = zip(range(1, 7), (7, 3, 7, 5, 3, 7), strict=True)
    (folder / "Anno").mkdir()
    lines = "".join(f"{n:06d}.png {person}\n" for n, person in people)
    (folder / "Anno" / "identity_CelebA.txt").write_text(lines)
    marks = "".join(f"{n:06d}.png  1 -1\n" for n in range(1, 7))
    (folder / "Anno" / "list_attr_celeba.txt").write_text(f"6\nSmiling Young \n{marks}")
    return folder


def test_celebas_own_lists_tell_who_is_in_a_picture(celeba):
    for path in (celeba, celeba / "img_align_celeba"):
        (input,) = list_inputs([path])
        assert len(input.sources) == 6
        assert input.known["000002.png"] == {"identity": 3, "attributes": ["Smiling"]}


def test_people_of_celeba_are_taken_with_all_their_pictures(celeba):
    all_of = {7: {1, 3, 6}, 3: {2, 5}, 5: {4}}
    chosen = set()
    for seed in range(9):
        (input,) = list_inputs([celeba], people=1, seed=seed)
        numbers = {int(Path(source.path).stem) for source in input.sources}
        assert numbers in all_of.values()
        chosen.add(frozenset(numbers))
    assert len(chosen) > 1
    (input,) = list_inputs([celeba], people=99)
    assert len(input.sources) == 6


def test_people_cannot_be_chosen_without_a_list_of_them(celeba, tmp_path):
    with pytest.raises(ValueError, match="--celeba-people needs identity_CelebA.txt"):
        list_inputs([album(tmp_path / "x" / "y" / "z", "a.png")], people=2)
    (celeba / "Anno" / "identity_CelebA.txt").write_text("000001.png seven\n")
    with pytest.raises(
        ValueError, match="line 1 of .*identity_CelebA.txt names no picture and per"
    ):
        list_inputs([celeba], people=2)
