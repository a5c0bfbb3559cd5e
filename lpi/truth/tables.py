"""The tables behind Figures 4 to 6, as `lpi.truth.ground_truth` computes them and as figures and sentences read them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

from lpi.config import SETTINGS
from lpi.results import Column
from lpi.tables import Table
from lpi.theory.bounds import LARGEST_GAMMA

_MEANS = ("failure", "success")
_NETWORK = {
    "graph": Column("str", "family of the network"),
    "agents": Column("int", "number of agents n"),
    "tau": Column("float", "entropy weight tau"),
}
_CONVENTION = {
    "p1_means": Column("str", SETTINGS["p1_means"].metadata["description"], of=_MEANS),
    "p2_means": Column("str", SETTINGS["p2_means"].metadata["description"], of=_MEANS),
}


def _not_computed(row: Mapping[str, Any]) -> Iterable[str]:
    if row["method"] != "too_large":
        return ()
    return ("optimum", "optimum_unregularized", "ceiling", "uniform", "uniform_unregularized", "error_bound")


OPTIMA = Table(
    {
        "reading": Column("str", "name of the reading"),
        **_NETWORK,
        "optimum": Column("float", "J* of (2), regularised, of the centralised optimum under rho"),
        "optimum_unregularized": Column("float", "unregularised J of that policy"),
        "ceiling": Column("float", "largest unregularised J of any policy: the optimum for tau = 0"),
        "uniform": Column("float", "regularised J of the uniform policy"),
        "uniform_unregularized": Column("float", "unregularised J of the uniform policy"),
        "error_bound": Column("float", "on each of these"),
        "method": Column(
            "str", "decoupled, joint: exact; too_large: not computed", of=("decoupled", "joint", "too_large")
        ),
    },
    key=("reading", "agents", "tau"),
    made_by="snakemake --cores 2",
    missing=_not_computed,
)

LOCALITY = Table(
    {
        **_CONVENTION,
        **_NETWORK,
        "gamma": Column("float", "discount factor"),
        "kappa": Column("int", "hops that the policies see"),
        "optimum": Column("float", "J* of (2), regularised"),
        "uniform_loss": Column("float", "J* - J of the uniform policy"),
        "regularized": Column("float", "J of (2) of the best kappa-hop policy found"),
        "loss": Column("float", "J* - J of the best kappa-hop policy found"),
        "error_bound": Column("float", "on the loss of this policy: of J* and of J together"),
        "stationarity": Column("float", "what J could still gain to first order"),
        "start": Column("str", "the start that led to it"),
        "starts": Column("int", "number of starts"),
        "spread": Column("float", "largest minus smallest J that the starts led to"),
        "iterations": Column("int", "policy iterations from that start"),
        "interaction": Column("float", "sup_i sum_j C_ij of (10); Theorem 1 asks for less than 1/2"),
        "least_tau": Column("float", "smallest tau that Theorem 1 allows; empty: none, gamma >= 0.8"),
        "hypotheses_met": Column("str", "whether Theorem 1's hypotheses hold", of=("yes", "no")),
        "bound": Column("float", "Theorem 1's bound on the loss; empty where its hypotheses do not hold"),
        "range": Column("float", "largest minus smallest J that rewards and entropy allow: the trivial bound"),
    },
    key=("p1_means", "p2_means", "agents", "tau", "kappa"),
    made_by="snakemake --cores 2",
    missing=lambda row: [
        *(["least_tau"] if row["gamma"] >= LARGEST_GAMMA else []),
        *(["bound"] if row["hypotheses_met"] == "no" else []),
    ],
    grids=((tuple(_CONVENTION), ("agents", "tau", "kappa")),),
)

ACTING = Table(
    {
        **_CONVENTION,
        **_NETWORK,
        "p_eff": Column("float", "probability that action 1 sets the intermediate state of s2"),
        "place": Column("str", "which agent", of=("end", "middle")),
        "protected": Column("str", "the agent's own s2", of=("no", "yes")),
        "distance": Column("float", "hops to the nearest infected agent, 0 the agent itself; empty: none infected"),
        "states": Column("int", "joint states of s1 at this distance"),
        "acting": Column("float", "probability of action 1 under the optimal policy: mean over these states"),
        "least": Column("float", "its minimum over them"),
        "most": Column("float", "its maximum over them"),
    },
    key=("p1_means", "p2_means", "agents", "tau", "p_eff", "place", "protected", "distance"),
    made_by="snakemake --cores 2",
    missing=lambda row: ["distance"] if math.isnan(row["distance"]) else [],
    grids=(
        ((*_CONVENTION, "agents", "tau"), ("p_eff", "place", "protected")),
        ((*_CONVENTION, "agents", "tau", "place"), ("p_eff", "protected", "distance")),
    ),
)

TABLES = {"optima": OPTIMA, "locality": LOCALITY, "acting": ACTING}
"""The table that each command writes."""
