"""The tab Your face in a real browser."""

import re
from urllib.request import urlopen

import numpy as np
import skimage.data
from PIL import Image
from playwright.sync_api import expect

from benchmarks.load import is_close
from tests.page.looking import SECONDS, picture, source, wait_for_another, wait_until_drawn


def test_the_crop_of_an_uploaded_photograph_is_its_face(page, tmp_path):
    photograph = tmp_path / "astronaut.jpg"
    Image.fromarray(skimage.data.astronaut()).save(photograph, quality=95)
    page.get_by_role("tab", name="Your face").click()
    page.locator("#picture input[type=file]").first.set_input_files(photograph)
    expect(page.locator("#face-upload img")).to_be_visible()
    expect(page.locator("#upload-words")).to_contain_text("face")
    face = picture(page, "face-upload")
    assert face.shape == (64, 64, 3)
    expected = Image.fromarray(skimage.data.astronaut()).crop((148, 32, 304, 188)).resize((64, 64))
    assert np.corrcoef(face.ravel(), np.asarray(expected).ravel())[0, 1] > 0.9


def test_an_uploaded_face_is_found_and_mixed_and_comes_back_from_its_picture(
    page, browser, address, dtype, tmp_path
):
    """Streamed, stopped, mixed as face A; the address is silent about it, the saved PNG is not."""
    page.get_by_role("tab", name="Your face").click()
    page.locator("#example button").click()
    expect(page.locator("#face-upload img")).to_be_visible()
    page.get_by_role("button", name="Find it").click()
    expect(page.locator("#face-found img")).to_be_visible()
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
    expect(page).to_have_url(re.compile(r"\?b=\d+&(?!.*\ba=).*$"))  # nothing of the face
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name="Share", exact=True).click()
    expect(page.locator("#shared")).to_contain_text("A link cannot hold a face without a seed")
    kinds = page.evaluate("navigator.clipboard.read().then(items => items[0].types)")
    assert kinds == ["image/png"]
    with urlopen(source(page, "face-mix"), timeout=SECONDS) as response:
        (tmp_path / "saved.png").write_bytes(response.read())
    mixed = picture(page, "face-mix")
    again = browser.new_page()
    again.goto(address)
    expect(again.locator("#face-b img")).to_be_visible()
    again.get_by_text("Open a saved mix").click()
    before = source(again, "face-mix")
    again.locator("#saved input[type=file]").set_input_files(tmp_path / "saved.png")
    wait_for_another(again, "face-mix", before)
    np.testing.assert_array_equal(picture(again, "face-mix"), mixed)
    again.close()
    page.get_by_role("tab", name="Your face").click()
    expect(page.locator("#how-far")).to_contain_text(re.compile("Stopped|Found"))  # if it was quick
    Image.new("RGB", (64, 64), "green").save(tmp_path / "nobody.png")
    page.locator("#picture input[type=file]").first.set_input_files(tmp_path / "nobody.png")
    expect(page.locator("#upload-words")).to_contain_text("No face was found")
    expect(page.locator("#face-found img")).to_have_count(0)
    expect(page.locator("#how-far")).to_have_text("")


def test_two_faces_of_one_s_own_are_mixed_with_each_other(page, dtype, tmp_path):
    """The encoder's answer to one picture as A, that to another as B."""
    mirrored, shown, found = tmp_path / "mirrored.jpg", None, {}
    Image.fromarray(skimage.data.astronaut()[:, ::-1]).save(mirrored, quality=95)
    for letter in "AB":
        page.get_by_role("tab", name="Your face").click()
        if shown:
            page.locator("#picture input[type=file]").first.set_input_files(mirrored)
            wait_for_another(page, "face-found", shown)
        else:
            page.locator("#example button").click()
        expect(page.locator("#face-found img")).to_be_visible()
        expect(page.locator("#how-far")).to_contain_text("A first answer")
        shown, found[letter] = source(page, "face-found"), picture(page, "face-found")
        before = source(page, "face-mix")
        page.get_by_role("button", name=f"Mix as {letter}").click()
        wait_for_another(page, "face-mix", before)
        expect(page.get_by_label(f"Seed {letter}")).to_have_value("")
    assert is_close(picture(page, "face-a"), found["A"], dtype)
    assert is_close(picture(page, "face-b"), found["B"], dtype)
    assert not is_close(found["A"], found["B"], dtype)


def test_another_face_of_an_upload_is_taken_by_a_click(page, two_faces):
    page.get_by_role("tab", name="Your face").click()
    page.locator("#picture input[type=file]").first.set_input_files(two_faces)
    expect(page.locator("#upload-words")).to_contain_text("the largest of 2 faces")
    expect(page.locator("#face-upload img")).to_be_visible()
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
    expect(page.locator("#face-upload img")).to_be_visible()
    expected = Image.fromarray(skimage.data.astronaut()).crop((148, 32, 304, 188)).resize((64, 64))
    face = picture(page, "face-upload")
    assert np.corrcoef(face.ravel(), np.asarray(expected).ravel())[0, 1] > 0.9


def test_what_cannot_be_done_yet_cannot_be_pressed(page):
    page.get_by_role("tab", name="Your face").click()
    for name in ("Stop", "Mix as A", "Mix as B"):
        expect(page.get_by_role("button", name=name)).to_be_disabled()
