"""A generator as ONNX files, for browsers, phones and other languages.

    python -m stylegan.export MODEL --onnx faces.onnx

writes two graphs, since between them styles are mixed, with any number N of faces at once:

    faces-mapping.onnx    z (N, z_dim), psi (N,) and, with labels, c (N, c_dim) -> ws
    faces.onnx            ws (N, num_ws, w_dim) and, in StyleGAN3, transform (N, 3, 3) -> img

All numbers are float32, for browsers' GPUs have no others. Both are compared with PyTorch before
they are kept, where ONNX Runtime is installed.
"""

import argparse
import io
import logging
import sys
import warnings
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from huggingface_hub.errors import HfHubHTTPError
from torch import Tensor, nn

from stylegan.files import write_whole
from stylegan.generator import Generator
from stylegan.latents import sample_z
from stylegan.transforms import rotation, translation

MOST_ERROR = 1e-4  # relative to the largest value
NEEDED = "onnx", "onnxscript"  # of torch.onnx
Inputs = dict[str, Tensor]


class Mapping(nn.Module):
    """z and psi, and c or nothing, to ws."""

    def __init__(self, G: Generator):
        super().__init__()
        self.mapping = G.mapping

    def forward(self, z: Tensor, psi: Tensor, c: Tensor | None = None) -> Tensor:
        return self.mapping(z, c, psi)


def inputs(G: Generator, seeds: Sequence[int]) -> tuple[Inputs, Inputs]:
    """Of both graphs, to try them with."""
    n = len(seeds)
    mapping = {"z": sample_z(seeds, G.z_dim), "psi": torch.linspace(0.5, 1, n)}
    if G.c_dim:
        mapping["c"] = torch.eye(G.c_dim)[[seed % G.c_dim for seed in seeds]]
    with torch.no_grad():
        synthesis = {"ws": Mapping(G)(**mapping).contiguous()}
    if G.config.generation == 3:
        moves = [rotation(0.3 * i) @ translation(0.1 * i, -0.05 * i) for i in range(n)]
        synthesis["transform"] = torch.stack(moves)
    return mapping, synthesis


def graph(network: nn.Module, example: Inputs, output: str) -> bytes:
    """The ONNX file of a network whose tensors all begin with the batch.

    Raises: ValueError if numbers wider than float32 are in it.
    """
    import onnx

    batch = torch.export.Dim("N")
    shapes = {name: {0: batch} for name in example}
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # of the exporter on itself
        program = torch.onnx.export(
            network,
            kwargs=example,
            dynamo=True,
            dynamic_shapes=shapes,
            input_names=list(example),
            output_names=[output],
            external_data=False,
            verbose=False,
        )
    file = io.BytesIO()
    onnx.save(program.model_proto, file)
    if has_float64(program.model_proto):
        raise ValueError("the graph has float64 numbers, which browsers' GPUs have not")
    return file.getvalue()


def has_float64(model: object) -> bool:
    """Whether any value of an ONNX model is of it."""
    import onnx

    wide = onnx.TensorProto.DOUBLE
    graph = onnx.shape_inference.infer_shapes(model).graph
    values = [*graph.value_info, *graph.input, *graph.output]
    casts = (x.i for node in graph.node for x in node.attribute if node.op_type == "Cast")
    constants = (x.t.data_type for node in graph.node for x in node.attribute)
    types = [x.type.tensor_type.elem_type for x in values]
    types += [x.data_type for x in graph.initializer]
    return wide in [*types, *casts, *constants]


def error(onnx_file: bytes, network: nn.Module, example: Inputs) -> float:
    """The largest difference between ONNX Runtime and PyTorch, relative to the largest value."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    session = onnxruntime.InferenceSession(onnx_file, options, ["CPUExecutionProvider"])
    (found,) = session.run(None, {name: x.numpy() for name, x in example.items()})
    with torch.no_grad():
        expected = network(**example).numpy()
    return float(np.abs(found - expected).max() / np.abs(expected).max())


def export(G: Generator, path: Path) -> list[str]:
    """Write both files, and return what is to be told of them, a sentence each.

    Raises: ValueError if a package is missing, or a file draws something else than the generator;
    OSError if one cannot be written.
    """
    for package in NEEDED:
        if find_spec(package) is None:
            raise ValueError(f"the package {package} is missing: pip install {' '.join(NEEDED)}")
    G = G.eval().requires_grad_(False)
    several, one = inputs(G, [0, 1, 2]), inputs(G, [3])
    places = path.with_name(f"{path.stem}-mapping{path.suffix}"), path
    parts, made, told = (Mapping(G), G.synthesis), [], []
    for i, (network, output) in enumerate(zip(parts, ("ws", "img"), strict=True)):
        made.append(graph(network, several[i], output))
        said = "not compared with PyTorch: the package onnxruntime is missing"
        if find_spec("onnxruntime") is not None:
            worst = max(error(made[i], network, example[i]) for example in (several, one))
            if not worst <= MOST_ERROR:
                raise ValueError(f"the {output} of ONNX Runtime differ by {worst:.2g}; not written")
            said = f"differs from PyTorch by {worst:.1g} at most"
        told.append(f"{places[i]}: {len(made[i]) / 1e6:.2g} MB, {said}")
    path.parent.mkdir(parents=True, exist_ok=True)
    for place, content in zip(places, made, strict=True):
        write_whole(place, content)
    return told


def main(argv: Sequence[str] | None = None) -> None:
    """Export as the command line says, or end with one sentence."""
    parser = argparse.ArgumentParser(
        prog="python -m stylegan.export", description=__doc__.splitlines()[0], allow_abbrev=False
    )
    parser.add_argument("model", metavar="MODEL", help="folder or user/repository of a generator")
    parser.add_argument("--onnx", metavar="FILE", required=True, help="ends in .onnx")
    args = parser.parse_args(argv)
    if not args.onnx.endswith(".onnx"):
        parser.error(f"--onnx must name a file that ends in .onnx, got {args.onnx}")
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)  # its log is about itself
    try:
        told = export(Generator.from_pretrained(args.model), Path(args.onnx))
    except (ValueError, OSError, HfHubHTTPError) as e:
        sys.exit(f"error: {e}")
    print("\n".join(told))


if __name__ == "__main__":
    main()
