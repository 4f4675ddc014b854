"""The Mix tab from its address or from a saved picture, and the address from the tab."""

from collections.abc import Sequence
from urllib.parse import parse_qsl

import gradio as gr
from torch import Tensor

from playground.controls import PSI
from playground.mistake import Mistake
from playground.model import Model, Models
from playground.scene import FIELDS, Scene, parse_scene, scene_of
from playground.seeds import good_seeds

MOST_LAYERS = 16  # that have a control of their own: all of the published networks

# Keeps the page's address at what is mixed, and whatever else is in it. A face that no address can
# hold is left out; what nobody can mix, such as a seed below 0, leaves it as it is. It has nothing
# to say.
ADDRESS = """(a, b, weight, psi, own, shape, features, texture, layers, model) => {
    const isSeed = (x) => x === null || (Number.isInteger(x) && x >= 0 && x < 2 ** 32);
    if (![a, b].every(isSeed) || weight === null || psi === null) return "";
    const [w, p] = [weight, psi].map((x) => Math.min(Math.max(x, 0), 1));
    const scene = {a, b, weight: w, psi: p, own: Number(own), shape, features, texture};
    scene.layers = layers.some(offset => offset) ? layers : null;
    scene.model = model || null;
    const query = new URLSearchParams(location.search);
    for (const [name, value] of Object.entries(scene))
        if (value === null) query.delete(name); else query.set(name, value);
    history.replaceState(null, "", "?" + query);
    dispatchEvent(new Event("mixed"));
    return "";
}"""

# Gives link and picture to the share sheet of a phone or else to the clipboard; says what it did or
# what is wrong with the mix. A face without a seed is in no link: the picture goes alone then.
SHARE = """async (a, b, ...wrong) => {
    const face = document.querySelector("#face-mix img"), url = location.href;
    const problem = wrong.find(Boolean), own = a === null || b === null;
    if (problem || !face) return problem || "There is no picture yet.";
    const canvas = Object.assign(document.createElement("canvas"), {width: 512, height: 512});
    const context = canvas.getContext("2d");
    context.imageSmoothingQuality = "high";
    context.drawImage(face, 0, 0, 512, 512);
    const picture = await new Promise((done) => canvas.toBlob(done, "image/png"));
    const files = [new File([picture], "mix.png", {type: "image/png"})];
    try {
        if (matchMedia("(pointer: coarse)").matches && navigator.canShare?.({files})) {
            await navigator.share({title: document.title, files, ...(own ? {} : {url})});
            return "";
        }
        const link = own ? {} : {"text/plain": new Blob([url], {type: "text/plain"})};
        await navigator.clipboard.write([new ClipboardItem({...link, "image/png": picture})]);
        return own
            ? "The picture is copied. A link cannot hold a face without a seed; a saved mix can."
            : "The link and the picture are copied: paste them where you like.";
    } catch (error) {
        if (error.name === "AbortError") return "";
        return own ? "Save the mix and send the file." : "Copy this link: " + url;
    }
}"""

# Has the browser save a file that was made for it, if one was.
KEEP = """(file) => {
    if (!file) return;
    const link = Object.assign(document.createElement("a"), {href: file.url});
    link.download = file.orig_name || file.path.split("/").pop();
    link.click();
}"""


def first_scene(model: Model) -> Scene:
    """What is mixed at first: the best face of either kind."""
    (a,), (b,) = good_seeds(model.domains, 1)
    return Scene(a, b, 0.5, PSI, bool(model.domains), model=model.key)


def layer_values(layers: Sequence[float]) -> list[list[float] | float]:
    """All together and one by one; those that are not told are at 0."""
    every = [*layers, *[0.0] * MOST_LAYERS][:MOST_LAYERS]
    return [every, *every]


def scene_values(scene: Scene) -> list[float | bool | None | list[float] | str]:
    """As the tab's controls take them."""
    *values, layers, model = vars(scene).values()
    return [*values, model, *layer_values(layers)]


UNCHANGED = [gr.skip()] * (10 + MOST_LAYERS)  # for the controls


def from_address(request: gr.Request, models: Models) -> tuple[list, str]:
    """The scene of the address, if it has one, and what is wrong with it, if anything is.

    What the address leaves out is as it is at first.
    """
    query = request.url.query if request else ""
    told = dict(parse_qsl(query))
    if told.keys() & FIELDS:
        try:
            first = first_scene(models[told.get("model", "")])  # it can be had
            scene = parse_scene(f"{first.text()}&{query}")
            if scene.has_own_face:
                raise ValueError("your own face is in a saved picture only, never in an address")
            return scene_values(scene), ""
        except gr.Error as e:  # a ValueError, too
            return UNCHANGED, f"The address asks for another model. {e.message}"
        except ValueError as e:
            return UNCHANGED, f"The address does not say what to mix: {e}. This is another mix."
    return UNCHANGED, ""


def from_picture(path: str | None, models: Models) -> tuple[list, Tensor | dict]:
    """The scene that a saved picture holds, and the visitor's own faces in it, as `read_scene` has
    them.

    Raises: Mistake with a sentence if there is none.
    """
    if path is None:
        return UNCHANGED, gr.skip()
    try:
        scene, face = scene_of(path)
    except ValueError as e:
        raise Mistake(f"{e}.") from e
    G = models[scene.model].G
    if face is None:
        return scene_values(scene), gr.skip()
    if face.numel() not in (G.num_ws * G.w_dim, 2 * G.num_ws * G.w_dim):
        raise Mistake("Your face in this picture was found with another model.")
    return scene_values(scene), face.reshape(-1, G.num_ws, G.w_dim)
