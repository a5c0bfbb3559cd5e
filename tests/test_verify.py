"""The committed tables against runs of today: equal ones pass, a planted difference is found and named."""

from __future__ import annotations

import csv
import shutil
import subprocess
import sys
from pathlib import Path

import curves
import pandas as pd
import pytest
import truths
import yaml

from lpi import results, summary, verify
from lpi.algorithm import EXACT_TOLERANCE
from lpi.config import ConfigError
from lpi.experiment import load

ROOT = Path(__file__).parents[1]
FIGURES = {
    "figure1": {"agents": [5, 8], "taus": [0.05], "quantity": "reported"},
    "figure2": {"agents": [5], "taus": [0.05], "quantity": "unregularized"},
}


@pytest.fixture
def sample(tmp_path):
    """Committed tables of a grid, and the runs and optima of one of its panels as they are today."""
    whole, best = tmp_path / "curves.csv", tmp_path / "figures/working/optima.csv"
    curves.grid(whole, agents=(5, 8))
    truths.optima(best, *(truths.optimum(agents=n) for n in (5, 8)))
    table = summary.summarize(results.read_curves(whole), FIGURES, summary.read_optima(best))
    table["claim_reward"] = "contradicted"
    summary.write(table, best.parent / "summary.csv", best.parent / "summary.md", best.parent / "summary.tex")
    runs = []
    for kappa in (0, 1):
        for seed in range(3):
            rows = [row for row in results.read_rows(whole) if row["agents"] == 5]
            runs.append(tmp_path / f"kappa{kappa}_seed{seed}.csv")
            results.write_rows(runs[-1], [row for row in rows if (row["kappa"], row["seed"]) == (kappa, seed)])
    return tmp_path / "figures", runs, [truths.optima(tmp_path / "optimum.csv", truths.optimum(agents=5))]


def edit(path: Path, row: int, column: str, value: str) -> str:
    """Another value in a CSV file; returns the one before."""
    lines = list(csv.DictReader(path.open(encoding="utf-8")))
    before, lines[row][column] = lines[row][column], value
    pd.DataFrame(lines).to_csv(path, index=False, lineterminator="\n")
    return before


def run(sample, capsys):
    """Exit status and printed lines."""
    figures, runs, optima = sample
    status = verify.main(["--figures", str(figures), "--runs", *map(str, runs), "--optima", *map(str, optima)])
    printed = capsys.readouterr()
    return status, (printed.out + printed.err).splitlines()


def test_equal_tables_pass_and_say_how_much_was_compared(sample, capsys):
    status, lines = run(sample, capsys)
    assert status == 0
    columns = len(summary.SUMMARY_COLUMNS)
    assert (
        lines[0]
        == f"{sample[0]}/working/summary.csv: 4 rows, {4 * columns} values to the digit, 0 within 1e-06, 0 differ"
    )
    assert lines[1].startswith(f"{sample[0]}/working/optima.csv: 1 rows, ")
    assert lines[-1].startswith("verify: 0 of ")


def test_a_planted_difference_is_found_and_named(sample, capsys):
    before = float(edit(sample[0] / "working/summary.csv", 1, "final_q3", "40.5"))
    status, lines = run(sample, capsys)
    assert status == 1
    (line,) = (line for line in lines if "final_q3" in line)
    assert "figure figure1, quantity reported, agents 5, tau 0.05, kappa 1: final_q3: committed 40.5" in line
    assert line.endswith(f"today {before!r}, {40.5 - before:.3g} apart")
    assert lines[-1].startswith("verify: 1 of ")


def test_a_difference_within_the_tolerance_passes_and_is_counted(sample, capsys):
    path = sample[0] / "working/optima.csv"
    edit(path, 0, "optimum", "40.0000001")
    status, lines = run(sample, capsys)
    assert status == 0 and ", 1 within 1e-06, 0 differ" in lines[1]
    edit(path, 0, "optimum", "40.00001")
    assert run(sample, capsys)[0] == 1


def test_the_tolerance_lies_between_the_error_of_the_published_optima_and_that_of_j_in_a_curve():
    bounds = [pd.read_csv(path)["error_bound"] for path in (ROOT / "figures").glob("*/optima.csv")]
    assert bounds and max(bound.max() for bound in bounds) < verify.TOLERANCE < EXACT_TOLERANCE


@pytest.mark.parametrize("value", ["", "nan", "many", "inf"])
def test_what_is_no_number_differs_from_one(value, sample, capsys):
    edit(sample[0] / "working/summary.csv", 0, "auc_median", value)
    assert run(sample, capsys)[0] == 1


def test_other_rows_and_verdicts_are_not_compared(sample, capsys):
    path = sample[0] / "working/summary.csv"
    edit(path, 2, "final_q3", "0")  # n = 8, which is not in the sample
    edit(path, 0, "claim_reward", "supported")
    assert run(sample, capsys)[0] == 0


@pytest.mark.parametrize(
    "damage, words",
    [
        (lambda path: path.unlink(), "cannot be read: No such file"),
        (lambda path: path.write_bytes(b""), "not a CSV file"),
        (lambda path: path.write_bytes(b"\xff\xfe"), "not a CSV file"),
        (lambda path: path.write_text("figure\nfigure1\n"), "column reading, quantity"),
        (lambda path: path.write_text(path.read_text().replace(",5,0.05,", ",6,0.05,")), "no row of n = 5, tau = 0.05"),
        (
            lambda path: path.write_text(path.read_text().replace(",0.05,1,3,", ",0.05,2,3,")),
            "no row of figure figure1",
        ),
    ],
)
def test_a_committed_table_that_cannot_be_used_is_named(damage, words, sample, capsys):
    path = sample[0] / "working/summary.csv"
    damage(path)
    status, lines = run(sample, capsys)
    assert status == 2 and len(lines) == 1
    assert lines[0].startswith(f"verify: {path}: ") and words in lines[0]


def test_a_run_that_is_cut_off_is_refused(sample, capsys):
    path = sample[1][0]
    path.write_bytes(path.read_bytes()[:-40])
    status, lines = run(sample, capsys)
    assert status == 2 and lines[0].startswith(f"verify: {path}: ")


def test_the_default_sample_is_a_panel_of_the_figures():
    assert load({}).verified == ((5, 0.05),)
    with pytest.raises(ConfigError, match=r"verify: .* is not allowed; panels of a figure, which \(n, tau\) = \(6,"):
        _ = load({"verify": {"agents": [6], "taus": [0.05]}}).verified


@pytest.mark.workflow
def test_the_target_finds_a_planted_difference_each_time_it_is_called(tmp_path):
    """On the committed results themselves, one reading at one kappa."""
    for name in ("Snakefile", "workflow", "profiles", "config", "notebooks", "lpi"):
        (shutil.copytree if (ROOT / name).is_dir() else shutil.copy2)(ROOT / name, tmp_path / name)
    shutil.copytree(ROOT / "figures/best_match", tmp_path / "figures/best_match")
    one = {"readings": ["best_match"], "kappas": [0]}
    (tmp_path / "one.yaml").write_text(yaml.safe_dump(one), encoding="utf-8")
    command = [sys.executable, "-m", "snakemake", "verify", "--cores", "2", "--configfile", "one.yaml"]

    def call():
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
        return done.returncode, done.stdout + done.stderr

    status, output = call()
    assert status == 0, output
    assert "figures/best_match/summary.csv: 1 rows, " in output and "verify: 0 of " in output
    path = tmp_path / "figures/best_match/summary.csv"
    row = [line["figure"] for line in csv.DictReader(path.open(encoding="utf-8"))].index("figure3")
    edit(path, row, "final_median", "1.0")
    status, output = call()
    assert status == 1 and not (tmp_path / "results/verify").exists()
    assert "final_median: committed 1.0, today " in output and "verify: 1 of " in output
    bad = {"verify": {"agents": [6], "taus": [0.05]}}
    (tmp_path / "one.yaml").write_text(yaml.safe_dump(one | bad), encoding="utf-8")
    status, output = call()
    assert status == 2 and output.splitlines()[-1].startswith("config: verify: ")
