"""Controls that several tabs have."""

import math

import gradio as gr

from playground.mistake import Mistake
from playground.model import Model
from playground.words import WORDS, english, kind_name

PSI = 0.8  # truncation at first
# Of an event that answers each move of a control, of which only the last counts.
LIVE = {"show_progress": "hidden", "trigger_mode": "always_last", "queue": False}


class BoundedSlider(gr.Slider):
    """A slider whose number box takes a number outside its range for the nearest bound, and an
    emptied box for its start.

    The browser shows the bound as well (`playground.browser`); gr.Slider would refuse the number it
    was sent before.
    """

    is_template = True  # drawn in the browser as its parent is

    def preprocess(self, payload: float | None) -> float:
        """Raises Mistake for what only a program sends: no number."""
        if payload is None:
            return self.value
        if not isinstance(payload, int | float) or math.isnan(payload):
            between = f"from {self.minimum:g} to {self.maximum:g}"
            raise Mistake(f"{english(self.label)}: a number {between} is needed.")
        return min(max(payload, self.minimum), self.maximum)


class SeedBox(gr.Number):
    """A field for a seed; what is no number is handed on, for `problem_with_seed` to name.

    With the class "seed" it waits until typing rests (`playground.browser.SEEDS`).
    """

    is_template = True

    def preprocess(self, payload: float | None) -> float | None:
        if payload is None or type(payload) in (int, float):
            return payload
        return math.nan


def psi_slider(elem_id: str) -> BoundedSlider:
    """How far a face is from the average one."""
    return BoundedSlider(
        0,
        1,
        PSI,
        step=0.01,
        label=WORDS("psi"),
        info=WORDS("psi_info"),
        elem_id=elem_id,
    )


def own_shown(model: Model) -> dict[str, str | bool]:
    """Which kinds there are to choose from; hidden where the model tells none."""
    kinds = ", ".join(kind_name(domain.name) for domain in model.domains)
    return dict(label=f"{WORDS('own')} ({kinds})", visible=bool(kinds))


def own_checkbox(model: Model, elem_id: str) -> gr.Checkbox:
    """From which average."""
    info = WORDS("own_info")
    return gr.Checkbox(bool(model.domains), info=info, elem_id=elem_id, **own_shown(model))
