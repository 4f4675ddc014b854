"""`best` of a run: replaced in one step, whoever reads it meanwhile."""

import os
import shutil
import threading
import time

from stylegan.find import find_pretrained
from stylegan.layout import CONFIG, METRICS
from training.best import BEST, READING_SECONDS, VERSIONS, new_version, publish


def save(out, number):
    """Another best: two files that belong together."""
    version = new_version(out)
    version.mkdir(parents=True)
    for name in (CONFIG, METRICS):
        (version / name).write_text(str(number))
    publish(version, out)
    return version


def read(folder):
    return [int((folder / name).read_text()) for name in (CONFIG, METRICS)]


def test_a_reader_never_gets_two_versions_nor_none(tmp_path):
    """Hundreds of changes while another thread reads. Where folders are renamed instead, a third of
    the reads find files of two versions or none."""
    save(tmp_path, 0)
    done, wrong, seen = threading.Event(), [], set()

    def reader():
        while not done.is_set():
            try:
                a, b = read(find_pretrained(tmp_path / BEST))
            except OSError as e:
                a, b = e, None
            seen.add(a)
            wrong.extend([] if a == b else [(a, b)])

    thread = threading.Thread(target=reader)
    thread.start()
    for number in range(1, 400):
        save(tmp_path, number)
    done.set()
    thread.join()
    assert not wrong and len(seen) > 10
    assert read(tmp_path / BEST) == [399, 399]


def test_versions_stay_while_they_may_be_read_and_go_later(tmp_path):
    first = save(tmp_path, 1)
    second = save(tmp_path, 2)
    assert read(first) == [1, 1]
    before = time.time() - 2 * READING_SECONDS
    for old in (first, second):
        os.utime(old, (before, before))
    third = save(tmp_path, 3)
    assert not first.exists() and read(second) == [2, 2]  # the second was the best until now
    assert new_version(tmp_path).name == str(int(third.name) + 1)


def test_a_copied_or_moved_run_finds_its_own(tmp_path):
    save(tmp_path / "run", 1)
    copy = shutil.copytree(tmp_path / "run", tmp_path / "copy", symlinks=True)
    shutil.rmtree(tmp_path / "run")
    assert read(copy / BEST) == [1, 1]


def test_a_disk_without_links_has_a_folder(tmp_path, monkeypatch):
    def refuse(*args, **kwargs):
        raise OSError("Operation not supported")

    with monkeypatch.context() as patch:
        patch.setattr("pathlib.Path.symlink_to", refuse)
        for number in (1, 2):
            save(tmp_path, number)
            assert read(tmp_path / BEST) == [number, number]
        assert not (tmp_path / BEST).is_symlink() and not any((tmp_path / VERSIONS).iterdir())
    save(tmp_path, 3)  # and on another disk a link again
    assert (tmp_path / BEST).is_symlink() and read(tmp_path / BEST) == [3, 3]


def test_there_is_a_best_at_every_moment_without_links_too(tmp_path, monkeypatch):
    """Between the two renamings, as long as they take, and for good if a kill comes there."""

    def refuse(*args, **kwargs):
        raise OSError("Operation not supported")

    monkeypatch.setattr("pathlib.Path.symlink_to", refuse)
    save(tmp_path, 1)
    (tmp_path / BEST).rename(tmp_path / ".best.old")
    version = tmp_path / "next"
    version.mkdir()
    later = threading.Timer(0.1, version.rename, [tmp_path / BEST])
    later.start()
    assert find_pretrained(tmp_path / BEST) == (tmp_path / BEST).resolve()
    later.join()
    (tmp_path / BEST).rmdir()
    assert read(find_pretrained(tmp_path / BEST)) == [1, 1]


def test_what_a_kill_left_is_no_obstacle(tmp_path):
    (tmp_path / ".best.new").mkdir()
    (tmp_path / ".best.link").symlink_to("nowhere")
    assert read(save(tmp_path, 1)) == read(tmp_path / BEST) == [1, 1]
