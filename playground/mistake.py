"""What a visitor did by mistake, told to the visitor."""

import gradio as gr


class Mistake(gr.Error):
    """A sentence on the page; the log, which is for what is wrong with the page, stays silent."""

    def __init__(self, message: str):
        super().__init__(message, print_exception=False)
