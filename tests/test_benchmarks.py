"""The benchmarks measure what they say; what they found is in docs/performance.md."""

import importlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture
def load(monkeypatch):
    """Imports a program of the folder benchmarks."""
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    return importlib.import_module


def account(*arguments, children=0.0, **spent):
    return {"arguments": arguments, "spent": {"rest": 0.0, **spent}, "children": children, "peak": 2 * 10**9}


def test_the_parts_of_a_job_are_all_of_its_cpu_time(load):
    found = [
        account("/lpi/__main__.py", "train", start=1.0, imports=2.0, rest=8.0, evaluation=16.0, kernels=1.0),
        account("/lpi/__main__.py", "notebook", imports=2.0, rest=1.0, children=10.0),
        account("/ipykernel_launcher.py", "-f", imports=3.0, rest=0.5),
        account("/lpi/__main__.py", "optima", rest=4.0, compiled=5.0),
        account("/lpi/report/__main__.py", "--figures", rest=1.0),
    ]
    table = load("job").rows(found, engine=3.0, children=52.0, wall=30.0, memory=10**9)
    values = {row["measurement"]: float(row["value"]) for row in table}
    assert values["CPU time"] == 55
    assert values["CPU time: learning"] == 8 and values["CPU time: J of every outer loop's policy"] == 16
    assert values["CPU time: notebooks"] == 1 + 10 - 3  # the kernel's imports are imports
    assert values["CPU time: imports"] == 2 + 2 + 3
    assert values["CPU time: shells and ends of processes"] == 1
    assert values["share of imports and engine"] == pytest.approx(100 * (1 + 7 + 1 + 3 + 1) / 55, rel=1e-2)
    assert values["training jobs"] == 1 and values["most memory of a process"] == 2


def test_a_training_process_accounts_for_its_time(tmp_path):
    command = [sys.executable, "-m", "lpi", "train", "--agents", "6", "--kappa", "1", "--set", "outer_loops=3"]
    command += ["--set", "trajectory_length=200000", "--quiet", "--output", str(tmp_path / "run.csv")]
    environment = {"LPI_ACCOUNTS": str(tmp_path), "PYTHONPATH": str(ROOT / "benchmarks/accounting"), "PATH": "/bin"}
    script = (
        "import resource, subprocess, sys; subprocess.run(sys.argv[1:], check=True);"
        "u = resource.getrusage(resource.RUSAGE_CHILDREN); print(u.ru_utime + u.ru_stime)"
    )
    done = subprocess.run(
        [sys.executable, "-S", "-c", script, *command], env=environment, cwd=ROOT, capture_output=True, text=True
    )
    (path,) = tmp_path.glob("*.json")
    found = json.loads(path.read_text(encoding="utf-8"))
    assert found["arguments"][1] == "train"
    assert {"start", "imports", "rest", "evaluation"} <= set(found["spent"])
    assert found["spent"]["rest"] > 0.02  # 3.6 million updates
    assert 0.1e9 < found["peak"] < 1e9
    total = float(done.stdout)
    assert 0.6 * total < sum(found["spent"].values()) <= 1.01 * total  # the rest: taking the interpreter down


def test_the_page_on_performance_shows_what_the_csv_files_hold(load):
    performance = load("performance")
    page = performance.PAGE.read_text(encoding="utf-8")
    assert [match[1] for match in performance.BLOCK.findall(page)] == list(performance.BLOCKS)
    assert performance.filled(page) == page
    changed = page.replace("| xargs |", "| other |")
    assert changed != page and performance.filled(changed) == page


def test_every_table_is_recorded_with_ratios_to_the_first_on_the_machine(load, tmp_path, monkeypatch):
    tables, history = load("tables"), load("all")
    monkeypatch.setattr(history, "HISTORY", tmp_path / "history.csv")
    for name in tables.TABLES:
        found = tables.measurements(name)
        assert found and len({row["measurement"] for row in found}) == len(found), name
        assert all(row["unit"] or name in ("job", "yardstick") for row in found)
    found = tables.measurements("dag")
    slower = [row | {"value": str(2 * float(row["value"]))} for row in found]
    elsewhere = [row | {"machine": "another"} for row in slower]
    for place, rows in enumerate((found, slower, elsewhere)):
        history.append(rows, f"2026-01-0{place + 1}", "abc1234")
    rows = history.read()
    assert [row["ratio"] for row in rows] == ["1"] * len(found) + ["2"] * len(found) + ["1"] * len(found)
    assert tuple(rows[0]) == history.COLUMNS


@pytest.mark.workflow
def test_planning_a_grid_is_linear_in_its_jobs_however_the_seeds_lie(load, tmp_path):
    dag, workflow = load("dag"), load("measuring").clone(tmp_path / "a clone")
    readings = {"readings": ["as_printed", "working"]}
    few, many = (dag.plan(workflow, seeds, 1, readings, curves=dag.CURVES) for seeds in (16, 64))
    assert many["runs"] == 3072
    assert float(many["cpu_s"]) < 1.3 * 4 * float(few["cpu_s"])
    one = dag.plan(workflow, 3072, 1, dag.ONE_CURVE)
    assert float(one["cpu_s"]) < 1.5 * float(many["cpu_s"])


def test_the_page_on_scaling_shows_what_the_model_computes(load):
    model = load("cost_model")
    page = model.PAGE.read_text(encoding="utf-8")
    assert [match[1] for match in model.BLOCK.findall(page)] == list(model.BLOCKS)
    assert model.filled(page) == page
    changed = model.BLOCK.sub(r"\1other\3", page)
    assert changed != page and model.filled(changed) == page


def test_the_cost_model_follows_the_grid_and_how_it_is_cut(load, monkeypatch):
    model = load("cost_model")
    plan = model.Plan(runs=10_000, seeds_per_job=5, group=10, calls=1)
    assert (plan.points, plan.training_jobs, plan.jobs, plan.training_submissions) == (100, 2000, 2100, 200)
    measured = model.Measured(
        run=3.0, start=1.0, beside=5.0, sbatch=0.01, squeue=0.01, planning=model.np.array([1.0, 0.01, 0.001]),
        planning_bytes=model.np.array([1e8, 1e4, 1e4]), engine=0.02, joining=0.002, curve=5000.0, policy=100.0, record=10.0,
        block=4096.0, files_a_run=2.0, files_a_job=2.0, records_a_file=1.0,
    )  # fmt: skip
    found = model.column(plan, measured)
    assert found["core time"] == "9.17 h"  # 10,000 runs of 3 s, 2000 jobs of 1 s more, 201 submissions of 5 s more
    assert found["planning, each call"] == "32 s"
    assert found["a submission runs for"] == "2.75 min"
    assert found["time on these cores"] == "5.5 min"  # 200 submissions in two rounds
    assert found["files"] == "44,000"
    assert found["storage, in blocks of the file system"] == f"{10_000 * 5 * 4096 / 1e6 + 4000 * 4096 / 1e6:.0f} MB"
    monkeypatch.setattr(model, "read", lambda name: [])
    assert {block() for block in model.BLOCKS.values()} == {model.MISSING}
