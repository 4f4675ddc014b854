"""The tab Grid in a real browser."""

import time

from playwright.sync_api import expect

from benchmarks.load import is_close
from tests.page.looking import SECONDS, picture, slide, source, wait_for_another, wait_until_drawn


def test_a_crossing_of_the_grid_opens_in_mix(page, dtype):
    """The second across, the third down; a grid of five columns, the parents' among them. With
    another psi than Mix has, and bands moved there, it is the very face that was clicked."""
    page.get_by_text("Mix shape, features and colour separately").click()
    slide(page, "band-0", 1)
    before = source(page, "face-mix")
    page.get_by_role("tab", name="Grid").click()
    expect(page.locator("#grid img")).to_be_visible()
    wait_until_drawn(page, "grid")
    old = source(page, "grid")
    slide(page, "grid-psi", 0.4)
    wait_for_another(page, "grid", old)
    wait_until_drawn(page, "grid")
    seeds = [
        page.get_by_label(name).input_value().split(", ") for name in ("Seeds across", "Seeds down")
    ]
    clicked = picture(page, "grid")[3 * 64 : 4 * 64, 2 * 64 : 3 * 64]
    box = page.locator("#grid img").bounding_box()
    place = {"x": box["width"] * 2.5 / 5, "y": box["height"] * 3.5 / 5}
    page.locator("#grid img").click(position=place)
    expect(page.get_by_role("tab", name="Mix")).to_have_attribute("aria-selected", "true")
    wait_for_another(page, "face-mix", before)
    assert page.get_by_label("Seed A").input_value() == seeds[0][1]
    assert page.get_by_label("Seed B").input_value() == seeds[1][2]
    wait_until_drawn(page, "face-mix")
    assert is_close(picture(page, "face-mix"), clicked, dtype)


def test_a_click_while_the_next_picture_of_the_grid_is_loaded_counts_when_it_is(page):
    """Of the four pictures of a grid the last is held back, until after the click."""
    page.get_by_role("tab", name="Grid").click()
    expect(page.locator("#grid img")).to_be_visible()
    wait_until_drawn(page, "grid")
    held = []
    page.route("**/image.png", lambda route: held.append(route))
    slide(page, "grid-weight", 0.25)
    deadline = time.monotonic() + SECONDS
    while len(held) < 4:
        assert time.monotonic() < deadline
        page.wait_for_timeout(100)
    assert not page.locator("#grid img").evaluate("image => image.complete")
    box = page.locator("#grid img").bounding_box()
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.wait_for_timeout(500)
    expect(page.get_by_role("tab", name="Grid")).to_have_attribute("aria-selected", "true")
    held[-1].continue_()
    expect(page.get_by_role("tab", name="Mix")).to_have_attribute("aria-selected", "true")


def test_a_mistake_in_the_grid_s_seeds_is_named(page):
    page.get_by_role("tab", name="Grid").click()
    seeds = page.get_by_label("Seeds across")
    seeds.fill("1, two")
    seeds.press("Enter")
    words = page.get_by_text("Across: two is no seed")
    expect(words).to_be_visible()
    top = "element => element.getBoundingClientRect().top"
    assert words.evaluate(top) > seeds.evaluate(top)
    seeds.fill("1, 2")
    seeds.press("Enter")
    expect(words).to_have_count(0)
