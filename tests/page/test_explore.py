"""The tab Explore in a real browser."""

import json

import numpy as np
from playwright.sync_api import expect

from benchmarks.load import is_close
from tests.conftest import ROOT
from tests.page.looking import picture, slide, source, wait_for_another


def test_a_way_to_change_a_face_is_taken_and_the_face_moves(page):
    """The second way's last place is three standard deviations; a click on another way leaves it.
    The face stays in sight."""
    page.get_by_role("tab", name="Explore").click()
    expect(page.locator("#ways img")).to_have_count(56)
    before = source(page, "face-explore")
    page.locator("#ways button.thumbnail-item").nth(13).click()
    wait_for_another(page, "face-explore", before)
    expect(page.get_by_label("Change 2").first).to_have_value("3")
    before = source(page, "face-explore")
    page.locator("#ways button.thumbnail-item").nth(55).click()
    wait_for_another(page, "face-explore", before)
    expect(page.get_by_label("Change 2").first).to_have_value("0")
    expect(page.get_by_label("Change 8").first).to_have_value("3")
    box = page.locator("#face-explore img").bounding_box()
    assert page.evaluate("window.scrollY") > 0 and box["y"] >= 0 and box["height"] > 100
    before = source(page, "face-explore")
    still = picture(page, "face-explore")
    slide(page, "right", 25)
    wait_for_another(page, "face-explore", before)
    moved = picture(page, "face-explore")
    assert np.abs(moved[:, 16:].astype(int) - still[:, :-16]).mean() < 1


def test_a_changed_face_is_taken_into_mix(page, dtype):
    """As B, where it stands without a seed; A stays. One that is as it was takes its seed there, a
    bad seed nothing."""
    page.get_by_role("tab", name="Explore").click()
    expect(page.locator("#ways img")).to_have_count(56)
    seed = page.get_by_label("Seed", exact=True).input_value()
    page.get_by_role("button", name="Mix as A").locator("visible=true").click()
    expect(page.get_by_role("tab", name="Mix")).to_have_attribute("aria-selected", "true")
    expect(page.get_by_label("Seed A")).to_have_value(seed)
    page.get_by_role("tab", name="Explore").click()
    before = source(page, "face-explore")
    page.locator("#ways button.thumbnail-item").nth(6).click()
    wait_for_another(page, "face-explore", before)
    changed, old = picture(page, "face-explore"), source(page, "face-b")
    a = page.get_by_label("Seed A").input_value()
    page.get_by_role("button", name="Mix as B").locator("visible=true").click()
    expect(page.get_by_role("tab", name="Mix")).to_have_attribute("aria-selected", "true")
    wait_for_another(page, "face-b", old)
    assert is_close(picture(page, "face-b"), changed, dtype)
    expect(page.get_by_label("Seed B")).to_have_value("")
    expect(page.get_by_label("Seed A")).to_have_value(a)
    page.get_by_role("tab", name="Explore").click()
    page.get_by_label("Seed", exact=True).fill("-1")
    expect(page.locator("#explore-words")).to_contain_text("must be a whole number")
    page.get_by_role("button", name="Mix as A").locator("visible=true").click()
    page.wait_for_timeout(1000)
    expect(page.get_by_role("tab", name="Explore")).to_have_attribute("aria-selected", "true")
    expect(page.locator(".toast-wrap [role=alert]")).to_have_count(0)


def test_what_is_wrong_with_a_seed_or_a_direction_is_said_beside_it(page, tmp_path):
    """A right direction moves the face by itself, one standard deviation at first."""
    page.get_by_role("tab", name="Explore").click()
    expect(page.locator("#face-explore img")).to_be_visible()
    seed, below = page.get_by_label("Seed", exact=True), page.locator("#explore-words")
    typed = seed.input_value()
    seed.fill("-1")
    expect(below).to_contain_text("must be a whole number")
    assert below.bounding_box()["y"] > seed.bounding_box()["y"]
    assert below.bounding_box()["x"] < seed.bounding_box()["x"] + 40
    seed.fill(typed)
    expect(below).to_be_empty()
    page.get_by_text("Save what the sliders do").click()
    page.get_by_role("button", name="Save it").click()
    expect(page.locator("#direction-words")).to_contain_text("Give the direction a name first")
    given, words = page.locator("#given input[type=file]"), page.locator("#given-words")
    (tmp_path / "wrong.json").write_text("{")
    given.set_input_files(tmp_path / "wrong.json")
    expect(words).to_contain_text("wrong.json is no JSON")
    expect(page.locator(".toast-wrap [role=alert]")).to_have_count(0)
    before = source(page, "face-explore")
    config = json.loads((ROOT / "weights" / "faces-64" / "config.json").read_text())
    way = {"name": "away", "direction": [0.5] * config["w_dim"]}
    (tmp_path / "away.json").write_text(json.dumps(way))
    given.set_input_files(tmp_path / "away.json")
    wait_for_another(page, "face-explore", before)
    expect(words).to_be_empty()
    expect(page.locator("#along input[type=number]")).to_have_value("1")
