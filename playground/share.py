"""The Mix tab from its address or from a saved picture, and the address from the tab."""

from collections.abc import Sequence

import gradio as gr
from torch import Tensor

from playground.model import Models
from playground.scene import Scene, parse_scene, scene_of

MOST_LAYERS = 16  # that have a control of their own: all of the published networks

# keeps the page's address at what is mixed, unless a face is in it that no address can hold
ADDRESS = """(a, b, weight, psi, own, shape, features, texture, layers, model) => {
    const scene = {a, b, weight, psi, own: Number(own), shape, features, texture};
    if (layers.some(offset => offset)) scene.layers = layers;
    if (model) scene.model = model;
    const text = "?" + new URLSearchParams(scene);
    const known = a !== null && b !== null;
    history.replaceState(null, "", known ? text : location.pathname);
}"""


def layer_values(layers: Sequence[float]) -> list[list[float] | float]:
    """All together and one by one; those that are not told are at 0."""
    every = [*layers, *[0.0] * MOST_LAYERS][:MOST_LAYERS]
    return [every, *every]


def scene_values(scene: Scene) -> list[float | bool | None | list[float] | str]:
    """As the tab's controls take them."""
    *values, layers, model = vars(scene).values()
    return [*values, model, *layer_values(layers)]


UNCHANGED = [gr.skip()] * (10 + MOST_LAYERS)  # for the controls


def from_address(request: gr.Request, models: Models) -> list:
    """The scene of the address, if it has one; a wrong one is told and left."""
    query = request.url.query if request else ""
    if "weight=" in query:
        try:
            scene = parse_scene(query)
            if scene.has_own_face:
                raise ValueError("a face of your own travels inside a saved picture only")
            models[scene.model]  # it can be had
            return scene_values(scene)
        except gr.Error as e:  # a ValueError, too
            gr.Warning(f"The address asks for another model. {e.message}")
        except ValueError as e:
            gr.Warning(f"The address does not say what to mix: {e}.")
    return UNCHANGED


def from_picture(path: str | None, models: Models) -> tuple[list, Tensor | dict]:
    """The scene that a saved picture holds, and the visitor's own face in it.

    Raises: gr.Error with a sentence if there is none.
    """
    if path is None:
        return UNCHANGED, gr.skip()
    try:
        scene, face = scene_of(path)
    except ValueError as e:
        raise gr.Error(f"{e}.") from e
    G = models[scene.model].G
    if face is None:
        return scene_values(scene), gr.skip()
    if face.numel() != G.num_ws * G.w_dim:
        raise gr.Error("The face of your own in this picture was found with another model.")
    return scene_values(scene), face.reshape(1, G.num_ws, G.w_dim)
