"""StyleGAN PlayGround: mix two faces in the browser.

    python app.py                      on the weights in this repository
    python app.py --model FOLDER       on others: a folder or a user/repository of the Hub

For a Space, variables do the same: PLAYGROUND_MODEL what --model does, GRADIO_SERVER_NAME what
--host does, GRADIO_SERVER_PORT what --port does.
"""

import argparse
import importlib.util
import os
import sys


def parse_args() -> argparse.Namespace:
    """What the command line asks for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--model",
        default=os.environ.get("PLAYGROUND_MODEL"),
        help="folder or Hub repository with a generator (default: the one in this repository)",
    )
    parser.add_argument("--host", help="address to listen at; 0.0.0.0 is all (default: 127.0.0.1)")
    parser.add_argument("--port", type=int, help="(default: the first free one from 7860 on)")
    parser.add_argument("--mcp", action="store_true", help="offer every action to agents, too")
    args = parser.parse_args()
    if args.mcp and importlib.util.find_spec("mcp") is None:
        parser.error('--mcp needs: pip install "gradio[mcp]"')
    return args


os.environ.setdefault("GOMP_SPINCOUNT", "1000")  # see training/train.py
if __name__ == "__main__":  # before libraries load, which takes seconds
    ARGS = parse_args()
    print(f"Loading {ARGS.model or 'the weights in this repository'}, then the page", flush=True)

import gradio as gr

from playground.about import about_tab, status
from playground.browser import BOUNDS, HEAD, SEEDS, TABS, all_of
from playground.explore import explore_tab
from playground.face import CSS, pixels_switch
from playground.files import tell_of_files
from playground.film import film_tab
from playground.grid import CLICKS, grid_tab
from playground.limits import QUEUE, SESSIONS, tell_when_full
from playground.mix import mix_tab
from playground.model import Model, Models, load_model
from playground.upload import upload_tab
from playground.words import WORDS
from stylegan.memory import keep_freed_memory

TITLE = "StyleGAN PlayGround"
SANS = ["system-ui", "-apple-system", "Segoe UI", "Roboto", "sans-serif"]
MONO = ["ui-monospace", "Consolas", "monospace"]
LAUNCH = {
    "theme": gr.themes.Soft(font=SANS, font_mono=MONO),
    "css": CSS,
    "js": all_of(CLICKS, TABS, BOUNDS, SEEDS),
    "head": HEAD,
    "i18n": WORDS,
    "ssr_mode": False,
}
LAUNCH |= {"max_file_size": "10mb", "state_session_capacity": SESSIONS, "run_history": False}


def problems(model: Model) -> list[str]:
    """Sentences on what is not as it was asked for."""
    return [sentence for sentence in (model.problem, *model.left_out) if sentence]


def build_page(model: Model) -> gr.Blocks:
    """The whole page, drawn by this model until a visitor takes another."""
    models = Models(model)
    with gr.Blocks(title=TITLE, delete_cache=(600, 3600)) as demo:
        with gr.Row(elem_id="head"):
            with gr.Column(scale=4, min_width=260):
                gr.Markdown(f"# {TITLE}\n{WORDS('what_to_do')}")
                line = gr.Markdown(status(model), elem_id="status")
            pixels_switch()
        for sentence in problems(model):
            gr.Markdown(sentence, elem_classes="wrong")
        with gr.Tabs() as tabs:
            with gr.Tab(WORDS("tab_mix"), id="mix"):
                mix = mix_tab(models, demo)
            with gr.Tab(WORDS("tab_upload"), id="upload"):
                upload_tab(models, mix, tabs)
            with gr.Tab(WORDS("tab_grid"), id="grid") as tab:
                grid_tab(models, mix, tabs, tab)
            with gr.Tab(WORDS("tab_explore"), id="explore") as tab:
                explore_tab(models, mix, tabs, tab)
            with gr.Tab(WORDS("tab_film"), id="film"):
                film_tab(models, mix)
            with gr.Tab(WORDS("tab_model"), id="model"):
                about_tab(models, mix, line)
    demo.queue(max_size=QUEUE)
    tell_when_full(demo)
    tell_of_files(demo)
    return demo


def main(args: argparse.Namespace) -> None:
    """Load the model, open the page."""
    keep_freed_memory()
    model = load_model(args.model)
    for sentence in problems(model):
        print(sentence, file=sys.stderr)
    page = build_page(model)
    where = dict(server_name=args.host, server_port=args.port)
    how = dict(mcp_server=args.mcp, quiet=True, prevent_thread_lock=True)
    page.launch(**where, **how, **LAUNCH)
    print(f"The page is at {page.local_url} until you press Ctrl-C", flush=True)
    page.block_thread()


if __name__ == "__main__":
    main(ARGS)
