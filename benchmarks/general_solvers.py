"""General solvers of MDPs beside lpi's: writes general_solvers.csv and general_solvers.md beside this file.

    .venv/bin/python benchmarks/general_solvers.py

The unregularised optimum of the experiment (tau = 0, to 1e-9) on n = 4 and 5 agents by quantecon's policy iteration and
modified policy iteration, from the joint model in its two forms (dense by state and action, sparse by pair), by
Algorithm 3 on the joint states and by the small problems that the experiment decouples into.  Each in a process of its
own, one thread, after a call with 2 agents that compiles what there is to compile.  Times are CPU seconds; memory is
the peak beyond what the process held before it built the model.  lpi's also on n = 8, where the joint model has 10^12
entries.  All must agree on J.  Needs about three minutes.
"""

from __future__ import annotations

import csv
import json
import os
import platform
import resource
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path

import numpy as np
from run import HERE, processor, spreading
from scipy import sparse

from lpi import exact
from lpi.memory import EXACT_LIMIT
from lpi.solvers.decoupled import decoupled_problem
from lpi.solvers.iteration import ITERATIONS
from lpi.solvers.joint_model import JointModel, joint_memory

TOLERANCE = 1e-9
MOST_AGENTS = 40


def dense_model(mdp):
    """R (states, actions) and Q (states, actions, states) of quantecon's first form."""
    states, actions = mdp.joint_states, int(np.prod(mdp.actions))
    rewards, transitions = np.empty((states, actions)), np.empty((states, actions, states))
    for a in range(actions):
        rewards[:, a], transitions[:, a] = joint_action(mdp, a)
    return rewards, transitions, mdp.gamma


def sparse_model(mdp):
    """R, Q, beta, s_indices and a_indices of its second form, a row per pair of state and action."""
    states, actions = mdp.joint_states, int(np.prod(mdp.actions))
    rewards, blocks = np.empty((states, actions)), []
    for a in range(actions):
        rewards[:, a], table = joint_action(mdp, a)
        blocks.append(sparse.csr_matrix(table))
    order = np.arange(states * actions).reshape(actions, states).T.ravel()
    pairs = np.divmod(np.arange(states * actions), actions)
    return rewards.ravel(), sparse.vstack(blocks, format="csr")[order], mdp.gamma, *pairs


def joint_action(mdp, a: int):
    """Mean reward (states,) and next-state probabilities (states, states) of one joint action."""
    states = np.indices(mdp.states).reshape(mdp.agents, -1)
    actions = np.unravel_index(a, mdp.actions)
    table, rewards = np.ones((states.shape[1], 1)), 0.0
    for i in range(mdp.agents):
        around = mdp.network.neighbourhood(i, 1)
        local = mdp.transitions[i][(*states[list(around)], actions[i])]
        table = (table[:, :, None] * local[:, None, :]).reshape(len(table), -1)
        rewards = rewards + mdp.rewards[i][states[i], actions[i]] / mdp.agents
    return rewards, table


def quantecon(form, method: str):
    def solver(mdp):
        from quantecon.markov import DiscreteDP

        model = DiscreteDP(*form(mdp))
        yield
        values = model.solve(method, epsilon=TOLERANCE).v
        yield JointModel(mdp).under_rho(values)

    return solver


def algorithm_3(mdp):
    yield
    yield exact.policy_iteration(mdp, 0, tolerance=TOLERANCE).best.unregularized


def decoupled(mdp):
    yield
    yield exact.optimum(mdp, 0, TOLERANCE).unregularized


SOLVERS = {
    "quantecon, policy iteration, dense": quantecon(dense_model, "policy_iteration"),
    "quantecon, modified policy iteration, dense": quantecon(dense_model, "modified_policy_iteration"),
    "quantecon, policy iteration, sparse": quantecon(sparse_model, "policy_iteration"),
    "quantecon, modified policy iteration, sparse": quantecon(sparse_model, "modified_policy_iteration"),
    "lpi, Algorithm 3 on joint states": algorithm_3,
    "lpi, decoupled problems": decoupled,
}


def measure(name: str, agents: int) -> dict:
    """CPU seconds for building and solving, bytes and J, of this process."""
    list(SOLVERS[name](spreading(2)))
    mdp, before = spreading(agents), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    steps, start = SOLVERS[name](mdp), time.process_time()
    next(steps)
    built = time.process_time()
    value = next(steps)
    solved = time.process_time()
    memory = 1024 * (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
    return {"build": built - start, "solve": solved - built, "memory": memory, "value": value}


def in_process(name: str, agents: int) -> dict:
    threads = {f"{library}_NUM_THREADS": "1" for library in ("OMP", "OPENBLAS", "MKL", "NUMBA")}
    command = [sys.executable, str(Path(__file__)), name, str(agents)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, env={**os.environ, **threads})
    return json.loads(done.stdout)


def largest(name: str, found: dict[int, dict]) -> tuple[int, str]:
    """Most agents that fit in EXACT_LIMIT, and how that is known."""

    def fits(bytes_of) -> int:
        return next(n for n in range(1, MOST_AGENTS) if bytes_of(n + 1) > EXACT_LIMIT)

    if name.endswith("dense"):
        return fits(lambda n: found[5]["memory"] * 32.0 ** (n - 5)), "predicted: measured bytes per entry of Q"
    if name.endswith("sparse"):
        growth = found[5]["memory"] / found[4]["memory"]
        return fits(lambda n: found[5]["memory"] * growth ** (n - 5)), "predicted: measured growth from n = 4 to 5"
    if SOLVERS[name] is algorithm_3:
        return fits(lambda n: joint_memory(spreading(n), ITERATIONS)), "what lpi itself allows"
    for n in range(2, MOST_AGENTS):
        try:
            decoupled_problem(spreading(n))
        except ValueError:
            break
    return n - 1, "what lpi itself allows"


def main() -> None:
    rows, fitting = [], []
    for name in SOLVERS:
        found = {agents: in_process(name, agents) for agents in ((4, 5, 8) if name.startswith("lpi") else (4, 5))}
        for agents, one in found.items():
            total = one["build"] + one["solve"]
            rows.append(
                {
                    "solver": name, "agents": agents, "joint states": 4**agents, "build, s": f"{one['build']:.3g}",
                    "solve, s": f"{one['solve']:.3g}", "joint states per second, build included": f"{4**agents / total:.3g}",
                    "memory, MB": f"{one['memory'] / 1e6:.3g}", "J": f"{one['value']:.8f}",
                }
            )  # fmt: skip
        most, how = largest(name, found)
        fitting.append({"solver": name, f"largest n in {EXACT_LIMIT / 1e9:.3g} GB": most, "how known": how})
    for agents in (4, 5, 8):
        values = [float(row["J"]) for row in rows if row["agents"] == agents]
        if max(values) - min(values) > 1e-7:
            sys.exit(f"the solvers disagree at n = {agents}: {values}")
    write(rows, fitting)


def write(rows: list[dict], fitting: list[dict]) -> None:
    machine = {
        "machine": f"{processor()}, {platform.system()}",
        "python": platform.python_version(),
        **{package: version(package) for package in ("numpy", "numba", "scipy", "quantecon")},
    }
    known = {row["solver"]: row for row in fitting}
    with (HERE / "general_solvers.csv").open("w", newline="", encoding="utf-8") as file:
        full = [{**row, **known[row["solver"]], **machine} for row in rows]
        writer = csv.DictWriter(file, list(full[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(full)
    lines = [
        f"Measured by `benchmarks/general_solvers.py` ({', '.join(f'{key} {value}' for key, value in machine.items())}).",
        "The experiment's unregularised optimum, one thread; peak memory beyond that of the imports, the building included.",
    ]
    for table in (rows, fitting):
        lines += ["", f"| {' | '.join(table[0])} |", "|---|" + "---:|" * (len(table[0]) - 1)]
        lines += [f"| {' | '.join(map(str, row.values()))} |" for row in table]
    (HERE / "general_solvers.md").write_text("\n".join([*lines, ""]), encoding="utf-8")


if __name__ == "__main__":
    if len(sys.argv) == 3:
        print(json.dumps(measure(sys.argv[1], int(sys.argv[2]))))
    else:
        main()
