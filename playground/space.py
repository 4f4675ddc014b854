"""A Space of this page: `python -m playground.space USER/NAME`, or `make space REPO=USER/NAME`.

Sends what the page needs and nothing else, as one commit, and deletes there what an earlier call
sent and the page needs no longer. Where it runs is chosen with `--for`:

    cpu      a Gradio Space on a CPU, with a torch that lacks what only GPUs need
    zero     a Gradio Space on ZeroGPU, which has versions of torch of its own
    docker   a Docker Space, from the Dockerfile; the same image runs anywhere

`--to FOLDER` writes the files into a folder instead. A Space draws with the weights of this
repository, or with those that its variable PLAYGROUND_MODEL names.

Reference: https://huggingface.co/docs/hub/spaces-config-reference, .../spaces-zerogpu
"""

import argparse
import ast
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi
from huggingface_hub.errors import HfHubHTTPError
from huggingface_hub.utils import httpx

from preprocessing.hub import HUB_NAME, in_one_line, reason
from stylegan.files import is_free

ROOT = Path(__file__).resolve().parents[1]
START = "app.py"  # it and what it imports of ours are sent
NEEDED = (  # beside it; what is not named here is not sent
    "LICENSE",
    "README.md",
    "packages.txt",
    "requirements.txt",
    "docs/mixing.webp",  # which the README shows, and so
    "docs/page.png",
    "playground/*.jpg",
    "preprocessing/yunet/*",
    "weights/faces-64/*.json",
    "weights/faces-64/encoder/*",
    "weights/faces-64/*.jsonl",
    "weights/faces-64/README.md",
    "weights/faces-64/model.safetensors",
    "weights/faces-64/samples.png",
    "weights/faces-64/samples/*.png",
)
DOCKERFILE = "Dockerfile"
PLACES = "cpu", "zero", "docker"
CPU_TORCH = "--extra-index-url https://download.pytorch.org/whl/cpu\n"  # pip prefers its torch
ZERO_TORCH = "torch>=2.9,<2.12"  # what ZeroGPU supports of what this code runs on
ZERO_PYTHON = "3.12"
PORT = 7860  # to which Spaces send visitors


def _front_matter(readme: str, change: dict[str, str | None]) -> str:
    """The README with other lines in its front matter; None leaves one out, new ones come last."""
    _, front, rest = readme.split("---\n", 2)
    lines = []
    for line in front.splitlines():
        key = line.partition(":")[0]
        if key not in change:
            lines.append(line)
        elif change[key] is not None:
            lines.append(f"{key}: {change[key]}")
    known = {line.partition(":")[0] for line in front.splitlines()}
    lines += [f"{k}: {v}" for k, v in change.items() if k not in known and v is not None]
    return "---\n" + "\n".join(lines) + "\n---\n" + rest


def imported(path: Path) -> set[str]:
    """Names of modules that a file imports anywhere, and of what it takes from them."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


def code(root: Path) -> set[Path]:
    """START and all files of ours that it imports, directly or not."""
    found, left = set(), [root / START]
    while left:
        path = left.pop()
        found.add(path)
        for name in imported(path):
            parts = name.split(".")
            places = [root.joinpath(*parts[:i], "__init__.py") for i in range(1, len(parts) + 1)]
            places.append(root.joinpath(*parts).with_suffix(".py"))
            left += [place for place in places if place.is_file() and place not in found]
    return found


def files_for(place: str, root: Path = ROOT) -> dict[str, Path | bytes]:
    """What a Space of one of the PLACES consists of, by path: a file, or other words in its stead.

    Raises: ValueError for a repository that lacks some of it.
    """
    found: dict[str, Path | bytes] = {p.relative_to(root).as_posix(): p for p in code(root)}
    for pattern in (*NEEDED, *([DOCKERFILE] if place == "docker" else [])):
        paths = [path for path in sorted(root.glob(pattern)) if path.is_file()]
        if not paths:
            raise ValueError(f"{root} has no {pattern}, which a Space needs: use a whole clone")
        found |= {path.relative_to(root).as_posix(): path for path in paths}
    readme, needs = ((root / f).read_text("utf-8") for f in ("README.md", "requirements.txt"))
    if place == "cpu":
        found["requirements.txt"] = (CPU_TORCH + needs).encode()
    if place == "docker":
        change = {"sdk": "docker", "app_port": str(PORT)}
        change |= dict.fromkeys(("sdk_version", "python_version", "app_file"))
        found["README.md"] = _front_matter(readme, change).encode()
    if place == "zero":
        change = {"python_version": f'"{ZERO_PYTHON}"', "suggested_hardware": "zero-a10g"}
        found["README.md"] = _front_matter(readme, change).encode()
        needs, changed = re.subn(r"^torch==.*$", ZERO_TORCH, needs, flags=re.MULTILINE)
        if changed != 1:
            raise ValueError(f"{root / 'requirements.txt'} has no line torch==..., for ZeroGPU")
        found["requirements.txt"] = needs.encode()
    return found


def write(files: dict[str, Path | bytes], folder: Path) -> None:
    """Into a folder that is new or empty; raises ValueError for another."""
    if not is_free(folder):
        raise ValueError(f"--to {folder} is not empty; name a new folder")
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.read_bytes())


def send(files: dict[str, Path | bytes], name: str, *, sdk: str, private: bool) -> str:
    """One commit, which makes the Space hold just these; returns its address.

    Raises: ValueError if it holds what is none of ours; what huggingface_hub raises.
    """
    api, kind = HfApi(), dict(repo_type="space")
    url = api.create_repo(name, **kind, space_sdk=sdk, private=private or None, exist_ok=True)
    head = api.space_info(name).sha
    there = set(api.list_repo_files(name, **kind, revision=head)) - {".gitattributes"}
    if there - {"README.md"} and not {"app.py", "playground/words.py"} <= there:
        raise ValueError(f"{name} holds another Space; name a new one")
    changes = [CommitOperationAdd(path, content) for path, content in files.items()]
    changes += [CommitOperationDelete(path) for path in sorted(there - files.keys())]
    how = dict(commit_message="The page", parent_commit=head)
    api.create_commit(name, changes, **kind, **how)
    return str(url)


def main(argv: Sequence[str] | None = None) -> None:
    """Send or write a Space as the command line says, or end with one sentence."""
    parser = argparse.ArgumentParser(
        prog="python -m playground.space", description=__doc__.splitlines()[0], allow_abbrev=False
    )
    parser.add_argument("name", metavar="USER/NAME", nargs="?", help="the Space, made if need be")
    parser.add_argument("--for", dest="place", choices=PLACES, default="cpu", help="where it runs")
    parser.add_argument("--private", action="store_true", help="make it for yourself only")
    parser.add_argument("--to", metavar="FOLDER", type=Path, help="write the files there instead")
    args = parser.parse_args(argv)
    if (args.name is None) == (args.to is None):
        parser.error("name a Space, USER/NAME, or a folder with --to")
    if args.name and not HUB_NAME.fullmatch(args.name):
        parser.error(f"{args.name} is no name of a Space, which looks like USER/NAME")
    try:
        files = files_for(args.place)
        if args.to:
            write(files, args.to)
            print(f"{args.to} holds {len(files)} files")
            return
        sdk = "docker" if args.place == "docker" else "gradio"
        print(f"{send(files, args.name, sdk=sdk, private=args.private)} has {len(files)} files")
    except ValueError as e:
        sys.exit(f"error: {in_one_line(e)}")
    except (OSError, HfHubHTTPError, httpx.HTTPError) as e:
        sys.exit(f"error: {args.name or args.to} cannot be written: {reason(e)}")


if __name__ == "__main__":
    main()
