"""Actions that programs call.

On the page a number beside its range becomes the nearest bound, and a mistake is a sentence under
the pictures, for somebody is still typing. For a program both are errors: it must not take another
answer for what it asked for. So an action has its own, unseen inputs here, named as in Python. It
is offered before the page's events, which would take its name.
"""

import inspect
from collections.abc import Callable, Sequence

import gradio as gr

from playground.controls import SeedBox
from playground.files import PictureFile
from playground.mistake import Mistake


class Within(gr.Slider):
    """A slider that takes numbers of its range only, whole ones if it moves by one."""

    is_template = True  # drawn in the browser as its parent is

    def preprocess(self, payload: float) -> float:
        whole = self.step == 1
        fits = type(payload) in (int, float) and self.minimum <= payload <= self.maximum
        if fits and not (whole and payload != int(payload)):
            return payload
        what = "a whole number" if whole else "a number"
        between = f"from {self.minimum:g} to {self.maximum:g}"
        raise Mistake(f"{self.label} must be {what} {between}, got {payload!r:.20}.")


class YesNo(gr.Checkbox):
    """A checkbox that takes true and false only."""

    is_template = True

    def preprocess(self, payload: bool) -> bool:
        if type(payload) is bool:
            return payload
        raise Mistake(f"{self.label} must be true or false, got {payload!r:.20}.")


def strict(control: gr.Component, name: str) -> gr.Component:
    """What programs fill in place of a control of the page; a state or a found face as it is."""
    unseen = dict(label=name, visible=False)
    match control:
        case gr.Slider():
            how = dict(step=control.step, **unseen)
            return Within(control.minimum, control.maximum, control.value, **how)
        case gr.Checkbox():
            return YesNo(control.value, **unseen)
        case gr.Number():
            return SeedBox(control.value, **unseen)
        case gr.Radio():
            return gr.Radio(control.choices, value=control.value, **unseen)
        case gr.Textbox():
            return gr.Textbox(control.value or "", **unseen)
        case PictureFile():
            return PictureFile(**unseen)
    return control


def offer(
    action: Callable,
    inputs: Sequence[gr.Component],
    outputs: Sequence[gr.Component] | gr.Component,
    name: str,
    **how: object,
) -> None:
    """Let programs call it by this name; `how` is as for an event of Gradio's."""
    names = inspect.signature(action).parameters
    unseen = [strict(control, name) for control, name in zip(inputs, names, strict=False)]
    gr.on([], action, unseen, outputs, api_name=name, **how)
