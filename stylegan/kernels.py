"""The kernels that do the work of `stylegan.ops` where this machine can compile them.

    fused         the nonlinearity on a GPU, by Triton
    compiled      what llvmlite compiles for a CPU: the nonlinearity, the gradient of the weights of
                  3x3 convolutions, what is done to each number alone, and D's low-pass
    compiled_for  those of them that are for a given image

Without them PyTorch's own operations do the same, slower.
"""

import warnings
from functools import cache
from types import ModuleType
from typing import NamedTuple

import torch
from torch import Tensor


@cache
def fused() -> ModuleType | None:
    """stylegan.fused where Triton is installed and finds the C compiler that it needs."""
    try:
        import triton

        triton.runtime.driver.active.get_current_target()
        from stylegan import fused
    except Exception as error:  # of many kinds; the convolutions do the same, slower
        if not isinstance(error, ImportError):
            warnings.warn(f"Triton cannot be used: {error}", stacklevel=2)
        return None
    return fused


class Programs(NamedTuple):
    """What llvmlite compiles; nothing where it does not know this processor."""

    fused: ModuleType | None = None  # stylegan.fused_cpu
    conv: ModuleType | None = None  # stylegan.conv_cpu
    pointwise: ModuleType | None = None  # stylegan.pointwise_cpu
    blur: ModuleType | None = None  # stylegan.blur_cpu


@cache
def compiled() -> Programs:
    """All of them, or none."""
    try:
        from stylegan import blur_cpu, conv_cpu, fused_cpu, jit, pointwise_cpu

        jit.Program("x", "count").compiled()
    except Exception as error:
        if not isinstance(error, ImportError):
            warnings.warn(f"LLVM cannot be used: {error}", stacklevel=2)
        return Programs()
    return Programs(fused_cpu, conv_cpu, pointwise_cpu, blur_cpu)


def compiled_for(x: Tensor) -> Programs:
    """Those that are for images as x (N, C, H, W): full vectors of channels, channels last."""
    if not x.is_cpu or torch.compiler.is_compiling():  # an exported graph has PyTorch's own steps
        return Programs()
    programs = compiled()
    return programs if programs.pointwise and programs.pointwise.suits(x) else Programs()
