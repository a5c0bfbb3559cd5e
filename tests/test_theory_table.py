"""`lpi theory`: the table, its report and its notebook."""

from __future__ import annotations

import csv
import os
import subprocess
import sys

import numpy as np
import older_processor
import pytest

from lpi import cli
from lpi.results import ResultsError
from lpi.theory import report as theory_report
from lpi.theory import verification
from lpi.theory.table import Row

QUICK = ["--mdps", "3", "--agents", "3"]


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """The table of three random MDPs and an experiment of three agents."""
    path = tmp_path_factory.mktemp("theory") / "theory.csv"
    assert cli.main(["theory", "--output", str(path), *QUICK]) == 0
    return path


def _rows(path):
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_the_same_command_gives_the_same_bytes(written, tmp_path):
    again = tmp_path / "again.csv"
    assert cli.main(["theory", "--output", str(again), *QUICK]) == 0
    assert again.read_bytes() == written.read_bytes()


def test_an_older_processor_gives_the_same_bytes(written, tmp_path):
    again, command = tmp_path / "again.csv", [sys.executable, "-m", "lpi", "theory", *QUICK, "--output"]
    environment = {
        **os.environ,
        **older_processor.SETTINGS,
        "OPENBLAS_NUM_THREADS": "1",
        "NUMBA_CACHE_DIR": str(tmp_path),
    }
    subprocess.run([*command, again], env=environment, check=True)
    assert again.read_bytes() == written.read_bytes()


def test_digits_that_hang_on_the_processor_are_dropped():
    values, more = np.array([40.0, 1.0]), np.array([0.0, 3e-8])
    assert verification.difference(values + more, values * (1 + 1e-15)) == pytest.approx(more, abs=1e-12)
    assert str(verification.difference(values + more, values)[1]) == "3e-08"
    assert verification.difference(values * (1 + 2e-15), values).tolist() == [0, 0]
    assert verification.difference(np.zeros(2), np.zeros(2)).tolist() == [0, 0]


def test_all_parts_and_both_conventions(written):
    rows = _rows(written)
    assert list(rows[0]) == list(Row._fields)
    assert {row["part"] for row in rows} == {"family", "counterexample", "section_6", "hypothesis"}
    settings = {row["setting"] for row in rows if row["part"] == "section_6"}
    assert settings == {"p1: failure, p2: failure", "p1: success, p2: success"}
    assert all(row["location"] and row["hypothesis_met"] in ("yes", "no", "undefined") for row in rows)
    for row in rows:
        if row["part"] == "section_6" and row["slack"] not in ("", "inf"):
            assert float(row["slack"]) == pytest.approx(float(row["bound"]) - float(row["measured"]), abs=1e-6)


def test_one_convention_and_other_agents(tmp_path):
    path = tmp_path / "one.csv"
    assert cli.main(["theory", "--output", str(path), "--mdps", "1", "--agents", "6", "--p1-means", "success"]) == 0
    rows = [row for row in _rows(path) if row["part"] in ("section_6", "hypothesis")]
    assert {row["setting"] for row in rows} == {"p1: success, p2: failure"}
    assert {row["agents"] for row in rows if row["part"] == "hypothesis"} == {"6"}
    assert {row["agents"] for row in rows if row["part"] == "section_6"} == {"4"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--mdps", "0"], "mdps: 0 is not allowed; an integer >= 1"),
        (["--tau", "0"], "tau: 0.0 is not allowed; a number > 0"),
        (["--seed", "x"], "seed: 'x' is not allowed"),
        (["--gamma", "1"], "gamma: 1 is not allowed"),
    ],
)
def test_bad_input_is_one_line_and_writes_nothing(arguments, message, tmp_path, capsys):
    path = tmp_path / "no.csv"
    assert cli.main(["theory", "--output", str(path), *arguments]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"lpi theory: {message}") and error.count("\n") == 1
    assert not path.exists()


def test_report_says_what_the_table_holds(written):
    data = theory_report.read(written)
    verdict = theory_report.verdict(data)
    assert "3 random MDPs" in verdict
    broken = next(line for line in verdict.splitlines() if line.startswith("- Printed, broken"))
    assert "Lemma 9 (entries of Z^Q)" in broken and "Theorem 6 ((b) decay of Z^Q of the iterates)" in broken
    assert verdict.endswith("- Corrected, broken in some case: none.")
    for text in (f(data) for f in (theory_report.inside, theory_report.broken, theory_report.experiment)):
        lines = [line for line in text.split("\n\n")[-2].splitlines() if line.startswith("|")]
        assert len(lines) > 2 and len({line.replace("\\|", "").count("|") for line in lines}) == 1
    missed = theory_report.missed(data)
    assert "| 0.8 | 0.95 | no | 0.15 |" in missed
    figure = theory_report.slack_figure(data)
    assert len(figure.axes[0].get_yticklabels()) == len({(r["statement"], r["quantity"]) for r in _rows(written)
                                                         if r["part"] in ("family", "counterexample")})  # fmt: skip


def test_another_file_is_no_theory_table(tmp_path):
    path = tmp_path / "other.csv"
    path.write_text("a,b\n1,2\n", encoding="utf-8")
    with pytest.raises(ResultsError, match=r"other.csv: columns \['a', 'b'\] are not allowed"):
        theory_report.read(path)
    with pytest.raises(ResultsError, match="missing.csv: no such file"):
        theory_report.read(tmp_path / "missing.csv")
