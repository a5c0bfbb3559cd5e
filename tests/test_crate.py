"""The published results as an RO-Crate."""

import hashlib
import json
import shutil
import subprocess
from pathlib import Path

import pytest
from rocrate.rocrate import ROCrate

from lpi import crate, runs

ROOT = Path(__file__).parents[1]
FOUND = [
    runs.Run("theory/theory", "failed", "2026-11-25T08:00:00.000+00:00", 2.0, 1.5, None),
    runs.Run("theory/theory", "finished", "2026-11-25T09:00:00.000+00:00", 5.0, 4.0, 100.0),
    runs.Run("best_local/success_success_n3_tau0.05", "finished", "2026-11-25T09:00:00.000+00:00", 5.0, 4.0, 100.0),
]


@pytest.fixture
def folder(tmp_path):
    shutil.copytree(ROOT / "figures/theory", tmp_path / "theory")
    return tmp_path


@pytest.fixture
def written(folder):
    (folder / crate.NAME).write_text(json.dumps(crate.build(folder, FOUND)), encoding="utf-8")
    return ROCrate(folder)


def test_a_reader_of_crates_finds_each_file_with_its_digest(written, folder):
    files = {entity.id: entity for entity in written.get_by_type("File")}
    there = {path.relative_to(folder).as_posix() for path in (folder / "theory").rglob("*") if path.is_file()}
    assert set(files) == there
    content = (folder / "theory/theory.csv").read_bytes()
    assert files["theory/theory.csv"]["sha256"] == hashlib.sha256(content).hexdigest()
    assert written.dereference("./")["license"].id == crate.LICENCE


def test_the_action_names_configuration_software_machine_and_time(written):
    action = written.dereference("#theory")
    record = json.loads((ROOT / "figures/theory/provenance.json").read_text(encoding="utf-8"))["published_with"]
    assert action["instrument"]["version"] == record["commit"]
    assert all(one["url"] for one in written.get_by_type("SoftwareApplication"))  # as RO-Crate 1.2 requires
    libraries = {one["name"]: one["version"] for one in action["instrument"]["softwareRequirements"]}
    assert libraries == record["versions"]
    assert action["object"].id == "theory/provenance.json" and action["result"].id == "theory/"
    assert action["startTime"] == "2026-11-25T08:00:00.000+00:00"
    assert action["endTime"] == "2026-11-25T09:00:05.000+00:00"
    values = {one["name"]: one["value"] for one in action["additionalProperty"]}
    assert values.pop("machine") == crate.machine()
    assert values == {"attempts": 2, "failed": 1, "cut short": 0, "seconds": 7.0, "cpu_seconds": 5.5}


def test_a_failed_attempt_is_an_action_of_its_own(written):
    (failed,) = [one for one in written.get_by_type("CreateAction") if one["actionStatus"] == crate.FAILED]
    assert (failed["name"], failed["error"]) == ("theory/theory", "failed")
    assert failed["endTime"] == "2026-11-25T08:00:02.000+00:00"
    value = failed["additionalProperty"]
    assert (value["name"], value["value"], value["unitCode"]) == ("cpu_seconds", 1.5, "SEC")


def test_jobs_belong_to_the_set_that_they_are_named_after():
    assert len(crate.of_set(FOUND, "theory")) == 2 and len(crate.of_set(FOUND, "locality")) == 1
    assert crate.of_set(FOUND, "working") == []


def test_the_command_without_a_journal_leaves_times_out(folder):
    crate.main(["--figures", str(folder), "--results", str(folder / "none")])
    text = (folder / crate.NAME).read_text(encoding="utf-8")
    assert str(folder) not in text and "startTime" not in text
    assert (folder / crate.RUNS).read_text(encoding="utf-8").splitlines() == [",".join(crate.COLUMNS)]


def test_the_command_writes_failed_attempts_too(folder, monkeypatch):
    running = runs.Run("publish/crate", "open", "2026-11-25T10:00:00.000+00:00", None, None, None)
    monkeypatch.setattr(crate, "runs", lambda results: [*FOUND, running])
    crate.main(["--figures", str(folder)])
    rows = (folder / crate.RUNS).read_text(encoding="utf-8").splitlines()
    assert rows[0] == "job,status,began,seconds,cpu_seconds,megabytes"
    assert rows[1] == "theory/theory,failed,2026-11-25T08:00:00.000+00:00,2.0,1.5," and len(rows) == 4
    assert "report/runs.csv" in (folder / crate.NAME).read_text(encoding="utf-8")


def test_the_tables_that_the_report_quotes_are_in_the_crate(folder):
    shutil.copytree(ROOT / "figures/report", folder / "report")
    crate.main(["--figures", str(folder), "--results", str(folder / "none")])
    files = {entity.id: entity for entity in ROCrate(folder).get_by_type("File")}
    assert {path.id for path in files.values() if path.id.startswith("report/")} == {
        path.relative_to(folder).as_posix() for path in (folder / "report").iterdir()
    }
    content = (folder / "report/benchmarks.csv").read_bytes()
    assert files["report/benchmarks.csv"]["sha256"] == hashlib.sha256(content).hexdigest()
    assert "report/runs.csv" in files


def test_the_committed_crate_describes_the_committed_results():
    """Of today's files, unless they are others than the committed ones, as after a run of one's own."""
    git = subprocess.run(["git", "status", "--porcelain", "figures"], cwd=ROOT, capture_output=True, text=True)
    if git.returncode != 0 or git.stdout:
        pytest.skip("figures/ is not as committed")
    files = {entity.id: entity for entity in ROCrate(ROOT / "figures").get_by_type("File")}
    there = [path for path in (ROOT / "figures").rglob("*") if path.is_file() and path.name != crate.NAME]
    assert set(files) == {path.relative_to(ROOT / "figures").as_posix() for path in there}
    wrong = [
        name for name, entity in files.items()
        if entity["sha256"] != hashlib.sha256((ROOT / "figures" / name).read_bytes()).hexdigest()
    ]  # fmt: skip
    assert wrong == []


def test_a_folder_without_results_is_one_line_and_nothing_written(tmp_path, capsys):
    with pytest.raises(SystemExit) as stop:
        crate.main(["--figures", str(tmp_path)])
    assert stop.value.code == 2 and "no published results" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
