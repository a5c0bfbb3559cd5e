"""The package as it is imported: compiled kernels follow the source, whichever file it was that changed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import older_processor
import pytest

import lpi
from lpi import kernels

PACKAGE = Path(lpi.__file__).parent
ENTROPY = """
import numpy as np, lpi
from lpi.evaluation import entropies
mdp = lpi.spreading_process(lpi.Network.named("line", 1))
from lpi.policy import policy_index, uniform_table
print(entropies(uniform_table(mdp, 0), policy_index(mdp, 0), mdp.actions)[0])
"""


def _entropy(folder: Path) -> float:
    environment = {key: value for key, value in os.environ.items() if key not in ("NUMBA_CACHE_DIR", "PYTHONPATH")}
    command = [sys.executable, "-c", ENTROPY]
    result = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=True)
    return float(result.stdout)


def test_a_kernel_is_compiled_again_when_what_it_inlines_changes(tmp_path):
    shutil.copytree(PACKAGE, tmp_path / "lpi", ignore=shutil.ignore_patterns("__pycache__"))
    before = _entropy(tmp_path)
    assert _entropy(tmp_path) == before
    assert list((tmp_path / "lpi" / "__pycache__").glob("kernels-*"))
    source = tmp_path / "lpi" / "elementary.py"
    text = source.read_text()
    changed = text.replace("result = k * _LN2_HIGH +", "result = 1.0 + k * _LN2_HIGH +")
    assert changed != text
    source.write_text(changed)
    assert _entropy(tmp_path) == before - 1.0


IMPORTS = """
import os
before = dict(os.environ)
import lpi, numba
from lpi import evaluation
print(dict(os.environ) == before, numba.config.CACHE_DIR)
"""


def test_importing_the_package_leaves_the_process_alone():
    environment = {key: value for key, value in os.environ.items() if key != "NUMBA_CACHE_DIR"}
    command = [sys.executable, "-c", IMPORTS]
    assert subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout == "True \n"


def test_kernels_are_kept_where_something_can_be_written(tmp_path, monkeypatch):
    def found():
        kernels.folder.cache_clear()
        return kernels.folder()

    def folder(path):
        monkeypatch.setenv("NUMBA_CACHE_DIR", str(path))
        return found()

    file = tmp_path / "file"
    file.touch()
    assert folder(tmp_path / "chosen") == tmp_path / "chosen"
    assert folder(file).parent == PACKAGE / "__pycache__"
    monkeypatch.setattr(kernels, "__file__", str(file / "kernels.py"))  # as in a package that cannot be written
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert found().parent == tmp_path / "lpi"
    monkeypatch.setenv("XDG_CACHE_HOME", str(file))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    shared = found()
    assert shared.parent == tmp_path / f"lpi-{os.getuid()}" and found() == shared
    shared.parent.chmod(0o777)  # anyone could have put files there
    assert found().parent == tmp_path and found() != found()
    kernels.folder.cache_clear()


def test_kernels_of_another_state_are_removed_when_nobody_has_used_them_for_long(tmp_path, monkeypatch):
    source, cache = tmp_path / "kernels.py", tmp_path / "__pycache__"
    monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)
    monkeypatch.setattr(kernels, "__file__", str(source))

    def found(text):
        source.write_text(text, encoding="utf-8")
        kernels.folder.cache_clear()
        return kernels.folder()

    def make_old(path, days):
        then = time.time() - 86_400 * days
        os.utime(path, (then, then))

    old, recent, future = (f"kernels-{digit * 16}" for digit in "012")
    for name, days in {old: 31, recent: 29, future: -400, "kernels-of-mine": 400, "numba": 400}.items():
        (cache / name).mkdir(parents=True)
        (cache / name / "kernel.nbc").touch()
        make_old(cache / name, days)
    stuck = cache / f"kernels-{'3' * 16}"  # no folder: it cannot be removed as one
    stuck.touch()
    make_old(stuck, 400)
    first = found("one state")
    present = {recent, future, "kernels-of-mine", "numba", stuck.name}
    assert {path.name for path in cache.iterdir()} == present | {first.name}
    make_old(first, 31)
    make_old(cache / recent, 31)
    assert found("one state") == first and (cache / recent).is_dir()  # nothing new
    second = found("another state")
    assert {path.name for path in cache.iterdir()} == present - {recent} | {first.name, second.name}
    kernels.folder.cache_clear()


DAMAGE = {
    "empty": lambda content: b"",
    "cut off": lambda content: content[: len(content) // 2],
    "a hole": lambda content: bytes(len(content)),
    "one bit": lambda content: content[:-100] + bytes([content[-100] ^ 1]) + content[-99:],
}


def test_a_damaged_file_of_compiled_kernels_is_made_again(tmp_path):
    shutil.copytree(PACKAGE, tmp_path / "lpi", ignore=shutil.ignore_patterns("__pycache__"))
    whole = _entropy(tmp_path)
    files = sorted((tmp_path / "lpi/__pycache__").rglob("*.nb[ci]"))
    assert {path.suffix for path in files} == {".nbi", ".nbc"}
    for suffix in (".nbi", ".nbc"):
        for damage in DAMAGE.values():
            damaged = {path: damage(path.read_bytes()) for path in files if path.suffix == suffix}
            for path, content in damaged.items():
                path.write_bytes(content)
            assert _entropy(tmp_path) == whole
            assert not [path for path, content in damaged.items() if path.read_bytes() == content]
    times = [path.stat().st_mtime_ns for path in files]
    assert _entropy(tmp_path) == whole
    assert [path.stat().st_mtime_ns for path in files] == times  # what is whole is read


TWICE = """
import sys
sys.path.insert(0, ".")
import numpy as np
from twice import twice
print(twice(np.ones(3, np.float32))[0], twice(np.ones(3))[0])
"""
KERNEL = """
from lpi.kernels import njit

@njit(cache=True)
def twice(values):
    return 2 * values
"""


def test_kernels_that_two_processes_compiled_at_once_are_not_mistaken(tmp_path):
    """As if one had written the index and the other the machine code of the same number, for another type."""
    (tmp_path / "twice.py").write_text(KERNEL, encoding="utf-8")
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path / "cache")}

    def run():
        command = [sys.executable, "-c", TWICE]
        return subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True).stdout

    assert run() == "2.0 2.0\n"
    first, second = sorted((tmp_path / "cache").rglob("*.nbc"))
    contents = first.read_bytes(), second.read_bytes()
    for path, other in ((first, contents[1]), (second, contents[0])):
        path.write_bytes(other)
    assert run() == "2.0 2.0\n"


FEATURES = """
import numba, numpy
print(numpy._core._multiarray_umath.__cpu_features__["X86_V3"], numba.config.CPU_NAME, repr(numba.config.CPU_FEATURES))
"""


def test_the_older_processor_is_one():
    command, environment = [sys.executable, "-c", FEATURES], {**os.environ, **older_processor.SETTINGS}
    found = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert found.stdout == "False generic ''\n"


def test_a_run_is_the_same_bytes_for_another_processor(tmp_path):
    """Of the machine at hand, and of one with neither AVX nor FMA."""
    found = {}
    for processor, settings in {"this": {}, "older": older_processor.SETTINGS}.items():
        environment = {**os.environ, **settings, "NUMBA_CACHE_DIR": str(tmp_path / f"cache {processor}")}
        run = tmp_path / f"run {processor}.csv"
        policy = run.with_suffix(".npz")
        command = [sys.executable, "-m", "lpi", "train", "--agents", "5", "--kappa", "2", "--output", str(run)]
        command += ["--policy", str(policy), "--set", "outer_loops=3", "--set", "trajectory_length=2000"]
        subprocess.run(command, env=environment, check=True)
        found[processor] = run.read_bytes(), policy.read_bytes()
    assert found["this"] == found["older"]


IMPORTED = """
import runpy, sys
names = set(sys.modules)
try:
    runpy.run_module("lpi", run_name="__main__", alter_sys=True)
except SystemExit as done:
    assert not done.code, done.code
new = [name for name, module in sys.modules.items() if module is not None and name not in names]
print(*(name for name in new if getattr(sys.modules[name], "__spec__", None)))
"""


@pytest.mark.parametrize(
    ("method", "needed", "unneeded"),
    [
        ("exact", "solvers.joint_values", {"simulation", "reference"}),
        ("monte_carlo", "simulation", {"solvers.joint_values"}),
    ],
)
def test_training_jobs_import_what_they_need(tmp_path, method, needed, unneeded):
    command = [sys.executable, "-c", IMPORTED, "train", "--agents", "3", "--kappa", "1", "--quiet"]
    command += ["--output", "run.csv", "--set", f"evaluation={method}", "--set", "outer_loops=1"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    modules = set(done.stdout.split())
    others = {name.partition(".")[0] for name in modules} - set(sys.stdlib_module_names)
    # numba looks for these, and finds them where the extras quality or jupyter are installed
    others -= {"coverage", "cffi", "pycparser"}
    assert {name for name in others if not name.startswith("_")} == {"lpi", "numpy", "numba", "llvmlite"}
    unneeded |= {"exact", "experiment", "solvers.iteration", "solvers.local_optimum", "provenance", "multiverse.design"}
    assert f"lpi.{needed}" in modules
    assert not modules & {f"lpi.{name}" for name in unneeded}


def test_every_public_name_exists():
    for name in lpi.__all__:
        assert getattr(lpi, name) is not None
    with pytest.raises(AttributeError, match="module 'lpi' has no attribute 'trian'"):
        lpi.trian  # noqa: B018
