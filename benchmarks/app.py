"""How fast the page answers: `python -m benchmarks.app`, with Debian's chromium.

On the page that `python app.py` serves, the mixing slider is moved to one place after another; each
time ends when the new mix has been painted. In turns with them the same generator draws one mix
here, with as many threads, so that what the page adds is told from what the network takes. Then
the slider is dragged: a move every 25 ms for a second.

    page_ms         from the move to the painted picture, the median
    draw_ms         of one mix by the generator alone, the median
    added_ms        the median of their differences, round by round
    drag_shown      pictures painted of the moves of a drag
    drag_last_ms    from the end of a drag until its last place is painted

A last picture that is not that of the last place ends the benchmark with an error.
"""

import argparse
import io
import os
import shutil
import statistics
import time
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import parse_qsl
from urllib.request import urlopen

os.environ.setdefault("GOMP_SPINCOUNT", "1000")  # see training/train.py

from PIL import Image
from playwright.sync_api import Page, sync_playwright

from benchmarks.machine import machine, report_file, save_json
from benchmarks.serving import CHROMIUM_FLAGS, ROOT, serving
from stylegan import Generator, sample_z
from stylegan.images import to_uint8
from stylegan.latents import blend
from stylegan.precision import draw, fastest_dtype

WARM, MOVES, MOVE_MS = 5, 40, 25  # rounds that do not count; of a drag

# A decoded picture is painted in the next frame; what that frame does ends before the timeout.
WATCH = """() => {
    window.painted = [];
    window.latest = "";
    const image = () => document.querySelector("#face-mix img");
    const seen = async () => {
        const src = image().src;
        await image().decode();
        if (src !== image().src || src === window.latest) return;
        window.latest = src;
        requestAnimationFrame(() => setTimeout(
            () => window.painted.push({src, at: performance.now()})));
    };
    new MutationObserver(seen).observe(document.querySelector("#face-mix"),
        {subtree: true, childList: true, attributes: true, attributeFilter: ["src"]});
    window.move = value => {
        const slider = document.querySelector("#weight input[type=range]");
        slider.value = value;
        slider.dispatchEvent(new Event("input", {bubbles: true}));
        return performance.now();
    };
}"""
MOVE = """async value => {
    const before = window.painted.length, start = window.move(value);
    while (window.painted.length === before) await new Promise(done => setTimeout(done, 2));
    return window.painted[before].at - start;
}"""
DRAG = """async ([moves, ms]) => {
    const before = window.painted.length;
    let last = 0;
    for (let i = 1; i <= moves; i++) {
        last = window.move(i / (moves + 1));
        await new Promise(done => setTimeout(done, ms));
    }
    let count = -1;
    while (count !== window.painted.length) {
        count = window.painted.length;
        await new Promise(done => setTimeout(done, 1000));
    }
    const end = window.painted[count - 1];
    return {shown: count - before, last: end.at - last, src: end.src};
}"""


def weight_in(address: str) -> float:
    """The mixing weight that a picture of the page says it has."""
    with urlopen(address, timeout=30) as response:
        scene = Image.open(io.BytesIO(response.read())).info["Scene"]
    return float(dict(parse_qsl(scene))["weight"])


def measure(page: Page, rounds: int, drags: int) -> dict[str, list[float]]:
    """Times of every round, in milliseconds; pictures shown of every drag."""
    G = Generator.from_pretrained(ROOT / "weights/faces-64")
    a, b = G.mapping(sample_z([0, 1], G.z_dim), truncation_psi=0.65).split(1)
    dtype = fastest_dtype(G)
    found = {"page": [], "draw": [], "shown": [], "last": []}
    for turn in range(WARM + rounds):
        weight = (7 * turn % 100 + 1) / 101
        page_ms = page.evaluate(MOVE, weight)
        start = time.perf_counter()
        to_uint8(draw(G, blend(a, b, weight), dtype))
        draw_ms = 1000 * (time.perf_counter() - start)
        if turn >= WARM:
            found["page"].append(page_ms)
            found["draw"].append(draw_ms)
    for _ in range(drags):
        drag = page.evaluate(DRAG, [MOVES, MOVE_MS])
        shown, expected = weight_in(drag["src"]), MOVES / (MOVES + 1)
        if abs(shown - expected) > 0.01:
            raise RuntimeError(f"the slider stands at {expected:.2f} and the picture is of {shown}")
        found["shown"].append(drag["shown"])
        found["last"].append(drag["last"])
        page.evaluate(MOVE, 0.5)
    return found


def plot(found: dict[str, list[float]], path: Path) -> None:
    """Write the distribution of times as a picture."""
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(6, 3), layout="constrained")
    for name, words in (("draw", "the generator alone"), ("page", "slider moved to mix painted")):
        axes.hist(
            found[name], bins=range(0, int(max(found["page"])) + 5, 4), alpha=0.7, label=words
        )
    axes.set_xlabel("milliseconds")
    axes.set_ylabel("moves")
    axes.legend()
    figure.savefig(path, dpi=100)


def main(argv: Sequence[str] | None = None) -> None:
    """Measure, write JSON and the picture, print the medians."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.app", allow_abbrev=False)
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--drags", type=int, default=5)
    parser.add_argument("--out", type=report_file, default=Path("benchmarks/results/app.json"))
    args = parser.parse_args(argv)
    chromium = shutil.which("chromium")
    if chromium is None:
        parser.error("chromium is needed; on Debian: apt install chromium")
    with serving() as served, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=CHROMIUM_FLAGS)
        page = browser.new_page()
        page.goto(served.address)
        page.wait_for_selector("#face-b img")
        page.evaluate(WATCH)
        found = measure(page, args.rounds, args.drags)
        browser.close()
    added = [page - draw for page, draw in zip(found["page"], found["draw"], strict=True)]
    report = {
        "machine": machine(),
        "rounds": args.rounds,
        "page_ms": statistics.median(found["page"]),
        "draw_ms": statistics.median(found["draw"]),
        "added_ms": statistics.median(added),
        "drag_shown": statistics.median(found["shown"]),
        "drag_moves": MOVES,
        "drag_last_ms": statistics.median(found["last"]),
        "times": found,
    }
    save_json(report, args.out)
    plot(found, args.out.with_suffix(".png"))
    for name in ("page_ms", "draw_ms", "added_ms", "drag_shown", "drag_last_ms"):
        print(f"{name:14}{report[name]:8.1f}")


if __name__ == "__main__":
    main()
