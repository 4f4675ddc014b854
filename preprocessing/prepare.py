r"""Pictures and films in, a dataset folder of square faces out.

    python -m preprocessing.prepare photos/ film.mkv --out dataset --size 64

Every INPUT becomes one label: a folder with all its sub-folders, a zip file, a film; pictures named
one by one go under the name of the folder they lie in. A second input of the same name gets `_2`
after its name, a third `_3`, in the order they were given. Bytes of a name that are no UTF-8 become
`\xe9` and the like. An INPUT without any picture is refused; one whose pictures gave no face is
told, and the exit status is 1.

    dataset/photos/000012-1.png            lossless: the largest face of the twelfth picture
    dataset/rejected/photos/000013-1.png   a face that was refused, for a person to look at
    dataset/dataset.json                   what is there, where it came from and why not the rest
    dataset/metadata.jsonl                 the kept faces, as an image folder of the Hub has them

A run that is stopped, however it is, goes on when the same line is given again, and what comes out
is the same. `dataset.json` is written last: a folder without it is unfinished. A face is refused
when its crop would have to be enlarged, when more than a fifth of the crop lies outside the
picture, when it is badly blurred or lit, or when it is there already under the same label.
"""

import functools
import shlex
import signal
import sys
import warnings
from collections.abc import Iterable
from pathlib import Path

import cv2
from tqdm import tqdm

from preprocessing.config import PrepareConfig, parse_args
from preprocessing.finish import Told, finish
from preprocessing.inputs import list_inputs
from preprocessing.parallel import spread
from preprocessing.plan import UNIT, make_plan, num_done, units
from preprocessing.report import REPORT
from preprocessing.resume import Work
from preprocessing.unit import search


def plan(config: PrepareConfig) -> list[dict]:
    """What there is to search, as the lines of a plan; tells what cannot be read.

    Raises: ValueError naming an INPUT that holds nothing to search.
    """
    inputs = list_inputs(config.inputs, config.pick, config.celeba_people, config.seed)
    tell(sentence for input in inputs for sentence in input.told)
    return make_plan(inputs, config)


def search_all(work: Work, config: PrepareConfig) -> None:
    """Search what is left of the plan, and show how far that is."""
    total, before = work.head["total"], num_done(work)
    workers = min(config.workers, 1 + (total - before) // UNIT)
    job = functools.partial(search, config=config, work=work)
    with tqdm(total=total, initial=before, unit="picture", disable=None) as bar:
        for done in spread(job, units(work, config, tell), workers, quietly):
            tell(done.sentences)
            bar.update(done.num_pictures)


def quietly() -> None:
    """Set up a process that searches."""
    warnings.filterwarnings("ignore", module="PIL")  # what matters is said by read_image
    cv2.setNumThreads(1)  # processes share the cores


def tell(sentences: Iterable[str]) -> None:
    """Print them above the progress bar, if there is one."""
    for sentence in sentences:
        tqdm.write(sentence, file=sys.stderr)


def summary(work: Work, config: PrepareConfig, told: Told) -> str:
    """What became of it all, as a few lines for a person."""
    labels = {input["label"]: 0 for input in work.head["inputs"]} | told.faces
    sections = {
        f"pictures: {told.num_pictures}": {},
        f"faces kept: {told.faces.total()}": {str(config.out / k): n for k, n in labels.items()},
        f"faces refused: {told.rejected.total()}": told.rejected,
        f"pictures left out: {told.pictures.total()}": told.pictures,
        f"passed over: {sum(work.head['passed_over'].values())}": work.head["passed_over"],
    }
    lines = []
    for title, counts in sections.items():
        lines.append(title)
        lines += [f"  {count:6d}  {name}" for name, count in counts.items()]
    return "\n".join(lines + told.words)


def next_steps(out: Path) -> str:
    """What to do with a dataset, as lines to read and to type."""
    name = shlex.quote(str(out))
    return (
        f"  look at it      {out / REPORT}\n"
        f"  keep or reject  python -m preprocessing.curate {name}\n"
        f"  train on it     python training/train.py --data {name} --out runs/first --preset tiny"
    )


def without_faces(work: Work, told: Told) -> list[str]:
    """The inputs that gave no face."""
    inputs = work.head["inputs"]
    return [name for input in inputs if not told.faces[input["label"]] for name in input["names"]]


def run(config: PrepareConfig) -> int:
    """Make the dataset, or go on with it; the exit status is 1 unless every input gave faces.

    Raises: ValueError before anything is written, OSError if something cannot be written.
    """
    work = Work(config.out, config.settings())
    if work.state == "complete":
        work.end()
        print(f"{config.out} is complete already; for pictures that came since, give another --out")
        return 0
    lines = plan(config) if work.state == "new" else []
    with work.claim():
        if work.state == "new":
            work.begin(lines)
            lines.clear()  # of a large album they take much memory
        search_all(work, config)
        told = finish(work, config)
    print(summary(work, config, told))
    if told.faces:
        print(next_steps(config.out))
    else:
        tell(["no face was kept"])
    missing = without_faces(work, told)
    if told.faces and missing:
        tell([f"the dataset is complete, but no face came from INPUT {', '.join(missing)}"])
    return 1 if missing else 0


def main(argv: list[str] | None = None) -> int:
    """Run the command; the exit status is 0 only if every input gave faces."""
    config = parse_args(argv)
    sys.stdout.reconfigure(errors="backslashreplace")  # a file name need not be printable
    try:
        return run(config)
    except ValueError as error:
        tell([f"nothing is written: {error}"])
    except OSError as error:
        what = f"{error.filename}: {error.strerror}" if error.filename else str(error)
        tell([f"stopped, the dataset is unfinished: {what}; the same line again goes on"])
    except KeyboardInterrupt:
        tell(["stopped; the same line again goes on"])
        return 130
    return 1


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends as Ctrl-C does
    sys.exit(main())
