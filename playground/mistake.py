"""What is told to visitors, who may be quoted what strangers wrote."""

import re

import gradio as gr

NOT_PLAIN = re.compile(r"[^\w .,:;'\"()+\-/@%=?°]+")  # anything that HTML or Markdown could act on
MOST_LETTERS = 400


def plain(text: str, most: int = MOST_LETTERS) -> str:
    """A stranger's words as one line of letters, digits and a few signs: no markup."""
    return NOT_PLAIN.sub("", " ".join(text.split()))[:most].strip()


class Mistake(gr.Error):
    """A plain sentence on the page; the log, for what is wrong with the page, stays silent."""

    def __init__(self, message: str):
        super().__init__(plain(message), print_exception=False)
