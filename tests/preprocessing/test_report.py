"""The page of a small dataset: all of it inside, names harmless, decisions seen."""

import re
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

from preprocessing import report
from preprocessing.listing import Listing, append_decisions, write_listing
from preprocessing.report import main, write_report

NASTY = "<script>alert(1)</script> & \"x\" 'y' \udce9"


def row(folder, file, label, **given):
    path = folder / file
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(len(file)).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)
    scores = {"size": 50, "sharpness": 1.1, "exposure": 0.5}
    return {"file": file, "label": label, "source": f"in/{NASTY}.jpg", "scores": scores} | given


@pytest.fixture
def dataset(tmp_path):
    """Six faces of one label, three of another, two refused, pictures without a face."""
    faces = [row(tmp_path, f"photos/{i:06d}-1.png", "photos") for i in range(6)]
    faces += [row(tmp_path, f"drawn/{i:06d}-1.png", NASTY) for i in range(3)]
    refused = [
        row(tmp_path, "rejected/photos/000009-1.png", "photos", reason="blurred", time=61.25),
        row(tmp_path, "rejected/photos/000010-1.png", "photos", reason="too dark"),
    ]
    empty = [{"source": "y.jpg", "reason": "no face found"}]
    words = ["film.mkv ends early."]
    write_listing(tmp_path, Listing(32, {"size": 32}, faces, refused, empty, {"hidden": 2}, words))
    return tmp_path


class Page(HTMLParser):
    """Names of the tags, attributes and texts of a page."""

    def __init__(self, path):
        super().__init__()
        self.tags, self.attributes, self.texts = [], [], []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data):
        self.texts.append(data.strip())

    def after(self, text):
        return self.texts[self.texts.index(text) + 1]


def test_everything_is_inside_and_names_are_harmless(dataset):
    page = Page(write_report(dataset))
    assert "script" not in page.tags and "link" not in page.tags
    sources = [value for name, value in page.attributes if name in ("src", "href")]
    assert len(sources) == 11 and all(s.startswith("data:image/webp;base64,") for s in sources)
    assert "url(" not in report.STYLE and "@import" not in report.STYLE
    assert any(text.startswith("<script>alert(1)</script>") for text in page.texts)
    assert not re.search(r"https?://", (dataset / "report.html").read_text(encoding="utf-8"))


def test_the_funnel_and_the_reasons(dataset):
    page = Page(write_report(dataset))
    assert page.after("faces found") == "11" and page.after("faces kept") == "9"
    assert page.after("blurred") == "1" and page.after("no face found") == "1"
    assert page.after("hidden") == "2" and "film.mkv ends early." in page.texts
    titles = [value for name, value in page.attributes if name == "title"]
    assert sum("at 61.2 s" in title and "blurred" in title for title in titles) == 1


def test_decisions_move_faces_between_the_sheets(dataset):
    before = write_report(dataset).read_bytes()
    assert write_report(dataset).read_bytes() == before
    append_decisions(dataset, {"photos/000000-1.png": False, "rejected/photos/000009-1.png": True})
    page = Page(write_report(dataset))
    assert page.after("faces kept") == "9" and page.after("rejected by a person") == "1"
    assert "blurred" not in page.texts
    append_decisions(dataset, {"photos/000000-1.png": None, "rejected/photos/000009-1.png": None})
    assert write_report(dataset).read_bytes() == before


def test_a_sheet_is_bounded_and_spread_evenly(dataset, monkeypatch):
    monkeypatch.setattr(report, "MAX_SHEET", 3)
    page = Page(write_report(dataset))
    titles = [value for name, value in page.attributes if name == "title"]
    assert [t.split("\n")[0][-7] for t in titles if t.startswith("photos/")] == ["0", "2", "5"]
    assert "6, 3 shown" in page.texts


def test_many_labels_stay_within_the_page(dataset, monkeypatch):
    """Of 9 labels and 60 pictures, 5 sheets of 6 are shown and the others are counted."""
    monkeypatch.setattr(report, "MAX_SHOWN", 60)
    monkeypatch.setattr(report, "MIN_SHEET", 6)
    faces = [row(dataset, f"l{i % 9}/{i:06d}-1.png", f"l{i % 9}") for i in range(90)]
    write_listing(dataset, Listing(32, {}, faces))
    page = Page(write_report(dataset))
    assert page.tags.count("img") == 30 and "and 4 more" in page.texts


def test_a_lost_face_leaves_an_empty_place(dataset):
    (dataset / "photos/000000-1.png").unlink()
    page = Page(write_report(dataset))
    assert page.tags.count("img") == 11
    assert sum(name == "src" for name, _ in page.attributes) == 10


def test_a_set_without_faces_or_scores_has_a_page_too(tmp_path):
    write_listing(tmp_path, Listing(32))
    assert "No face is kept" in write_report(tmp_path).read_text(encoding="utf-8")
    rows = [{"file": "a/1.png", "label": "a"}]
    write_listing(tmp_path, Listing(32, faces=rows))
    assert "No scores are known." in Page(write_report(tmp_path)).texts


def test_the_command(dataset, tmp_path, capsys):
    assert main([str(dataset)]) == 0 and capsys.readouterr().out.strip().endswith("report.html")
    assert main([str(tmp_path / "none")]) == 1
    assert "has no dataset.json" in capsys.readouterr().err
