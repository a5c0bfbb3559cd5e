"""Holds the kernels against a C program written for one case, and writes yardstick.csv and yardstick.md beside this file.

    .venv/bin/python benchmarks/yardstick.py [--before COMMIT]

The case is training on a line of 8 agents with beta = kappa; `yardstick.c` says what it takes advantage of.  It is
built by `cc` with -O3 -march=native -ffp-contract=off, without -ffast-math: the package rounds every product,
for the same bytes on any x86-64 processor, and so does the program; what it would gain by joining products and
sums has a column of its own.  Both are called from Python, the program with pointers made before.  CPU time
of one thread, the least of several repetitions.  `before` is measured with the package of an earlier commit.
Needs about a minute on an otherwise idle machine.
"""

from __future__ import annotations

import argparse
import csv
import ctypes
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numba
import numpy as np
import performance
from run import EPISODE, HERE, SETTINGS, START, TAU, least, processor

import lpi
from lpi.config import resolve
from lpi.evaluation import entropies, localized_td, q_tables
from lpi.improvement import aggregated_q, improvement_plan, multiplicative_weights
from lpi.policy import policy_index, uniform_table
from lpi.spreading import from_settings

BEFORE = "05b074c"
ALPHA, ETA, STEPS, UPDATES = 0.1, 0.05, 10, 100_000
FLAGS = ("-O3", "-march=native", "-ffp-contract=off", "-shared", "-fPIC")
KERNELS = {
    "td": f"TD(0), T = {UPDATES}, ns per node-update",
    "aggregate": "aggregated Q (11), ms",
    "improve": f"{STEPS} improvement steps (12), ms",
    "loop": f"one outer loop of training with T = {UPDATES}, ms",
}
VARIANTS = {
    "contracted": (("-ffp-contract=fast",), "products and sums joined, where the processor can, with other bytes"),
    "one stream": (("-DSTREAMS=1",), "xoshiro256++ one number after another, as a C program usually has it"),
    "halves": (("-DHALVES",), "two random numbers of 32 bits from each of 64: one draw per agent and step"),
    "float32": (("-DNUMBER=float",), "Q tables and gains in single precision"),
}


class Case(NamedTuple):
    """What both programs start from."""

    mdp: lpi.NetworkedMDP
    kappa: int
    index: object
    policy: np.ndarray
    bonus: np.ndarray

    def tables(self):
        """New Q tables and the plan of the improvement."""
        q, default = q_tables(self.mdp, self.kappa, START), [0] * self.mdp.agents
        return q, improvement_plan(self.mdp, self.index, self.kappa, self.kappa, q, default, default)

    def learn(self, q, updates: int, seed: int) -> float:
        """Mean |TD error| of the package's kernel."""
        return localized_td(
            self.mdp.tables(), q, self.policy, self.index, self.bonus, updates, EPISODE, "departure", (ALPHA, None),
            np.random.default_rng(seed),
        )  # fmt: skip


def case(kappa: int, agents: int = 8) -> Case:
    mdp = lpi.spreading_process(lpi.Network.named("line", agents), **SETTINGS)
    index, policy = policy_index(mdp, kappa), uniform_table(mdp, kappa)
    return Case(mdp, kappa, index, policy, agents * TAU * entropies(policy, index, mdp.actions))


class Yardstick:
    """`yardstick.c`, built for a case into a folder; with "-DGIVEN_UNIFORMS", `learn` takes numpy's numbers of the seed."""

    def __init__(self, case: Case, folder, *options: str):
        self.case, self.given = case, "-DGIVEN_UNIFORMS" in options
        self.kind = np.float32 if "-DNUMBER=float" in options else np.float64
        q, plan = case.tables()
        lists = {
            "NEAR_OFFSETS": case.mdp.tables().cumulative_offset // 3, "ROW_OFFSETS": case.index.offset[:-1],
            "Q_OFFSETS": q.offset[:-1], "GAIN_OFFSETS": plan.table_offset[:-1],
        }  # fmt: skip
        constants = {
            "AGENTS": case.mdp.agents, "KAPPA": case.kappa, "GAMMA": case.mdp.gamma, "ALPHA": ALPHA, "EPISODE": EPISODE,
            "TAU": TAU, "ETA": ETA, "KEEP": repr(1.0 - ETA * TAU), **{key: ",".join(map(str, part)) for key, part in lists.items()},
        }  # fmt: skip
        library = Path(folder, f"yardstick{case.kappa}{''.join(options)}.so")
        words = [*FLAGS, *options, *(f"-D{key}={value}" for key, value in constants.items())]
        subprocess.run(["cc", *words, str(HERE / "yardstick.c"), "-o", str(library), "-lm"], check=True)
        self._library = ctypes.CDLL(str(library))
        self._library.learn.restype = self._library.outer_loop.restype = ctypes.c_double
        self.gains = np.empty(plan.table_offset[-1], self.kind)
        self.work = np.empty(4 * 2 ** (2 * (2 * case.kappa + 1) + 2 * case.kappa), self.kind)

    def learn(self, values: np.ndarray, visited: np.ndarray, updates: int, seed: int) -> float:
        """Mean |TD error|; the Q tables change in place."""
        given, n = self.start(updates, seed), self.case.mdp.agents
        return self.call("learn", values, visited, *self._model(), updates, given)() / (n * updates)

    def aggregate(self, values: np.ndarray) -> None:
        """(11), into `gains`."""
        self.call("aggregate", values, self.gains, self.work)()

    def improve(self, logits: np.ndarray, steps: int) -> np.ndarray:
        """(12) from logits of action 1 over 0, changed in place; the probabilities of action 1."""
        up = np.empty_like(logits)
        self.call("improve", self.gains, logits, up, steps)()
        return up

    def outer_loop(self, values, visited, logits, up, updates: int, given: np.ndarray):
        """Function that trains for one outer loop; values, visited, logits and up change in place."""
        return self.call(
            "outer_loop", values, visited, *self._model(), updates, given, self.gains, self.work, logits, up, STEPS
        )

    def start(self, updates: int, seed: int) -> np.ndarray:
        """Seeds the streams; the uniforms that `learn` takes if they are to be given."""
        self._library.seed(ctypes.c_uint64(seed))
        rows = updates + -(-updates // EPISODE)
        return np.random.default_rng(seed).random((rows, 2 * self.case.mdp.agents)) if self.given else np.empty(0)

    def call(self, name: str, *arguments):
        """A function of the program, with its arguments; arrays are handed over as they are."""
        words = [ctypes.c_int64(x) if isinstance(x, int) else _pointer(x) for x in arguments]
        function = partial(getattr(self._library, name), *words)
        function.arrays = arguments  # pointers alone would let them go
        return function

    def _model(self) -> tuple[np.ndarray, ...]:
        """Cumulative transitions and rho, thresholds, rewards, bonus."""
        case, model = self.case, self.case.mdp.tables()
        start, zero = model.rho_marginals[0].copy(), case.policy[::2].copy()
        return model.cumulative, start, zero, case.mdp.rewards[0].copy(), case.bonus.copy()


def _pointer(array: np.ndarray):
    return ctypes.c_void_p(array.ctypes.data)


def package_times(kappa: int) -> dict[str, float]:
    """CPU time of the package's kernels, in the units of KERNELS."""
    found = case(kappa)
    q, plan = found.tables()
    found.learn(q, UPDATES, 0)
    gains, logs = aggregated_q(plan, q), np.log(found.policy)

    def improve():
        multiplicative_weights(plan, gains, logs, ETA, TAU, STEPS)

    improve()
    return _times(
        lambda: found.learn(q, UPDATES, 0), lambda: aggregated_q(plan, q), improve, package_loop(found, UPDATES, 0),
        found.mdp.agents,
    )  # fmt: skip


def package_loop(found: Case, updates: int, seed: int):
    """Function that trains for one outer loop from where the last one left off, as `lpi.train` does; returns the policy."""
    (q, plan), rng, mdp, index = found.tables(), np.random.default_rng(seed), found.mdp, found.index
    policy, logs, model = found.policy, np.log(found.policy), mdp.tables()

    def loop():
        nonlocal policy, logs
        bonus = mdp.agents * TAU * entropies(policy, index, mdp.actions)
        localized_td(model, q, policy, index, bonus, updates, EPISODE, "departure", (ALPHA, None), rng)
        policy, logs = multiplicative_weights(plan, aggregated_q(plan, q), logs, ETA, TAU, STEPS)
        return policy

    return loop


def yardstick_times(kappa: int, folder, *options: str) -> dict[str, float]:
    """CPU time of the C program, in the units of KERNELS."""
    found = case(kappa)
    program, (q, _) = Yardstick(found, folder, *options), found.tables()
    values, logits = q.values.astype(program.kind), np.zeros(len(found.policy) // 2)
    learned, given, up = values.copy(), program.start(UPDATES, 0), np.full_like(logits, 0.5)
    program.learn(values, q.visited, UPDATES, 0)
    return _times(
        lambda: program.learn(values, q.visited, UPDATES, 0), program.call("aggregate", values, program.gains, program.work),
        program.call("improve", program.gains, logits, up.copy(), STEPS),
        program.outer_loop(learned, q.visited, np.zeros_like(logits), up, UPDATES, given), found.mdp.agents,
    )  # fmt: skip


def _times(learn, aggregate, improve, loop, agents: int) -> dict[str, float]:
    node_update = least(learn, 15) / (agents * UPDATES)
    return {
        "td": node_update * 1e9, "aggregate": repeated(aggregate) * 1e3, "improve": repeated(improve) * 1e3,
        "loop": least(loop, 20) * 1e3,
    }  # fmt: skip


def repeated(action) -> float:
    """Least CPU seconds of a call that may be shorter than the clock can tell."""
    once = least(action, 3)
    calls = max(1, min(1000, int(0.01 / max(once, 1e-6))))

    def together():
        for _ in range(calls):
            action()

    return least(together, 9) / calls


def uniform_times() -> dict:
    """One random number by numpy, as the package had it, and by the package, with the same bytes."""
    from lpi.uniforms import fill, stream  # not in the earlier package

    rng, target = np.random.default_rng(0), np.empty(2**16)
    numbers = stream(rng)
    fill(numbers, target)
    numpy_time, found = repeated(lambda: rng.random(out=target)), repeated(lambda: fill(numbers, target))
    scale = 1e9 / len(target)
    return _row(
        {"kernel": "a uniform number, ns (before: numpy's)", "before": numpy_time * scale, "now": found * scale}
        | {"before / now": numpy_time / found}
    )


def exact_share(reading: str, kappa: int, agents: int = 10, outer_loops: int = 5) -> dict:
    """How much of a run's CPU time, imports not counted, is the exact evaluation of its policies."""
    settings = resolve(reading, {"agents": agents, "kappa": kappa, "tau": TAU, "outer_loops": outer_loops})
    mdp, spent, evaluate = from_settings(settings.environment), [], lpi.exact.Evaluator.evaluate
    lpi.train(mdp, settings.training, 0, settings.reporting)

    def timed(*arguments):
        start = time.process_time()
        found = evaluate(*arguments)
        spent.append(time.process_time() - start)
        return found

    lpi.exact.Evaluator.evaluate = timed
    start = time.process_time()
    lpi.train(mdp, settings.training, 0, settings.reporting)
    whole = time.process_time() - start
    lpi.exact.Evaluator.evaluate = evaluate
    name = f"exact evaluation, n = {agents}, {reading}: % of a run of {outer_loops} loops"
    return _row({"kernel": name, "kappa": kappa, "now": 100 * sum(spent) / whole})


def _row(values: dict) -> dict:
    return {key: f"{value:.3g}" if isinstance(value, float) else value for key, value in values.items()}


def earlier_times(commit: str, folder) -> dict | None:
    """`package_times` of every kappa with the package of a commit; None where there is no such commit."""
    archive = subprocess.run(["git", "archive", commit, "lpi"], cwd=HERE.parent, capture_output=True)
    if archive.returncode != 0:
        return None
    subprocess.run(["tar", "x", "-C", folder], input=archive.stdout, check=True)
    environment = {**os.environ, "PYTHONPATH": str(folder), "NUMBA_CACHE_DIR": f"{folder}/numba"}
    command = [sys.executable, __file__, "--package-only"]
    done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    return {int(kappa): times for kappa, times in json.loads(done.stdout).items()}


def measure(commit: str) -> list[dict]:
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        before = earlier_times(commit, folder)
        for kappa in range(4):
            now, c = package_times(kappa), yardstick_times(kappa, folder)
            others = {name: yardstick_times(kappa, folder, *options) for name, (options, _) in VARIANTS.items()}
            for key, name in KERNELS.items():
                then = before[kappa][key] if before else None
                row = {"kernel": name, "kappa": kappa, "before": then, "now": now[key], "C": c[key]}
                row |= {"before / now": then and then / now[key], "C / now": c[key] / now[key]}
                row |= {f"C, {variant}": times[key] for variant, times in others.items()}
                row["C, contracted / now"] = row["C, contracted"] / now[key]
                row["C, one stream / now"] = row["C, one stream"] / now[key]
                rows.append(_row(row))
    more = [uniform_times(), *(exact_share(reading, 1) for reading in ("as_printed", "working"))]
    return rows + [dict.fromkeys(rows[0]) | row for row in more]


def machine() -> dict[str, str]:
    compiler = subprocess.run(["cc", "--version"], capture_output=True, text=True).stdout.partition("\n")[0]
    return {
        "machine": f"{processor()}, {platform.system()}", "compiler": f"{compiler}, {' '.join(FLAGS[:3])}",
        "python": platform.python_version(), "numpy": np.__version__, "numba": numba.__version__,
    }  # fmt: skip


def text(rows: list[dict], where: dict[str, str], commit: str) -> str:
    columns = [key for key in rows[0] if key not in ("C, halves", "C, float32")]
    lines = [f"Measured by `benchmarks/yardstick.py` ({', '.join(f'{k} {v}' for k, v in where.items())}).", ""]
    lines += [
        f"n = {case(0).mdp.agents} on a line, beta = kappa, episodes of {EPISODE} updates; `before` is the package at "
        f"commit {commit}, `C` is `yardstick.c`, `C / now` the share of its speed that the package reaches.",
        f"`C, contracted`: {VARIANTS['contracted'][1]}; `C, one stream`: {VARIANTS['one stream'][1]}.",
        "",
    ]
    lines += _table(columns, rows)
    lines += ["", "What would need other bytes than those of the committed results, estimated with the C program:", ""]
    for name in ("halves", "float32"):
        lines.append(f"- `{name}`: {VARIANTS[name][1]}.")
    compared = [row for row in rows if row["C"] is not None]
    lines += ["", *_table(["kernel", "kappa", "C", "C, halves", "C, float32"], compared), ""]
    return "\n".join(lines)


def _table(columns: list[str], rows: list[dict]) -> list[str]:
    lines = ["| " + " | ".join(columns) + " |", "|---|" + "---:|" * (len(columns) - 1)]
    return lines + [
        "| " + " | ".join("" if row[key] is None else str(row[key]) for key in columns) + " |" for row in rows
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--before", metavar="COMMIT", default=BEFORE, help=f"the earlier commit; default {BEFORE}")
    parser.add_argument("--package-only", action="store_true", help="print the times of the imported package as JSON")
    options = parser.parse_args()
    if options.package_only:
        print(json.dumps({kappa: package_times(kappa) for kappa in range(4)}))
        return
    if shutil.which("cc") is None:
        sys.exit("yardstick: no C compiler `cc` on the path; install one (nothing else in lpi needs it)")
    rows, where = measure(options.before), machine()
    with (HERE / "yardstick.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, [*rows[0], *where], lineterminator="\n")
        writer.writeheader()
        writer.writerows({**row, **where} for row in rows)
    found = text(rows, where, options.before)
    (HERE / "yardstick.md").write_text(found, encoding="utf-8")
    print(found)
    performance.main()


if __name__ == "__main__":
    main()
