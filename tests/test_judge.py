"""The claims judged on the workflow's tables."""

from __future__ import annotations

import pandas as pd
import pytest

from lpi import cli
from lpi.claims import COLUMNS, UNTESTED, judge
from lpi.results import ResultsError
from lpi.tables import frame
from lpi.truth.tables import ACTING


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    """Curves of one seed at three agents, with the optimum and the tables that readings share."""
    folder = tmp_path_factory.mktemp("tables")
    point = ["--agents", "3", "--tau", "0.05"]
    means = ["--p1-means", "success", "--p2-means", "success"]
    runs = ["--kappa", "0", "--seed", "0", "--set", "outer_loops=2", "--set", "trajectory_length=50", "--quiet"]
    for command, options in {
        "train": [*point, *runs],
        "optima": point,
        "locality": [*point, *means, "--kappas", "0", "1"],
        "acting": [*point, *means, "--p-effs", "0.2", "0.4"],
    }.items():
        assert cli.main([command, *options, "--output", str(folder / f"{command}.csv")]) == 0
    return folder


def test_the_same_as_in_the_workflow(tables):
    path = tables / "claims.csv"
    options = ["--convention", "success,success", "--output", str(path)]
    for name, file in (("curves", "train"), ("optima", "optima"), ("locality", "locality"), ("acting", "acting")):
        options += [f"--{name}", str(tables / f"{file}.csv")]
    judge.main(options)
    found = pd.read_csv(path)
    assert tuple(found.columns) == COLUMNS and set(found["reading"]) == {"working"}
    exact = found[found["claim"].isin(["beyond_local", "gap_decays", "idle_when_safe"])]
    assert UNTESTED not in set(exact["verdict"]) and exact["claim"].nunique() == 3


def test_another_environment_has_no_shared_tables(tables):
    found = judge.judge(tables / "train.csv", tables / "optima.csv")
    assert set(found[found["claim"] == "beyond_local"]["verdict"]) == {UNTESTED}


def test_optima_without_a_panel_are_refused(tables, tmp_path):
    whole, cut = tables / "optima.csv", tmp_path / "optima.csv"
    header, row = whole.read_text(encoding="utf-8").splitlines()
    cut.write_text(f"{header}\n{row.replace(',3,', ',5,')}\n", encoding="utf-8")
    with pytest.raises(
        ResultsError, match=r"optima\.csv: no row for agents 3, tau 0\.05; one for each panel of .*train"
    ):
        judge.judge(tables / "train.csv", cut)


def test_acting_is_that_of_the_unprotected_agent_in_the_middle(tables):
    table = frame(tables / "acting.csv", ACTING)
    found = judge.acting_of(table)
    assert found["protected"].dtype == bool and found["protected"].nunique() == 2
    assert set(found[table["place"] == "middle"]["agent"]) == {1} and set(found[table["place"] == "end"]["agent"]) == {
        0
    }
    assert (found["high"] >= found["probability"] - 1e-12).all()
