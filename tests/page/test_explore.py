"""The tab Explore in a real browser."""

import numpy as np
from playwright.sync_api import expect

from tests.page.looking import SECONDS, picture, slide, source, wait_for_another


def test_a_way_to_change_a_face_is_taken_and_the_face_moves(page):
    """The second way's last place is three standard deviations; a click on another way leaves it.
    The face stays in sight."""
    page.get_by_role("tab", name="Explore").click()
    expect(page.locator("#ways img")).to_have_count(56, timeout=SECONDS * 1000)
    before = source(page, "face-explore")
    page.locator("#ways button.thumbnail-item").nth(13).click()
    wait_for_another(page, "face-explore", before)
    expect(page.get_by_label("Common 2").first).to_have_value("3")
    before = source(page, "face-explore")
    page.locator("#ways button.thumbnail-item").nth(55).click()
    wait_for_another(page, "face-explore", before)
    expect(page.get_by_label("Common 2").first).to_have_value("0")
    expect(page.get_by_label("Strong 4").first).to_have_value("3")
    box = page.locator("#face-explore img").bounding_box()
    assert page.evaluate("window.scrollY") > 0 and box["y"] >= 0 and box["height"] > 100
    before = source(page, "face-explore")
    still = picture(page, "face-explore")
    slide(page, "right", 25)
    wait_for_another(page, "face-explore", before)
    moved = picture(page, "face-explore")
    assert np.abs(moved[:, 16:].astype(int) - still[:, :-16]).mean() < 1
