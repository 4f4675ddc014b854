"""How small square faces are shown: smoothly enlarged or, if the visitor likes, pixel by pixel, as
large as fits the window with what moves them.

The browser enlarges, so that what is sent stays small.
"""

from collections.abc import Sequence

import gradio as gr
import numpy as np
from gradio.i18n import I18nData

from playground.files import Picture, Pictures
from playground.words import WORDS, english

CSS = """
.gradio-container { --side: max(15rem, 100vh - 19rem); }  /* a picture and its sliders fit in */
.face .image-container > button, .face .image-frame, .face img,
.grid .image-container > button, .grid .image-frame, .grid img { width: 100%; }
.face img, .grid img { height: auto; object-fit: contain; }
.face:not(.fullscreen) img, .grid:not(.fullscreen) img, .film video {
    max-width: var(--side); margin: auto;
}
.face img { aspect-ratio: 1; }
.grid img { aspect-ratio: auto 1; }
.film video { max-height: var(--side); }
.gradio-container:has(#pixels input:checked) :is(.face, .strip, .grid) img {
    image-rendering: pixelated;
}
.gradio-container:has(#mix-words em) :is(#face-a, #face-mix, #face-b) img {
    opacity: 0.4; transition: opacity 0.2s 0.3s;  /* not for what is quick */
}
.wrong p { color: var(--error-icon-color); }
.wrong:not(:has(p)) { display: none; }
.block input[type=range]::-webkit-slider-thumb {  /* Gradio's knobs are white, on white */
    background-color: var(--slider-color); box-shadow: 0 0 0 2px var(--block-background-fill);
}
.block input[type=range]::-moz-range-thumb {
    background-color: var(--slider-color); box-shadow: 0 0 0 2px var(--block-background-fill);
}
#head { align-items: end; flex-wrap: wrap; gap: 4px 16px; }
#head > .column { gap: 0; }
#head h1 { margin: 0; font-size: 1.5rem; }
#head p { margin: 4px 0 0; }
#head #pixels {
    flex: none; width: auto; padding: 4px; border-style: none; outline: none; box-shadow: none;
    background: none;
}
#head #pixels input { border: 1px solid var(--body-text-color-subdued); }
.strip .grid-wrap.fixed-height { min-height: 0; max-height: none; padding: 2px; }
.strip .grid-container {
    grid-template-columns: repeat(var(--grid-cols), minmax(0, 1fr)); grid-auto-rows: auto;
    gap: 2px; padding: 0;
}
.strip .empty { min-height: 0; height: 3rem; margin: 0; }  /* Gradio's is as high as a picture */
.strip .thumbnail-item { height: auto; min-height: 0; aspect-ratio: 1; }
.strip .thumbnail-item.selected:not(:focus-visible) {  /* it may long be another face */
    border-color: var(--border-color-primary); --ring-color: transparent;
}
.face.fullscreen img, .grid.fullscreen img { height: 100%; }
.gradio-container { overflow: clip !important; }  /* hidden, as Gradio has it, nothing can stay */
.stays { position: sticky; top: 0; z-index: 45; }  /* Gradio's labels have 40, its menus 50 */
.stays, .stays .face { background: var(--body-background-fill); }
@media (max-height: 600px) and (orientation: landscape) { .stays { position: static; } }
@media (max-width: 640px) {
    .tab-container button { padding: 0 7px; font-size: 13px; }
    .stays { --side: max(12rem, 32vh); box-shadow: 0 8px 8px -8px #0008; }  /* the rest is below */
    .first-if-narrow { display: contents; }  /* so that the mix stays along the whole row */
    .first-if-narrow > * { order: -1; flex: 1 0 100%; }
    .small-if-narrow .face:not(.fullscreen) .image-frame { width: 60%; margin: auto; }
    #good-a .grid-container, #good-b .grid-container { --grid-cols: 3 !important; }
}
"""


def pixels_switch() -> gr.Checkbox:
    """Whether pixels are shown as they are; the style sheet asks it."""
    return gr.Checkbox(
        False, label=WORDS("pixels"), container=False, scale=0, min_width=150, elem_id="pixels"
    )


def face_image(
    name: I18nData, elem_id: str, buttons: Sequence[str] = ("download", "fullscreen")
) -> Picture:
    """A picture under its caption, with these buttons on it."""
    gr.Markdown(f"**{name}**")
    return Picture(
        label=english(name),  # names the picture among what an action returns
        alt_text=name,
        show_label=False,
        interactive=False,
        buttons=list(buttons),
        elem_id=elem_id,
        elem_classes="face",
    )


def face_strip(
    caption: I18nData,
    columns: int,
    elem_id: str,
    faces: list[np.ndarray] | None = None,
    visible: bool = True,
) -> Pictures:
    """Small faces in rows under their caption, uint8 (H, W, 3) each, to choose one by a click."""
    gr.Markdown(caption, visible=visible)
    return small_faces(english(caption), columns, elem_id, faces, visible)


def small_faces(
    label: str,
    columns: int,
    elem_id: str,
    faces: list[np.ndarray] | None = None,
    visible: bool = True,
) -> Pictures:
    """As `face_strip`, without the caption."""
    return Pictures(
        faces,
        label=label,
        show_label=False,
        columns=columns,
        allow_preview=False,
        object_fit="contain",
        buttons=[],
        elem_id=elem_id,
        elem_classes="strip",
        interactive=False,
        visible=visible,
    )
