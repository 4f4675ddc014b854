"""What one of several processes does for all of them, and how they end."""

import multiprocessing
import os
import signal
import sys
import warnings
from collections.abc import Callable
from typing import NoReturn, TypeVar

from accelerate import PartialState
from accelerate.utils import broadcast_object_list
from safetensors import SafetensorError

T = TypeVar("T")


def on_main(work: Callable[[], T]) -> T:
    """Do the work on the main process; all get its result, or its error.

    So no process waits for one that has given up. For all processes to call.

    Raises: the work's ValueError or OSError (of what safetensors could not write, too); on the
    other processes a SystemExit, for the main one says why.
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
        if PartialState().is_main_process:
            raise answer
        sys.exit(1)
    return answer


def leave_out_warnings() -> None:
    """Keep two warnings of torch from the screen that several processes get, and nobody can mend.

    Accelerate knows `broadcast_buffers` by that name only. Strides over the sides of a 1x1
    convolution's weights, which are 1 long, can be any.
    """
    warnings.filterwarnings("ignore", "`broadcast_buffers` is deprecated", FutureWarning)
    strides = r"Grad strides do not match bucket view strides[^=]*=[^=]*, 1, 1\], strides"
    warnings.filterwarnings("ignore", strides, UserWarning)


def end_helpers() -> None:
    """End the processes that this one started, which read pictures and do not end on request.

    Python would wait for them when it ends, and they for it.
    """
    if hasattr(signal, "SIGCHLD"):
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # torch takes the end of one for an error
    for helper in multiprocessing.active_children():
        helper.kill()


def leave(status: int | str) -> NoReturn:
    """End this process with a status or, after a sentence that says why, with 1.

    Nothing is done after it if there are several processes: Python's own way out does not wait for
    gloo's threads. One that lets go of a tensor meanwhile aborts a process that has done all its
    work.
    """
    end_helpers()
    if PartialState().num_processes > 1:
        if isinstance(status, str):
            print(status, file=sys.stderr)
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(1 if isinstance(status, str) else status)
    sys.exit(status)
