"""What is told to visitors, who may be quoted what strangers wrote."""

import inspect
import re
from collections.abc import Callable
from functools import wraps

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


def said(action: Callable, others: int) -> Callable:
    """For the page, an action whose last answer is words: what is wrong are those words then, and
    its `others` stay as they are."""
    as_they_are = [gr.skip()] * others

    @wraps(action)
    def answer(*values: object) -> object:
        try:
            return action(*values)
        except gr.Error as e:
            return [*as_they_are, e.message]

    @wraps(action)
    def answers(*values: object) -> object:
        try:
            yield from action(*values)
        except gr.Error as e:
            yield [*as_they_are, e.message]

    return answers if inspect.isgeneratorfunction(action) else answer
