"""Who imports whom: the packages form one direction, and each keeps to its own tools."""

import ast
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
OURS = {"app", "benchmarks", "evaluation", "playground", "preprocessing", "stylegan", "training"}
READERS = {f"preprocessing.{name}" for name in ("read", "listing", "report", "hub")}  # no cv2

ALLOWED_OURS = {  # whole packages, or single modules of them
    "app.py": {"playground", "stylegan"},
    "benchmarks": {
        *("benchmarks", "training", "evaluation", "stylegan", "preprocessing"),
        "playground.space",
    },
    "evaluation": {"evaluation", "stylegan", *READERS},
    "playground": {"playground", "stylegan", "preprocessing"},
    "preprocessing": {"preprocessing"},
    "stylegan": {"stylegan"},
    "training": {"training", "evaluation", "stylegan", *READERS},
}
ALLOWED_OTHERS = {
    "preprocessing": {"numpy", "cv2", "PIL", "tqdm", "filelock", "huggingface_hub"},
    "stylegan": {
        *("torch", "numpy", "huggingface_hub", "safetensors", "onnx", "onnxruntime"),
        *("triton", "llvmlite"),
    },
    "evaluation": {
        *("torch", "numpy", "huggingface_hub", "safetensors", "PIL", "torch_fidelity"),
        "filelock",
    },
    "training": {
        *("torch", "numpy", "huggingface_hub", "safetensors", "accelerate", "PIL"),
        *("filelock", "tqdm", "trackio", "gradio"),
    },
}
ONLY_THERE = {"preprocessing/curate.py": {"gradio", "starlette"}}  # the one page of the package


def modules(path: Path) -> set[str]:
    """Full names of the modules that a file imports anywhere, functions included."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} has a relative import"
            names.add(node.module)
    return names


def package(module: str) -> str:
    return module.partition(".")[0]


def imported(path: Path) -> set[str]:
    """Top-level names of the packages that a file imports anywhere."""
    return {package(module) for module in modules(path)}


def files_of(part: str) -> list[Path]:
    path = ROOT / part
    files = sorted(path.rglob("*.py")) if path.is_dir() else [path]
    if not all(file.exists() for file in files) or not files:
        pytest.skip(f"there is no {part} here")
    return files


@pytest.mark.parametrize("part", ALLOWED_OURS)
def test_packages_import_each_other_in_one_direction(part):
    allowed = ALLOWED_OURS[part]
    for file in files_of(part):
        ours = {module for module in modules(file) if package(module) in OURS}
        assert {module for module in ours - allowed if package(module) not in allowed} == set(), (
            file
        )


@pytest.mark.parametrize("part", ALLOWED_OTHERS)
def test_packages_use_only_their_own_tools(part):
    for file in files_of(part):
        others = imported(file) - OURS - set(sys.stdlib_module_names)
        more = ONLY_THERE.get(file.relative_to(ROOT).as_posix(), set())
        assert others <= ALLOWED_OTHERS[part] | more, file


TABS = {f"playground.{name}" for name in ("mix", "grid", "explore", "film", "upload", "about")}


@pytest.mark.parametrize("file", files_of("playground"), ids=lambda file: file.stem)
def test_only_the_page_knows_its_tabs(file):
    """They stand beside each other on what lies below, which knows none of them."""
    assert modules(file) & TABS == set()


def test_no_file_imports_itself_by_way_of_others():
    """Inside a package, too, the files form one direction."""
    files = {file for part in ALLOWED_OURS for file in files_of(part)}
    named = {".".join(file.relative_to(ROOT).with_suffix("").parts): file for file in files}
    left = {name: modules(file) & named.keys() for name, file in named.items()}
    while free := {name for name, needed in left.items() if not needed & left.keys()}:
        left = {name: needed for name, needed in left.items() if name not in free}
    assert left == {}


NETWORKS = {f"stylegan.{name}" for name in ("generator", "discriminator", "encoder")}
AT_REST = "layout", "hub", "find", "tensors", "config_file", "pretrained"


@pytest.mark.parametrize("name", AT_REST)
def test_weights_are_read_without_the_networks_that_take_them(name):
    assert modules(ROOT / "stylegan" / f"{name}.py") & NETWORKS == set()


def test_the_parser_of_imports_sees_all_forms(tmp_path):
    source = "import a.b as c, d\nfrom e.f import g\ndef h():\n    import i\n"
    (tmp_path / "file.py").write_text(source)
    assert modules(tmp_path / "file.py") == {"a.b", "d", "e.f", "i"}
    assert imported(tmp_path / "file.py") == {"a", "d", "e", "i"}
