"""A film that goes round through faces, as a file to keep."""

import math
import tempfile
from collections.abc import Iterable, Iterator
from itertools import cycle
from pathlib import Path

import gradio as gr
import numpy as np
import torch
from PIL import Image
from torch import Tensor

from playground.controls import BoundedSlider, own_checkbox, own_shown, psi_slider
from playground.files import File
from playground.limits import MOST_SECONDS
from playground.mistake import Mistake, said
from playground.mixing import Mixing, problem_with_face
from playground.model import Model, Models
from playground.programs import offer
from playground.scene import MINE, enlarged
from playground.seeds import good_seeds, is_seed, parse_seeds
from playground.words import WORDS
from stylegan.latents import walk

SIDES = {"WebM": 512, "GIF": 256, "WebP": 512}  # of each format, pixels of a frame at least
FIRST, SPEED = 2, 12  # good faces of each kind; frames a second
LEAST_STEPS, FEW_STEPS, STEPS, MOST_STEPS = 2, 6, 12, 24  # frames from face to face


def one_palette(frames: np.ndarray, larger: Iterable[Image.Image]) -> Iterator[Image.Image]:
    """Frames in the 256 colours that suit them all: one palette a frame takes ten times as long."""
    sheet = Image.fromarray(frames.reshape(-1, *frames.shape[2:]))
    palette = sheet.quantize(256, Image.Quantize.MEDIANCUT)
    return (frame.quantize(palette=palette) for frame in larger)


def save_film(frames: np.ndarray, path: Path, speed: int) -> None:
    """Write uint8 frames (N, H, H, 3), `speed` a second, in the format of the path's suffix.

    Small ones are smoothly enlarged, one at a time. GIF and WebP go round for ever.

    Raises: gr.Error if OpenCV, which writes WebM, cannot be loaded or does not write it.
    """
    least = {name.lower(): side for name, side in SIDES.items()}[path.suffix[1:]]
    side = max(least, frames.shape[1])
    larger = (enlarged(Image.fromarray(frame), side) for frame in frames)
    if path.suffix != ".webm":
        first, *rest = one_palette(frames, larger) if path.suffix == ".gif" else larger
        how = dict(save_all=True, append_images=rest, duration=round(1000 / speed), loop=0)
        first.save(path, **how)
        return
    try:  # OpenCV asks for system libraries that a server may lack
        import cv2
    except ImportError as e:
        raise gr.Error(f"OpenCV, which writes WebM, cannot be loaded ({e}): take GIF.") from e
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"VP80"), speed, (side, side))
    if not writer.isOpened():
        raise gr.Error("OpenCV cannot write WebM here: take GIF.")
    for frame in larger:
        writer.write(np.asarray(frame)[:, :, ::-1])
    writer.release()


class TooLong(Mistake):
    """A film that takes longer than a visitor may ask for."""


class Films:
    """Draws for the Film tab."""

    def __init__(self, models: Models):
        self.models = models

    def takes(self, faces: int, steps: int, speed: int, model: str = "") -> str:
        """A sentence on how long the film goes on, and how long drawing it takes if that is known.

        Raises: TooLong with what to ask for.
        """
        shown, frames = self.models[model], faces * steps
        seconds = math.ceil(frames * shown.seconds)
        if frames <= shown.most:
            drawn = f", drawn in about {seconds} s" if math.isfinite(shown.most) else ""
            return f"{frames} frames, {frames / speed:.1f} s of film{drawn}."
        less = f"{int(shown.most // faces)} frames from face to face"
        if shown.most < faces * LEAST_STEPS:
            less = f"{max(int(shown.most // LEAST_STEPS), 1)} faces"
        raise TooLong(
            f"{frames} frames take about {seconds} s here, and this page allows {MOST_SECONDS}: "
            f"take at most {less}."
        )

    def frames(
        self,
        seeds: list[int | None],
        steps: int,
        psi: float,
        own: bool,
        face: Tensor | None = None,
        model: str = "",
    ) -> Iterator[np.ndarray]:
        """A few at a time, uint8 (N, H, W, 3).

        In place of None goes the visitor's own face (1, num_ws, w_dim), as it is; if there are two,
        they take turns.

        Raises: Mistake if there is none, or none of this model's.
        """
        shown = self.models[model]
        if None in seeds and (words := problem_with_face(face, shown.G)):
            raise Mistake(words)
        mine = cycle(face.split(1) if face is not None else [])
        stops = [next(mine) if s is None else shown.styles([s], psi, own=own) for s in seeds]
        yield from shown.draw_parts(walk(torch.cat(stops), steps))

    def make(
        self,
        seeds: str,
        steps: int,
        speed: int,
        format: str,
        psi: float,
        own: bool,
        face: Tensor | None = None,
        model: str = "",
        progress: gr.Progress = gr.Progress(),  # noqa: B008, Gradio finds it here
    ) -> Iterator[str]:
        """A film through the faces of these seeds and back to the first, as a file.

        The word mine stands for the visitor's own face, as Mix has it, or for both in turns.
        """
        chosen = parse_seeds(seeds, "Faces", also=MINE)
        self.takes(len(chosen), int(steps), int(speed), model)
        total, frames = len(chosen) * int(steps), []
        for part in self.frames(chosen, int(steps), psi, own, face, model):
            frames.append(part)
            progress((sum(map(len, frames)), total), unit="frames")
        with tempfile.TemporaryDirectory() as folder:
            names = [MINE if seed is None else str(seed) for seed in chosen]
            path = Path(folder) / f"film-{'-'.join(names)}.{format.lower()}"
            save_film(np.concatenate(frames), path, int(speed))
            yield str(path)  # Gradio has its copy before the folder goes


def players(path: str) -> tuple[gr.Video, gr.Image]:
    """Of a film, the one that can show it has it."""
    is_video = Path(path).suffix == ".webm"
    return (
        gr.Video(path if is_video else None, visible=is_video),
        gr.Image(None if is_video else path, visible=not is_video),
    )


def add_seeds(seeds: str, face: Tensor | None, *more: float | None) -> str:
    """The seeds with more of them at the end; what is no seed is the visitor's own face, if there
    is one, or left out.

    Raises: Mistake if together they are too many.
    """
    words = [str(int(s)) if is_seed(s) else MINE if face is not None else "" for s in more]
    together = ", ".join([word for word in (seeds.strip(", "), *words) if word])
    if together:
        parse_seeds(together, "Faces", also=MINE)  # before it stands there
    return together


def first_film(model: Model) -> tuple[str, int]:
    """Seeds of good faces, of either kind in turns, and frames from face to face; less of both for
    a model that draws slowly."""
    pairs = FIRST if model.first >= 2 * FIRST * FEW_STEPS else 1
    good = zip(*good_seeds(model.domains, pairs), strict=True)
    steps = int(min(STEPS, max(LEAST_STEPS, model.first / (2 * pairs))))
    return ", ".join(str(seed) for pair in good for seed in pair), steps


def film_tab(models: Models, mix: Mixing) -> None:
    """Lay out the tab and connect it."""
    films, first = Films(models), first_film(models.own)

    def look(seeds: str, steps: int, speed: int, model: str) -> tuple[str, str]:
        """What is wrong with the list of seeds, and what their film takes."""
        try:
            faces = len(parse_seeds(seeds, "Faces", also=MINE))
            return "", films.takes(faces, int(steps), int(speed), model)
        except TooLong as e:
            return "", e.message
        except Mistake as e:
            return e.message, ""

    gr.Markdown(WORDS("film_info"))
    with gr.Row():
        with gr.Column(scale=1, min_width=240):
            seeds = gr.Textbox(
                first[0],
                label=WORDS("film_faces"),
                info=WORDS("film_faces_info"),
                elem_id="film-seeds",
            )
            wrong = gr.Markdown(elem_id="film-words", elem_classes="wrong")
            add = gr.Button(WORDS("film_add"))
            steps = BoundedSlider(
                LEAST_STEPS,
                MOST_STEPS,
                first[1],
                step=1,
                label=WORDS("film_steps"),
                elem_id="film-steps",
            )
            speed = BoundedSlider(4, 30, SPEED, step=1, label=WORDS("film_speed"))
            format = gr.Radio(list(SIDES), value="WebM", label=WORDS("film_format"))
            psi, own = psi_slider("film-psi"), own_checkbox(models.own, "film-own")
            takes = gr.Markdown(look(*first, SPEED, "")[1], elem_id="film-takes")
            make = gr.Button(WORDS("film_make"), variant="primary")
        with gr.Column(scale=2, min_width=260):
            video = gr.Video(
                label="Film",
                show_label=False,
                loop=True,
                autoplay=True,
                elem_id="film-video",
                elem_classes="film",
            )
            image = gr.Image(
                label="Film",
                alt_text=WORDS("film"),
                show_label=False,
                visible=False,
                interactive=False,
                buttons=["download", "fullscreen"],
                elem_id="film-image",
                elem_classes="face",
            )
            file = File(label="Film", visible="hidden")

    def add_faces(seeds: str, *more: object) -> tuple[str, str]:
        """The seeds with those of Mix, and nothing to say."""
        return add_seeds(seeds, *more), ""

    def film(*values: object) -> Iterator[tuple[gr.Video | dict, gr.Image | dict, str]]:
        """The film in its player, and nothing to say."""
        try:
            for path in films.make(*values):
                yield *players(path), ""
        except TooLong:  # it stands above the button
            yield gr.skip(), gr.skip(), ""

    hidden = {"api_visibility": "private", "queue": False, "show_progress": "hidden"}
    latest = hidden | {"trigger_mode": "always_last"}
    asked = [seeds, steps, speed, mix.model]
    changes = [x.change for x in asked]
    gr.on(changes, look, asked, [wrong, takes], **latest)
    add.click(said(add_faces, 1), [seeds, mix.face, *mix.controls[:2]], [seeds, wrong], **hidden)
    inputs = [seeds, steps, speed, format, psi, own, mix.face, mix.model]
    one = {"concurrency_limit": 1, "concurrency_id": "film"}
    shown = {"api_visibility": "private", "show_progress_on": [video, image]}
    make.click(said(film, 2), inputs, [video, image, wrong], **one, **shown)
    offer(films.make, inputs, file, "make_film", **one)

    def changed(model: str) -> tuple[str, int, gr.Checkbox]:
        """Faces of another model to begin with, and how many frames."""
        now = models[model]
        return *first_film(now), gr.Checkbox(**own_shown(now))

    mix.model.change(changed, mix.model, [seeds, steps, own], **hidden)
