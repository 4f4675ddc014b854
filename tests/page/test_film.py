"""The tab Film in a real browser."""

import re

import pytest
from playwright.sync_api import expect

from tests.page.looking import SECONDS, picture


@pytest.mark.parametrize("format", ["WebM", "WebP"])
def test_a_film_is_made_and_shown(page, format):
    page.get_by_role("tab", name="Film").click()
    page.get_by_label(format).check()
    page.get_by_role("button", name="Make the film").click()
    if format == "WebM":
        video = page.locator("#film-video video")
        expect(video).to_be_visible(timeout=SECONDS * 1000)
        page.wait_for_function("document.querySelector('#film-video video').videoWidth == 256")
        assert video.evaluate("video => video.duration") == pytest.approx(4, abs=0.2)
    else:
        image = page.locator("#film-image img")
        expect(image).to_have_attribute("src", re.compile(r"\.webp$"), timeout=SECONDS * 1000)
        assert picture(page, "film-image").shape == (256, 256, 3)
