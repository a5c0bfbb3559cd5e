"""The tables behind Figures 4 to 6 against known values, brute force and hand-made cases; what is refused."""

from __future__ import annotations

import csv
import math
import subprocess
import sys
from pathlib import Path

import networkx as nx
import numpy as np
import pytest
import truths

import lpi
from lpi import cli, tables
from lpi.results import ResultsError
from lpi.truth import findings as truth_findings
from lpi.truth import ground_truth
from lpi.truth.tables import ACTING, LOCALITY, OPTIMA


def _process(agents, means="success", graph=nx.path_graph, **changed):
    return lpi.spreading_process(graph(agents), p1_means=means, p2_means=means, **changed)


@pytest.mark.parametrize(
    ("means", "agents", "tau", "optimum", "uniform"),
    [
        ("failure", 4, 0.05, 39.49939149, 38.50626120),
        ("failure", 8, 0.02, 38.83022807, 37.65502374),
        ("success", 8, 0.05, 37.55116226, 37.26525690),
    ],
)
def test_optima_are_the_known_ones(means, agents, tau, optimum, uniform):
    row = ground_truth.optima(_process(agents, means), tau)
    assert row["optimum"] == pytest.approx(optimum, abs=1e-7)
    assert row["uniform"] == pytest.approx(uniform, abs=5e-7)
    best = lpi.exact.optimum(_process(agents, means), tau)
    assert row["optimum_unregularized"] == pytest.approx(best.unregularized, abs=1e-8)
    assert row["ceiling"] >= row["optimum_unregularized"] > row["uniform_unregularized"]
    assert row["method"] == "decoupled" and row["error_bound"] <= 1e-8


def test_what_is_too_large_is_said_and_not_computed():
    row = ground_truth.optima(_process(40), 0.05)
    assert row.pop("method") == "too_large" and all(math.isnan(value) for value in row.values())


@pytest.mark.parametrize(
    ("means", "losses"),
    [("failure", [0.0013, 0, 0, 0]), ("success", [0.0956, 0.0046, 0.0002, 0])],
)
def test_losses_of_the_best_local_policies_are_the_known_ones(means, losses):
    rows = ground_truth.locality(_process(4, means), 0.05, [0, 1, 2, 3])
    assert [row["loss"] for row in rows] == pytest.approx(losses, abs=6e-5)
    assert [row["kappa"] for row in rows] == [0, 1, 2, 3]
    assert rows[3]["loss"] <= truth_findings.resolution(_table(rows)).iloc[3]  # kappa = 3 sees all of 4 agents
    assert all(row["hypotheses_met"] == "no" and math.isnan(row["bound"]) for row in rows)
    assert rows[0]["uniform_loss"] == pytest.approx({"failure": 0.99, "success": 0.74}[means], abs=0.005)
    assert all(row["uniform_loss"] < row["range"] for row in rows)


def _table(rows):
    import pandas

    return pandas.DataFrame(rows)


def test_a_subset_of_kappas_has_the_same_losses():
    mdp = _process(3)
    every, some = (ground_truth.locality(mdp, 0.05, kappas) for kappas in ([0, 1, 2], [0, 2]))
    assert [row["loss"] for row in some] == [every[0]["loss"], every[2]["loss"]]


def _still(gamma):
    """Two agents whose states hardly react: Theorem 1's hypotheses hold for a small gamma and a large tau."""
    stay = np.array([[0.6, 0.4], [0.5, 0.5]])  # by own state
    transition = np.broadcast_to(stay[:, None, None, :], (2, 2, 2, 2)).copy()
    other = np.moveaxis(transition, 0, 1).copy()
    reward = np.array([[0.0, 0.3], [1.0, 0.2]])
    network = lpi.Network(2, [(0, 1)])
    return lpi.NetworkedMDP(network, [transition, other], [reward, reward], gamma=gamma)


def test_theorem_1_where_its_hypotheses_hold():
    mdp, gamma = _still(0.1), 0.1
    decay = (4 - 3 * gamma) / (4 - 5 * gamma)
    least = 6 * decay * 4 * math.e
    row = ground_truth._theorem_1(mdp, 2 * least, 1)
    assert row["interaction"] == pytest.approx(0.1) and row["least_tau"] == pytest.approx(least)
    # mu = min(log2 2, log2 (1 / 0.2)) = 1
    assert row["hypotheses_met"] == "yes" and row["bound"] == pytest.approx(decay / (1 - gamma) / 2)
    low = ground_truth._theorem_1(mdp, 0.9 * least, 1)
    assert low["hypotheses_met"] == "no" and math.isnan(low["bound"]) and low["least_tau"] == pytest.approx(least)
    assert math.isnan(ground_truth._theorem_1(_still(0.8), 2 * least, 1)["least_tau"])


def test_acting_agrees_with_policy_iteration_on_all_joint_states():
    mdp, rows = _process(5), ground_truth.acting(_process(5), 0.05)
    none = {(r["place"], r["protected"]): r for r in rows if math.isnan(r["distance"])}
    assert none["middle", "no"]["acting"] == pytest.approx(0.23, abs=0.005)
    infected = [r for r in rows if r["place"] == "middle" and r["protected"] == "no" and r["distance"] == 0]
    assert infected[0]["most"] >= 0.55 - 0.005 and infected[0]["states"] == 16
    assert {r["distance"] for r in rows if r["place"] == "end"} >= {0.0, 1.0, 4.0}
    for place, hops in (("end", 5), ("middle", 3)):
        chosen = [r for r in rows if r["place"] == place and r["protected"] == "no"]
        assert len(chosen) == hops + 1 and sum(r["states"] for r in chosen) == 2**5
        assert all(r["least"] <= r["acting"] <= r["most"] for r in chosen)
    assert mdp.agents == 5


def test_acting_needs_a_spreading_process():
    with pytest.raises(ValueError, match="a spreading process"):
        ground_truth.acting(_still(0.5), 0.05)


def test_commands_write_what_the_functions_compute(tmp_path):
    shared = ["--agents", "3", "--tau", "0.1", "--p1-means", "success", "--set", "p2_means=success", "--graph", "ring"]
    for name, more in (("optima", ()), ("locality", ("--kappas", "1", "0")), ("acting", ("--p-effs", "0.9", "0.1"))):
        assert cli.main([name, *shared, *more, "--output", str(tmp_path / f"{name}.csv")]) == 0
    mdp = _process(3, graph=nx.cycle_graph)
    (row,) = tables.read(tmp_path / "optima.csv", OPTIMA)
    assert row["optimum"] == ground_truth.optima(mdp, 0.1)["optimum"]
    assert (row["reading"], row["graph"], row["agents"], row["tau"]) == ("working", "ring", 3, 0.1)
    rows = tables.read(tmp_path / "locality.csv", LOCALITY)
    assert [(r["kappa"], r["p1_means"]) for r in rows] == [(0, "success"), (1, "success")]
    rows = tables.read(tmp_path / "acting.csv", ACTING)
    assert [r["p_eff"] for r in rows] == sorted(r["p_eff"] for r in rows) and {r["p_eff"] for r in rows} == {0.1, 0.9}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("locality --agents 3 --kappas one", "kappas: 'one' is not allowed; an integer >= 0"),
        ("locality --agents 14 --kappas 0", "whose joint states fit in"),
        ("acting --agents 3 --p-effs 1.5", "p_eff: 1.5 is not allowed"),
        ("acting --agents 3", "--p-effs"),
        ("optima --agents 3 --reading nobody", "reading: 'nobody' is not allowed; one of"),
        ("optima --agents 3 --set gama=0.9", "gama: no such key; did you mean 'gamma'?"),
        ("join curves x.csv", "invalid choice: 'curves'"),
        ("join optima none.csv", "none.csv: cannot be read"),
    ],
)
def test_bad_input_is_one_line_and_nothing_written(tmp_path, monkeypatch, capsys, arguments, words):
    monkeypatch.chdir(tmp_path)
    try:
        status = cli.main([*arguments.split(), "--output", "out.csv"])
    except SystemExit as stop:
        status = stop.code
    error = capsys.readouterr().err
    assert status == 2 and words in error and error.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_join_sorts_and_refuses_twice(tmp_path):
    one = truths.optima(tmp_path / "one.csv", truths.optimum(agents=10))
    two = truths.optima(tmp_path / "two.csv", truths.optimum(agents=5), truths.optimum(agents=5, tau=0.01))
    for number, paths in enumerate(([one, two], [two, one])):
        tables.join(paths, OPTIMA, tmp_path / f"{number}.csv")
    assert (tmp_path / "0.csv").read_bytes() == (tmp_path / "1.csv").read_bytes()
    rows = tables.read(tmp_path / "0.csv", OPTIMA)
    assert [(row["agents"], row["tau"]) for row in rows] == [(5, 0.01), (5, 0.05), (10, 0.05)]
    with pytest.raises(ResultsError, match="row 2: the row of reading working, agents 10, tau 0.05 is given twice"):
        tables.join([one, one], OPTIMA, tmp_path / "3.csv")
    assert not (tmp_path / "3.csv").exists()


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"optimum": math.nan}, "row 1, column optimum: empty or NaN is not allowed; a number"),
        ({"method": "too_large"}, "row 1, column optimum: a value is not allowed; empty"),
        ({"method": "guessed"}, "row 1, column method: 'guessed' is not allowed; decoupled or joint or too_large"),
        ({"agents": 2.5}, "row 1, column agents: '2.5' is not allowed; an integer"),
        ({"extra": 1}, "row 1, column extra: not one of the columns"),
    ],
)
def test_rows_are_checked_before_anything_is_written(tmp_path, changed, message):
    with pytest.raises(ResultsError, match=message):
        truths.optima(tmp_path / "optima.csv", truths.optimum(**changed))
    assert list(tmp_path.iterdir()) == []


def test_files_are_checked_when_read(tmp_path):
    path = truths.locality(tmp_path / "local.csv")
    lines = list(csv.reader(path.read_text().splitlines()))
    for column, value, message in (
        ("bound", "3.0", "row 1, column bound: a value is not allowed; empty"),
        ("hypotheses_met", "yes", "row 1, column bound: empty or NaN is not allowed"),
        ("p1_means", "maybe", "column p1_means: 'maybe' is not allowed; failure or success"),
    ):
        changed = [list(line) for line in lines]
        changed[1][lines[0].index(column)] = value
        path.write_text("\n".join(",".join(line) for line in changed) + "\n")
        with pytest.raises(ResultsError, match=message):
            tables.read(path, LOCALITY)
    path.write_text(",".join(lines[0]) + "\n")
    with pytest.raises(ResultsError, match="the table has no rows"):
        tables.read(path, LOCALITY)
    with pytest.raises(ResultsError, match=r"none\.csv: no such file; `.venv/bin/snakemake --cores 2` in"):
        tables.frame(tmp_path / "none.csv", LOCALITY)


def _cut(path, kept):
    """The file cut at the end of a line, with so many rows kept."""
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[: kept + 1]))


def test_a_table_that_is_cut_at_the_end_of_a_line_is_refused(tmp_path):
    """Wherever the cut is, but for one that leaves whole parts alone: one number of agents, some values of p_eff."""
    path = tmp_path / "table.csv"

    def locality():
        truths.locality(path, agents=(5, 8), taus=(0.02, 0.05))

    def acting():
        truths.acting(path, p_effs=(0.1, 0.5), widths=(3.0, 2.0))

    for table, make, whole in ((LOCALITY, locality, {1, 2, 3, 6, 12}), (ACTING, acting, {*range(1, 7), 12, 24})):
        read = set()
        for kept in range(1, max(whole) + 1):
            make()
            _cut(path, kept)
            try:
                tables.frame(path, table)
            except ResultsError as error:
                assert str(error).startswith(f"{path}: no row for ") and "\n" not in str(error)
            else:
                read.add(kept)
        assert read == whole
    locality()
    _cut(path, 11)
    with pytest.raises(ResultsError, match="agents 8, tau 0.05, kappa 2; one, as for the others"):
        tables.frame(path, LOCALITY)


def test_the_published_tables_are_whole():
    for name, table in (("locality", LOCALITY), ("acting", ACTING)):
        for path in Path(__file__).parents[1].glob(f"figures/{name}/*.csv"):
            assert tables.read(path, table)


def test_join_refuses_a_file_without_some_of_its_rows(tmp_path, capsys):
    path = truths.locality(tmp_path / "local.csv")
    arguments = ["join", "locality", str(path), "--rows", "3", "--output", str(tmp_path / "joined.csv")]
    assert cli.main(arguments) == 0
    (tmp_path / "joined.csv").unlink()
    _cut(path, 2)
    assert cli.main(arguments) == 2
    assert capsys.readouterr().err == f"lpi join: {path}: 2 rows are not allowed; 3\n"
    assert not (tmp_path / "joined.csv").exists()


@pytest.mark.parametrize(
    "command",
    [
        "optima --reading working --agents 3 --tau 0.05",
        "locality --agents 3 --tau 0.05 --p1-means success --p2-means success --kappas 0",
        "acting --agents 3 --tau 0.05 --p1-means success --p2-means success --p-effs 0.4",
    ],
)
def test_jobs_of_the_workflow_load_no_scipy(command, tmp_path):
    start = [sys.executable, "-X", "importtime", "-m", "lpi", *command.split()]
    done = subprocess.run([*start, "--output", tmp_path / "table.csv"], capture_output=True, text=True, check=True)
    assert "numba" in done.stderr and "scipy._lib" not in done.stderr  # attempts are listed too
