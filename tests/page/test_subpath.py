"""The page below a path of a site: `GRADIO_ROOT_PATH=/faces python app.py` behind a proxy."""

import threading
from http.client import HTTPConnection, HTTPException
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import numpy as np
import pytest
from gradio_client import Client
from PIL import Image
from playwright.sync_api import expect

from benchmarks.serving import serving
from tests.page.looking import SECONDS, picture, slide

BELOW = "/faces"


class Proxy(BaseHTTPRequestHandler):
    """Passes on what is asked for below the path, without the path, as nginx does with
    `location /faces/ { proxy_pass http://127.0.0.1:7860/; proxy_set_header Host $http_host; }`."""

    port: int
    strayed: list[str]  # what was asked for elsewhere on the site

    def log_message(self, *_) -> None:
        pass

    def pass_on(self) -> None:
        if not self.path.startswith(f"{BELOW}/"):
            self.strayed.append(self.path)
            return self.send_error(404)
        length = int(self.headers.get("Content-Length") or 0)
        page = HTTPConnection("127.0.0.1", self.port)
        headers = {name: x for name, x in self.headers.items() if name != "Connection"}
        try:
            self.answer_of(page, headers, self.rfile.read(length))
        except (OSError, HTTPException):  # one of the two has gone
            self.close_connection = True
        finally:
            page.close()

    def answer_of(self, page: HTTPConnection, headers: dict[str, str], content: bytes) -> None:
        page.request(self.command, self.path.removeprefix(BELOW), content, headers)
        answer = page.getresponse()
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in ("transfer-encoding", "connection", "date", "server"):
                self.send_header(name, value)
        self.end_headers()
        while part := answer.read1(65536):  # an event as soon as it comes
            self.wfile.write(part)
            self.wfile.flush()

    do_GET = do_HEAD = do_POST = pass_on  # noqa: N815


@pytest.fixture(scope="module")
def below():
    """Address of the page there, and what was asked for elsewhere."""
    variables = {"HF_HUB_OFFLINE": "1", "GRADIO_ROOT_PATH": BELOW}
    with serving(variables) as served:
        what = dict(port=int(served.address.rpartition(":")[2]), strayed=[])
        server = ThreadingHTTPServer(("127.0.0.1", 0), type("ProxyOfOne", (Proxy,), what))
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}{BELOW}/", what["strayed"]
        server.shutdown()
        server.server_close()


def test_programs_call_the_page_below_a_path(below):
    address, strayed = below
    assert f'"root":"{address.rstrip("/")}"' in httpx.get(address).text
    client = Client(address, verbose=False)
    mixed = client.predict(34, 29, 0.5, 0.65, True, 0, 0, 0, [], api_name="/mix")
    assert Image.open(mixed).size == (64, 64)
    assert not strayed


def test_people_use_the_page_below_a_path(below, browser):
    address, strayed = below
    page, wrong = browser.new_page(viewport={"width": 1280, "height": 900}), []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.goto(address)
    expect(page.locator("#face-mix img")).to_be_visible()
    before = picture(page, "face-mix")
    slide(page, "weight", 0.9)
    page.wait_for_url("**weight=0.9**", timeout=SECONDS * 1000)
    page.get_by_role("tab", name="Grid").click()
    expect(page.locator("#grid img")).to_be_visible()
    page.reload()
    expect(page.locator("#grid img")).to_be_visible()
    assert page.url.startswith(f"{address}?") and "tab=grid" in page.url
    page.get_by_role("tab", name="Mix").click()
    expect(page.locator("#face-mix img")).to_be_visible()
    assert not np.array_equal(picture(page, "face-mix"), before)
    page.close()
    assert not wrong
    assert set(strayed) <= {"/favicon.ico"}  # which browsers ask every site for
