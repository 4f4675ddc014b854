"""The Mix tab from its address or from a saved picture, and the address from the tab."""

from dataclasses import asdict, fields

import gradio as gr

from playground.scene import Scene, parse_scene, scene_of

# keeps the page's address at what is mixed
ADDRESS = """(a, b, weight, psi, own, shape, features, texture) => {
    const scene = {a, b, weight, psi, own: Number(own), shape, features, texture};
    history.replaceState(null, "", "?" + new URLSearchParams(scene));
}"""
UNCHANGED = [gr.skip()] * len(fields(Scene))


def scene_values(scene: Scene) -> list[float | bool]:
    """As the tab's components take them."""
    return list(asdict(scene).values())


def from_address(request: gr.Request) -> list[float | bool | dict]:
    """The scene of the address, if it has one; a wrong one is told and left."""
    query = request.url.query if request else ""
    if "weight=" in query:
        try:
            return scene_values(parse_scene(query))
        except ValueError as e:
            gr.Warning(f"The address does not say what to mix: {e}.")
    return UNCHANGED


def from_picture(path: str | None) -> list[float | bool | dict]:
    """The scene that a saved picture holds.

    Raises: gr.Error with a sentence if there is none.
    """
    if path is None:
        return UNCHANGED
    try:
        return scene_values(scene_of(path))
    except ValueError as e:
        raise gr.Error(f"{e}.") from e
