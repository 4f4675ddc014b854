"""What a process keeps of the memory it freed."""

import subprocess
import sys

import pytest

CODE = """
from pathlib import Path
import torch
from stylegan.memory import give_back_memory, keep_freed_memory

def mib():
    (line,) = (x for x in Path("/proc/self/status").read_text().splitlines() if "VmRSS" in x)
    return int(line.split()[1]) // 1024

keep_freed_memory()
before = mib()
pictures = [torch.ones(1_000_000) for _ in range(100)]
small = torch.ones(1000)  # lies above them
del pictures
kept = mib()
give_back_memory()
print(kept - before, mib() - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's")
def test_freed_memory_is_kept_until_it_is_given_back():
    """100 tensors of 4 MB."""
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True)
    kept, left = map(int, done.stdout.split())
    assert kept > 300 and left < 50
