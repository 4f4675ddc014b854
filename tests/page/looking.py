"""What a test does with the page: look at a picture, wait for the next one, move a slider."""

import time

import numpy as np
from playwright.sync_api import Page, expect

SECONDS = 30


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
