"""What one of several processes does for all of them, and how they end."""

import os
import sys
from collections.abc import Callable
from typing import TypeVar

from accelerate import PartialState
from accelerate.utils import broadcast_object_list
from safetensors import SafetensorError

T = TypeVar("T")


def on_main(work: Callable[[], T]) -> T:
    """Do the work on the main process; all get its result, or its error.

    So no process waits for one that has given up. For all processes to call.

    Raises: the work's ValueError or OSError (of what safetensors could not write, too).
    """
    answer = None
    if PartialState().is_main_process:
        try:
            answer = work()
        except (ValueError, OSError) as e:
            answer = e
        except SafetensorError as e:
            answer = OSError(str(e))
    answer = broadcast_object_list([answer])[0]
    if isinstance(answer, Exception):
        raise answer
    return answer


def leave() -> None:
    """End this process at once if it is one of several; nothing after it is done.

    Python's own way out does not wait for gloo's threads. One that lets go of a tensor meanwhile
    aborts a process that has done all its work.
    """
    if PartialState().num_processes > 1:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)
