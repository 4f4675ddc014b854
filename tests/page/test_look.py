"""The page of a run in a real browser."""

import json

from PIL import Image
from playwright.sync_api import expect

from benchmarks.serving import serving
from stylegan.history import Moment, add_moment
from tests.page.looking import SECONDS, picture, slide, source, wait_for_another


def test_a_run_is_seen_and_the_page_follows_it(browser, run_to_look_at):
    """First the newest faces, then older ones by the slider; a moment that comes shows itself to
    who looks at the newest."""
    run, _ = run_to_look_at
    with serving(program=("-m", "training.look", str(run))) as served:
        page = browser.new_page(viewport={"width": 1100, "height": 900})
        page.set_default_timeout(SECONDS * 1000)
        page.goto(served.address)

        def says(elem_id, words):
            expect(page.locator(f"#{elem_id}")).to_contain_text(words)

        says("caption", "kimg 5, score 31.5")
        says("progress", "kimg 8.00 of 300")
        says("figures", "31.5")
        says("doctor", "too early to say anything")
        assert (picture(page, "faces") == 20).all()
        before = source(page, "faces")
        slide(page, "at", 0)
        wait_for_another(page, "faces", before)
        says("caption", "kimg 0.064")
        assert (picture(page, "faces") == 10).all()
        slide(page, "at", 1)
        says("caption", "kimg 5")
        Image.new("RGB", (64, 32), (30, 30, 30)).save(run / "samples/kimg-000010.png")
        add_moment(run, Moment(10.0, "samples/kimg-000010.png"))
        says("caption", "kimg 10")
        line = json.loads((run / "log.jsonl").read_text())
        (run / "log.jsonl").write_text(json.dumps(line | {"kimg": 10.5}) + "\n")
        says("progress", "10.50")
        page.close()
