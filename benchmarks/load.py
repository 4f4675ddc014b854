"""Many visitors at once: `python -m benchmarks.load`.

Each of 20 visitors of the page that `python app.py` serves mixes, draws grids and gives a picture
for as long as it takes, one after the other as soon as the last is answered, for two minutes. What
they get is compared with what the generator draws when it is called directly; the faces cut out of
the picture, with those that were cut out before. A wrong picture, or an answer that neither is one
nor asks to try again, ends the benchmark with an error.

    median_s, p95_s   from asking to the decoded picture
    refused           answered with a sentence that asks to try again, or by a full queue
    memory_mib        of the server, quiet, after a warm-up and at the end, and the difference
"""

import argparse
import io
import json
import math
import os
import random
import re
import statistics
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

os.environ.setdefault("GOMP_SPINCOUNT", "1000")  # see training/train.py

import httpx
import numpy as np
import torch
from PIL import Image

from benchmarks.machine import machine, report_file, save_json
from benchmarks.serving import ROOT, serving
from stylegan import Generator, sample_z
from stylegan.domains import load_domains, looks_of, own_centres
from stylegan.images import to_uint8
from stylegan.latents import blend, even_weights, truncate
from stylegan.precision import draw

WEIGHTS, PICTURE = ROOT / "weights" / "faces-64", ROOT / "playground" / "example.jpg"
MIXES, GRIDS = 200, 20  # that visitors choose from
# How often each is asked for. Crops are so many that fewer than one in twenty are of the first
# second, in which all visitors come at once.
SHARES = {"mix": 18, "grid": 1, "crop": 3}
WARM_SECONDS, QUIET_SECONDS, ANSWER_SECONDS = 20, 5, 120
# Of 255. In float32 a batch of four differs from one by 1 at most, and a mixing weight that is off
# by 0.01 by more than 2; in bfloat16 by some 20 at single pixels and 1.2 on average over a picture,
# where another face differs by more than 10.
MOST, MEAN = 2, 2.0


class Direct:
    """The generator, called directly, in the type in which the page draws."""

    def __init__(self, dtype: torch.dtype):
        self.dtype = dtype
        self.G = Generator.from_pretrained(WEIGHTS)
        self.domains = load_domains(WEIGHTS)

    @torch.inference_mode()
    def styles(self, seeds: list[int], psi: float) -> torch.Tensor:
        """ws (len(seeds), num_ws, w_dim), each pulled to the centre of its own kind."""
        ws = self.G.mapping(sample_z(seeds, self.G.z_dim))
        return truncate(ws, own_centres(self.domains, ws, seeds), psi)

    @torch.inference_mode()
    def draw(self, ws: torch.Tensor) -> np.ndarray:
        """Uint8 (N, H, W, 3)."""
        return to_uint8(draw(self.G, ws, self.dtype))

    def blend(self, a: torch.Tensor, b: torch.Tensor, weight: float) -> torch.Tensor:
        """Of styles (1, num_ws, w_dim), with an even weight."""
        return blend(a, b, even_weights(a, b, [weight], looks_of(self.domains, self.G.w_dim)))

    def mix(self, a: int, b: int, weight: float, psi: float) -> np.ndarray:
        """Uint8 (H, W, 3)."""
        return self.draw(self.blend(*self.styles([a, b], psi).split(1), weight))[0]

    def grid(self, across: list[int], down: list[int], weight: float, psi: float) -> np.ndarray:
        """Uint8 (rows, columns, H, W, 3) with the parents, the corner black."""
        rows = [self.styles(across, psi)]
        for w in self.styles(down, psi).split(1):
            rows.append(torch.cat([w, *[self.blend(a, w, weight) for a in rows[0].split(1)]]))
        first, *others = (self.draw(row) for row in rows)
        return np.stack([np.concatenate([np.zeros_like(first[:1]), first]), *others])


class Met(NamedTuple):
    """What a visitor met."""

    seconds: float
    kind: str  # right, refused or wrong
    words: str


def is_close(a: np.ndarray, b: np.ndarray, dtype: torch.dtype) -> bool:
    """Whether it is the same picture, drawn in this type."""
    if a.shape != b.shape:
        return False
    apart = np.abs(a.astype(int) - b)
    return apart.max() <= MOST if dtype == torch.float32 else apart.mean() < MEAN


def judge(got: np.ndarray | str, right: np.ndarray, dtype: torch.dtype) -> tuple[str, str]:
    """Of which kind an answer is, and what is to be said of it."""
    if isinstance(got, str):
        refused = "try again" in got.lower()
        return ("refused" if refused else "wrong"), got or "an error without a sentence"
    return ("right", "") if is_close(got, right, dtype) else ("wrong", "another picture")


class Visitor:
    """One session of the page. Every action returns pictures, or a sentence."""

    def __init__(self, address: str):
        self.http = httpx.Client(base_url=f"{address}/gradio_api", timeout=ANSWER_SECONDS)
        self.session = f"{random.getrandbits(64):x}"

    def fetch(self, file: dict[str, str]) -> np.ndarray:
        """A picture that an answer names, (H, W, 3)."""
        answer = self.http.get(file["url"]).raise_for_status()
        return np.asarray(Image.open(io.BytesIO(answer.content)).convert("RGB"))

    def mix(self, a: int, b: int, weight: float, psi: float) -> np.ndarray | str:
        """As the slider does, past the queue."""
        data = [a, b, weight, psi, True, None, 0, 0, 0, [], ""]
        answer = self.http.post("/run/mix", json={"data": data, "session_hash": self.session})
        if answer.status_code != 200:
            return answer.json()["error"] or ""
        return self.fetch(answer.json()["data"][0])

    def queued(self, action: str, data: list) -> np.ndarray | str:
        """Wait for the last picture of an action in the queue."""
        body, kind, said = {"data": data, "session_hash": self.session}, "", {}
        answer = self.http.post(f"/call/{action}", json=body)
        if answer.status_code == httpx.codes.BAD_REQUEST:  # the queue is full
            return answer.json()["detail"]
        event = answer.raise_for_status().json()["event_id"]
        with self.http.stream("GET", f"/call/{action}/{event}") as lines:
            for line in lines.iter_lines():  # to the end, or the next action would meet the rest
                name, _, value = line.partition(": ")
                if name == "event":
                    kind = value
                elif name == "data":
                    said[kind] = value
        if "complete" in said:
            return self.fetch(json.loads(said["complete"])[0])
        return (json.loads(said.get("error", "{}")) or {}).get("error") or ""

    def grid(
        self, across: list[int], down: list[int], weight: float, psi: float
    ) -> np.ndarray | str:
        """As `Direct.grid`."""
        seeds = (", ".join(map(str, some)) for some in (across, down))
        found = self.queued("grid", [*seeds, weight, psi, True, ""])
        if isinstance(found, str):
            return found
        rows, columns = len(down) + 1, len(across) + 1
        side = found.shape[1] // columns
        return found.reshape(rows, side, columns, side, 3).swapaxes(1, 2)

    def crop(self) -> np.ndarray | str:
        """Give a picture and have its face cut out."""
        files = {"files": (PICTURE.name, PICTURE.read_bytes(), "image/jpeg")}
        (path,) = self.http.post("/upload", files=files).raise_for_status().json()
        return self.queued("crop", [{"path": path, "meta": {"_type": "gradio.FileData"}}, ""])


def dtype_of(address: str) -> torch.dtype:
    """In which the page draws, as its Model tab says."""
    config = httpx.get(f"{address}/config", timeout=ANSWER_SECONDS).raise_for_status().text
    return getattr(torch, re.search(r"drawn here in \| (\w+)", config)[1])


class Crowd:
    """Visitors who know what they should get, and what they got."""

    def __init__(self, address: str):
        self.address, self.dtype, chance = address, dtype_of(address), random.Random(0)
        direct = Direct(self.dtype)

        def seeds(count: int) -> list[int]:
            return [chance.randrange(2**32) for _ in range(count)]

        scenes = [(*seeds(2), chance.random(), chance.uniform(0.4, 1)) for _ in range(MIXES)]
        grids = [(seeds(2 + i % 2), seeds(2), chance.random(), 0.65) for i in range(GRIDS)]
        self.right = {
            "mix": [(scene, direct.mix(*scene)) for scene in scenes],
            "grid": [(scene, direct.grid(*scene)) for scene in grids],
            "crop": [((), Visitor(address).crop())],
        }
        self.lock, self.found = threading.Lock(), {}

    def visit(self, number: int, seconds: float) -> None:
        """Ask for one thing after the other until the time is over."""
        visitor, chance = Visitor(self.address), random.Random(number)
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            (action,) = chance.choices(list(SHARES), list(SHARES.values()))
            scene, right = chance.choice(self.right[action])
            start = time.monotonic()
            try:
                got = getattr(visitor, action)(*scene)
            except Exception as e:  # whatever an answer was instead, it is counted
                kind, words = "wrong", f"{type(e).__name__} {e}"
            else:
                kind, words = judge(got, right, self.dtype)
            met = Met(time.monotonic() - start, kind, words and f"{action}: {words}")
            with self.lock:
                self.found[action].append(met)

    def come(self, clients: int, seconds: float) -> dict[str, list[Met]]:
        """All at once; what they met, by action."""
        self.found = {action: [] for action in SHARES}
        with ThreadPoolExecutor(clients) as pool:
            list(pool.map(self.visit, range(clients), [seconds] * clients))
        return self.found


def memory_mib(pid: int) -> float:
    """What a process holds in memory."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    (line,) = (line for line in lines if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


def summary(found: list[Met]) -> dict[str, float]:
    """Of one action."""
    times = sorted(met.seconds for met in found if met.kind == "right")
    kinds = [met.kind for met in found]
    counts = {kind: kinds.count(kind) for kind in ("right", "refused", "wrong")}
    if not times:
        return counts
    p95 = times[min(int(0.95 * len(times)), len(times) - 1)]
    return counts | {"median_s": statistics.median(times), "p95_s": p95}


def measure(clients: int, seconds: float, warm: float) -> dict[str, object]:
    """What all of them met, and what it cost in memory."""
    with serving() as served:
        crowd = Crowd(served.address)
        crowd.come(clients, warm)
        time.sleep(QUIET_SECONDS)
        before = memory_mib(served.pid)
        found = crowd.come(clients, seconds)
        time.sleep(QUIET_SECONDS)
        after = memory_mib(served.pid)
    said = {met.words for action in found.values() for met in action if met.words}
    return {
        "machine": machine(),
        "clients": clients,
        "seconds": seconds,
        "actions": {action: summary(each) for action, each in found.items()},
        "memory_mib": {"before": before, "after": after, "difference": after - before},
        "said": sorted(said),
    }


def main(argv: Sequence[str] | None = None) -> None:
    """Measure, write JSON, print a table; SystemExit if anything was wrong."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.load", allow_abbrev=False)
    parser.add_argument("--clients", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=120)
    parser.add_argument("--out", type=report_file, default=Path("benchmarks/results/load.json"))
    args = parser.parse_args(argv)
    report = measure(args.clients, args.seconds, WARM_SECONDS)
    save_json(report, args.out)
    columns = ("right", "refused", "wrong", "median_s", "p95_s")
    print(f"{'':6}", *(f"{name:>9}" for name in columns))
    for action, values in report["actions"].items():
        print(f"{action:6}", *(f"{values.get(name, math.nan):9.4g}" for name in columns))
    print("MiB:", ", ".join(f"{name} {x:.0f}" for name, x in report["memory_mib"].items()))
    if any(values["wrong"] for values in report["actions"].values()):
        raise SystemExit(f"wrong: {report['said'][:5]}")


if __name__ == "__main__":
    main()
