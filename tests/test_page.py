"""The page in a real browser: Debian's chromium, driven by playwright."""

import re
import shutil
import subprocess
import sys
import time
from tempfile import TemporaryDirectory
from urllib.request import urlopen

import httpx
import numpy as np
import pytest
import skimage.data
import torch
from gradio_client import Client
from PIL import Image
from playwright.sync_api import Page, expect, sync_playwright

from benchmarks.load import dtype_of, is_close
from benchmarks.serving import CHROMIUM_FLAGS, ROOT, serving
from stylegan import Generator, sample_z
from stylegan.images import to_uint8

CHROMIUM = shutil.which("chromium")
SECONDS = 30

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="Debian's chromium is not installed")


@pytest.fixture(scope="module")
def address():
    """Where `python app.py` serves, started as the README says."""
    with serving() as served:
        yield served.address


@pytest.fixture(scope="module")
def dtype(address):
    """In which that page draws, and so how alike two pictures of one face are."""
    return dtype_of(address)


@pytest.fixture(scope="module")
def browser():
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def page(browser, address):
    page = browser.new_page(viewport={"width": 1100, "height": 900})
    page.set_default_timeout(SECONDS * 1000)
    page.goto(address)
    for name in ("face-a", "face-mix", "face-b"):
        expect(page.locator(f"#{name} img")).to_be_visible(timeout=SECONDS * 1000)
    yield page
    page.close()


def picture(page: Page, elem_id: str) -> np.ndarray:
    """The pixels of the picture that an element shows, (H, W, 3)."""
    image = page.locator(f"#{elem_id} img")
    pixels = image.evaluate(
        """async image => {
            await image.decode();
            const canvas = document.createElement('canvas');
            canvas.width = image.naturalWidth; canvas.height = image.naturalHeight;
            const context = canvas.getContext('2d');
            context.drawImage(image, 0, 0);
            return [image.naturalWidth, image.naturalHeight,
                    Array.from(context.getImageData(0, 0, canvas.width, canvas.height).data)];
        }"""
    )
    width, height, data = pixels
    return np.array(data, dtype=np.uint8).reshape(height, width, 4)[:, :, :3]


def wait_for_another(page: Page, elem_id: str, before: str) -> None:
    """Until the element's picture has another source than `before`."""
    expect(page.locator(f"#{elem_id} img")).not_to_have_attribute(
        "src", before, timeout=SECONDS * 1000
    )


def source(page: Page, elem_id: str) -> str:
    return page.locator(f"#{elem_id} img").get_attribute("src")


def wait_until_drawn(page: Page, elem_id: str) -> None:
    """Until a picture that is drawn row by row has not changed for a second."""
    deadline, before = time.monotonic() + SECONDS, None
    while (now := source(page, elem_id)) != before:
        assert time.monotonic() < deadline
        before = now
        page.wait_for_timeout(1000)


def slide(page: Page, elem_id: str, value: float) -> None:
    """Put a slider at a value as a hand does: the input event, not a change of the property."""
    page.locator(f"#{elem_id} input[type=range]").evaluate(
        """(slider, value) => {
            slider.value = value;
            slider.dispatchEvent(new Event('input', {bubbles: true}));
        }""",
        str(value),
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
    """All the way: to the averages of their kinds or, without, to the one average of all."""
    before = {name: source(page, name) for name in ("face-a", "face-mix", "face-b")}
    slide(page, "psi", 0)
    for name in before:
        wait_for_another(page, name, before[name])
    a, b = picture(page, "face-a"), picture(page, "face-b")
    assert np.abs(a.astype(int) - b).mean() > 2
    before = source(page, "face-b")
    page.locator("#own input").uncheck()
    wait_for_another(page, "face-b", before)
    np.testing.assert_array_equal(picture(page, "face-a"), picture(page, "face-b"))


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
    page.get_by_text("Mix band by band").click()
    slide(page, "band-0", 1)
    wait_for_another(page, "face-mix", before)
    assert source(page, "face-a") == a


def test_a_layer_alone_changes_the_mix_and_travels_in_the_address(page, browser):
    before = source(page, "face-mix")
    page.get_by_text("Mix band by band").click()
    page.get_by_text("Layer by layer").click()
    slide(page, "layer-5", 1)
    wait_for_another(page, "face-mix", before)
    expect(page).to_have_url(re.compile("layers=0%2C0%2C0%2C0%2C0%2C1%2C0"))
    again = browser.new_page()
    again.goto(page.url)
    expect(again.locator("#face-b img")).to_be_visible(timeout=SECONDS * 1000)
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
    expect(again.locator("#face-mix img")).to_be_visible(timeout=SECONDS * 1000)
    np.testing.assert_array_equal(picture(again, "face-mix"), mixed)
    again.close()
    with urlopen(source(page, "face-mix"), timeout=SECONDS) as response:
        (tmp_path / "saved.png").write_bytes(response.read())
    before = source(page, "face-mix")
    slide(page, "weight", 0.9)
    wait_for_another(page, "face-mix", before)
    page.get_by_text("Share", exact=True).click()
    before = source(page, "face-mix")
    page.locator("#saved input[type=file]").set_input_files(tmp_path / "saved.png")
    wait_for_another(page, "face-mix", before)
    np.testing.assert_array_equal(picture(page, "face-mix"), mixed)


def test_an_address_that_says_nonsense_is_told(page):
    page.goto(page.url.partition("?")[0] + "?weight=much")
    expect(page.get_by_text("The address does not say what to mix")).to_be_visible()
    expect(page.locator("#face-mix img")).to_be_visible(timeout=SECONDS * 1000)


def test_a_good_face_is_taken_by_a_click(page):
    """The same face as B then as A."""
    for letter in ("b", "a"):
        before = source(page, f"face-{letter}")
        page.locator(f"#good-{letter} button.thumbnail-item").nth(3).click()
        wait_for_another(page, f"face-{letter}", before)
    assert page.get_by_label("Seed A").input_value() == page.get_by_label("Seed B").input_value()
    np.testing.assert_array_equal(picture(page, "face-a"), picture(page, "face-b"))


def test_a_crossing_of_the_grid_opens_in_mix(page, dtype):
    """The second across, the third down; a grid of five columns, the parents' among them. With
    another psi than Mix has, and bands moved there, it is the very face that was clicked."""
    page.get_by_text("Mix band by band").click()
    slide(page, "band-0", 1)
    before = source(page, "face-mix")
    page.get_by_role("tab", name="Grid").click()
    expect(page.locator("#grid img")).to_be_visible(timeout=SECONDS * 1000)
    slide(page, "grid-psi", 0.4)
    wait_until_drawn(page, "grid")
    seeds = [
        page.get_by_label(name).input_value().split(", ") for name in ("Seeds across", "Seeds down")
    ]
    clicked = picture(page, "grid")[3 * 256 : 4 * 256 : 4, 2 * 256 : 3 * 256 : 4]
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
    expect(page.locator("#grid img")).to_be_visible(timeout=SECONDS * 1000)
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


def test_a_mistake_in_the_grid_s_seeds_is_named(page):
    page.get_by_role("tab", name="Grid").click()
    seeds = page.get_by_label("Seeds across")
    seeds.fill("1, two")
    seeds.press("Enter")
    expect(page.get_by_text("Across: two is no seed")).to_be_visible()


def test_typing_a_seed_over_another_draws_it_and_mistakes_are_named(page):
    seed, words = page.get_by_label("Seed A"), page.locator("#mix-words")
    before = source(page, "face-a")
    seed.click()
    seed.press("Control+a")
    seed.press("Backspace")  # leaves the field empty for a moment
    expect(words).to_contain_text("Seed A must be a whole number")
    assert source(page, "face-a") == before
    seed.press_sequentially(page.get_by_label("Seed B").input_value(), delay=50)
    expect(page.locator("#face-a img")).to_have_attribute("src", source(page, "face-b"))
    expect(words).to_be_empty()
    np.testing.assert_array_equal(picture(page, "face-a"), picture(page, "face-b"))
    seed.press_sequentially(".5", delay=50)
    expect(words).to_contain_text("Seed A must be a whole number")


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


def test_the_crop_of_an_uploaded_photograph_is_its_face(page, tmp_path):
    photograph = tmp_path / "astronaut.jpg"
    Image.fromarray(skimage.data.astronaut()).save(photograph, quality=95)
    page.get_by_role("tab", name="Your face").click()
    page.locator("#picture input[type=file]").first.set_input_files(photograph)
    expect(page.locator("#face-upload img")).to_be_visible(timeout=SECONDS * 1000)
    expect(page.locator("#upload-words")).to_contain_text("face")
    face = picture(page, "face-upload")
    assert face.shape == (64, 64, 3)
    expected = Image.fromarray(skimage.data.astronaut()).crop((156, 42, 294, 180)).resize((64, 64))
    assert np.corrcoef(face.ravel(), np.asarray(expected).ravel())[0, 1] > 0.9


def test_an_uploaded_face_is_found_and_mixed_and_comes_back_from_its_picture(
    page, browser, address, dtype, tmp_path
):
    """Streamed, stopped, mixed as face A; the address is silent about it, the saved PNG is not."""
    page.get_by_role("tab", name="Your face").click()
    page.locator("#example button").click()
    expect(page.locator("#face-upload img")).to_be_visible(timeout=SECONDS * 1000)
    page.get_by_role("button", name="Find it").click()
    expect(page.locator("#face-found img")).to_be_visible(timeout=SECONDS * 1000)
    wait_for_another(page, "face-found", source(page, "face-found"))
    page.get_by_role("button", name="Stop").click()
    wait_until_drawn(page, "face-found")
    found = picture(page, "face-found")
    before = source(page, "face-mix")
    page.get_by_role("button", name="Mix as A").click()
    expect(page.get_by_role("tab", name="Mix")).to_have_attribute("aria-selected", "true")
    wait_for_another(page, "face-mix", before)
    assert is_close(picture(page, "face-a"), found, dtype)
    expect(page.get_by_label("Seed A")).to_have_value("")
    expect(page).to_have_url(re.compile(r"^[^?]*$"))
    with urlopen(source(page, "face-mix"), timeout=SECONDS) as response:
        (tmp_path / "saved.png").write_bytes(response.read())
    mixed = picture(page, "face-mix")
    again = browser.new_page()
    again.goto(address)
    expect(again.locator("#face-b img")).to_be_visible(timeout=SECONDS * 1000)
    again.get_by_text("Share", exact=True).click()
    before = source(again, "face-mix")
    again.locator("#saved input[type=file]").set_input_files(tmp_path / "saved.png")
    wait_for_another(again, "face-mix", before)
    np.testing.assert_array_equal(picture(again, "face-mix"), mixed)
    again.close()
    page.get_by_role("tab", name="Your face").click()
    expect(page.locator("#how-far")).to_contain_text("Stopped")
    Image.new("RGB", (64, 64), "green").save(tmp_path / "nobody.png")
    page.locator("#picture input[type=file]").first.set_input_files(tmp_path / "nobody.png")
    expect(page.locator("#upload-words")).to_contain_text("No face was found")
    expect(page.locator("#face-found img")).to_have_count(0)
    expect(page.locator("#how-far")).to_have_text("")


def test_another_face_of_an_upload_is_taken_by_a_click(page, two_faces):
    page.get_by_role("tab", name="Your face").click()
    page.locator("#picture input[type=file]").first.set_input_files(two_faces)
    expect(page.locator("#upload-words")).to_contain_text("The largest of 2 faces")
    expect(page.locator("#face-upload img")).to_be_visible(timeout=SECONDS * 1000)
    before = source(page, "face-upload")
    page.locator("#faces-upload button.thumbnail-item").nth(1).click()
    wait_for_another(page, "face-upload", before)


def test_an_upload_of_more_than_ten_megabytes_is_refused(page, tmp_path):
    large = tmp_path / "large.bmp"
    Image.new("RGB", (2000, 2000)).save(large)
    page.get_by_role("tab", name="Your face").click()
    page.locator("#picture input[type=file]").first.set_input_files(large)
    expect(page.get_by_text("exceed the maximum allowed size")).to_be_visible()


def test_an_upload_without_a_face_is_answered_with_a_sentence(page, tmp_path):
    grey = tmp_path / "grey.png"
    Image.new("RGB", (300, 300), "grey").save(grey)
    page.get_by_role("tab", name="Your face").click()
    page.locator("#picture input[type=file]").first.set_input_files(grey)
    expect(page.locator("#upload-words")).to_contain_text("No face was found")


def test_an_upload_that_is_no_picture_is_named(page, tmp_path):
    letter = tmp_path / "letter.jpg"
    letter.write_text("Dear all")
    page.get_by_role("tab", name="Your face").click()
    page.locator("#picture input[type=file]").first.set_input_files(letter)
    expect(page.locator("#upload-words")).to_contain_text("letter.jpg is not a")


def test_a_photograph_turned_by_its_exif_data_is_cropped_upright(page, tmp_path):
    photograph, exif = tmp_path / "turned.jpg", Image.Exif()
    exif[0x0112] = 6  # stored a quarter turn to the left of how it is shown
    turned = Image.fromarray(skimage.data.astronaut()).transpose(Image.Transpose.ROTATE_90)
    turned.save(photograph, quality=95, exif=exif)
    page.get_by_role("tab", name="Your face").click()
    page.locator("#picture input[type=file]").first.set_input_files(photograph)
    expect(page.locator("#face-upload img")).to_be_visible(timeout=SECONDS * 1000)
    expected = Image.fromarray(skimage.data.astronaut()).crop((156, 42, 294, 180)).resize((64, 64))
    face = picture(page, "face-upload")
    assert np.corrcoef(face.ravel(), np.asarray(expected).ravel())[0, 1] > 0.9


def test_every_action_can_be_called_from_code(address):
    client = Client(address, verbose=False)
    endpoints = client.view_api(print_info=False, return_format="dict")["named_endpoints"]
    actions = {"/mix", "/faces", "/film", "/grid", "/explore", "/make_film", "/crop", "/find"}
    actions |= {"/model", "/history"}
    assert set(endpoints) == actions
    mix = 34, 29, 0.5, 0.65, True, 0, 0, 0, []
    mixed, words = client.predict(*mix, api_name="/mix")
    a, again, b, _ = client.predict(*mix, api_name="/faces")
    assert words == "" and Image.open(mixed).size == Image.open(a).size == (64, 64)
    np.testing.assert_array_equal(np.asarray(Image.open(mixed)), np.asarray(Image.open(again)))
    assert len(client.predict(34, 29, 0.65, True, 0, 0, 0, [], api_name="/film")) == 11
    grid = client.predict("1, 2", "3", 0.5, 0.65, True, api_name="/grid")
    assert Image.open(grid).size == (3 * 384, 2 * 384)
    face, _ = client.predict(34, 0.65, 10, 0, 0, "", 0, *[0] * 8, api_name="/explore")
    assert Image.open(face).size == (64, 64)
    _, film = client.predict("1, 2", 2, 10, "GIF", 0.65, True, api_name="/make_film")
    assert Image.open(film["value"] if isinstance(film, dict) else film).n_frames == 4


def test_no_file_of_the_server_is_read_because_a_program_names_it(address):
    """With and without the mark by which Gradio knows a file in a message."""
    picture = {"path": str(ROOT / "docs" / "domains.jpg")}
    messages = {
        "crop": [[picture, ""], [{**picture, "meta": {"_type": "gradio.FileData"}}, ""]],
        "find": [[picture, ""]],
    }
    for action, values in messages.items():
        for value in values:
            message = {"data": value, "session_hash": "test"}
            url = f"{address}/gradio_api/run/{action}"
            answer = httpx.post(url, json=message, timeout=SECONDS)
            assert answer.status_code == 500 and "data" not in answer.json()
            if "meta" not in value[0]:
                assert answer.json()["error"] == "domains.jpg was not uploaded: upload it first."


def test_another_model_draws_the_page_and_its_address_brings_it_back(browser, hub_env, tiny):
    """One of the Hub, of another size; a name that is none is told and changes nothing."""
    G = Generator(tiny(w_dim=24)).eval()
    push = "from stylegan import Generator; import sys"
    push += "; Generator.from_pretrained(sys.argv[1]).push_to_hub('alice/faces')"
    with TemporaryDirectory() as folder:
        G.save_pretrained(folder)
        command = [sys.executable, "-c", push, folder]
        subprocess.run(command, env=hub_env, cwd=ROOT, check=True, timeout=120)
    with serving(hub_env) as served:
        page = browser.new_page()
        page.set_default_timeout(SECONDS * 1000)
        page.goto(served.address)
        expect(page.locator("#face-b img")).to_be_visible(timeout=SECONDS * 1000)
        before = source(page, "face-mix")
        page.get_by_role("tab", name="Model").click()
        page.get_by_role("button", name="Load it").click()
        expect(page.get_by_text("This model draws already.")).to_be_visible()
        page.locator("#repo input, #repo textarea").first.fill("faces")
        page.get_by_role("button", name="Load it").click()
        expect(page.get_by_text("looks like user/repository")).to_be_visible()
        page.locator("#repo input, #repo textarea").first.fill("alice/faces")
        page.get_by_role("button", name="Load it").click()
        status = page.locator("#status")
        expect(status).to_contain_text("32x32 pixels by alice/faces", timeout=SECONDS * 1000)
        page.get_by_role("tab", name="Mix").click()
        wait_for_another(page, "face-mix", before)
        expect(page).to_have_url(re.compile("model=alice%2Ffaces%40"))
        wait_until_drawn(page, "face-mix")
        mixed = picture(page, "face-mix")
        with torch.inference_mode():
            expected = to_uint8(G(sample_z([0], G.z_dim), truncation_psi=0.65))[0]
        assert is_close(picture(page, "face-a"), expected, dtype_of(served.address))
        again = browser.new_page()
        again.goto(page.url)
        expect(again.locator("#status")).to_contain_text("alice/faces", timeout=SECONDS * 1000)
        wait_until_drawn(again, "face-mix")
        np.testing.assert_array_equal(picture(again, "face-mix"), mixed)
        page.close()
        again.close()


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
    assert page.evaluate("document.documentElement.scrollWidth") <= 375
    a, mixed, b = (page.locator(f"#face-{n} img").bounding_box() for n in ("a", "mix", "b"))
    assert mixed["y"] < a["y"] == b["y"]  # the picture first, its parents side by side below
    page.get_by_role("tab", name="Grid").click()
    expect(page.locator("#grid img")).to_be_visible(timeout=SECONDS * 1000)
    assert page.evaluate("document.documentElement.scrollWidth") <= 375
