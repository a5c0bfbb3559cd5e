"""The workflow, run by snakemake in a process of its own on a clone with a space in its name, without activation."""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
import yaml

from lpi import runs
from lpi.report.tables import measure

ROOT = Path(__file__).parents[1]
SOURCES = ("Snakefile", "workflow", "profiles", "config", "notebooks", "lpi", "constraints.txt")
TINY = {
    "readings": ["mine"],
    "custom_readings": {"mine": {"inner_start": "carried", "q_start": "optimistic", "episode_length": 10}},
    "kappas": [0],
    "seeds": [0],
    "figures": {"figure1": None, "figure2": {"agents": [3], "taus": [0.05]}, "figure3": None},
    "locality": {"agents": [3], "taus": [0.05]},
    "acting": {"agents": 3, "tau": 0.05, "p_eff": [0.5]},
    "settings": {"outer_loops": 2, "trajectory_length": 50, "graph": "ring"},
}
FOLLOWING = {
    "point": 1, "curves": 1, "figure": 1, "summary": 1, "optimality_gap": 1, "claims": 1, "claims_notebook": 1,
    "publish": 1, "report": 1, "publish_report": 1, "gallery": 1,
}  # fmt: skip
"""The jobs that follow any training."""
OPTIMA = {"optimum": 1, "optima": 1}
"""The jobs that an environment or a panel needs beside the training."""
SHARED = {"best_local": 4, "locality": 4, "acting": 4, "publish_truth": 2}
"""The jobs behind the tables that all readings share."""
THEORY = {"theory_table": 1, "theory_notebook": 1, "publish_theory": 1}
"""The jobs of the theorems."""
TARGETS = {
    "theory": ("theory_table", "publish_theory"),
    "studies": ("studies_run", "studies_publish"),
    "multiverse": ("multiverse_train", "multiverse_publish"),
    "baseline": ("baseline_screen", "publish_baseline"),
    "scaling": ("scaling_notebook", "publish_scaling"),
    "crate": ("package", "crate_metadata"),
}
"""Targets that publish: the rule that begins and the one that ends."""

OWN_EVALUATION = """
from lpi.policy_evaluations import PolicyEvaluation

POLICY_EVALUATION = PolicyEvaluation(lambda sample, values: values + sample.rewards.mean())
"""

pytestmark = pytest.mark.workflow


class Clone:
    """A copy of the workflow and its package in a folder."""

    def __init__(self, folder: Path):
        self.folder = folder
        for name in SOURCES:
            copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy2
            copy(ROOT / name, folder / name)

    def snakemake(self, *options: str, **changes) -> subprocess.CompletedProcess:
        """Run on the tiny grid, with changes to it."""
        (self.folder / "tiny.yaml").write_text(yaml.safe_dump(TINY | changes), encoding="utf-8")
        command = [sys.executable, "-m", "snakemake", *options, "--cores", "2", "--configfile", "tiny.yaml"]
        environment = {key: value for key, value in os.environ.items() if key not in ("VIRTUAL_ENV", "PYTHONPATH")}
        folders = environment["PATH"].split(os.pathsep)
        own = os.path.dirname(sys.executable)
        environment["PATH"] = os.pathsep.join(path for path in folders if os.path.abspath(path) != own)
        return subprocess.run(command, cwd=self.folder, env=environment, capture_output=True, text=True)

    def scheduled(self, *targets: str, **changes) -> dict[str, int]:
        """Number of jobs that a call would run, by rule."""
        done = self.snakemake("--dry-run", *targets, **changes)
        assert done.returncode == 0, done.stderr
        table = done.stdout.partition("Job stats:")[2].partition("total")[0]
        return {rule: int(count) for rule, count in re.findall(r"^(\w+) +(\d+)$", table, re.MULTILINE) if rule != "all"}

    def files(self) -> dict[str, bytes]:
        """Everything that the workflow computes, except logs, times and snakemake's own."""
        found = [path for top in ("results", "figures") for path in (self.folder / top).rglob("*") if path.is_file()]
        names = {path.relative_to(self.folder).as_posix(): path for path in found}
        return {
            name: path.read_bytes() for name, path in names.items() if "/logs/" not in name and "/bench" not in name
        }


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A clone in which the tiny grid has been run."""
    clone = Clone(tmp_path_factory.mktemp("a clone"))
    done = clone.snakemake()
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Figures, tables and notebooks: figures/" in done.stdout
    return clone


@pytest.fixture
def edited(finished):
    """The finished clone, whose files may be edited."""
    before = {path: (path.read_bytes(), path.stat()) for path in (finished.folder / "lpi").rglob("*.py")}
    yield finished
    for path, (content, stat) in before.items():
        path.write_bytes(content)
        os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))


def test_everything_is_made(finished):
    names = set(finished.files())
    run = "results/mine/runs/n3_kappa0_tau0.05_seed0"
    pages = {"results/mine/notebooks/figure2.html", "results/mine/notebooks/summary.html", "results/mine/optima.csv"}
    assert {f"{run}.csv", f"{run}.npz", "results/mine/curves.csv"} | pages <= names
    published = {"summary.csv", "summary.md", "summary.tex", "optima.csv", "claims.csv", "provenance.json"}
    published |= {f"figure{number}.{kind}" for number in (2, 4, 5, 6) for kind in ("pdf", "png")}
    published |= {"claims.pdf", "claims.png"}
    names_of = ("figure2", "summary", "optimality_gap", "claims")
    published |= {f"notebooks/{name}.{kind}" for name in names_of for kind in ("html", "ipynb")}
    theory = {"theory.csv", "theory.pdf", "theory.png", "provenance.json"}
    theory |= {"notebooks/theory.html", "notebooks/theory.ipynb"}
    expected = {f"figures/mine/{name}" for name in published} | {f"figures/theory/{name}" for name in theory}
    means = [f"{one}_{two}.csv" for one in ("failure", "success") for two in ("failure", "success")]
    expected |= {f"figures/{truth}/{name}" for truth in ("locality", "acting") for name in (*means, "provenance.json")}
    expected |= {"figures/index.html"}
    assert {name for name in names if name.startswith("figures/")} == expected
    for page in ("replication-report.md", "claims.md", "artifact.md"):
        report = (finished.folder / "results/report" / page).read_bytes()
        assert (finished.folder / "docs" / page).read_bytes() == report
    rows = (finished.folder / f"{run}.csv").read_text(encoding="utf-8").splitlines()
    assert len(rows) == 1 + 3 and rows[1].startswith("mine,ring,3,0,0,0.05,0,0,")


def test_the_report_of_snakemake_shows_figures_tables_and_notebooks(finished, tmp_path):
    done = finished.snakemake("--report", str(tmp_path / "report.html"))
    assert done.returncode == 0, done.stderr
    report = (tmp_path / "report.html").read_text(encoding="utf-8")
    names = set(re.findall(r'"name": ?"([^"]*)"', report))
    shown = {f"{name}.png" for name in ("figure2", "figure4", "figure5", "figure6", "claims", "theory")}
    shown |= {f"{name}.csv" for name in ("summary", "optima", "claims", "theory")}
    shown |= {f"{name}.html" for name in ("figure2", "optimality_gap", "summary", "claims", "theory")}
    assert shown <= names
    assert "Figure 2 of the paper" in report and "behind each figure is a page" in report
    assert not re.search(r'(src|href)="https?://', report)


def test_each_job_has_a_log_and_a_benchmark(finished):
    def jobs(folder, suffix):
        top = finished.folder / "results" / folder
        return {path.relative_to(top).with_suffix("") for path in top.rglob(f"*{suffix}")}

    jobs_of = FOLLOWING | OPTIMA | SHARED | THEORY
    assert len(jobs("logs", ".log")) == 14 + 1 + sum(jobs_of.values())
    assert jobs("logs", ".log") == jobs("benchmarks", ".tsv")


def test_times_in_the_report_are_those_of_every_job(finished):
    results = finished.folder / "results"
    table = measure(results).set_index("part")
    assert set(table.index) == {"default", "theory"}
    assert table["jobs"].sum() == len(list((results / "benchmarks").rglob("*.tsv")))
    assert table.loc["default", "megabytes"] > 0


def test_the_journal_has_every_job_with_its_time_of_the_processor(finished):
    found = [run for run in runs.runs(finished.folder / "results") if not run.job.startswith("package/")]
    assert {run.status for run in found} == {"finished"} and all(run.cpu_seconds > 0 for run in found)


def test_published_notebooks_show_results_and_keep_no_paths_or_times(finished):
    for path in (finished.folder / "figures/mine/notebooks").glob("*.ipynb"):
        content = path.read_text(encoding="utf-8")
        assert len(content) < 1e6 and ("graph = ring" in content or path.stem == "claims")
        assert ("image/png" in content) == (path.stem != "summary")
        assert not re.search(
            rf"a clone|{re.escape(tempfile.gettempdir())}|start_time|\"duration|\d{{4}}-\d\d-\d\dT", content
        )


def test_provenance_says_what_made_the_figures(finished):
    record = json.loads((finished.folder / "figures/mine/provenance.json").read_text(encoding="utf-8"))
    made = record["published_with"]
    assert made["commit"] is None and made["dirty"] is None  # the clone is no repository
    assert made["versions"]["numba"]
    assert record["configuration"]["settings"]["graph"] == "ring"
    assert record["configuration"]["settings"]["q_start"] == "optimistic"
    assert str(finished.folder) not in json.dumps(record)


def test_a_second_run_does_nothing(finished):
    before = finished.files()
    done = finished.snakemake()
    assert done.returncode == 0 and "Nothing to be done" in done.stderr
    assert finished.files() == before


def test_one_more_seed_schedules_only_its_jobs_and_what_follows(finished):
    assert finished.scheduled(seeds=[0, 7]) == {"train_5_9": 1, **FOLLOWING}
    shown = finished.snakemake("--dry-run", seeds=[0, 7])
    assert re.findall(r"Train .* seeds ([\d ]+)$", shown.stdout + shown.stderr, re.MULTILINE) == ["7"]
    assert finished.scheduled(seeds=[0, 7], seeds_per_job=1) == {"train_seed": 1, **FOLLOWING}


def test_another_batching_reruns_nothing(finished):
    assert finished.scheduled(seeds_per_job=3) == {}


def test_another_tau_leaves_the_other_points_alone(finished):
    figures = {**TINY["figures"], "figure2": {"agents": [3], "taus": [0.05, 0.1]}}
    assert finished.scheduled(figures=figures) == {"train_0_4": 1, **OPTIMA, **FOLLOWING}


def test_another_reading_leaves_the_first_alone(finished):
    assert finished.scheduled(readings=["mine", "working"]) == {"train_0_4": 1, **OPTIMA, **FOLLOWING}


def test_a_setting_reruns_the_training_and_its_default_does_not(finished):
    every = {"train_0_4": 1, **OPTIMA, **SHARED, **FOLLOWING, **THEORY}
    assert finished.scheduled(settings=TINY["settings"] | {"cost": 0.25}) == every
    step_size = finished.scheduled(settings=TINY["settings"] | {"step_size": 0.2})
    assert step_size == {"train_0_4": 1, **FOLLOWING, **THEORY}
    assert finished.scheduled(settings=TINY["settings"] | {"cost": 0.3}, memory_limit_gb=9) == {}


def test_training_alone_depends_on_a_policy_evaluation_of_ones_own(edited):
    (edited.folder / "own.py").write_text(OWN_EVALUATION, encoding="utf-8")
    done = edited.snakemake(
        "--dry-run", "--printshellcmds", settings=TINY["settings"] | {"policy_evaluation": "own.py"}
    )
    assert re.findall(r"cksum .* own\.py > .*/package/(\w+)\.txt", done.stdout) == ["train"], done.stdout


def test_a_changed_kernel_reruns_all_that_depends_on_it(edited):
    kernel = edited.folder / "lpi/evaluation.py"
    kernel.write_text(kernel.read_text(encoding="utf-8") + "\n# changed\n", encoding="utf-8")
    assert edited.scheduled() == {"package": 4, "train_0_4": 1, **OPTIMA, **SHARED, **FOLLOWING}


def test_a_changed_drawing_trains_nothing(edited):
    drawing = edited.folder / "lpi/plotting.py"
    drawing.write_text(drawing.read_text(encoding="utf-8") + "\n# changed\n", encoding="utf-8")
    following = {
        "figure": 1,
        "optimality_gap": 1,
        "claims_notebook": 1,
        "publish": 1,
        "theory_notebook": 1,
        "publish_theory": 1,
    }
    assert edited.scheduled() == {"package": 3, **following, "report": 1, "publish_report": 1, "gallery": 1}


def test_a_new_date_alone_reruns_nothing(edited):
    for path in (edited.folder / "lpi").rglob("*.py"):
        path.touch()
    assert edited.scheduled() == {}


def test_training_declares_the_modules_that_it_loads(finished, tmp_path):
    package = (finished.folder / "results/package/train.txt").read_text(encoding="utf-8")
    output = str(tmp_path / "run.csv")
    arguments = ["train", "--agents", "3", "--kappa", "0", "--set", "outer_loops=1", "--output", output, "--quiet"]
    script = (
        "import sys; from lpi.cli import main; main(sys.argv[1:]);"
        "print(*{m.__file__ for n, m in sys.modules.items() if n.split('.')[0] == 'lpi'}, sep='\\n')"
    )
    declared, loaded = {line.split(maxsplit=2)[2] for line in package.splitlines()}, set()
    other = ("--set", "policy_evaluation=lstd", "--set", "environment=sis")
    (tmp_path / "own.py").write_text(OWN_EVALUATION, encoding="utf-8")
    own = ("--set", f"policy_evaluation={tmp_path / 'own.py'}")
    for options in (("--set", "evaluation=exact"), ("--set", "evaluation=monte_carlo"), other, own):
        command = [sys.executable, "-c", script, *arguments, *options]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
        loaded |= {Path(name).relative_to(ROOT).as_posix() for name in done.stdout.splitlines()}
    assert loaded <= declared
    assert declared - loaded <= {"lpi/__main__.py"}


def test_a_misspelt_key_stops_before_any_job(finished):
    before = finished.files()
    done = finished.snakemake(kapas=[1])
    assert done.returncode != 0
    assert done.stderr.strip().splitlines()[-1] == "config: kapas: no such key; did you mean 'kappas'?"
    assert "Building DAG" not in done.stderr and "Traceback" not in done.stderr
    assert finished.files() == before


def test_committed_figures_do_not_stand_in_for_results(finished, tmp_path):
    clone = Clone(tmp_path)
    shutil.copytree(finished.folder / "figures", tmp_path / "figures")
    assert clone.scheduled() == {"package": 14, "train_0_4": 1, **OPTIMA, **SHARED, **FOLLOWING, **THEORY}


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory):
    """A clone with the committed figures, whose files all have one time, as from an archive."""
    clone = Clone(tmp_path_factory.mktemp("unpacked"))
    shutil.copytree(ROOT / "figures", clone.folder / "figures")
    (clone.folder / "benchmarks").mkdir()
    shutil.copy2(ROOT / "benchmarks/growth.csv", clone.folder / "benchmarks")
    for path in clone.folder.rglob("*"):
        os.utime(path, (1e9, 1e9))
    return clone


@pytest.mark.parametrize("target", TARGETS)
def test_no_target_takes_committed_figures_for_made(unpacked, target):
    scheduled = unpacked.scheduled(target)
    assert all(scheduled.get(rule) for rule in TARGETS[target]), scheduled


def test_a_run_is_the_same_on_the_command_line(finished, tmp_path):
    target = "results/as_printed/runs/n3_kappa1_tau0.1_seed5.csv"
    done = finished.snakemake(target, readings=["as_printed"], seeds=[5])
    assert done.returncode == 0, done.stdout + done.stderr
    arguments = "--reading as_printed --agents 3 --kappa 1 --tau 0.1 --seed 5 --graph ring --set outer_loops=2"
    command = [sys.executable, "-m", "lpi", "train", *arguments.split(), "--set", "trajectory_length=50"]
    subprocess.run([*command, "--output", str(tmp_path / "run.csv")], cwd=finished.folder, check=True)
    assert (finished.folder / target).read_bytes() == (tmp_path / "run.csv").read_bytes()


def test_seeds_of_one_job_and_simulations_are_the_same_on_the_command_line(finished, tmp_path):
    """Two runs of a batch, joined, with a reference from a file, against a run of its own without."""
    run = "results/working/runs/n3_kappa1_tau0.1_seed{}.csv"
    joined = "results/working/points/n3_kappa1_tau0.1.csv"
    simulated = {"outer_loops": 2, "trajectory_length": 50, "evaluation": "monte_carlo"}
    done = finished.snakemake(joined, readings=["working"], seeds=[1, 3], settings=simulated)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (finished.folder / "results/working/references/n3_tau0.1.npz").exists()
    for seed in (1, 3):
        arguments = f"--agents 3 --kappa 1 --tau 0.1 --seed {seed} --output {tmp_path / 'run.csv'}".split()
        arguments += [word for key, value in simulated.items() for word in ("--set", f"{key}={value}")]
        subprocess.run([sys.executable, "-m", "lpi", "train", *arguments], cwd=finished.folder, check=True)
        assert (finished.folder / run.format(seed)).read_bytes() == (tmp_path / "run.csv").read_bytes()
        assert (tmp_path / "run.csv").read_bytes().partition(b"\n")[2] in (finished.folder / joined).read_bytes()


def test_kernels_are_compiled_again_when_a_function_they_inline_changes(edited):
    """numba's own cache does not see that."""
    target = edited.folder / "results/as_printed/runs/n3_kappa0_tau0.1_seed6.csv"
    inlined = edited.folder / "lpi/elementary.py"
    original = inlined.read_text(encoding="utf-8")
    contents = []
    for text in (original, original.replace("_LN2_HIGH = 6.93", "_LN2_HIGH = 6.94"), original):
        inlined.write_text(text, encoding="utf-8")
        done = edited.snakemake(target.relative_to(edited.folder).as_posix(), readings=["as_printed"], seeds=[6])
        assert done.returncode == 0, done.stdout + done.stderr
        contents.append(target.read_bytes())
    assert contents[0] != contents[1]
    assert contents[0] == contents[2]
    assert edited.scheduled() == {}


def test_a_failed_job_shows_its_message_and_a_second_call_goes_on(finished):
    curves = finished.folder / "results/mine/curves.csv"
    run = finished.folder / "results/mine/runs/n3_kappa0_tau0.05_seed0.csv"
    content = run.read_bytes()
    run.write_bytes(content[: len(content) // 2])
    done = finished.snakemake()
    assert done.returncode != 0
    assert "lpi aggregate: " in done.stderr + done.stdout
    assert "run the same command again" in done.stdout
    (failed,) = [one for one in runs.runs(finished.folder / "results") if one.status == "failed"]
    assert failed.job == "point/mine/n3_kappa0_tau0.05" and failed.seconds > 0 and failed.cpu_seconds > 0
    run.write_bytes(content)
    assert finished.snakemake().returncode == 0
    assert finished.scheduled() == {}
    assert curves.exists()


def test_running_out_of_memory_in_one_job_does_not_stop_the_others(tmp_path):
    """With the shipped profile, on one machine: the tables for kappa = 4 need more than a process may have here."""
    clone = Clone(tmp_path)
    grid = {"readings": ["working"], "kappas": [0, 4], "seeds": [0, 1], "seeds_per_job": 1, "memory_limit_gb": 1000}
    grid |= {"figures": TINY["figures"] | {"figure2": {"agents": [9], "taus": [0.05]}}}
    (tmp_path / "large.yaml").write_text(yaml.safe_dump(TINY | grid), encoding="utf-8")
    command = [sys.executable, "-m", "snakemake", "results/working/curves.csv", "--cores", "1"]
    limited = ["bash", "-c", 'ulimit -v 2000000; exec "$@"', "bash", *command, "--configfile", "large.yaml"]
    done = subprocess.run(limited, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode != 0
    assert (done.stdout + done.stderr).count("lpi train: out of memory: ") == 2, done.stdout + done.stderr
    run, made = "results/working/runs/n9_kappa{}_tau0.05_seed{}.csv", clone.files()
    assert {run.format(0, seed) for seed in (0, 1)} | {"results/working/points/n9_kappa0_tau0.05.csv"} <= set(made)
    assert not any("n9_kappa4" in name for name in made)


def test_the_growth_of_runs_is_drawn_from_the_committed_table(finished):
    (finished.folder / "benchmarks").mkdir()
    shutil.copy2(ROOT / "benchmarks/growth.csv", finished.folder / "benchmarks")
    done = finished.snakemake("scaling")
    assert done.returncode == 0, done.stdout + done.stderr
    made = {name.removeprefix("figures/scaling/") for name in finished.files() if name.startswith("figures/scaling/")}
    figures = {f"scaling{name}.{kind}" for name in ("", "_kappa") for kind in ("pdf", "png")}
    assert made == figures | {"notebooks/scaling.html", "notebooks/scaling.ipynb", "provenance.json"}
