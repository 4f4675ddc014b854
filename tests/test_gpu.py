"""A Space with a lent GPU, with a stand-in for its `spaces` package: no GPU is needed."""

import os
import subprocess
import sys

SPACES = '''
import pickle

calls = []


def GPU(task):
    def lent(*arguments):
        """As the real one, it takes arguments to another process and the result back."""
        calls.append(len(arguments[1]))
        return pickle.loads(pickle.dumps(task(*pickle.loads(pickle.dumps(arguments)))))

    return lent
'''
CODE = """
import dataclasses
import numpy as np
import spaces
import torch
from playground import gpu
from playground.film import Films
from playground.model import Models, load_model

gpu.DEVICE = "cpu"
model = dataclasses.replace(load_model(), dtype=torch.float32)  # as it is there
frames = np.concatenate(list(Films(Models(model)).frames([1, 2, 3], 24, 0.65, False)))
assert spaces.calls == [64, 8], spaces.calls
face = model.draw(model.styles([2], 0.65))[0]
assert spaces.calls == [64, 8]
error = np.abs(frames[24].astype(int) - face).max()
assert frames.shape == (72, 64, 64, 3) and error <= 3, error
print("drawn")
"""


def test_many_pictures_are_drawn_in_one_call_where_a_gpu_is_lent(tmp_path):
    """And single ones where the page runs; they are the same."""
    (tmp_path / "spaces.py").write_text(SPACES)
    there = {"SPACES_ZERO_GPU": "true", "PYTHONPATH": f"{tmp_path}{os.pathsep}{os.getcwd()}"}
    command = [sys.executable, "-c", CODE]
    done = subprocess.run(
        command, env={**os.environ, **there}, capture_output=True, text=True, timeout=120
    )
    assert done.stdout.strip().endswith("drawn"), done.stderr
