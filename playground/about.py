"""Which model draws: its card, its size, what psi does to it, how it was trained; and another."""

import math
import re
import tempfile
from functools import cache, lru_cache
from pathlib import Path

import gradio as gr
import numpy as np
import torch
from PIL import Image

from playground.face import face_strip
from playground.figures import figure, of_faces
from playground.files import Picture
from playground.limits import Turns
from playground.mistake import Mistake, plain
from playground.mixing import Mixing
from playground.model import OTHERS, Model, Models
from playground.programs import offer
from playground.seeds import good_seeds
from playground.share import first_scene, scene_values
from playground.told import reason
from playground.words import WORDS, kind_name
from stylegan.history import Moment

PSIS = [0.0, 0.25, 0.5, 0.65, 0.8, 1.0]  # shown side by side
PAGE = re.compile(r"(?:https://)?(?:huggingface\.co|hf\.co)/([^/]+/[^/?#]+).*")  # of a model
MOST_NAMED = 4  # kinds of faces in the line above the tabs
MOST_PIXELS = 4_000_000  # of a picture of the history
NOTHING = "This model came without a history of its training."
NO_CARD = "<p>This model came without a card.</p>"


def status(model: Model) -> str:
    """What is true of the pictures in every tab."""
    side = model.G.img_resolution
    names = [f"**{kind_name(kind.name)}**" for kind in model.domains[:MOST_NAMED]]
    kinds = f" It knows {' and '.join(names)}." if names else ""
    return (
        "None of these people exist: they are drawn "
        f"at {side}x{side} pixels by {model.name}.{kinds}"
    )


def facts(model: Model) -> str:
    """A table of what is known of a network."""
    config = model.G.config
    millions = sum(p.numel() for p in model.G.parameters()) / 1e6
    size = f", {model.weights_bytes / 1e6:.1f} MB" if model.weights_bytes else ""
    rows = {
        "pictures": f"{config.img_resolution}x{config.img_resolution} pixels, "
        + ("grey" if config.img_channels == 1 else "colour"),
        "network": f"{config.kind}, {config.num_layers} "
        f"layers; z {config.z_dim} and w {config.w_dim} wide",
        "size": f"{millions:.2f} million parameters" + size,
        "drawn here in": str(model.dtype).removeprefix("torch."),
    }
    if model.key:
        rows["revision"] = model.key.partition("@")[2]
    if model.domains:
        shares = (f"{kind_name(kind.name)} {kind.share:.0%}" for kind in model.domains)
        rows["draws"] = ", ".join(shares)
    units = {"score": "of 100", "EQ-T": "dB", "EQ-R": "dB"}
    values = {name: figure(model.figures, name) for name in units}
    found = [f"{name} {x:.1f} {units[name]}" for name, x in values.items() if x is not None]
    rows["measured"] = ", ".join(found) + of_faces(model.figures) if found else "not yet"
    if model.left_out:
        rows["left out"] = " ".join(model.left_out)
    lines = [f"| {name} | {value} |" for name, value in rows.items()]
    return "\n".join(["| The model that draws | |", "|---|---|", *lines])


def words_of(moment: Moment) -> str:
    """How far the training was, and how good its faces were if that was measured."""
    score = figure(moment.figures, "score")
    if score is None:
        return f"After {moment.kimg:g} thousand pictures, not measured"
    measured = f"score {score:.1f} of 100{of_faces(moment.figures)}"
    return f"After {moment.kimg:g} thousand pictures: {measured}"


class History:
    """How a model was trained; each picture is read once, when it is first asked for."""

    def __init__(self, model: Model):
        self.moments = model.history
        self._folder = tempfile.TemporaryDirectory(prefix="playground-history-")
        self.picture = cache(self._picture)

    def _picture(self, place: int) -> tuple[str | None, str]:
        """Path of a PNG of its pixels alone, or None and a sentence why it cannot be shown."""
        path = self.moments[place][1]
        try:
            with Image.open(path, formats=["PNG"]) as picture:
                if picture.width * picture.height > MOST_PIXELS:
                    raise ValueError("it is too large")
                pixels = picture.convert("RGB")
        except Exception as e:  # a damaged file can raise almost anything from its decoder
            return (
                None,
                f"Its picture {plain(path.name)} cannot be shown: {reason(e, path.parent)}.",
            )
        shown = Path(self._folder.name) / f"{place}.png"
        Image.frombytes("RGB", pixels.size, pixels.tobytes()).save(shown)  # without its texts
        return str(shown), ""


class Place(gr.Slider):
    """A slider that `About.moment` keeps within the history of whichever model is asked for."""

    is_template = True  # drawn in the browser as its parent is

    def preprocess(self, payload: float | None) -> float:
        return payload if isinstance(payload, int | float) and math.isfinite(payload) else 0


def beside(words: str) -> list[str]:
    """Of what is wrong with a name and a revision, what belongs below each of the fields."""
    is_revision = "revision " in words
    return ["", words] if is_revision else [words, ""]


class About:
    """Tells of the models."""

    def __init__(self, models: Models):
        self.models, self.pictures = models, Turns()
        self.histories = lru_cache(OTHERS + 1)(History)

    def psis(self, model: str = "") -> list[np.ndarray]:
        """The best face of either kind at every psi, a row each."""
        shown = self.models[model]
        (a,), (b,) = good_seeds(shown.domains, 1)
        ws = [shown.styles([seed], psi) for seed in (a, b) for psi in PSIS]
        return list(shown.draw_many(torch.cat(ws)))

    def moment(self, place: float, model: str = "") -> tuple[str | None, str]:
        """A moment of the training, counted from 0: faces of the same seeds, as a file, and what it
        was.

        What cannot be shown of it is told in its place.
        """
        shown = self.models[model]
        known = shown.history
        if not known:
            return None, NOTHING
        place = min(max(int(place), 0), len(known) - 1)
        history, words = self.histories(shown), words_of(known[place][0])
        picture, problem = self.pictures.take(lambda: history.picture(place))
        return picture, f"{words}. {problem}" if problem else words

    def known_moment(self, place: float, model: str = "") -> tuple[str, str]:
        """As `moment`. Raises: Mistake if there is no such moment, or no picture of it."""
        last = len(self.models[model].history) - 1
        if last >= 0 and place not in range(last + 1):
            raise Mistake(f"place must be a whole number from 0 to {last}.")
        picture, words = self.moment(place, model)
        if picture is None:
            raise Mistake(words)
        return picture, words

    def load(self, repo: str, revision: str = "") -> tuple[str, str]:
        """Take a public model of the Hub, by user/repository or its page's address, and branch, tag
        or commit; empty for the page's own. Returns what the other actions call it, and what is
        known of it.

        Raises: gr.Error with a sentence for what cannot be shown.
        """
        repo, revision = (repo or "").strip(), (revision or "").strip()
        if page := PAGE.fullmatch(repo):
            repo = page[1]
        if revision and not repo:
            raise Mistake("Give the name of the model, too.")
        found = self.models.load(repo, revision) if repo else self.models.own
        return found.key, facts(found)


def field(name: str, placeholder: str) -> tuple[gr.Textbox, gr.Markdown]:
    """A text field, and what is wrong with it below."""
    info = WORDS(f"{name}_info")
    box = gr.Textbox(label=WORDS(name), placeholder=placeholder, info=info, elem_id=name)
    return box, gr.Markdown(elem_id=f"{name}-words", elem_classes="wrong")


def about_tab(models: Models, mix: Mixing, line: gr.Markdown) -> None:
    """Lay out the tab and connect it."""
    about, known = About(models), models.own.history
    last = max(len(known) - 1, 0)
    shown, words = about.moment(last)
    with gr.Row():
        with gr.Column(min_width=260):
            table = gr.Markdown(facts(models.own), elem_id="facts", label="What is known of it")
            repo, wrong_repo = field("repo", "user/repository")
            revision, wrong_revision = field("revision", "main")
            load = gr.Button(WORDS("load"), variant="primary")
        with gr.Column(min_width=260):
            psis = face_strip(WORDS("psis"), len(PSIS), "psis", about.psis())
            gr.Markdown(f"**{WORDS('training')}**")
            place = Place(0, max(last, 1), last, step=1, label=WORDS("moment"), visible=last > 0)
            picture = Picture(
                shown,
                label="Faces",
                show_label=False,
                interactive=False,
                buttons=["download", "fullscreen"],
                elem_id="history",
                elem_classes="grid",
                alt_text=WORDS("history"),
                visible=bool(known),
            )
            moment = gr.Markdown(words, elem_id="moment", label="What it was")
    with gr.Accordion(WORDS("card"), open=False):
        text = gr.HTML(models.own.card or NO_CARD, elem_id="card", js_on_load=None)

    def take(repo: str, revision: str, now: str, taken: int) -> list:
        """Another than the one that draws now, its first mix, of which a face found with another
        model is no part, how many were taken, and nothing to say; or what is wrong, and all stays
        as it is."""
        try:
            key, _ = about.load(repo, revision)
            if key == now:  # so that nobody's mix is lost for nothing
                raise Mistake("This page uses that model already.")
        except gr.Error as e:
            return [gr.skip()] * (len(mix.controls) + 2) + beside(e.message)
        return [*scene_values(first_scene(models[key])), None, taken + 1, "", ""]

    def changed(model: str) -> list:
        """All that is told of another model."""
        now = models[model]
        known = now.history
        last = max(len(known) - 1, 0)
        shown, words = about.moment(last, model)
        return [
            status(now),
            facts(now),
            now.card or NO_CARD,
            about.psis(model),
            gr.Slider(value=last, maximum=max(last, 1), visible=last > 0),
            Picture(shown, visible=bool(known)),
            words,
        ]

    hidden = {"api_visibility": "private", "show_progress": "hidden"}
    told = [line, table, text, psis, place, picture, moment]
    one = {"concurrency_limit": 1, "concurrency_id": "model"}
    wrong, taken = [wrong_repo, wrong_revision], gr.State(0)
    gr.on(
        [load.click, repo.submit, revision.submit],
        take,
        [repo, revision, mix.model, taken],
        [*mix.controls, mix.face, taken, *wrong],
        api_visibility="private",
        show_progress_on=load,
        **one,
    )
    gr.on([repo.change, revision.change], None, None, wrong, js="() => ['', '']", **hidden)
    offer(about.load, [repo, revision], [mix.model, table], "model", **one)
    mix.redraw(taken.change)  # what is wrong leaves the mix as it is
    mix.model.change(changed, mix.model, told, **hidden)
    live = dict(show_progress="hidden", trigger_mode="always_last", queue=False)
    where = [place, mix.model]
    place.input(about.moment, where, [picture, moment], api_visibility="private", **live)
    where[0] = gr.Number(0, visible=False)
    offer(about.known_moment, where, [picture, moment], "history", queue=False)
