"""The Mix tab from its address or from a saved picture, and the address from the tab."""

from collections.abc import Sequence

import gradio as gr
from torch import Tensor

from playground.scene import Scene, parse_scene, scene_of

# keeps the page's address at what is mixed, unless a face is in it that no address can hold
ADDRESS = """(a, b, weight, psi, own, shape, features, texture, layers) => {
    const scene = {a, b, weight, psi, own: Number(own), shape, features, texture};
    if (layers.some(offset => offset)) scene.layers = layers;
    const text = "?" + new URLSearchParams(scene);
    const known = a !== null && b !== null;
    history.replaceState(null, "", known ? text : location.pathname);
}"""


def layer_values(layers: Sequence[float], num_ws: int) -> list[list[float] | float]:
    """All together and one by one; those that are not told are at 0."""
    every = [*layers, *[0.0] * num_ws][:num_ws]
    return [every, *every]


def scene_values(scene: Scene, num_ws: int) -> list[float | bool | None | list[float]]:
    """As the tab's controls take them."""
    *values, layers = vars(scene).values()
    return [*values, *layer_values(layers, num_ws)]


def unchanged(num_ws: int) -> list[dict]:
    """For the controls."""
    return [gr.skip()] * (9 + num_ws)


def from_address(request: gr.Request, num_ws: int) -> list:
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


def from_picture(path: str | None, num_ws: int, w_dim: int) -> tuple[list, Tensor | dict]:
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
