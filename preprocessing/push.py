r"""A data set on the Hub: `python -m preprocessing.push DATASET USER/NAME`.

The kept faces become an image folder with `metadata.jsonl` and a card. What is there already is not
sent again, and what is no longer kept is deleted there, so the same command updates a data set or
goes on with one that was cut short. Every commit on the way is a whole data set of some faces.

    photos/000012-1.png          as in DATASET; of a folder with more than 10 000 in shards
    photos/0001/012345-1.png
    metadata.jsonl               {"file_name", "label", "source": its name, "time" in a film}
    README.md                    the card; yours, once you delete its line that says so

`training/train.py --data USER/NAME` trains on it. Deleted faces stay in the history of a
repository; `HfApi().super_squash_history(NAME, repo_type="dataset")` forgets it.
"""

import argparse
import hashlib
import json
import sys
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

from huggingface_hub import (
    CommitOperationAdd,
    CommitOperationDelete,
    DatasetCardData,
    HfApi,
    hf_hub_download,
)
from huggingface_hub.errors import HfHubHTTPError
from huggingface_hub.hf_api import RepoFile
from huggingface_hub.utils import httpx

from preprocessing.card import MARK, card_text, plain_name, size_category
from preprocessing.hub import HUB_NAME, in_one_line, reason
from preprocessing.listing import METADATA, Listing, Row, kept, read_decisions, read_listing

CARD = "README.md"
MANY, MANY_BYTES = 2000, 1 << 30  # files and bytes of a commit
MOST_IN_FOLDER, SHARD = 10_000, 5000  # files, as the Hub bears them
TAG = "stylegan-playground"  # on the card of what this program pushed


def hub_names(listing: Listing) -> dict[str, str]:
    """Names on the Hub of all faces of a listing, by their files.

    Refused faces have one, too, so that no decision moves another face.
    """
    folders = defaultdict(list)
    for row in listing.faces:
        folders[PurePosixPath(row["file"]).parent].append(row["file"])
    for row in listing.rejected:
        parent = PurePosixPath(row["file"]).parent
        inside = parent.parts[1:] if parent.parts[:1] == ("rejected",) else parent.parts
        folders[PurePosixPath(*inside)].append(row["file"])
    names = {}
    for folder, files in folders.items():
        files.sort(key=lambda file: PurePosixPath(file).name)
        for number, file in enumerate(files):
            shard = [f"{number // SHARD:04d}"] if len(files) > MOST_IN_FOLDER else []
            names[file] = folder.joinpath(*shard, PurePosixPath(file).name).as_posix()
    return names


def told(row: Row, name: str) -> Row:
    """What metadata.jsonl says of a face: nothing of the folders of this machine."""
    entry = {"file_name": name, "label": row["label"]}
    if row.get("source"):
        entry["source"] = plain_name(str(row["source"]))
    return entry | ({"time": row["time"]} if "time" in row else {})


def same(path: Path, there: RepoFile) -> bool:
    """Whether the Hub has what a file holds, by its checksum."""
    if path.stat().st_size != there.size:
        return False
    content = path.read_bytes()
    if there.lfs:
        return hashlib.sha256(content).hexdigest() == there.lfs.sha256
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest() == there.blob_id


def parts(names: list[str], sizes: dict[str, int]) -> Iterator[list[str]]:
    """Names in groups that one commit takes; deletions have no size."""
    part, total = [], 0
    for name in names:
        size = sizes.get(name, 0)
        if part and (len(part) == MANY or total + size > MANY_BYTES):
            yield part
            part, total = [], 0
        part.append(name)
        total += size
    if part:
        yield part


class Repository:
    """A data set on the Hub as it is now, and the commits that follow.

    Raises: ValueError if it holds something else; what huggingface_hub raises.
    """

    def __init__(self, name: str, *, private: bool):
        self.name, self.api = name, HfApi()
        self.api.create_repo(name, repo_type="dataset", private=private or None, exist_ok=True)
        info = self.api.dataset_info(name)
        if private and not info.private:
            raise ValueError(f"{name} is public already; make it private in its settings first")
        self.head = info.sha
        self.licence = getattr(info.card_data, "license", None)
        tree = self.api.list_repo_tree(
            name, repo_type="dataset", recursive=True, revision=self.head
        )
        self.files = {file.path: file for file in tree if isinstance(file, RepoFile)}
        self.card, self.metadata = self._read(CARD), self._read(METADATA)
        others = self.files.keys() - {CARD, ".gitattributes"}
        if others and TAG not in self.card:
            words = f"name a new one, or put the tag {TAG} into its card if all in it may go"
            raise ValueError(f"{name} holds {min(others)}, which was not pushed by this; {words}")

    def _read(self, file: str) -> str:
        """The text of a file; empty without it."""
        if file not in self.files:
            return ""
        path = hf_hub_download(self.name, file, repo_type="dataset", revision=self.head)
        return Path(path).read_text(encoding="utf-8", errors="replace")

    def rows(self) -> dict[str, Row]:
        """Of the faces that are there, by name; what is no row counts for nothing."""
        found = {}
        for line in self.metadata.splitlines():
            try:
                row = json.loads(line)
                found[row["file_name"]] = row
            except (ValueError, TypeError, KeyError):
                continue
        return {name: row for name, row in found.items() if name in self.files}

    def commit(self, message: str, files: dict[str, Path | None], metadata: str, card: str) -> None:
        """Send files, or delete those that are None, together with what is told of them."""
        operations = [
            CommitOperationAdd(name, path) if path else CommitOperationDelete(name)
            for name, path in files.items()
        ]
        for name, text, before in (
            (METADATA, metadata, self.metadata),
            (CARD, card, self.card),
        ):
            if text != before:
                operations.append(CommitOperationAdd(name, text.encode()))
        if not operations:
            return
        how = dict(repo_type="dataset", commit_message=message, parent_commit=self.head)
        self.head = self.api.create_commit(self.name, operations, **how).oid
        self.metadata, self.card = metadata, card


def whole_card(repo: Repository, rows: list[Row], listing: Listing, licence: str | None) -> str:
    """The card with its front matter; the owner's own one as it is."""
    if repo.card and MARK not in repo.card:
        return repo.card
    files = [{"split": "train", "path": "**"}]
    data = DatasetCardData(
        license=licence,
        task_categories=["unconditional-image-generation"],
        size_categories=[size_category(len(rows))],
        pretty_name=repo.name.partition("/")[2],
        tags=["faces", "stylegan3", TAG],
        configs=[{"config_name": "default", "data_files": files}],
    )
    text = card_text(repo.name, rows, listing.size, listing.settings, licence)
    return f"---\n{data.to_yaml()}\n---\n\n{text}"


def push(folder: Path, name: str, *, private: bool = False, licence: str | None = None) -> str:
    """Send what is kept and return a sentence on what was done.

    Raises: ValueError for a folder or a repository that is not ours, or without kept faces; what
    huggingface_hub raises.
    """
    listing = read_listing(folder)
    names, paths, wanted = hub_names(listing), {}, {}
    for row in kept(listing, read_decisions(folder)):
        if (folder / row["file"]).is_file():
            paths[names[row["file"]]] = folder / row["file"]
            wanted[names[row["file"]]] = told(row, names[row["file"]])
    if not wanted:
        raise ValueError(f"{folder} keeps no face, so there is nothing to push")
    origins = {names[row["file"]]: row for row in (*listing.faces, *listing.rejected)}

    repo = Repository(name, private=private)
    licence = licence or repo.licence
    there = repo.rows()
    new = [n for n in wanted if n not in repo.files or not same(paths[n], repo.files[n])]
    gone = sorted(there.keys() - wanted.keys())
    there |= {n: wanted[n] for n in wanted.keys() - set(new)}
    sizes = {n: paths[n].stat().st_size for n in new}
    for part in [*parts(sorted(new) + gone, sizes)] or [[]]:
        for n in part:
            if n in wanted:
                there[n] = wanted[n]
            else:
                del there[n]
        rows = [origins.get(n, row) for n, row in there.items()]
        metadata = "".join(json.dumps(there[n]) + "\n" for n in sorted(there))
        files = {n: paths.get(n) for n in part}
        card = whole_card(repo, rows, listing, licence)
        repo.commit(f"{len(there)} faces", files, metadata, card)
        print(f"{len(there.keys() & wanted.keys())} of {len(wanted)} faces are there", flush=True)
    if licence is None:
        print("no licence is given, and the card says so; --license NAME gives one")
    return f"{name}: {len(new)} faces sent, {len(gone)} deleted, {len(wanted)} are there now"


def main(argv: Sequence[str] | None = None) -> None:
    """Push as the command line says, or end with one sentence."""
    parser = argparse.ArgumentParser(
        prog="python -m preprocessing.push", description=__doc__.splitlines()[0], allow_abbrev=False
    )
    parser.add_argument("dataset", metavar="DATASET", type=Path, help="folder of prepared faces")
    parser.add_argument("repo", metavar="USER/NAME", help="data set on the Hub, made if need be")
    parser.add_argument("--private", action="store_true", help="make it for yourself only")
    parser.add_argument(
        "--license", help="what others may do with the faces, as the Hub names it: cc-by-4.0, ..."
    )
    args = parser.parse_args(argv)
    if not HUB_NAME.fullmatch(args.repo):
        parser.error(f"{args.repo} is no name on the Hub, which has the form USER/NAME")
    try:
        print(push(args.dataset, args.repo, private=args.private, licence=args.license))
    except ValueError as e:
        sys.exit(f"error: {in_one_line(e)}")
    except (OSError, HfHubHTTPError, httpx.HTTPError) as e:
        sys.exit(f"error: {args.repo} is not pushed whole: {reason(e)}; the same command goes on")


if __name__ == "__main__":
    main()
