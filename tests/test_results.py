"""The table of learning curves: what is written, joined, and refused."""

from __future__ import annotations

import csv
import math
import subprocess
import sys
import tracemalloc

import curves
import numpy as np
import pytest

from lpi import cli, joining, results
from lpi.results import COLUMNS, ResultsError


def _lines(path):
    return path.read_text().splitlines()


def _edit(path, row, column, text):
    """Replace one value of a CSV file; rows count from 1."""
    table = list(csv.reader(_lines(path)))
    table[row][table[0].index(column)] = text
    path.write_text("".join(",".join(line) + "\n" for line in table))


def test_columns_are_those_agreed_in_their_order():
    assert " ".join(COLUMNS) == (
        "reading graph agents kappa beta tau seed outer_loop regularized regularized_se unregularized unregularized_se "
        "reported reported_se method samples td_error visited_share entropy"
    )


def test_values_survive_writing_and_reading_exactly(tmp_path):
    awkward = [0.1 + 0.2, 1e-300, -math.pi * 1e10, 5e-324]
    path = curves.write(tmp_path / "a b.csv", curves.run(np.array(awkward), seed=np.int64(7)))
    table = results.read_curves(path)
    assert table["reported"].tolist() == awkward
    assert table["seed"].tolist() == [7] * 4
    assert math.isnan(table["td_error"][0]) and table["td_error"][1:].tolist() == [0.5] * 3
    kinds = {"str": "str", "int": "int64", "float": "float64"}
    assert {name: str(kind) for name, kind in table.dtypes.items()} == {n: kinds[c.kind] for n, c in COLUMNS.items()}


def test_file_is_plain_csv_with_nan_as_empty(tmp_path):
    path = curves.write(tmp_path / "run.csv", curves.run([1.5, 2.0]))
    assert (
        path.read_bytes()
        == (
            ",".join(COLUMNS) + "\n"
            "working,line,8,0,0,0.05,0,0,1.5,0.0,0.5,0.0,1.5,0.0,exact,0,,0.0,1.0\n"
            "working,line,8,0,0,0.05,0,1,2.0,0.0,1.0,0.0,2.0,0.0,exact,100,0.5,1.0,1.0\n"
        ).encode()
    )


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("reported", math.nan, "row 2, column reported: empty or NaN"),
        ("td_error", math.nan, "row 2, column td_error: empty or NaN"),
        ("reported", math.inf, "column reported: 'inf' is not allowed; a finite number"),
        ("reported", None, "column reported: 'None' is not allowed"),
        ("seed", 1.0, "column seed: '1.0' is not allowed; an integer"),
        ("method", "guess", "column method: 'guess' is not allowed; exact or monte_carlo"),
        ("reading", "", "column reading: '' is not allowed"),
    ],
)
def test_writer_refuses_values_and_leaves_nothing(tmp_path, column, value, message):
    rows = curves.run([1.0, 2.0])
    rows[1][column] = value
    with pytest.raises(ResultsError, match=message):
        results.write_rows(tmp_path / "run.csv", rows)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("change", "message"), [("missing", "column entropy: missing"), ("extra", "column spam: not")])
def test_writer_refuses_other_keys(tmp_path, change, message):
    rows = curves.run([1.0])
    if change == "missing":
        del rows[0]["entropy"]
    else:
        rows[0]["spam"] = 1
    with pytest.raises(ResultsError, match=message):
        results.write_rows(tmp_path / "run.csv", rows)


@pytest.mark.parametrize(
    ("row", "column", "text", "message"),
    [
        (0, "tau", "theta", "column tau: missing"),
        (0, "tau", "beta", "column tau: missing"),
        (3, "reported", "", "row 3, column reported: empty or NaN is not allowed"),
        (3, "reported", "nan", "row 3, column reported: 'nan' is not allowed"),
        (2, "td_error", "", "row 2, column td_error: empty"),
        (2, "agents", "8.0", "row 2, column agents: '8.0' is not allowed; an integer"),
        (2, "agents", "1_0", "row 2, column agents"),
        (2, "tau", "low", "row 2, column tau: 'low' is not allowed; a finite number"),
        (2, "outer_loop", "5", "loop 1 is missing in the run reading working, agents 8, tau 0.05, kappa 0, seed 0"),
        (1, "outer_loop", "-1", "row 1, column td_error: empty"),
        (3, "outer_loop", "1", "row 3, column outer_loop: loop 1 of the run .* is given twice"),
    ],
)
def test_reader_names_file_column_and_row(tmp_path, row, column, text, message):
    path = curves.write(tmp_path / "run.csv", curves.run([1.0, 2.0, 3.0]))
    _edit(path, row, column, text)
    with pytest.raises(ResultsError, match=message) as caught:
        results.read_curves(path)
    assert str(caught.value).startswith(str(path)) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "the file is empty"),
        (",".join(COLUMNS).encode() + b"\n", "the table has no rows"),
        (b"\xff\xfe", "not a CSV file in UTF-8"),
        (",".join([*COLUMNS, "spam"]).encode(), "column spam: not one of the columns"),
        (",".join([*COLUMNS, "tau"]).encode(), "column tau: given twice"),
        (",".join(COLUMNS).encode() + b"\nworking,line\n", "row 1: 2 values; the table has 19 columns"),
    ],
)
def test_reader_refuses_what_is_no_table(tmp_path, data, message):
    path = tmp_path / "run.csv"
    path.write_bytes(data)
    with pytest.raises(ResultsError, match=message):
        results.read_rows(path)


def test_missing_file_says_what_makes_it(tmp_path):
    with pytest.raises(ResultsError, match=r"no such file; `.venv/bin/snakemake --cores 2`"):
        results.read_curves(tmp_path / "curves.csv")


def test_truncated_run_is_refused_beside_longer_ones(tmp_path):
    path = curves.write(tmp_path / "curves.csv", curves.run([1.0, 2.0, 3.0], seed=0), curves.run([1.0, 2.0], seed=1))
    with pytest.raises(ResultsError, match="loop 2 is missing in the run .* seed 1"):
        results.read_curves(path)


def test_a_file_cut_between_two_runs_is_refused(tmp_path):
    path = curves.grid(tmp_path / "curves.csv", agents=(5, 8), kappas=(0, 1), seeds=2, loops=2)
    whole = path.read_text().splitlines(keepends=True)
    path.write_text("".join(whole[: 1 + 7 * 3]))
    with pytest.raises(ResultsError, match=r"no run for reading working, agents 8, tau 0\.05, kappa 1, seed 1; one"):
        results.read_curves(path)
    path.write_text("".join(whole[: 1 + 4 * 3]))  # a whole panel less: the figure that shows it is what says so
    assert set(results.read_curves(path)["agents"]) == {5}


def test_aggregate_sorts_numbers_as_numbers_whatever_the_order_of_files(tmp_path):
    keys = [(10, 0.1, 0, 0), (8, 0.02, 1, 2), (8, 0.02, 1, 10), (8, 0.1, 0, 0), (8, 0.02, 0, 3)]
    paths = [
        curves.write(tmp_path / f"{i}.csv", curves.run([i, i + 1.0], agents=n, tau=tau, kappa=kappa, seed=seed))
        for i, (n, tau, kappa, seed) in enumerate(keys)
    ]
    results.aggregate(paths, tmp_path / "one.csv")
    results.aggregate(paths[::-1], tmp_path / "two.csv")
    assert (tmp_path / "one.csv").read_bytes() == (tmp_path / "two.csv").read_bytes()
    rows = results.read_rows(tmp_path / "one.csv")
    order = [(r["agents"], r["tau"], r["kappa"], r["seed"], r["outer_loop"]) for r in rows]
    assert order == sorted((*key, loop) for key in keys for loop in (0, 1))
    assert sorted(_lines(tmp_path / "one.csv")[1:]) == sorted(line for path in paths for line in _lines(path)[1:])


def test_aggregate_refuses_a_run_given_twice_several_readings_and_no_runs(tmp_path):
    one = curves.write(tmp_path / "one.csv", curves.run([1.0, 2.0]))
    again = curves.write(tmp_path / "again.csv", curves.run([1.0, 2.5]))
    other = curves.write(tmp_path / "other.csv", curves.run([1.0, 2.0], reading="as_printed"))
    output = tmp_path / "curves.csv"
    with pytest.raises(ResultsError, match=r"again.csv: the run reading working, .* is also in .*one.csv"):
        results.aggregate([one, again], output)
    with pytest.raises(ResultsError, match="exactly one reading"):
        results.aggregate([one, other], output)
    with pytest.raises(ResultsError, match="exactly one reading"):
        results.aggregate([], output)
    assert not output.exists()


def test_atomic_write_keeps_the_old_file_when_writing_fails(tmp_path, monkeypatch):
    path = tmp_path / "deep" / "file.txt"
    results.atomic_write(path, "old")

    def full_disk(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(results.os, "fsync", full_disk)
    with pytest.raises(OSError, match="No space left"):
        results.atomic_write(path, "new")
    assert path.read_text() == "old"
    assert [entry.name for entry in path.parent.iterdir()] == ["file.txt"]


def test_import_stays_light():
    code = "import sys, lpi.results; print(sorted({'pandas', 'matplotlib', 'seaborn'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_join_makes_the_bytes_of_all_rows_at_once_in_one_level_or_two(tmp_path):
    keys = [(n, tau, kappa, seed) for n in (10, 8) for tau in (0.1, 0.02) for kappa in (1, 0) for seed in (10, 2, 3)]
    runs = {key: tmp_path / f"{place}.csv" for place, key in enumerate(keys)}
    for (n, tau, kappa, seed), path in runs.items():
        curves.write(path, curves.run([n + 0.1, seed / 3], agents=n, tau=tau, kappa=kappa, seed=seed))
    results.aggregate(runs.values(), tmp_path / "at_once.csv")
    points = {}
    for key in keys:
        points.setdefault(key[:3], []).append(runs[key])
    for place, paths in enumerate(points.values()):
        joining.join(paths, tmp_path / f"point{place}.csv")
    for place, files in enumerate((runs.values(), tmp_path.glob("point*.csv"), list(runs.values())[::-1])):
        joining.join(files, tmp_path / f"joined{place}.csv")
        assert (tmp_path / f"joined{place}.csv").read_bytes() == (tmp_path / "at_once.csv").read_bytes()
    overlapping = [runs[key] for key in keys if key[3] == 3], [runs[key] for key in keys if key[3] != 3]
    for place, files in enumerate(overlapping):
        joining.join(files, tmp_path / f"seeds{place}.csv")
    joining.join([tmp_path / "seeds0.csv", tmp_path / "seeds1.csv"], tmp_path / "joined.csv")
    assert (tmp_path / "joined.csv").read_bytes() == (tmp_path / "at_once.csv").read_bytes()


def test_a_run_that_is_cut_at_the_end_of_a_line_is_refused_by_whoever_knows_its_length(tmp_path):
    paths = [curves.write(tmp_path / f"{seed}.csv", curves.run([1.0, 2.0, 3.0], seed=seed)) for seed in (0, 1)]
    joining.join(paths, tmp_path / "whole.csv", outer_loops=2, runs=1)
    for path in paths:
        path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:-1]))
    assert len(results.read_rows(paths[0])) == 2  # nothing in the file says more
    message = r"[01].csv: column outer_loop: 1 is the last loop; 2$"
    for join in (joining.join, results.aggregate):
        with pytest.raises(ResultsError, match=message):
            join(paths, tmp_path / "curves.csv", outer_loops=2)
    assert not (tmp_path / "curves.csv").exists()


def test_a_point_that_is_cut_at_the_end_of_a_run_is_refused_by_whoever_knows_its_seeds(tmp_path, capsys):
    point = curves.write(tmp_path / "point.csv", *(curves.run([1.0, 2.0], seed=seed) for seed in range(3)))
    arguments = ["aggregate", str(point), "--output", str(tmp_path / "curves.csv"), "--outer-loops", "1", "--each", "3"]
    assert cli.main(arguments) == 0
    (tmp_path / "curves.csv").unlink()
    point.write_bytes(b"".join(point.read_bytes().splitlines(keepends=True)[:-2]))
    assert cli.main(arguments) == 2
    assert capsys.readouterr().err == f"lpi aggregate: {point}: 2 runs are not allowed; 3\n"
    assert not (tmp_path / "curves.csv").exists()


@pytest.mark.parametrize("change", [{}, {"reading": "as_printed"}, {"returns": [1.0]}, {"missing": True}])
def test_join_refuses_what_all_rows_at_once_refuse_and_leaves_nothing(tmp_path, change):
    one = curves.write(tmp_path / "one.csv", curves.run([1.0, 2.0]))
    values = {key: value for key, value in change.items() if key == "reading"}
    other = curves.write(
        tmp_path / "other.csv", curves.run(change.get("returns", [1.0, 2.0]), seed=int(bool(change)), **values)
    )
    files = [one, other] if "missing" not in change else [one, tmp_path / "none.csv"]
    with pytest.raises(ResultsError) as expected:
        results.aggregate(files, tmp_path / "curves.csv")
    with pytest.raises(ResultsError) as found:
        joining.join(files, tmp_path / "curves.csv")
    assert str(found.value) == str(expected.value)
    assert {path.name for path in tmp_path.iterdir()} == {"one.csv", "other.csv"}
    with pytest.raises(ResultsError, match="exactly one reading"):
        joining.join([], tmp_path / "curves.csv")


def test_memory_of_a_join_does_not_grow_with_the_number_of_files(tmp_path):
    def peak(seeds):
        files = [
            curves.write(tmp_path / f"{seed}.csv", curves.run([1.0] * 51, agents=8, seed=seed)) for seed in range(seeds)
        ]
        tracemalloc.start()
        joining.join(files, tmp_path / "curves.csv")
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return most

    peak(2)
    assert peak(160) < 2 * peak(20)  # of all rows eight times
