"""The tab Model in a real browser."""

import re
import subprocess
import sys
from tempfile import TemporaryDirectory

import numpy as np
import torch
from PIL import Image
from playwright.sync_api import expect

from benchmarks.load import dtype_of, is_close
from benchmarks.serving import ROOT, serving
from playground.controls import PSI
from playground.trial import PATIENCE
from stylegan import Generator, sample_z
from stylegan.images import to_uint8
from tests.page.looking import SECONDS, picture, source, wait_for_another, wait_until_drawn


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
        expect(page.locator("#face-b img")).to_be_visible()
        before, drawn = source(page, "face-mix"), []
        page.get_by_role("tab", name="Model").click()
        page.wait_for_timeout(1000)  # until all is quiet
        page.on("request", lambda request: drawn.append(request) if "/run/" in request.url else 0)
        page.get_by_role("button", name="Load it").click()
        words, below = page.locator("#repo-words"), page.locator("#revision-words")
        expect(words).to_contain_text("This page uses that model already.")
        name = page.locator("#repo input, #repo textarea").first
        name.press_sequentially("faces")
        expect(words).to_be_empty()
        page.get_by_role("button", name="Load it").click()
        expect(words).to_contain_text("looks like user/repository")
        name.press("Home")
        name.press_sequentially("alice/")
        revision = page.locator("#revision input, #revision textarea").first
        revision.press_sequentially("v9")
        page.get_by_role("button", name="Load it").click()
        expect(below).to_contain_text("alice/faces on the Hub has no revision v9")
        expect(words).to_be_empty()
        revision.press("Control+a")
        revision.press("Backspace")
        expect(below).to_be_empty()
        expect(page.locator(".toast-wrap [role=alert]")).to_have_count(0)
        assert drawn == []  # what is wrong has nothing drawn again
        page.get_by_role("button", name="Load it").click()
        status = page.locator("#status")
        patience = (PATIENCE + SECONDS) * 1000  # a process of its own tries the model first
        expect(status).to_contain_text("32x32 pixels by alice/faces", timeout=patience)
        page.get_by_role("tab", name="Mix").click()
        wait_for_another(page, "face-mix", before)
        expect(page).to_have_url(re.compile("model=alice%2Ffaces%40"))
        wait_until_drawn(page, "face-mix")
        mixed = picture(page, "face-mix")
        with torch.inference_mode():
            expected = to_uint8(G(sample_z([0], G.z_dim), truncation_psi=PSI))[0]
        assert is_close(picture(page, "face-a"), expected, dtype_of(served.address))
        page.locator("#save-side").get_by_label("32", exact=True).check()
        with page.expect_download() as download:
            page.get_by_role("button", name="Save the mix").click()
        with Image.open(download.value.path()) as saved:
            np.testing.assert_array_equal(np.asarray(saved), mixed)
        again = browser.new_page()
        again.goto(page.url)
        expect(again.locator("#status")).to_contain_text("alice/faces")
        wait_until_drawn(again, "face-mix")
        np.testing.assert_array_equal(picture(again, "face-mix"), mixed)
        page.close()
        again.close()
