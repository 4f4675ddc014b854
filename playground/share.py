"""The Mix tab from its address or from a saved picture, and the address from the tab."""

import gradio as gr
from torch import Tensor

from playground.scene import Scene, parse_scene, scene_of

# keeps the page's address at what is mixed, unless a face is in it that no address can hold
ADDRESS = """(a, b, weight, psi, own, shape, features, texture, ...layers) => {
    const scene = {a, b, weight, psi, own: Number(own), shape, features, texture};
    if (layers.some(offset => offset)) scene.layers = layers;
    const text = "?" + new URLSearchParams(scene);
    const known = a !== null && b !== null;
    history.replaceState(null, "", known ? text : location.pathname);
}"""


def scene_values(scene: Scene, num_ws: int) -> list[float | bool | None]:
    """As the tab's controls take them; layers that the scene does not tell are at 0."""
    *values, layers = vars(scene).values()
    return [*values, *(layers + (0.0,) * num_ws)[:num_ws]]


def unchanged(num_ws: int) -> list[dict]:
    """For the controls."""
    return [gr.skip()] * (8 + num_ws)


def from_address(request: gr.Request, num_ws: int) -> list[float | bool | dict]:
    """The scene of the address, if it has one; a wrong one is told and left."""
    query = request.url.query if request else ""
    if "weight=" in query:
        try:
            scene = parse_scene(query)
            if scene.has_own_face:
                raise ValueError("a face of your own travels inside a saved picture only")
            return scene_values(scene, num_ws)
        except ValueError as e:
            gr.Warning(f"The address does not say what to mix: {e}.")
    return unchanged(num_ws)


def from_picture(
    path: str | None, num_ws: int, w_dim: int
) -> tuple[list[float | bool | None | dict], Tensor | dict]:
    """The scene that a saved picture holds, and the visitor's own face in it.

    Raises: gr.Error with a sentence if there is none.
    """
    if path is None:
        return unchanged(num_ws), gr.skip()
    try:
        scene, face = scene_of(path, num_ws, w_dim)
    except ValueError as e:
        raise gr.Error(f"{e}.") from e
    return scene_values(scene, num_ws), gr.skip() if face is None else face
