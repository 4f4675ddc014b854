"""Figures as people read them."""

import json

from evaluation.card import HEADING, save_metrics, section, table, update_card

MIXING = {"one centre": {"order": 0.98}, "own centres": {"order": 0.99}}


def test_every_figure_is_in_the_table_and_in_the_section(figures):
    found = figures(61.25, copies=0.01, turned=0.02) | {"mixing": MIXING}
    for text in (table(found), section(found)):
        for name in ("kernel", "coverage", "as close as a copy", "turned", "share of late"):
            assert name in text
        for value in ("61.2", "0.125", "-0.001", "0.970", "0.500", "0.980", "0.990"):
            assert value in text


def test_why_mixing_was_not_measured_is_told(figures):
    found = figures(50.0) | {"mixing": {"problem": "there is one kind of faces only"}}
    assert "mixing not measured: there is one kind" in table(found)
    assert "mixing" not in section(found)


def test_metrics_json_holds_what_was_measured(figures, tmp_path):
    save_metrics(figures(61.25), tmp_path)
    assert json.loads((tmp_path / "metrics.json").read_text()) == figures(61.25)


def test_the_section_goes_to_the_end_of_a_card_and_later_takes_its_own_place(figures, tmp_path):
    """What stands before and after it stays."""
    path, old, new = tmp_path / "README.md", figures(50.0), figures(60.0)
    update_card(old, tmp_path)
    assert path.read_text() == section(old)
    path.write_text("# Faces\n\nStory.\n")
    update_card(old, tmp_path)
    assert path.read_text() == "# Faces\n\nStory.\n\n" + section(old)
    path.write_text(path.read_text() + "\n## Credits\n\nMany.\n\n## Licence\n\nFree.\n")
    update_card(new, tmp_path)
    after = "\n## Credits\n\nMany.\n\n## Licence\n\nFree.\n"
    assert path.read_text() == "# Faces\n\nStory.\n\n" + section(new) + after
    assert path.read_text().count(HEADING) == 1
