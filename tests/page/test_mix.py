"""The tab Mix in a real browser."""

import re
from urllib.request import urlopen

import numpy as np
from PIL import Image
from playwright.sync_api import expect

from benchmarks.load import is_close
from playground.scene import enlarged, scene_of
from tests.page.looking import (
    SECONDS,
    picture,
    slide,
    source,
    wait_for_another,
    wait_until_alike,
)


def test_moving_the_mixing_slider_walks_from_face_a_to_face_b(page, dtype):
    a, b = picture(page, "face-a"), picture(page, "face-b")
    assert a.shape == (64, 64, 3)
    assert np.abs(a.astype(int) - b).mean() > 2
    before = source(page, "face-mix")
    slide(page, "weight", 0)
    wait_for_another(page, "face-mix", before)
    assert is_close(picture(page, "face-mix"), a, dtype)
    before = source(page, "face-mix")
    slide(page, "weight", 1)
    wait_for_another(page, "face-mix", before)
    assert is_close(picture(page, "face-mix"), b, dtype)


def test_psi_changes_all_three_pictures(page):
    """All the way: to the averages of their kinds or, without, to the one average of all, where the
    two faces of a batch differ by a rounding at most."""
    before = {name: source(page, name) for name in ("face-a", "face-mix", "face-b")}
    slide(page, "psi", 0)
    for name in before:
        wait_for_another(page, name, before[name])
    a, b = picture(page, "face-a"), picture(page, "face-b")
    assert np.abs(a.astype(int) - b).mean() > 2
    before = source(page, "face-b")
    page.locator("#own input").uncheck()
    wait_for_another(page, "face-b", before)
    a, b = picture(page, "face-a"), picture(page, "face-b")
    assert np.abs(a.astype(int) - b).max() <= 1


def test_the_dice_draws_another_face_and_says_its_seed(page):
    before, seed = source(page, "face-a"), page.get_by_label("Seed A").input_value()
    page.get_by_role("button", name="Another A").click()
    wait_for_another(page, "face-a", before)
    assert page.get_by_label("Seed A").input_value() != seed


def test_a_face_on_the_film_strip_gives_its_weight(page, dtype):
    before = source(page, "face-mix")
    page.locator("#film button.thumbnail-item").nth(10).click()
    wait_for_another(page, "face-mix", before)
    expect(page.locator("#weight input[type=number]")).to_have_value("1")
    b = picture(page, "face-b")
    assert is_close(picture(page, "face-mix"), b, dtype)


def test_a_band_alone_changes_the_mix_alone(page):
    a, before = source(page, "face-a"), source(page, "face-mix")
    page.get_by_text("Mix shape, features and colour separately").click()
    slide(page, "band-0", 1)
    wait_for_another(page, "face-mix", before)
    assert source(page, "face-a") == a


def test_a_layer_alone_changes_the_mix_and_travels_in_the_address(page, browser):
    before = source(page, "face-mix")
    page.get_by_text("Mix shape, features and colour separately").click()
    page.get_by_text("Layer by layer").click()
    slide(page, "layer-5", 1)
    wait_for_another(page, "face-mix", before)
    expect(page).to_have_url(re.compile("layers=0%2C0%2C0%2C0%2C0%2C1%2C0"))
    again = browser.new_page()
    again.goto(page.url)
    expect(again.locator("#face-b img")).to_be_visible()
    expect(again.locator("#layer-5")).to_be_visible()  # its part opens by itself
    expect(again.locator("#layer-5 input[type=number]")).to_have_value("1")
    mixed = picture(again, "face-mix")
    np.testing.assert_array_equal(mixed, picture(page, "face-mix"))
    before = source(again, "face-mix")
    again.get_by_role("button", name="All back to 0").click()
    wait_for_another(again, "face-mix", before)
    expect(again.locator("#layer-5 input[type=number]")).to_have_value("0")
    assert np.abs(picture(again, "face-mix").astype(int) - mixed).max() > 2
    again.close()


def test_the_address_opens_the_same_mix_and_so_does_the_saved_picture(page, browser, tmp_path):
    before = source(page, "face-mix")
    slide(page, "weight", 0.3)
    wait_for_another(page, "face-mix", before)
    expect(page).to_have_url(re.compile("weight=0.3"))
    mixed = picture(page, "face-mix")
    again = browser.new_page()
    again.goto(page.url)
    expect(again.locator("#weight input[type=number]")).to_have_value("0.3")
    expect(again.locator("#face-mix img")).to_be_visible()
    np.testing.assert_array_equal(picture(again, "face-mix"), mixed)
    again.close()
    with urlopen(source(page, "face-mix"), timeout=SECONDS) as response:
        (tmp_path / "saved.png").write_bytes(response.read())
    before = source(page, "face-mix")
    slide(page, "weight", 0.9)
    wait_for_another(page, "face-mix", before)
    page.get_by_text("Open a saved mix").click()
    before = source(page, "face-mix")
    page.locator("#saved input[type=file]").set_input_files(tmp_path / "saved.png")
    wait_for_another(page, "face-mix", before)
    np.testing.assert_array_equal(picture(page, "face-mix"), mixed)


def test_an_address_that_says_nonsense_is_told(page):
    page.goto(page.url.partition("?")[0] + "?weight=much")
    words = page.locator("#address-words")
    expect(words).to_contain_text("The address does not say what to mix")
    expect(page.locator(".toast-wrap [role=alert]")).to_have_count(0)
    expect(page.locator("#face-mix img")).to_be_visible()
    page.get_by_role("button", name="Another A").click()
    expect(words).to_be_empty()


def test_a_good_face_is_taken_by_a_click(page, dtype):
    """The same face as B then as A."""
    for letter in ("b", "a"):
        before = source(page, f"face-{letter}")
        page.locator(f"#good-{letter} button.thumbnail-item").nth(3).click()
        wait_for_another(page, f"face-{letter}", before)
    assert page.get_by_label("Seed A").input_value() == page.get_by_label("Seed B").input_value()
    wait_until_alike(page, "face-a", "face-b", dtype)


def test_typing_a_seed_over_another_draws_it_and_mistakes_are_named(page, dtype):
    seed, words = page.get_by_label("Seed A"), page.locator("#seed-a-words")
    before = source(page, "face-a")
    expect(words).to_be_hidden()  # and takes no place
    seed.click()
    seed.press("Control+a")
    seed.press("Backspace")  # leaves the field empty for a moment
    expect(words).to_contain_text("Seed A must be a whole number")
    expect(words.locator("p")).to_have_css("color", "rgb(185, 28, 28)")  # the theme's red
    assert source(page, "face-a") == before
    seed.press_sequentially(page.get_by_label("Seed B").input_value(), delay=50)
    wait_until_alike(page, "face-a", "face-b", dtype)
    expect(words).to_be_empty()
    seed.press_sequentially(".5", delay=50)
    expect(words).to_contain_text("Seed A must be a whole number")


def test_a_face_that_was_clicked_is_not_marked(page):
    """For the strip may soon show another face in its place."""
    faces = page.locator("#film button.thumbnail-item")
    faces.nth(2).click()
    expect(faces.nth(2)).to_have_class(re.compile("selected"))
    look = "b => (s => s.borderColor + s.boxShadow)(getComputedStyle(b))"
    assert faces.nth(2).evaluate(look) == faces.nth(3).evaluate(look)


def test_a_seed_counts_when_typing_rests_and_letters_stay_out(page):
    drawn, seed, before = [], page.get_by_label("Seed A"), source(page, "face-a")
    page.wait_for_timeout(1000)  # until all is quiet
    page.on("request", lambda request: drawn.append(request) if "/run/" in request.url else 0)
    seed.press("Control+a")
    seed.press_sequentially("hel4217lo", delay=80)
    expect(seed).to_have_value("4217")
    wait_for_another(page, "face-a", before)
    assert {request.post_data_json["data"][0] for request in drawn} == {4217}
    seed.press("Control+a")
    before = source(page, "face-a")
    seed.press_sequentially("5")
    seed.press("Enter")
    wait_for_another(page, "face-a", before)


def test_the_page_falls_quiet_after_quick_changes(page):
    """Two events of one control, each waiting for its last value, could wake each other for ever:
    one typed seed in ten did."""
    requests = []
    page.on("request", lambda request: requests.append(request.url))
    seed = page.get_by_label("Seed A")
    for typed in range(700, 710):
        seed.fill("")
        seed.press_sequentially(str(typed), delay=40)
    page.wait_for_timeout(5000)
    requests.clear()
    page.wait_for_timeout(2000)
    assert [url for url in requests if "/run/" in url or "/queue/" in url] == []


def test_a_saved_face_is_named_by_what_it_is_and_large(page, dtype, tmp_path):
    """512 pixels wide, and it still says how it was mixed; so does one of the two alone."""
    with page.expect_download() as download:
        page.get_by_role("button", name="Save the mix").click()
    a, b = (page.get_by_label(f"Seed {letter}").input_value() for letter in "AB")
    assert download.value.suggested_filename == f"mix-{a}-{b}-50.png"
    download.value.save_as(tmp_path / "saved.png")
    with Image.open(tmp_path / "saved.png") as image:
        assert image.size == (512, 512)
    scene, _ = scene_of(tmp_path / "saved.png")
    assert (scene.a, scene.b, scene.weight) == (int(a), int(b), 0.5)
    with page.expect_download() as download:
        page.get_by_role("button", name="Save B").click()
    assert download.value.suggested_filename == f"face-{b}.png"
    download.value.save_as(tmp_path / "b.png")
    shown = Image.fromarray(picture(page, "face-b"))
    with Image.open(tmp_path / "b.png") as image:
        assert is_close(np.asarray(image), np.asarray(enlarged(shown, 512)), dtype)


def test_what_cannot_be_saved_or_opened_is_said_beside_it_until_it_is_mended(page, tmp_path):
    seed, words = page.get_by_label("Seed A"), page.locator("#shared")
    typed = seed.input_value()
    seed.fill("-1")
    page.get_by_role("button", name="Save the mix").click()
    expect(words).to_contain_text("Seed A must be a whole number")
    seed.fill(typed)
    expect(words).to_be_empty()
    Image.new("RGB", (8, 8)).save(tmp_path / "other.png")
    page.get_by_text("Open a saved mix").click()
    page.locator("#saved input[type=file]").set_input_files(tmp_path / "other.png")
    expect(page.locator("#saved-words")).to_contain_text("No mix is written in other.png")
    expect(page.locator(".toast-wrap [role=alert]")).to_have_count(0)


def test_link_and_picture_are_shared_by_the_clipboard(page):
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name="Share", exact=True).click()
    expect(page.locator("#shared")).to_contain_text("The link and the picture are copied")
    assert page.evaluate("navigator.clipboard.readText()") == page.url
    kinds = page.evaluate("navigator.clipboard.read().then(items => items[0].types)")
    assert "image/png" in kinds
    page.get_by_label("Seed A").fill("-1")
    expect(page.locator("#seed-a-words")).to_contain_text("Seed A must be a whole number")
    page.get_by_role("button", name="Share", exact=True).click()
    expect(page.locator("#shared")).to_contain_text("Seed A must be a whole number")


def test_the_address_keeps_what_is_not_its_own_and_loses_an_emptied_seed_only(page):
    page.goto(page.url.partition("?")[0] + "?from=friend&weight=0.25")
    expect(page).to_have_url(re.compile("a=[0-9]+"))
    assert "from=friend" in page.url
    page.get_by_label("Seed A").fill("")
    expect(page).not_to_have_url(re.compile("[?&]a="))
    assert "from=friend" in page.url and "weight=0.25" in page.url


def test_a_number_beyond_its_slider_becomes_the_bound_in_its_field(page):
    box = page.locator("#weight input[type=number]")
    box.fill("7")
    expect(box).to_have_value("1")
    expect(page).to_have_url(re.compile("weight=1&"))


def test_two_windows_that_draw_at_once_get_each_its_own_mix(page, browser, address, dtype):
    other = browser.new_page()
    other.goto(f"{address}?a=5&b=6")
    expect(other.locator("#face-mix img")).to_be_visible()
    before = [source(window, "face-mix") for window in (page, other)]
    slide(page, "weight", 0)
    slide(other, "weight", 1)
    for window, old, letter in zip((page, other), before, "ab", strict=True):
        wait_for_another(window, "face-mix", old)
        wait_until_alike(window, "face-mix", f"face-{letter}", dtype)
    other.close()
