"""How small square faces are shown: enlarged without smoothing, with their true size named."""

import gradio as gr
import numpy as np
from gradio.i18n import I18nData

from playground.files import Picture, Pictures
from playground.words import english

CSS = """
.face .image-container > button, .face .image-frame, .face img,
.grid .image-container > button, .grid .image-frame, .grid img { width: 100%; }
.face img, .grid img { height: auto; object-fit: contain; }
.face img { aspect-ratio: 1; }
.grid img { aspect-ratio: auto 1; }
.face img, .strip img, .grid img { image-rendering: pixelated; }
.strip .grid-wrap.fixed-height { min-height: 0; max-height: none; padding: 2px; }
.strip .grid-container {
    grid-template-columns: repeat(var(--grid-cols), minmax(0, 1fr)); grid-auto-rows: auto;
    gap: 2px; padding: 0;
}
.strip .thumbnail-item { height: auto; min-height: 0; aspect-ratio: 1; }
.face.fullscreen img, .grid.fullscreen img { height: 100%; }
.gradio-container { overflow: clip !important; }  /* hidden, as Gradio has it, nothing can stay */
.stays { position: sticky; top: 0; z-index: 45; }  /* Gradio's labels have 40, its menus 50 */
.stays, .stays .face { background: var(--body-background-fill); }
@media (max-height: 600px) { .stays { position: static; } }
@media (max-width: 640px) {
    .first-if-narrow { order: -1; flex-basis: 100%; }
    .small-if-narrow .face:not(.fullscreen) .image-frame { width: 60%; margin: auto; }
    #good-a .grid-container, #good-b .grid-container { --grid-cols: 3 !important; }
}
"""


def face_image(name: I18nData, elem_id: str) -> Picture:
    """A picture under its caption."""
    gr.Markdown(f"**{name}**")
    return Picture(
        label=english(name),  # names the picture among what an action returns
        alt_text=name,
        show_label=False,
        interactive=False,
        buttons=["download", "fullscreen"],
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
