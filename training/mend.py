"""What of a run's weights a disk or a power cut has damaged, found when the run goes on.

What can be made anew is; of the rest each file is told, and what to do about it.
"""

import shutil
import sys
from pathlib import Path

from evaluation.card import save_metrics
from stylegan.config_file import read_config
from stylegan.domains import DOMAINS, load_domains
from stylegan.history import HISTORY, Moment, read_history, save_history
from stylegan.layout import CONFIG, DISCRIMINATOR, METRICS, WEIGHTS
from stylegan.pretrained import read_metrics
from training.best import BEST, VERSIONS, new_version, publish
from training.snapshot import SUMS, sum_of

OPTIONAL = {DOMAINS}  # weights do without, and others may write it anew


def tell(words: str) -> None:
    """On the screen."""
    print(words, file=sys.stderr)


def _sums(folder: Path) -> dict[str, str]:
    """Of the files that stay as they were saved; none in folders of older versions."""
    path = folder / SUMS
    text = path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
    pairs = (line.partition("  ") for line in text.splitlines())
    return {name: digest for digest, _, name in pairs}


def damaged(folder: Path) -> dict[str, str]:
    """By the name of the file, what is wrong with a folder of weights; empty if it is whole."""
    wrong = {}
    needed = dict.fromkeys((CONFIG, WEIGHTS, DISCRIMINATOR), "") | _sums(folder)
    for name, digest in needed.items():
        if not (folder / name).is_file():
            wrong[name] = "it is missing"
        elif digest and sum_of(folder / name) != digest:
            wrong[name] = f"it is not what {SUMS} tells"
    told = {METRICS: score_of} | ({} if CONFIG in wrong else {DOMAINS: width_of_kinds})
    for name, read in told.items():
        try:
            read(folder)
        except ValueError as e:
            wrong[name] = str(e)
    return wrong


def score_of(folder: Path) -> float:
    """What the weights of a folder measured; -1 if they were not.

    Raises: ValueError for a damaged metrics.json.
    """
    if not (folder / METRICS).is_file():
        return -1.0
    score = read_metrics(folder).get("score")
    if not isinstance(score, int | float):
        raise ValueError(f"{folder / METRICS} holds no score")
    return float(score)


def beats(figures: dict[str, object], folder: Path) -> bool:
    """Whether weights with these figures score better than those of a folder.

    They do, too, where those were not measured, or by the features of other networks: such scores
    do not compare.

    Raises: as `score_of`.
    """
    score = score_of(folder)
    if score < 0 or read_metrics(folder).get("features") != figures.get("features"):
        return True
    return figures["score"] > score


def best_of(folders: list[Path]) -> Path | None:
    """The best by the networks that measured the last of them, as a run would have kept it."""
    best = None
    measured = [(read_metrics(folder), folder) for folder in folders if score_of(folder) >= 0]
    for figures, folder in sorted(measured, key=lambda one: one[0].get("kimg", 0.0)):
        if best is None or beats(figures, best):
            best = folder
    return best


def width_of_kinds(folder: Path) -> int | None:
    """Of the centres in a folder's domains.json; None if it has none.

    Raises: ValueError for a damaged one, or one of another network.
    """
    if not (folder / DOMAINS).is_file():
        return None
    kinds = load_domains(folder)
    if not kinds:
        raise ValueError(f"{folder / DOMAINS} lists no kinds of faces")
    width = len(kinds[0].centre)
    if width != read_config(folder / CONFIG).w_dim:
        raise ValueError(f"{folder / DOMAINS} has centres {width} wide, the network another w")
    return width


def mend_history(out: Path, nimg: int) -> None:
    """Write moments that the history has lost again, from the grids and what was measured then."""
    known = {moment.grid: moment for moment in read_history(out)}
    lost = []
    for path in (out / "samples").glob("kimg-*.png"):
        kimg, grid = path.stem.removeprefix("kimg-"), f"samples/{path.name}"
        if grid in known or kimg.endswith("-mix") or float(kimg) > nimg / 1000:
            continue
        measured = out / "weights" / path.stem
        try:
            figures = read_metrics(measured) if measured.is_dir() else {}
        except ValueError:
            figures = {}  # told with the snapshot
        lost.append(Moment(float(kimg), grid, figures))
    if lost:
        moments = sorted([*known.values(), *lost], key=lambda moment: moment.kimg)
        save_history(out, moments)
        tell(f"{out / HISTORY} lacked {len(lost)} moments; they are made anew from samples/")


def mend_snapshot(folder: Path, moments: list[Moment], data: str) -> None:
    """Tell what of an older snapshot is damaged; write its metrics.json again from the history."""
    wrong = damaged(folder)
    figures = {Path(m.grid).stem: m.figures for m in moments}.get(folder.name)
    for name, why in wrong.items():
        words = f"{folder / name} is damaged ({why})"
        if name == METRICS and figures:
            save_metrics(figures, folder)
            tell(f"{words}; it is made anew")
        elif name == METRICS:
            tell(f"{words}; delete it, or measure again: python -m evaluation {folder} --card")
        elif name == DOMAINS:
            tell(f"{words}; made anew by: python -m evaluation.catalogue {folder} --data {data}")
        else:
            tell(f"{words}; it cannot be made anew: delete {folder}")


def mend_best(out: Path) -> None:
    """If the best weights are damaged, take in their place the best that are not."""
    best = out / BEST
    wrong = damaged(best) if best.is_symlink() or best.exists() else {}
    wrong = {name: why for name, why in wrong.items() if name not in OPTIONAL}
    if not wrong:
        return
    name, why = next(iter(wrong.items()))
    words = f"{best / name} is damaged ({why})"
    others = {*(out / "weights").glob("kimg-*"), *(out / VERSIONS).glob("*")} - {best.resolve()}
    whole = [folder for folder in others if not damaged(folder).keys() - OPTIONAL]
    found = best_of(whole)
    if found is None:
        if best.is_symlink():
            best.unlink()
        else:
            best.rename(out / f"{BEST}.damaged")
        tell(f"{words}; the next measurement makes it anew")
        return
    version = new_version(out)
    shutil.copytree(found, version)
    publish(version, out)
    tell(f"{words}; {found} takes its place")
