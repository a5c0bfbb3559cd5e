"""Measures which part of training grows faster than n, and why; writes causes.csv beside this file.

    .venv/bin/python benchmarks/causes.py

CPU nanoseconds per update of an agent, by part, for the families whose time is not linear in n by growth.py.  TD(0) is
timed twice: in episodes that begin anywhere, which visit much of the tables, and in episodes in which nothing spreads, which
do the same work on a few entries: what is between them is the time that memory takes.  Needs about two minutes.
"""

from __future__ import annotations

import os
import time
from collections import Counter

from growth import THREADS, UPDATES, settings_of, size
from measuring import caches, machine, write

FAMILIES = (("line", 1), ("line", 2), ("ring", 2), ("grid", 1), ("random_regular", 1))
AGENTS = (20, 50, 100, 200, 500, 1000)
PARTS = {
    "improvement_plan": "setup", "q_tables": "setup", "policy_index": "setup", "localized_td": "td",
    "aggregated_q": "improvement", "multiplicative_weights": "improvement", "entropies": "entropies",
}  # fmt: skip
REPETITIONS = 3
ABSORBED = dict(rho="independent_bits", rho_infected=0.0)  # nothing spreads


def main() -> None:
    os.environ.update(THREADS)
    rows = []
    for graph, kappa in FAMILIES:
        for agents in AGENTS:
            common = dict(graph=graph, agents=size(graph, agents), kappa=kappa, evaluation_episodes=2)
            usual, few = least(common), least(common | ABSORBED)
            row = {
                "graph": graph,
                "kappa": kappa,
                "agents": common["agents"],
                "q_mb": f"{usual.pop('bytes') / 1e6:.3g}",
            }
            row |= {f"{part}_ns": f"{usual[part]:.3g}" for part in (*dict.fromkeys(PARTS.values()), "rest")}
            row |= {"visited_share": f"{usual['visited']:.3g}", "td_few_entries_ns": f"{few['td']:.3g}"}
            rows.append(row | {"visited_share_few": f"{few['visited']:.3g}"})
            print(*rows[-1].values(), flush=True)
    write("causes", rows, {"caches": caches(), **machine("numpy", "numba")})


def least(values: dict) -> dict[str, float]:
    """The quickest of several runs of two loops: nanoseconds per update of an agent by part."""
    from lpi import algorithm
    from lpi.reference import reference
    from lpi.spreading import from_settings

    settings, found = settings_of(**values), []
    mdp = from_settings(settings.environment)
    known = reference(mdp, settings.training.tau)
    originals = {name: getattr(algorithm, name) for name in PARTS}
    for _ in range(REPETITIONS):
        spent: Counter[str] = Counter()
        for name, part in PARTS.items():
            setattr(algorithm, name, timed(originals[name], part, spent))
        start = time.process_time()
        result = algorithm.train(mdp, settings.training, 0, settings.reporting, known=known)
        spent["rest"] = time.process_time() - start - sum(spent[part] for part in set(PARTS.values()))
        updates = mdp.agents * settings.training.outer_loops * UPDATES
        found.append({part: spent[part] / updates * 1e9 for part in (*PARTS.values(), "rest")})
        found[-1] |= {"bytes": spent["bytes"], "visited": result.records[-1].visited_share}
    for name, original in originals.items():
        setattr(algorithm, name, original)
    return min(found, key=lambda parts: parts["td"])


def timed(function, part: str, spent: Counter):
    """The function, whose CPU time is added to its part; the bytes of Q tables too."""

    def counted(*arguments, **named):
        start = time.process_time()
        result = function(*arguments, **named)
        spent[part] += time.process_time() - start
        if part == "setup" and hasattr(result, "visited"):
            spent["bytes"] = result.values.nbytes
        return result

    return counted


if __name__ == "__main__":
    main()
