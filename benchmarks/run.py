"""Measures the kernels and writes measured.csv and measured.md beside this file: machine, versions, one row a figure.

    .venv/bin/python benchmarks/run.py

CPU time of one process, one thread, the least of several repetitions; compilation is not counted.  Needs about two
minutes on an otherwise idle machine.
"""

from __future__ import annotations

import csv
import platform
import resource
import subprocess
import sys
import tempfile
import time

import numba
import numpy as np
from baseline import NumpyTD
from measuring import HERE, figure, processor

import lpi
from lpi.evaluation import entropies, localized_td, q_tables
from lpi.improvement import aggregated_q, improvement_plan, multiplicative_weights
from lpi.policy import policy_index, uniform_table

SETTINGS = dict(p1_means="success", p2_means="success")
EPISODE, START, TAU = 20, 45.0, 0.05


def main() -> None:
    rows: list[dict] = []
    for kappa in range(4):
        rows += td_speed(kappa)
    rows += [improvement_time(8, 3), improvement_time(15, 3)]
    rows += exact_times()
    rows += [peak_memory(15, 3), start_up()]
    machine = {
        "machine": f"{processor()}, {platform.system()}",
        "python": platform.python_version(),
        "numpy": np.__version__,
        "numba": numba.__version__,
    }
    with (HERE / "measured.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, ["measurement", "value", "unit", *machine], lineterminator="\n")
        writer.writeheader()
        writer.writerows({**row, **machine} for row in rows)
    lines = [f"Measured by `benchmarks/run.py` ({', '.join(f'{key} {value}' for key, value in machine.items())}).", ""]
    lines += ["| measurement | value | unit |", "|---|---:|---|"]
    lines += [f"| {row['measurement']} | {row['value']} | {row['unit']} |" for row in rows]
    (HERE / "measured.md").write_text("\n".join([*lines, ""]), encoding="utf-8")
    print("\n".join(lines))


def spreading(agents: int) -> lpi.NetworkedMDP:
    return lpi.spreading_process(lpi.Network.named("line", agents), **SETTINGS)


def td_speed(kappa: int) -> list[dict]:
    """Node-updates per second of the kernel and of numpy, after a check that they compute the same."""
    mdp = spreading(8)
    model, index, policy = mdp.tables(), policy_index(mdp, kappa), uniform_table(mdp, kappa)
    bonus = mdp.agents * TAU * entropies(policy, index, mdp.actions)

    def kernel(q, updates):
        localized_td(
            model, q, policy, index, bonus, updates, EPISODE, "departure", (0.1, None), np.random.default_rng(0)
        )

    q, slow = q_tables(mdp, kappa, START), NumpyTD(mdp, kappa, START)
    kernel(q, 2000)
    slow.run(policy, bonus, 2000, EPISODE, 0.1, np.random.default_rng(0))
    np.testing.assert_allclose(q.values, slow.q, rtol=0, atol=1e-10)
    fast = 8 * 400_000 / least(lambda: kernel(q, 400_000), 5)
    plain = 8 * 4_000 / least(lambda: slow.run(policy, bonus, 4_000, EPISODE, 0.1, np.random.default_rng(0)), 5)
    return [
        figure(f"TD(0), n = 8, kappa = {kappa}: kernel", fast / 1e6, "million node-updates per second"),
        figure(f"TD(0), n = 8, kappa = {kappa}: numpy over agents", plain / 1e6, "million node-updates per second"),
        figure(f"TD(0), n = 8, kappa = {kappa}: kernel over numpy", fast / plain, "times"),
    ]


def improvement_time(agents: int, kappa: int) -> dict:
    mdp = spreading(agents)
    q, index = q_tables(mdp, kappa, START), policy_index(mdp, kappa)
    q.values[:] += np.random.default_rng(0).normal(size=len(q.values))
    plan = improvement_plan(mdp, index, kappa, kappa, q, [0] * agents, [0] * agents)
    logs = np.log(uniform_table(mdp, kappa))

    def improve():
        multiplicative_weights(plan, aggregated_q(plan, q), logs, 0.05, TAU, 10)

    improve()
    return figure(f"improvement (11)-(12), 10 steps, n = {agents}, kappa = {kappa}", least(improve, 5), "s")


def exact_times() -> list[dict]:
    rows = []
    for agents, kappas, repetitions in ((8, (0, 1, 2), 5), (10, (0, 1, 2, 3), 2)):
        mdp = spreading(agents)
        for kappa in kappas:
            policy = perturbed(mdp, kappa, 0)
            lpi.exact.Evaluator(mdp, kappa).evaluate(policy, TAU)
            cold = least(lambda m=mdp, k=kappa, p=policy: lpi.exact.Evaluator(m, k).evaluate(p, TAU), repetitions)
            rows.append(figure(f"exact evaluation, n = {agents}, kappa = {kappa}, cold, to 1e-9", cold, "s"))
            evaluator = lpi.exact.Evaluator(mdp, kappa)
            evaluator.evaluate(policy, TAU)
            others = iter([perturbed(mdp, kappa, seed) for seed in range(1, 1 + repetitions)])
            warm = least(lambda e=evaluator, o=others: e.evaluate(next(o), TAU, 1e-6), repetitions)
            rows.append(figure(f"exact evaluation, n = {agents}, kappa = {kappa}, next policy, to 1e-6", warm, "s"))
    rows += [evaluation_memory(10, 2), *local_optimum_times(8, 3)]
    for agents in (8, 15):
        lpi.exact.optimum(spreading(4), TAU)
        mdp = spreading(agents)
        rows.append(
            figure(f"centralised optimum, n = {agents}", least(lambda m=mdp: lpi.exact.optimum(m, TAU), 1), "s")
        )
    return rows


def evaluation_memory(agents: int, kappa: int) -> dict:
    """Of a process that evaluates one policy and does nothing else."""
    code = (
        "import resource, lpi; "
        f"mdp = lpi.spreading_process(lpi.Network.named('line', {agents}), **{SETTINGS}); "
        f"lpi.exact.evaluate(mdp, lpi.LocalPolicy.uniform(mdp, {kappa}), {TAU}); "
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
    )
    output = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    peak = float(output) * 1024 / 1e9
    return figure(f"peak memory of an exact evaluation, n = {agents}, kappa = {kappa}, imports included", peak, "GB")


def local_optimum_times(agents: int, most_kappa: int) -> list[dict]:
    """The best kappa-hop policies of all kappas from all starts, and how much of the optimum they lose."""
    lpi.exact.best_local_up_to(spreading(4), most_kappa, TAU)
    mdp = spreading(agents)
    best = lpi.exact.optimum(mdp, TAU).regularized
    start = time.process_time()
    found = lpi.exact.best_local_up_to(mdp, most_kappa, TAU)
    spent = time.process_time() - start
    rows = [
        figure(
            f"best kappa-hop policies, n = {agents}, kappa = 0..{most_kappa}, {len(found[-1].starts)} starts",
            spent,
            "s",
        )
    ]
    for kappa, solution in enumerate(found):
        name = f"loss of the best kappa-hop policy, n = {agents}, kappa = {kappa}"
        rows.append(figure(name, best - solution.regularized, "regularised reward"))
    return rows


def perturbed(mdp, kappa: int, seed: int) -> np.ndarray:
    """A policy near uniform, as one outer loop makes it from another."""
    up = np.clip(0.5 + 0.02 * np.random.default_rng(seed).normal(size=len(uniform_table(mdp, kappa)) // 2), 0.1, 0.9)
    return np.column_stack((up, 1 - up)).ravel()


def peak_memory(agents: int, kappa: int) -> dict:
    usage = run_job(agents, kappa, "working", outer_loops=2)
    return figure(f"peak memory of a run, n = {agents}, kappa = {kappa}", usage.ru_maxrss * 1024 / 1e9, "GB")


def start_up() -> dict:
    usage = run_job(5, 1, "as_printed", outer_loops=1, trajectory_length=1)
    return figure("imports and start-up of a training job", usage.ru_utime + usage.ru_stime, "s CPU")


def run_job(agents: int, kappa: int, reading: str, **settings):
    """Resource usage of one training job in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "lpi", "train", "--agents", str(agents), "--kappa", str(kappa)]
        command += ["--reading", reading, "--output", f"{folder}/run.csv", "--quiet"]
        command += [word for key, value in settings.items() for word in ("--set", f"{key}={value}")]
        code = (
            "import resource, subprocess, sys; subprocess.run(sys.argv[1:], check=True); "
            "u = resource.getrusage(resource.RUSAGE_CHILDREN); print(*u)"
        )
        output = subprocess.run([sys.executable, "-c", code, *command], check=True, capture_output=True, text=True)
    values = [float(word) for word in output.stdout.split()[:3]]
    return resource.struct_rusage([*values, *[0] * 13])


def least(action, repetitions: int) -> float:
    """Least CPU seconds of several calls."""
    times = []
    for _ in range(repetitions):
        start = time.process_time()
        action()
        times.append(time.process_time() - start)
    return min(times)


if __name__ == "__main__":
    main()
