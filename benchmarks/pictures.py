"""The pictures of the docs, made anew: `python -m benchmarks.pictures`, with Debian's chromium.

    docs/mixing.webp   the mixing slider as it moves, drawn by the weights in this repository
    docs/page.png      the page as it opens, 1280 pixels wide
    docs/tabs/*.jpg    every tab: 1280 and 375 pixels wide, light and dark

With `--film` the first one alone, which needs no browser.
"""

import argparse
import io
import math
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw
from playwright.sync_api import Page, sync_playwright

from benchmarks.load import Direct
from benchmarks.serving import CHROMIUM_FLAGS, ROOT, serving

DOCS = ROOT / "docs"
MIX, PARENT, GAP, BELOW = 288, 192, 16, 36  # pixels of the film: faces, between them, the slider
MOVES, MOVE_MS, REST_MS = 20, 80, 900  # of the slider, one way; at its ends
TRACK, KNOB = (128, 128, 140, 255), (99, 102, 241, 255)
PSI = 0.8  # as the page begins
WIDE, PHONE = (1280, 900), (375, 800)
SECONDS = 120  # for the slowest tab on a busy machine
STILL = """() => {
    const images = [...document.querySelectorAll("img")].filter(image => image.offsetParent);
    return images.map(image => image.src).join();
}"""


def slider(weight: float) -> Image.Image:
    """The mixing slider, (BELOW, MIX), drawn four times as large for smooth edges."""
    image = Image.new("RGBA", (4 * MIX, 4 * BELOW))
    draw, y, end = ImageDraw.Draw(image), 4 * BELOW // 2 + 8, 48
    x = end + weight * (4 * MIX - 2 * end)
    draw.rounded_rectangle((end, y - 10, 4 * MIX - end, y + 10), 10, TRACK)
    draw.rounded_rectangle((end, y - 10, x, y + 10), 10, KNOB)
    draw.ellipse((x - 36, y - 36, x + 36, y + 36), KNOB)
    return image.resize((MIX, BELOW), Image.Resampling.LANCZOS)


def frame(a: np.ndarray, mixed: np.ndarray, b: np.ndarray, weight: float) -> Image.Image:
    """Face A, the mix above its slider, face B; faces are uint8 (H, H, 3)."""

    def large(face: np.ndarray, side: int) -> Image.Image:
        return Image.fromarray(face).resize((side, side), Image.Resampling.BICUBIC)

    image = Image.new("RGBA", (2 * (PARENT + GAP) + MIX, MIX + BELOW))
    middle = (MIX - PARENT) // 2
    image.paste(large(a, PARENT), (0, middle))
    image.paste(large(mixed, MIX), (PARENT + GAP, 0))
    image.paste(large(b, PARENT), (PARENT + MIX + 2 * GAP, middle))
    image.paste(slider(weight), (PARENT + GAP, MIX))
    return image


def save_film(path: Path) -> None:
    """The pair that the page opens with; from B to A and back, for ever."""
    direct = Direct(torch.float32)
    a, b = (direct.domains[kind].picked_first[0] for kind in (0, -1))
    face_a, face_b = (direct.mix(a, b, weight, PSI) for weight in (0, 1))
    there = []
    for move in range(MOVES + 1):
        weight = (1 + math.cos(math.pi * move / MOVES)) / 2
        there.append(frame(face_a, direct.mix(a, b, weight, PSI), face_b, weight))
    first, *rest = frames = [*there, *there[-2:0:-1]]
    times = [REST_MS if i in (0, MOVES) else MOVE_MS for i in range(len(frames))]
    first.save(path, save_all=True, append_images=rest, duration=times, loop=0, quality=65)


def wait_until_still(page: Page) -> None:
    """Until no picture on the page has changed for three seconds."""
    before, left = None, SECONDS
    while (now := page.evaluate(STILL)) != before and left:
        before, left = now, left - 3
        page.wait_for_timeout(3000)


def use(page: Page, tab: str) -> None:
    """Open a tab and have it show what it can."""
    page.get_by_role("tab", name=tab, exact=True).click()
    if tab == "Your face":
        page.locator("#example button").click()
        page.wait_for_selector("#face-upload img")
        wait_until_still(page)
        page.get_by_role("button", name="Find it").click()
        page.locator("#how-far").get_by_text("Found").wait_for()
    if tab == "Film":
        page.get_by_role("button", name="Make the film").click()
        page.wait_for_selector("#film-video video")
    wait_until_still(page)


def shot(page: Page, size: tuple[int, int], theme: str) -> Image.Image:
    """All of the page, as high as it is."""
    page.set_viewport_size({"width": size[0], "height": size[1]})
    page.evaluate("theme => document.body.classList.toggle('dark', theme === 'dark')", theme)
    page.emulate_media(color_scheme=theme)
    page.evaluate("window.scrollTo(0, 0)")
    page.wait_for_timeout(500)
    return Image.open(io.BytesIO(page.screenshot(full_page=True))).convert("RGB")


def sheet(shots: list[Image.Image]) -> Image.Image:
    """Side by side at half their size."""
    small = [image.reduce(2) for image in shots]
    width = sum(image.width for image in small) + 10 * (len(small) - 1)
    image, x = Image.new("RGB", (width, max(each.height for each in small)), "grey"), 0
    for each in small:
        image.paste(each, (x, 0))
        x += each.width + 10
    return image


def save_shots(page: Page) -> None:
    """The opening page, then every tab."""
    wait_until_still(page)
    opening = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    opening.quantize(256, Image.Quantize.MEDIANCUT).save(DOCS / "page.png", optimize=True)
    tabs = page.get_by_role("tab").all_inner_texts()
    names = [tab.get_attribute("data-tab-id") for tab in page.get_by_role("tab").all()]
    for tab, name in zip(tabs, names, strict=True):
        page.set_viewport_size({"width": WIDE[0], "height": WIDE[1]})
        use(page, tab)
        looks = [(size, theme) for size in (WIDE, PHONE) for theme in ("light", "dark")]
        path = DOCS / "tabs" / f"{name}.jpg"
        sheet([shot(page, *look) for look in looks]).save(path, quality=85, optimize=True)
        shot(page, WIDE, "light")


def main(argv: Sequence[str] | None = None) -> None:
    """Make them."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.pictures", description=__doc__.splitlines()[0]
    )
    parser.add_argument("--film", action="store_true", help="make docs/mixing.webp alone")
    args = parser.parse_args(argv)
    save_film(DOCS / "mixing.webp")
    if args.film:
        return
    chromium = shutil.which("chromium")
    if chromium is None:
        parser.error("chromium is needed; on Debian: apt install chromium")
    with serving() as served, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=CHROMIUM_FLAGS)
        page = browser.new_page(viewport={"width": WIDE[0], "height": WIDE[1]})
        page.set_default_timeout(1000 * SECONDS)
        page.goto(served.address)
        page.wait_for_selector("#face-b img")
        save_shots(page)
        browser.close()


if __name__ == "__main__":
    main()
