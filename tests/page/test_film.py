"""The tab Film in a real browser."""

import re

import pytest
from playwright.sync_api import expect

from tests.page.looking import picture, slide


@pytest.mark.parametrize("format", ["WebM", "WebP"])
def test_a_film_is_made_and_shown(page, format):
    page.get_by_role("tab", name="Film").click()
    page.get_by_label(format).check()
    page.get_by_role("button", name="Make the film").click()
    if format == "WebM":
        video = page.locator("#film-video video")
        expect(video).to_be_visible()
        page.wait_for_function("document.querySelector('#film-video video').videoWidth == 512")
        assert video.evaluate("video => video.duration") == pytest.approx(4, abs=0.2)
    else:
        image = page.locator("#film-image img")
        expect(image).to_have_attribute("src", re.compile(r"\.webp$"))
        assert picture(page, "film-image").shape == (512, 512, 3)


def test_what_a_film_takes_is_said_before_it_is_made(page):
    """It follows the faces and both sliders."""
    page.get_by_role("tab", name="Film").click()
    words = page.locator("#film-takes")
    expect(words).to_contain_text(re.compile(r"48 frames, 4\.0 s of film, drawn in about \d+ s\."))
    slide(page, "film-steps", 6)
    expect(words).to_contain_text("24 frames, 2.0 s of film")
    page.locator("#film-seeds textarea").fill("1, 2")
    expect(words).to_contain_text("12 frames, 1.0 s of film")


def test_a_mistake_in_the_film_s_seeds_is_said_below_them_until_it_is_mended(page):
    page.get_by_role("tab", name="Film").click()
    field, words = page.locator("#film-seeds textarea"), page.locator("#film-words")
    for wrong, said in (("1, two", "two is no seed"), ("mine", "no face of your own yet")):
        field.press("Control+a")
        field.press_sequentially(wrong)
        page.get_by_role("button", name="Make the film").click()
        expect(words).to_contain_text(said)
    expect(page.locator(".toast-wrap [role=alert]")).to_have_count(0)
    field.press("Control+a")
    field.press_sequentially("1, 2")
    expect(words).to_be_empty()
