"""Arguments that no network can take, told in one sentence that names them.

Raises: TypeError for what is of another kind, ValueError for another shape or value.
"""

import math
from numbers import Integral, Real
from os import PathLike

import torch
from torch import Tensor

FLOATING = torch.float32, torch.float16, torch.bfloat16, torch.float64


def check_tensor(name: str, x: object, *shape: int) -> None:
    """Raise unless x is a tensor (N, *shape)."""
    wanted = f"(N, {', '.join(map(str, shape))})"
    if not isinstance(x, Tensor):
        raise TypeError(f"{name} must be a tensor of shape {wanted}, got {_kind(x)}")
    if x.ndim != len(shape) + 1 or x.shape[1:] != shape:
        raise ValueError(f"{name} must have shape {wanted}, got {tuple(x.shape)}")


def check_labels(c: object, c_dim: int, n: int) -> None:
    """Raise unless c is (n, c_dim) or, for a network without labels, None or (n, 0)."""
    if c is None and c_dim:
        raise ValueError(f"this network is conditional: give labels c of shape (N, {c_dim})")
    if c is None:
        return
    if not c_dim and not (isinstance(c, Tensor) and c.shape[1:] == (0,)):
        raise ValueError("this network has no labels: leave c out")
    check_tensor("labels c", c, c_dim)
    if c_dim and c.shape[0] != n:  # len() would make the number of a traced graph a constant
        raise ValueError(f"labels c must be as many as the {n} samples, got {len(c)}")


def check_truncation(psi: object, cutoff: object, n: int) -> None:
    """Raise unless psi is a finite number or n of them in a tensor, and cutoff None or a count."""
    if isinstance(psi, Tensor):
        if psi.ndim and psi.shape != (n, *[1] * (psi.ndim - 1)):
            shape = tuple(psi.shape)
            raise ValueError(f"truncation_psi must be a number or have shape ({n},), got {shape}")
        finite = torch.compiler.is_compiling() or bool(psi.isfinite().all())
    elif isinstance(psi, Real):
        finite = math.isfinite(psi)
    else:
        raise TypeError(f"truncation_psi must be a number or a tensor (N,), got {_kind(psi)}")
    if not finite:
        raise ValueError(f"truncation_psi must be finite, got {psi}")
    if cutoff is not None and not isinstance(cutoff, Integral):
        raise TypeError(f"truncation_cutoff must be None or a whole number, got {_kind(cutoff)}")
    if cutoff is not None and cutoff < 0:
        raise ValueError(f"truncation_cutoff must be 0 or more, got {cutoff}")


def check_transform(transform: object, n: int) -> None:
    """Raise unless transform is None, (3, 3), or one for each of n images or of a single one."""
    if transform is None:
        return
    if not isinstance(transform, Tensor):
        kind = _kind(transform)
        raise TypeError(f"transform must be a tensor of shape (3, 3) or (N, 3, 3), got {kind}")
    shape = tuple(transform.shape)
    if shape[-2:] != (3, 3) or len(shape) > 3:
        raise ValueError(f"transform must have shape (3, 3) or (N, 3, 3), got {shape}")
    if len(shape) == 3 and shape[0] not in (1, n) and n != 1:
        raise ValueError(f"transform must be one for all or as many as the {n} ws, got {shape[0]}")


def check_noise(noise: object) -> None:
    """Raise unless noise is "constant", "none" or a seed."""
    if noise in ("constant", "none") or (isinstance(noise, Integral) and 0 <= noise < 2**32):
        return
    kind = noise if isinstance(noise, int) else _kind(noise)
    raise ValueError(f"noise must be 'constant', 'none' or a seed below 2**32, got {kind}")


def check_place(device: object, dtype: object) -> None:
    """Raise unless tensors can be made on the device and networks draw in the type."""
    if dtype not in FLOATING:
        types = ", ".join(map(str, FLOATING))
        raise ValueError(f"dtype must be one of {types}, got {dtype!r}")
    try:
        torch.zeros((), device=device)
    except (RuntimeError, AssertionError, ImportError, TypeError) as e:  # each kind says it its way
        reason = str(e).partition("\n")[0]
        raise ValueError(f"device {device!r} cannot be used here: {reason}") from e


def check_hub_options(revision: object, token: object, cache_dir: object) -> None:
    """Raise unless each is None or what huggingface_hub can use."""
    if not isinstance(revision, str | None):
        raise TypeError(f"revision must be a branch, tag or commit, got {_kind(revision)}")
    if not isinstance(token, str | bool | None):
        raise TypeError(f"token must be a string, True or False, got {_kind(token)}")
    if isinstance(token, str) and not token.isascii():
        raise ValueError("token must be of ASCII characters, as the Hub gives it")
    if not isinstance(cache_dir, str | PathLike | None):
        raise TypeError(f"cache_dir must be a folder, got {_kind(cache_dir)}")


def _kind(x: object) -> str:
    """Of a wrong argument: its type, and of short ones the value."""
    return "None" if x is None else f"{x!r}" if isinstance(x, str | float) else type(x).__name__
