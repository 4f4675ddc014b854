"""Look through the faces of a dataset and keep or reject them, in the browser.

    python -m preprocessing.curate DATASET

The page is for this computer alone: it answers on 127.0.0.1, to its own page only, and hands out
pictures of the faces that `dataset.json` lists. A decision is in `decisions.jsonl` before the page
calls it saved. The page itself lies in sheet/; here is what it asks for.
"""

import argparse
import hashlib
import sys
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

import gradio as gr
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from preprocessing.decisions import Decisions
from preprocessing.listing import LISTING, Row, read_listing
from preprocessing.read import read_image, readable
from preprocessing.thumbnails import COLUMNS, ON_SHEET, Thumbnails, jpeg, most_various

SHEET = Path(__file__).parent / "sheet"
PARTS = ("state", "talk", "acts", "suggest", "arrange", "draw", "around")  # of its program
HOSTS = ("127.0.0.1", "localhost")
FACTS = ("source", "time", "person", "twins")  # of a row, shown and grouped by
KEPT = {"Cache-Control": "private, max-age=86400, immutable"}  # the address names the dataset


class Curation:
    """The faces of a dataset, sorted by label and name, and what the page asks about them.

    A face is its place in that order. Every method that the page calls takes one dictionary.
    """

    def __init__(self, folder: Path):
        """Raises: ValueError in one sentence if the folder is no dataset or holds no face."""
        listing = read_listing(folder)
        rows = [*listing.faces, *listing.rejected]
        if not rows:
            raise ValueError(f"{folder} lists no faces, neither kept nor rejected")
        self.rows = sorted(rows, key=lambda row: (row["label"], PurePosixPath(row["file"]).name))
        self.folder = folder
        refused = {row["file"] for row in listing.rejected}
        self.is_refused = [row["file"] in refused for row in self.rows]
        self.decisions = Decisions(folder, [row["file"] for row in self.rows])
        self.thumbnails = Thumbnails([folder / row["file"] for row in self.rows], listing.size)
        written = (folder / LISTING).stat().st_mtime_ns
        self.version = hashlib.sha256(f"{folder.resolve()} {written}".encode()).hexdigest()[:12]

    def faces(self, _: dict) -> dict[str, object]:
        """All that does not change while the page is open, one list for each column."""
        columns = {
            name: [as_json(row.get(name)) for row in self.rows]
            for name in ("file", "label", *FACTS)
        }
        columns["reason"] = [
            as_json(row.get("reason") or "no reason given") if refused else None
            for row, refused in zip(self.rows, self.is_refused, strict=True)
        ]
        names = dict.fromkeys(name for row in self.rows for name in scores(row))
        sheet = {"version": self.version, "folder": self.folder.resolve().name}
        sheet |= {"columns": COLUMNS, "onSheet": ON_SHEET}
        found = {name: [scores(row).get(name) for row in self.rows] for name in names}
        return sheet | columns | {"scores": found}

    def work(self, asked: dict) -> dict[str, object]:
        """Do a window's acts, in order; answer what was decided after the first `position` lines.

        An act is a number that rises, "decide", "undo" or "redo", and for "decide" pairs of a face
        and whether to keep it. No act at all just asks what other windows did.
        """
        if asked["version"] != self.version:  # the page was opened on another dataset
            return {"stale": True}
        window, position = asked["window"], asked["position"]
        decisions, touched = self.decisions, []
        with decisions.lock:
            try:
                decisions.refresh()
                ways = {"undo": decisions.undo, "redo": decisions.redo}
                for number, what, *wanted in asked["acts"]:
                    if what == "decide":
                        decisions.decide(window, number, dict(wanted[0]))
                    else:
                        touched = ways[what](window, number) or touched
            except OSError as error:
                return {"error": f"Nothing can be saved: {error}"}
            if position > len(decisions.lines):  # the file of decisions was begun anew
                position = 0
            return {
                "from": position,
                "position": len(decisions.lines),
                "changes": decisions.lines[position:],
                "last": decisions.last(window),
                "touched": touched,
            }

    def is_kept(self, face: int) -> bool:
        keep = self.decisions.now[face].keep
        return not self.is_refused[face] if keep is None else keep

    def suggest(self, asked: dict) -> dict[str, object]:
        """The most various `count` of the faces of a label that are kept, and the others.

        Those that a person keeps are among them.
        """
        self.decisions.refresh()
        kept = [
            face
            for face, row in enumerate(self.rows)
            if row["label"] == asked["label"] and self.is_kept(face)
        ]
        count = int(asked["count"])
        by_hand = [i for i, face in enumerate(kept) if self.decisions.now[face].keep]
        if len(kept) <= count:
            return {"chosen": kept, "left": []}
        chosen = most_various(self.thumbnails.describe(kept), count, by_hand[:count])
        chosen += by_hand[count:]
        left = sorted(set(range(len(kept))) - set(chosen))
        return {"chosen": [kept[i] for i in chosen], "left": [kept[i] for i in left]}

    def sheet(self, request: Request) -> Response:
        """Small pictures of up to ON_SHEET faces, in the order of their numbers in the address."""
        numbers = request.path_params["faces"].split("-")
        if len(numbers) > ON_SHEET or not all(number.isdecimal() for number in numbers):
            return Response(status_code=404)
        faces = [int(number) for number in numbers]
        if max(faces) >= len(self.rows):
            return Response(status_code=404)
        return Response(self.thumbnails.sheet(faces), media_type="image/jpeg", headers=KEPT)

    def face(self, request: Request) -> Response:
        """One face as large as it is."""
        face = request.path_params["face"]
        if face >= len(self.rows):
            return Response(status_code=404)
        try:
            picture = jpeg(read_image(self.folder / self.rows[face]["file"]), quality=95)
        except ValueError as error:
            return Response(str(error), status_code=404)
        return Response(picture, media_type="image/jpeg", headers=KEPT)


def as_json(value: object) -> object:
    """A value of a row, as text that JSON can hold if it is text."""
    return readable(value) if isinstance(value, str) else value


def scores(row: Row) -> dict[str, float]:
    """Those of a row that are numbers."""
    found = row.get("scores")
    found = found if isinstance(found, dict) else {}
    return {name: value for name, value in found.items() if isinstance(value, int | float)}


class OwnPageOnly:
    """Refuses what another site's page asks for, under its name or under this computer's."""

    def __init__(self, app: ASGIApp):
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            headers = Request(scope).headers
            host, origin = headers.get("host", ""), headers.get("origin")
            foreign = origin is not None and urlsplit(origin).netloc != host
            if foreign or urlsplit(f"//{host}").hostname not in HOSTS:
                await Response("for the page on this computer", 403)(scope, receive, send)
                return
        await self.app(scope, receive, send)


def build_page(curation: Curation) -> gr.Blocks:
    html, css = ((SHEET / f"sheet.{kind}").read_text(encoding="utf-8") for kind in ("html", "css"))
    js = "\n".join((SHEET / f"{part}.js").read_text(encoding="utf-8") for part in PARTS)
    with gr.Blocks(title="Faces", analytics_enabled=False, fill_width=True) as page:
        asked = ("faces", "work", "suggest")
        gr.HTML(
            html_template=html,
            css_template=css,
            js_on_load=js,
            apply_default_css=False,
            server_functions=[server_function(getattr(curation, name)) for name in asked],
        )
    return page


def server_function(method):
    """A plain function, which Gradio can mark as its own; methods take no marks."""

    def call(asked: dict) -> dict[str, object]:
        return method(asked)

    call.__name__ = method.__name__
    return call


def launch_options(curation: Curation) -> dict[str, object]:
    """What makes the page this computer's own."""
    routes = [
        Route("/sheet/{version}/{faces}.jpg", curation.sheet),
        Route("/face/{version}/{face:int}.jpg", curation.face),
    ]
    return {
        "server_name": HOSTS[0],
        "share": False,
        "app_kwargs": {"routes": routes, "middleware": [Middleware(OwnPageOnly)]},
        "theme": gr.themes.Soft(font=["system-ui", "sans-serif"]),
        "ssr_mode": False,
        "run_history": False,
        "footer_links": [],
    }


def main(argv: list[str] | None = None) -> int:
    """Serve the page until it is stopped; the exit status is 1 if there is nothing to show."""
    parser = argparse.ArgumentParser(
        prog="python -m preprocessing.curate",
        description="Look through the faces of a dataset and keep or reject them.",
    )
    parser.add_argument(
        "dataset", type=Path, metavar="DATASET", help="folder that preprocessing.prepare wrote"
    )
    args = parser.parse_args(argv)
    try:
        curation = Curation(args.dataset)
        page = build_page(curation)
        options = launch_options(curation)
        _, address, _ = page.launch(prevent_thread_lock=True, quiet=True, **options)
    except (ValueError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    print(f"{len(curation.rows)} faces to look through at {address} until you press Ctrl+C")
    page.block_thread()
    return 0


if __name__ == "__main__":
    sys.exit(main())
