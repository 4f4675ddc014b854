"""The page of `python -m preprocessing.curate`: decisions by keys, which outlive the program."""

import os
import signal
import socket
from contextlib import ExitStack

import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from benchmarks.serving import serving
from preprocessing.listing import Listing, read_decisions, write_listing
from tests.page.looking import SECONDS

FACES = 100  # of each label


class Program:
    """`python -m preprocessing.curate` on a dataset, which may be killed and started again."""

    def __init__(self, folder):
        self.folder, self.stack, self.served = folder, ExitStack(), None
        with socket.socket() as free:  # the same at every start
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]

    def start(self) -> None:
        environment = {"HF_HUB_OFFLINE": "1", "GRADIO_SERVER_PORT": str(self.port)}
        program = ("-m", "preprocessing.curate", str(self.folder))
        self.served = self.stack.enter_context(serving(environment, program))

    def kill(self) -> None:
        os.kill(self.served.pid, signal.SIGKILL)
        self.stack.close()


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    folder = tmp_path_factory.mktemp("dataset")
    rows = []
    for label in ("drawn", "photos"):
        (folder / label).mkdir()
        for number in range(FACES):
            row = {"file": f"{label}/{number:06d}-1.png", "label": label}
            row |= {"source": "x.jpg", "scores": {"sharpness": number % 10}, "person": number // 4}
            Image.new("RGB", (32, 32), (number, 80, 250 - number)).save(folder / row["file"])
            rows.append(row)
    refused = [row | {"reason": "blurred"} for row in rows[90:100]]
    write_listing(folder, Listing(32, {}, rows[:90] + rows[100:], refused))
    program = Program(folder)
    program.start()
    yield program
    program.stack.close()


@pytest.fixture
def window(browser, program):
    """A function that opens one more window, ready to be used, of that many pixels."""
    opened = []

    def open_one(width: int = 1100, height: int = 800, **more) -> Page:
        page = browser.new_page(viewport={"width": width, "height": height}, **more)
        opened.append(page)
        page.set_default_timeout(SECONDS * 1000)
        page.goto(program.served.address)
        page.wait_for_selector(".curate[data-ready]")
        return page

    yield open_one
    for page in opened:
        page.close()


@pytest.fixture(autouse=True)
def undecided(program):
    """Every test begins without decisions."""
    (program.folder / "decisions.jsonl").unlink(missing_ok=True)


def press(page: Page, keys: str) -> None:
    for key in keys.split():
        page.keyboard.press(key)


def cell(page: Page, face: int):
    return page.locator(f"#face-{face}")


def saved(program) -> dict[str, bool]:
    """What is on the disk."""
    return {file: keep for file, keep in read_decisions(program.folder).items() if keep is not None}


def decided(program, page: Page) -> dict[str, bool]:
    """What is on the disk as soon as the page says that all is."""
    expect(page.locator(".curate[data-unsaved]")).to_have_count(0)
    return saved(program)


def test_fifty_decisions_by_keys_outlive_a_kill(window, program):
    page = window()
    press(page, "k x x k x " * 10 + "z z z")
    wanted = {f"drawn/{face:06d}-1.png": face % 5 in (0, 3) for face in range(47)}
    expect(cell(page, 46)).to_have_class("cell rejected hand")
    expect(cell(page, 47)).to_have_class("cell kept cursor")
    assert decided(program, page) == wanted

    program.kill()
    press(page, "k")  # the face at which the undoing ended
    expect(page.locator(".banner")).to_contain_text("Not saved yet: 1")
    assert saved(program) == wanted
    program.start()
    expect(page.locator(".banner")).to_be_hidden()
    assert decided(program, page) == wanted | {"drawn/000047-1.png": True}

    other = window()
    for face in range(48):
        state = "kept" if face % 5 in (0, 3) or face == 47 else "rejected"
        expect(cell(other, face)).to_have_class(f"cell {state} hand{' cursor' * (face == 0)}")
    press(page, "z z")  # the window that stayed open takes back what it did before the kill, too
    expect(cell(page, 46)).to_have_class("cell kept cursor")
    assert decided(program, page) == {
        f: keep for f, keep in wanted.items() if f != "drawn/000046-1.png"
    }


def test_two_windows_see_each_other_and_take_back_their_own(window, program):
    one, two = window(), window()
    press(one, "k x x")
    assert len(decided(program, one)) == 3
    press(two, "ArrowRight k")
    expect(cell(two, 2)).to_have_class("cell rejected hand cursor")
    expect(cell(one, 1)).to_have_class("cell kept hand")
    press(one, "z z z")
    expect(cell(one, 0)).to_have_class("cell kept cursor")
    assert decided(program, one) == {"drawn/000001-1.png": True}


def test_many_are_decided_at_once(window, program):
    page = window()
    press(page, "Shift+ArrowRight Shift+ArrowRight x")  # three by arrows
    cell(page, 4).click()
    cell(page, 6).click(modifiers=["Shift"])
    press(page, "x")
    cell(page, 8).hover()
    page.mouse.down()
    cell(page, 10).hover()
    page.mouse.up()
    press(page, "x")
    expect(page.locator(".cell.rejected.hand")).to_have_count(9)
    numbers = sorted(int(file[6:12]) for file in decided(program, page))
    assert numbers == [0, 1, 2, 4, 5, 6, 8, 9, 10]


def test_sorted_filtered_and_by_person(window, program):
    page = window()
    page.locator("[name=show]").select_option("rejected")
    expect(page.locator(".cell")).to_have_count(10)
    expect(page.locator(".facts")).to_contain_text("blurred")
    page.locator("[name=show]").select_option("all")
    page.locator("[name=sort]").select_option("-sharpness")
    expect(page.locator(".cell").first).to_have_id("face-9")
    page.locator("[name=label]").select_option("photos")
    page.locator("[name=sort]").select_option("")
    page.locator("[name=group]").select_option("person")
    press(page, "Home g x")
    expect(cell(page, 104)).to_have_class("cell kept cursor")
    page.locator(".head button", has_text="Keep the first").nth(1).click()
    expect(cell(page, 105)).to_have_class("cell rejected hand")
    keeps = decided(program, page)
    keeps = [keeps[f"photos/{number:06d}-1.png"] for number in range(8)]
    assert keeps == [False] * 4 + [True] + [False] * 3


def test_a_suggestion_is_seen_before_it_is_accepted(window, program):
    page = window()
    page.locator("[name=target]").fill("12")
    page.locator("[name=target]").press("Enter")
    page.get_by_text("Suggest 12").first.click()
    expect(page.locator(".banner")).to_contain_text(
        "Keep these 12 of drawn and reject the other 78"
    )
    assert decided(program, page) == {}
    page.get_by_role("button", name="Accept").click()
    expect(page.locator(".labels")).to_contain_text("12 of 12 kept")
    assert sorted(decided(program, page).values()) == [False] * 78 + [True] * 12
    press(page, "z")
    expect(page.locator(".labels")).to_contain_text("90 of 12 kept")
    assert decided(program, page) == {}


def test_a_telephone_taps(window, program):
    page = window(375, 700, has_touch=True)
    for face in (1, 2):
        cell(page, face).tap()
    page.locator("[data-do=reject]").tap()
    expect(page.locator(".cell.rejected.hand")).to_have_count(2)
    assert decided(program, page) == {f"drawn/00000{face}-1.png": False for face in (1, 2)}
    assert page.evaluate("document.documentElement.scrollWidth") == 375
