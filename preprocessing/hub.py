"""Names on the Hub, and in one sentence why it did not do what it was asked.

Whoever sends or fetches something says it with these words.
"""

import re

from huggingface_hub.errors import OfflineModeIsEnabled
from huggingface_hub.utils import httpx

HUB_NAME = re.compile(r"[a-zA-Z0-9][\w.-]*/[a-zA-Z0-9][\w.-]*")
REFUSED = {  # by the status of the answer
    401: "the Hub knows no token of yours; run `hf auth login`",
    403: "your token may not write there",
    412: "something else was sent there meanwhile",
}


def in_one_line(error: Exception) -> str:
    """What an error says, in one line."""
    return " ".join(str(error).split()) or type(error).__name__


def reason(error: Exception) -> str:
    """Why the Hub did not take something, in one line."""
    if isinstance(error, RuntimeError) and error.__cause__:  # of a large file
        return reason(error.__cause__)
    status = getattr(getattr(error, "response", None), "status_code", None)
    if status in REFUSED:
        return REFUSED[status]
    if isinstance(error, httpx.TransportError | OfflineModeIsEnabled):
        return "the Hub cannot be reached"
    return in_one_line(error)
