"""How the page uses its window."""

import io
import re

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import expect

from tests.page.looking import SECONDS

TABS = ["Mix", "Your face", "Grid", "Explore", "Film", "Model"]


def test_a_picture_in_full_screen_is_all_in_sight(page):
    """A square as wide as this window would be higher than it is."""
    page.locator("#face-mix").get_by_role("button", name="Fullscreen").click()
    page.wait_for_function("document.querySelector('#face-mix img').width == innerWidth")
    box = page.locator("#face-mix img").bounding_box()
    assert (box["x"], box["y"]) == (0, 0) and box["height"] == 900
    fit = page.locator("#face-mix img").evaluate("image => getComputedStyle(image).objectFit")
    assert fit == "contain"


def test_the_page_fits_a_telephone(page):
    page.set_viewport_size({"width": 375, "height": 800})
    expect(page.get_by_role("tab")).to_have_text(TABS)
    assert page.evaluate("document.documentElement.scrollWidth") <= 375
    a, mixed, b = (page.locator(f"#face-{n} img").bounding_box() for n in ("a", "mix", "b"))
    assert mixed["y"] < a["y"] == b["y"]  # the picture first, its parents side by side below
    page.get_by_role("tab", name="Grid").click()
    expect(page.locator("#grid img")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 375


@pytest.mark.parametrize("strip", ["good-a", "good-b", "film"])
def test_on_a_telephone_the_mix_is_in_sight_beside_the_strip_that_is_tapped(page, strip):
    """It does not cover it, either, between the bars of a small one's browser."""
    page.set_viewport_size({"width": 375, "height": 553})
    tapped = page.locator(f"#{strip} button.thumbnail-item").last
    tapped.evaluate("face => face.scrollIntoView({ block: 'end' })")
    mixed, slider, face = (
        x.bounding_box() for x in (page.locator("#face-mix img"), page.locator("#weight"), tapped)
    )
    assert mixed["y"] >= 0 and mixed["height"] > 150
    assert slider["y"] + slider["height"] <= face["y"] and face["y"] + face["height"] < 554


def rendering(page, elem_id):
    return page.locator(f"#{elem_id} img").evaluate("i => getComputedStyle(i).imageRendering")


def test_faces_are_smooth_until_the_visitor_asks_for_pixels(page):
    assert rendering(page, "face-mix") == "auto"
    page.get_by_label("Show the pixels").check()
    assert rendering(page, "face-mix") == rendering(page, "face-a") == "pixelated"


def test_a_picture_and_its_slider_are_in_sight_together(page):
    """In a window 900 pixels high and wider than that."""
    page.set_viewport_size({"width": 1280, "height": 900})
    box = page.locator("#weight").bounding_box()
    assert box["y"] + box["height"] <= 900
    page.get_by_role("tab", name="Grid").click()
    expect(page.locator("#grid img")).to_be_visible()
    box = page.locator("#grid img").bounding_box()
    assert box["height"] > 500 and box["y"] + box["height"] <= 900


def test_a_strip_that_is_not_drawn_yet_is_no_higher_than_its_slider(browser, address):
    page = browser.new_page(viewport={"width": 375, "height": 800})
    page.route("**/gradio_api/queue/join*", lambda route: route.abort())
    page.goto(address)
    page.get_by_role("tab", name="Explore").click(timeout=SECONDS * 1000)
    strip = page.locator("#way-7")
    expect(strip).to_be_visible()
    assert strip.bounding_box()["height"] < 80
    page.close()


@pytest.mark.parametrize(("width", "height"), [(1280, 700), (375, 800)])
def test_the_mix_never_covers_its_slider(page, width, height):
    page.set_viewport_size({"width": width, "height": height})
    page.mouse.wheel(0, 300)
    page.wait_for_function("scrollY > 200")
    image, slider = (page.locator(f).bounding_box() for f in ("#face-mix", "#weight"))
    assert slider["y"] >= image["y"] + image["height"]


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_the_knob_of_a_slider_is_seen(page, mode):
    """It is halfway, and beside it there is nothing but the ground."""
    page.emulate_media(color_scheme=mode)
    page.reload()
    slider = page.locator("#weight input[type=range]")
    expect(slider).to_be_visible()
    box = slider.bounding_box()
    above = {"x": box["x"], "y": box["y"] - 3, "width": box["width"], "height": 3}
    ground = np.array(Image.open(io.BytesIO(page.screenshot(clip=above))).convert("RGB"))[0, 0]
    knob = np.array(Image.open(io.BytesIO(slider.screenshot())).convert("RGB"))
    middle = knob[knob.shape[0] // 2, knob.shape[1] // 2]
    assert np.abs(middle.astype(int) - ground).max() > 80


def test_the_letters_are_those_of_the_system(page):
    family = page.locator("h1").evaluate("title => getComputedStyle(title).fontFamily")
    assert family.startswith("system-ui")


def test_the_address_holds_the_tab_and_back_goes_to_the_one_before(page, browser):
    for name in ("Model", "Film"):
        page.get_by_role("tab", name=name).click()
        expect(page).to_have_url(re.compile(f"tab={name.lower()}"))
    again = browser.new_page()
    again.goto(page.url)
    film = again.get_by_role("tab", name="Film")
    expect(film).to_have_attribute("aria-selected", "true")
    again.close()
    for name in ("Model", "Mix"):
        page.go_back()
        expect(page.get_by_role("tab", name=name)).to_have_attribute("aria-selected", "true")
    assert "tab=" not in page.url
