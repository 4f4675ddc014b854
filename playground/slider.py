"""A slider whose number box forgives."""

import gradio as gr


class BoundedSlider(gr.Slider):
    """Takes a number outside its range for the nearest bound, and an emptied box for its start.

    The browser shows the bound as well; gr.Slider would refuse the number it was sent before.
    """

    is_template = True  # drawn in the browser as its parent is

    def preprocess(self, payload: float | None) -> float:
        if payload is None:
            return self.value
        return min(max(payload, self.minimum), self.maximum)
