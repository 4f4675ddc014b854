"""The page that `python app.py` serves, in Debian's chromium, driven by playwright."""

import shutil

import pytest
from playwright.sync_api import expect, sync_playwright

from benchmarks.load import dtype_of
from benchmarks.serving import CHROMIUM_FLAGS, serving
from tests.page.looking import SECONDS


@pytest.fixture(scope="package")
def address():
    """Where `python app.py` serves, started as the README says."""
    with serving() as served:
        yield served.address


@pytest.fixture(scope="package")
def dtype(address):
    """In which that page draws, and so how alike two pictures of one face are."""
    return dtype_of(address)


@pytest.fixture(scope="package")
def browser():
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("Debian's chromium is not installed")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=CHROMIUM_FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def page(browser, address):
    page = browser.new_page(viewport={"width": 1100, "height": 900})
    page.set_default_timeout(SECONDS * 1000)
    page.goto(address)
    for name in ("face-a", "face-mix", "face-b"):
        expect(page.locator(f"#{name} img")).to_be_visible()
    yield page
    page.close()
