"""A page of a run, renewed while it trains: `python -m training.look runs/NAME`.

Shows the faces of every moment under a slider, the mixes of that moment, how far the run is, what
was measured, and what the doctor says. It reads what the run wrote and changes nothing. Only this
machine can open it.
"""

import argparse
import json
import sys
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import gradio as gr
from PIL import Image

from stylegan.history import Moment, parse_lines, read_history
from training.checkpoint import read_record
from training.doctor import examine
from training.report import time_left

SECONDS = 10  # between two looks at the folder
ROWS = 12  # of the table: the newest measurements
TITLE = "A run of StyleGAN PlayGround"
CSS = """
.faces img { width: 100%; height: auto; }
footer { display: none !important; }
.block input[type=range]::-webkit-slider-thumb { background-color: var(--slider-color); }
.block input[type=range]::-moz-range-thumb { background-color: var(--slider-color); }
"""
WAITING = "No faces yet: the first come after the first steps."


def moments(run: Path) -> list[Moment]:
    """Those of which the picture is there, in the order of time; raises as `read_history`."""
    return [moment for moment in read_history(run) if (run / moment.grid).is_file()]


def progress(run: Path, now: float) -> str:
    """How far the run is and how long it still takes, `now` in seconds since 1970.

    Raises: ValueError if the folder is none of a run, or a file of it is damaged.
    """
    flags, log = read_record(run), list(parse_lines(run / "log.jsonl", json.loads))
    if not flags:
        raise ValueError(f"{run} holds no run; name the folder that --out named")
    if not log:
        return "No report yet: the first comes after the first steps."
    last, total = log[-1], flags["total_kimg"]
    pace = last["sec_per_kimg"]
    left = time_left(pace, 1000 * last["kimg"], 1000 * total)
    ago = round((now - last["unix_time"]) / 60)
    told = "just now" if ago < 1 else f"{ago} min ago"
    return (
        f"**kimg {last['kimg']:.2f} of {total:g}**, {pace:.0f} seconds per kimg, {left} left at "
        f"this speed. Last report: {told}."
    )


def table(history: Sequence[Moment]) -> str:
    """The newest measurements first, in Markdown."""
    measured = [moment for moment in history if moment.figures][: -ROWS - 1 : -1]
    if not measured:
        return "Nothing is measured yet."
    lines = ["| kimg | score | of the real faces covered | copies | turned |", "| --- " * 5 + "|"]
    for moment in measured:
        figures = moment.figures
        covered = figures["distances"]["all"]["coverage"]["value"]
        lines.append(
            f"| {moment.kimg:g} | {figures['score']:.1f} | {covered:.0%} | "
            f"{figures['as close as a copy']:.0%} | {figures['turned']:.0%} |"
        )
    return "\n".join(lines)


def advice(run: Path) -> str:
    """The doctor's words as a list in Markdown; raises as `examine`."""
    return "\n".join(f"- {line.removeprefix('doctor: ')}" for line in examine(run).splitlines())


def show(run: Path, at: int) -> tuple[str, Image.Image | None, Image.Image | None]:
    """Of a moment, counted from 0: its words, its faces and its mixes."""
    history = moments(run)
    if not history:
        return WAITING, None, None
    moment = history[min(int(at), len(history) - 1)]
    score = f", score {moment.figures['score']:.1f}" if moment.figures else ""
    faces = run / moment.grid
    mixes = faces.with_name(f"{faces.stem}-mix{faces.suffix}")
    pictures = (
        Image.open(path).convert("RGB") if path.is_file() else None for path in (faces, mixes)
    )
    return f"**kimg {moment.kimg:g}**{score}", *pictures


def renew(run: Path, at: int, known: int) -> tuple:
    """All that the page shows. The slider stays where it is, but its end follows the run: a visitor
    who looks at the newest of `known` moments gets the newest again."""
    try:
        history = moments(run)
        words = progress(run, time.time()), table(history), advice(run)
    except (ValueError, OSError) as e:
        return gr.skip(), gr.skip(), gr.skip(), gr.skip(), f"**{e}**", "", "", known
    last = len(history) - 1
    at = last if at >= known - 1 else at
    slider = gr.Slider(value=at, maximum=max(last, 1), interactive=last > 0)
    return slider, *show(run, at), *words, len(history)


def build_page(run: Path) -> gr.Blocks:
    """The page of one run."""
    with gr.Blocks(title=TITLE) as demo:
        gr.Markdown(f"# {run}")
        words = gr.Markdown(elem_id="progress")
        known = gr.State(0)
        with gr.Row():
            with gr.Column(scale=3):
                at = gr.Slider(
                    0, 1, 0, step=1, label="From the first faces to the newest", elem_id="at"
                )
                caption = gr.Markdown(elem_id="caption")
                look = dict(format="png", buttons=[], show_label=False, interactive=False)
                gr.Markdown("The same seeds every time")
                faces = gr.Image(elem_id="faces", elem_classes="faces", **look)
                gr.Markdown("Halfway between the face above and the face on the left")
                mixes = gr.Image(elem_classes="faces", **look)
            with gr.Column(scale=2):
                gr.Markdown("### The doctor")
                doctor = gr.Markdown(elem_id="doctor")
                gr.Markdown("### Measured")
                figures = gr.Markdown(elem_id="figures")
        shown = [at, caption, faces, mixes, words, figures, doctor, known]
        quiet = dict(show_progress="hidden", api_visibility="private")
        gr.on([demo.load, gr.Timer(SECONDS).tick], partial(renew, run), [at, known], shown, **quiet)
        at.input(
            partial(show, run), at, [caption, faces, mixes], trigger_mode="always_last", **quiet
        )
    return demo


def main(argv: Sequence[str] | None = None) -> None:
    """Open the page of a run, or end with one sentence."""
    parser = argparse.ArgumentParser(
        prog="python -m training.look", description=__doc__.splitlines()[0], allow_abbrev=False
    )
    parser.add_argument("run", help="folder of a run, the --out of the trainer", type=Path)
    run = parser.parse_args(argv).run
    try:
        progress(run, time.time())
    except (ValueError, OSError) as e:
        sys.exit(f"error: {e}")
    page = dict(css=CSS, theme=gr.themes.Soft(font=["system-ui", "sans-serif"]), ssr_mode=False)
    shown = build_page(run)
    shown.launch(server_name="127.0.0.1", quiet=True, prevent_thread_lock=True, **page)
    print(f"The run is shown at {shown.local_url} until you press Ctrl-C", flush=True)
    shown.block_thread()


if __name__ == "__main__":
    main()
