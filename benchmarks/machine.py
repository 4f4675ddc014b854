"""What every benchmark reports: the machine that times depend on, and where it is kept."""

import argparse
import json
import os
import platform
import statistics
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch

from stylegan.files import write_whole

INSTRUCTIONS = ("avx2", "avx512f", "avx512_bf16", "amx_bf16")
GEMM_SIZE, GEMM_REPEAT = 1024, 9


def _llvmlite() -> str | None:
    """Its version; with it a CPU does the nonlinearity in one pass."""
    try:
        return version("llvmlite")
    except PackageNotFoundError:
        return None


def machine() -> dict[str, object]:
    """The processor, the device and what computes on them."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    flags = " ".join(line for line in lines if line.startswith("flags")).split()
    cuda = torch.cuda.is_available()
    return {
        "cpu": models[0] if models else platform.processor(),
        "instructions": [x for x in INSTRUCTIONS if x in flags],
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "device": torch.cuda.get_device_name() if cuda else "cpu",
        "torch": torch.__version__,
        "llvmlite": _llvmlite(),
        "cuda": torch.version.cuda,
        "tf32_convolutions": cuda and torch.backends.cudnn.allow_tf32,
    }


def gemm_gflops(dtype: torch.dtype) -> float:
    """10^9 operations per second of process CPU time in square matrix products, the median."""
    a, b = (torch.randn(GEMM_SIZE, GEMM_SIZE).to(dtype) for _ in range(2))
    torch.mm(a, b)
    rates = []
    for _ in range(GEMM_REPEAT):
        start = time.process_time()
        torch.mm(a, b)
        rates.append(2 * GEMM_SIZE**3 / (time.process_time() - start) / 1e9)
    return statistics.median(rates)


def report_file(name: str) -> Path:
    """The file that `--out` names: a new one or an older report; a picture may lie beside it.

    Raises: argparse.ArgumentTypeError for what is somebody's.
    """
    path = Path(name)
    if path.suffix != ".json":
        raise argparse.ArgumentTypeError(f"{name} must end in .json")
    try:
        known = path.exists() and "machine" in json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, TypeError, OSError):
        known = False
    for file in (path, path.with_suffix(".png")):
        if file.exists() and not known:
            raise argparse.ArgumentTypeError(f"{file} is no benchmark's; name a new file")
    return path


def save_json(report: dict[str, object], path: Path) -> None:
    """Write over the file, in a folder that need not exist."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, json.dumps(report, indent=1) + "\n")
