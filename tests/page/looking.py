"""What a test does with the page: look at a picture, wait for the next one, move a slider."""

import base64
import io
import time

import numpy as np
import torch
from PIL import Image
from playwright.sync_api import Page, expect

from benchmarks.load import is_close

SECONDS = 30
expect.set_options(timeout=SECONDS * 1000)


def picture(page: Page, elem_id: str) -> np.ndarray:
    """The pixels of the picture that an element shows, (H, W, 3)."""
    image = page.locator(f"#{elem_id} img")
    address = image.evaluate(
        """async image => {
            await image.decode();
            const canvas = document.createElement('canvas');
            canvas.width = image.naturalWidth; canvas.height = image.naturalHeight;
            const context = canvas.getContext('2d');
            context.drawImage(image, 0, 0);
            return canvas.toDataURL('image/png');
        }"""
    )
    png = base64.b64decode(address.partition(",")[2])
    return np.array(Image.open(io.BytesIO(png)).convert("RGB"))


def wait_for_another(page: Page, elem_id: str, before: str) -> None:
    """Until the element's picture has another source than `before`."""
    expect(page.locator(f"#{elem_id} img")).not_to_have_attribute("src", before)


def source(page: Page, elem_id: str) -> str:
    return page.locator(f"#{elem_id} img").get_attribute("src")


def wait_until_drawn(page: Page, elem_id: str) -> None:
    """Until a picture that is drawn row by row has not changed for two seconds."""
    deadline, before = time.monotonic() + SECONDS, None
    while (now := source(page, elem_id)) != before:
        assert time.monotonic() < deadline
        before = now
        page.wait_for_timeout(2000)


def wait_until_alike(page: Page, elem_id: str, other: str, dtype: torch.dtype) -> None:
    """Until two elements show the same face, as far as the page's type draws it alike."""
    deadline = time.monotonic() + SECONDS
    while not is_close(picture(page, elem_id), picture(page, other), dtype):
        assert time.monotonic() < deadline
        page.wait_for_timeout(200)


def slide(page: Page, elem_id: str, value: float) -> None:
    """Put a slider at a value as a hand does: it goes to what it sees at rest, then it makes the
    input event. Two moves right after a part had opened once had no effect.
    """
    knob = page.locator(f"#{elem_id} input[type=range]")
    knob.hover()
    knob.evaluate(
        """(slider, value) => {
            slider.value = value;
            slider.dispatchEvent(new Event('input', {bubbles: true}));
        }""",
        str(value),
    )
