"""How a small square face is shown: enlarged without smoothing, with its true size named."""

import gradio as gr

CSS = """
.face .image-container > button, .face .image-frame, .face img { width: 100%; }
.face img { height: auto; aspect-ratio: 1; object-fit: contain; image-rendering: pixelated; }
"""


def face_image(name: str, size: int, elem_id: str) -> gr.Image:
    """A picture of `size` pixels under its caption."""
    gr.Markdown(f"**{name}** ({size}x{size} pixels, enlarged)")
    return gr.Image(
        label=name,
        show_label=False,
        format="png",
        interactive=False,
        buttons=["download", "fullscreen"],
        elem_id=elem_id,
        elem_classes="face",
    )
