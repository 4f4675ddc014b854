"""What is wrong with a run and what to try, in plain words: `python -m training.doctor runs/NAME`.

Reads what the run wrote: `config.json`, the lines of `log.jsonl` and the moments of
`history.jsonl`. The trainer says the same after each measurement.
"""

import argparse
import json
import statistics
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from stylegan.history import Moment, parse_lines, read_history
from training.config import usual_gamma

REPORTS = 8  # fewest of which something is said; a tenth of all is looked at, not fewer than these
FEW = 300  # images of a folder that D learns by heart sooner or later
SURE = 0.85  # mean sign of D on reals from which it knows them; 0.6 is what augmentation aims at
OFTEN = 10  # times that each picture was shown before D can know it by heart
WINS, LOSES = 0.15, 0.94  # losses of D, in parts of that of one that only guesses
GUESS, GUESS_PAIRS = 1.39, 0.69  # those: 2 ln 2; ln 2 where fakes are faces drawn again
HINGE_WINS, HINGE_LOSES = 0.05, 1.8  # of a critic on features; 2 is that of one that only guesses
EARLY = 10.0  # kimg before which a critic on features always wins
STEEP, FLAT = 10.0, 0.003  # mean squared gradient of D at reals: R1
FACES, LATE = 15.0, 50.0  # score from which drawn faces are faces; kimg at which it is due
ALIKE, WORSE = 0.7, 0.85  # of the best coverage or score, below which something was lost
ODD = 30.0  # factor by which --gamma differs from the usual one; ten times it trained well
COPIES, TURNED, RARE = 0.02, 0.1, 0.5  # shares of drawn faces; the last of what was shown
LEAKING = 0.3  # augmentation's probability below which it does not leak
STILL, LAST = 0.02, 4  # relative gain that is none, over how many measurements


class Finding(NamedTuple):
    """What is wrong and what to try; two clauses."""

    what: str
    advice: str

    def __str__(self) -> str:
        return f"{self.what}; {self.advice}"


def recent(log: list[dict[str, float]]) -> dict[str, float]:
    """Means over the last reports, of those that have the value."""
    last = log[-max(REPORTS, len(log) // 10) :]
    names = {name: None for line in last for name in line}
    return {name: statistics.fmean(x[name] for x in last if name in x) for name in names}


def shown_shares(flags: dict[str, object]) -> dict[str, float]:
    """How much of what D is shown comes from each folder."""
    counts = flags["counts"]
    if flags["balance"]:
        return dict.fromkeys(counts, 1 / len(counts))
    return {name: count / sum(counts.values()) for name, count in counts.items()}


def more_augmentation(p: float, flags: dict[str, object]) -> str:
    """What there is to do about too few pictures."""
    if flags["ada_max"] == 0:
        return "turn the augmentation on (--ada-max 0.8) or add images"
    if p > 0.95 * flags["ada_max"]:
        return f"the augmentation is at its limit of {flags['ada_max']:g}: add images"
    faster = max(flags["ada_kimg"] / 4, 1)
    return f"let the augmentation come sooner (--ada-kimg {faster:g}) or add images"


def on_features(flags: dict[str, object]) -> bool:
    """Whether the critic judges features; runs from before there was a choice judge pixels."""
    return flags.get("critic") == "features"


def signs(now: dict[str, float], flags: dict[str, object]) -> list[Finding]:
    """What the images and D's judgement of them tell, folder by folder."""
    findings, shares = [], shown_shares(flags)
    pixels = not on_features(flags)  # such a critic is sure of most reals always
    pixels &= "r2" not in now  # and so is D of most pairs
    for name, count in flags["counts"].items():
        sign = now.get(f"signs/real/{name}", 0.0)
        if pixels and sign > SURE and 1000 * now["kimg"] * shares[name] > OFTEN * count:
            sure = f"it is sure of {(1 + sign) / 2:.0%} of them"
            what = f"D overfits the {name} folder: {count} images, and {sure}"
            findings.append(Finding(what, more_augmentation(now["ada/p"], flags)))
        elif count < FEW and not flags["init_from"]:
            what = f"the {name} folder has {count} images, which D will learn by heart"
            advice = "add images, or begin with weights of other faces (--init-from, --freeze-d 2)"
            findings.append(Finding(what, advice))
    return findings


def balance(now: dict[str, float], flags: dict[str, object]) -> list[Finding]:
    """Whether G and D learn from each other."""
    if on_features(flags):
        loss = f"its loss is {now['loss/D']:.2f}"
        if now["loss/D"] < HINGE_WINS and now["kimg"] > EARLY:
            what = f"the critic tells drawn from real without effort ({loss})"
            return [Finding(what, "halve --d-lr, or double --g-lr")]
        if now["loss/D"] > HINGE_LOSES:
            what = f"the critic can hardly tell drawn from real ({loss}, guessing 2)"
            return [Finding(what, "halve --g-lr, or double --d-lr")]
        return []
    loss, guess = now["loss/D"], GUESS_PAIRS if "r2" in now else GUESS
    if loss < WINS * guess:
        what = f"D tells drawn from real without effort (its loss is {loss:.2f})"
        return [Finding(what, "raise --gamma four times or halve --d-lr, so that G learns from it")]
    if loss > LOSES * guess:
        what = f"D can hardly tell drawn from real (its loss is {loss:.2f}, guessing {guess})"
        return [Finding(what, "halve --g-lr, or lower --gamma to a quarter")]
    return []


def slope(now: dict[str, float], flags: dict[str, object]) -> list[Finding]:
    """Whether R1 holds D's slope."""
    if on_features(flags):
        return []  # R1 is not used
    usual = usual_gamma(flags["pictures"]["resolution"], flags["batch"])
    gamma = usual if flags["gamma"] is None else flags["gamma"]
    is_gamma = f"--gamma is {gamma:g}, usual here is {usual:g}"
    r1 = now.get("r1", 1.0)  # none in the last reports: no sign
    if r1 > STEEP:
        steep = f"D is steep at the real faces (R1 is {r1:.3g}, good runs stay below 1)"
        advice = "raise it ten times: a steep D breaks G's faces sooner or later"
        return [Finding(f"{steep} and {is_gamma}", advice)]
    if r1 < FLAT and now["loss/D"] > (0.5 if "r2" in now else 1):
        what = f"D is flat at the real faces (R1 is {r1:.2g}) and {is_gamma}"
        return [Finding(what, "lower it to a tenth: faces stay blurred with it")]
    if not 1 / ODD < gamma / usual < ODD:
        advice = "leave it out: D becomes steep with a small one and flat with a large one"
        return [Finding(f"{is_gamma} (R1 is {r1:.2g} so far)", advice)]
    return []


def comparable(history: list[Moment]) -> list[Moment]:
    """The moments measured by the features of the same networks as the newest one was."""
    measured = [moment for moment in history if moment.figures]
    newest = measured[-1].figures.get("features") if measured else None
    return [moment for moment in measured if moment.figures.get("features") == newest]


def way(measured: list[Moment], flags: dict[str, object]) -> list[Finding]:
    """How the drawn faces changed since the best."""
    last, best = measured[-1], max(measured, key=lambda moment: moment.figures["score"])
    score = max(moment.figures["score"] for moment in measured[-2:])
    top, at = best.figures["score"], f"at kimg {best.kimg:g}"
    cover = [moment.figures["distances"]["all"]["coverage"]["value"] for moment in measured]
    again = f"--init-from {flags['out']}/best"
    if top < FACES:
        what = f"there are no faces yet: the score is {score:.1f}"
        advice = "begin anew with --gamma four times as large or, if D's loss is above 1, a quarter"
        return [Finding(what, advice)] if last.kimg > LATE else []
    if cover[-1] < ALIKE * max(cover):
        now, once = f"{cover[-1]:.0%} of the real ones", f"{max(cover):.0%}"
        what = f"the faces become alike: they cover {now}, once {once}"
        return [Finding(what, f"begin with {again} and twice the --gamma")]
    if score < WORSE * top:
        what = f"the faces get worse: their score is {score:.1f}, it was {top:.1f} {at}"
        return [Finding(what, f"begin with {again} and half of --g-lr and --d-lr")]
    gained = [moment.figures["score"] for moment in measured[:-LAST]]
    if gained and top < (1 + STILL) * max(gained):
        what = f"the faces do not get better any more: their best score was {top:.1f} {at}"
        return [Finding(what, f"stop, or begin with {again} and half of --g-lr and --d-lr")]
    return []


def faces(figures: dict[str, object], flags: dict[str, object], p: float) -> list[Finding]:
    """What the drawn faces are, as soon as they are some."""
    if figures["score"] < FACES:
        return []
    findings, shown = [], shown_shares(flags)
    for name, share in figures["shares"].items():
        if share < RARE * shown[name]:
            drawn = f"{share:.0%} of the drawn faces look like {name}"
            what = f"{drawn}, {shown[name]:.0%} of those shown were"
            advice = "add images to it, or take --conditional, which learns the folders apart"
            findings.append(Finding(what, advice))
    if figures["as close as a copy"] > COPIES:
        what = f"{figures['as close as a copy']:.0%} of the drawn faces are copies of real ones"
        findings.append(Finding(what, more_augmentation(p, flags)))
    if figures["turned"] > TURNED and p > LEAKING:
        what = f"{figures['turned']:.0%} of the drawn faces are turned: the augmentation leaks"
        findings.append(Finding(what, f"lower --ada-max below its present p of {p:.2f}"))
    return findings


def diagnose(
    log: list[dict[str, float]], history: list[Moment], flags: dict[str, object]
) -> list[Finding]:
    """All findings, the gravest first; flags as a run's config.json has them."""
    if len(log) < REPORTS:
        return []
    now = recent(log) | {"kimg": log[-1]["kimg"]}
    findings = [*slope(now, flags), *balance(now, flags), *signs(now, flags)]
    measured = comparable(history)
    if measured:
        findings += way(measured, flags)
        findings += faces(measured[-1].figures, flags, now["ada/p"])
    return findings


def examine(run: str | Path) -> str:
    """A run folder's findings, a line each, or that there are none.

    Raises: ValueError if it is none.
    """
    run = Path(run)
    path = run / "config.json"
    try:
        flags = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    except ValueError as e:
        raise ValueError(f"{path} is damaged: {e}") from e
    if "counts" not in flags:
        raise ValueError(f"{run} holds no config.json of a run, so it is not the folder of one")
    log = list(parse_lines(run / "log.jsonl", json.loads))
    history = read_history(run)
    findings = diagnose(log, history, flags)
    if len(log) < REPORTS:
        return "doctor: too early to say anything"
    if not findings:
        scores = [moment.figures["score"] for moment in comparable(history)]
        way = ", ".join(f"{score:.1f}" for score in scores[-LAST:])
        return "doctor: nothing looks wrong" + (f"; the last scores are {way}" if way else "")
    return "\n".join(f"doctor: {finding}" for finding in findings)


def main(argv: Sequence[str] | None = None) -> None:
    """Print what is wrong, or end with one sentence."""
    parser = argparse.ArgumentParser(
        prog="python -m training.doctor", description=__doc__.splitlines()[0], allow_abbrev=False
    )
    parser.add_argument("run", help="folder of a run, the --out of the trainer")
    try:
        print(examine(parser.parse_args(argv).run))
    except (ValueError, OSError) as e:
        sys.exit(f"error: {e}")


if __name__ == "__main__":
    main()
