"""Files and command lines from outside that are wrong: one line that says why, status 2, nothing written, nothing run.

Beside the tables of tests/test_cli.py and tests/test_config.py, which hold values that are not allowed: here are files
as a user or an attacker may hand them over.  Most cases run in this process, a few in processes of their own.
"""

from __future__ import annotations

import ast
import io
import json
import os
import pickle
import resource
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest
import yaml

import lpi
from lpi import cli, experiment
from lpi.config import LARGEST_NETWORK, ConfigError
from lpi.multiverse.design import load as load_multiverse
from lpi.spreading import spreading_process

ROOT = Path(__file__).parents[1]
SECONDS = 3.0
"""CPU time in which a mistake must be told."""
LONGEST = 1500
"""Characters of a message: values of thousands of digits are shown, but no whole file is."""
DIGITS = "9" * 5000
LONG = "n" * 300
"""As a file's name, more than a file system takes."""


class Bomb:
    """Unpickled, it leaves a file behind."""

    def __reduce__(self):
        return os.mkdir, ("unpickled",)


def npz(**arrays) -> bytes:
    """A policy file with some arrays of one's own; by default that of the uniform policy of 3 agents at kappa 0."""
    buffer = io.BytesIO()
    named = {"kappa": np.int64(0), **{f"table_{i:05d}": np.full((4, 2), 0.5) for i in range(3)}, **arrays}
    np.savez(buffer, **{name: array for name, array in named.items() if array is not None})
    return buffer.getvalue()


def zipped(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def npy(header: str, data: bytes = b"") -> bytes:
    text = header.encode("latin1") + b"\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + data


def flipped(content: bytes) -> bytes:
    """With one bit turned in the middle, as a bad disk does."""
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 0x10]) + content[middle + 1 :]


OBJECTS = np.array([Bomb()], dtype=object)
HUGE_TABLE = npy("{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000, 2)}")
CALL_IN_HEADER = npy("{'descr': '<f8', 'fortran_order': False, 'shape': __import__('os').mkdir('evaluated')}")
DAMAGED = "written by lpi"
POLICIES = {
    "empty": (b"", DAMAGED),
    "zeros": (bytes(5000), DAMAGED),
    "one byte short": (npz()[:-1], DAMAGED),
    "first half": (npz()[: len(npz()) // 2], DAMAGED),
    "a bit flipped": (flipped(npz()), "policy"),
    "an archive of nothing": (zipped({}), "no kappa"),
    "an archive of text": (zipped({"kappa.npy": b"0", "table_00000.npy": b"1"}), DAMAGED),
    "a single array": (npz()[:0] + npy("{'descr': '<f8', 'fortran_order': False, 'shape': (1,)}", bytes(8)), DAMAGED),
    "a pickle": (pickle.dumps(Bomb()), DAMAGED),
    "pickled tables": (npz(table_00001=OBJECTS), DAMAGED),
    "a pickled kappa": (npz(kappa=np.array(Bomb(), dtype=object)), DAMAGED),
    "a call in a header": (zipped({"kappa.npy": CALL_IN_HEADER}), DAMAGED),
    "a table of 16 TB": (zipped({"kappa.npy": npz()[:0] + HUGE_TABLE}), DAMAGED),
    "no kappa": (npz(kappa=None), "no kappa"),
    "kappa is a list": (npz(kappa=np.zeros(2, dtype=int)), "no kappa"),
    "kappa is no integer": (npz(kappa=np.float64(0.5)), "no kappa"),
    "kappa in words": (npz(kappa=np.array("0")), "no kappa"),
    "negative kappa": (npz(kappa=np.int64(-1)), "kappa: -1 is not allowed; an integer >= 0"),
    "another kappa": (npz(kappa=np.int64(1)), "table 0 has shape (4, 2); for this MDP and kappa it is (4, 4, 2)"),
    "a table too few": (npz(table_00002=None), "2 tables are not allowed; one per agent, 3"),
    "a table too many": (npz(table_00003=np.full((4, 2), 0.5)), "4 tables are not allowed; one per agent, 3"),
    "a table of text": (npz(table_00001=np.full((4, 2), "0.5")), "table_00001 holds <U3"),
    "a complex table": (npz(table_00001=np.full((4, 2), 0.5 + 1j)), "table_00001 holds complex128"),
    "a transposed table": (npz(table_00001=np.full((2, 4), 0.5)), "table 1 has shape (2, 4)"),
    "not a number": (npz(table_00001=np.full((4, 2), np.nan)), "table 1 holds no probabilities"),
    "negative probabilities": (npz(table_00001=np.tile([-1.0, 2.0], (4, 1))), "table 1 holds no probabilities"),
    "rows that sum to 2": (npz(table_00001=np.ones((4, 2))), "each row sums to 1"),
}
"""Files that `lpi evaluate --agents 3` is given as a policy, and what its message says."""

GRAPHS = {
    "binary": (bytes(range(256)), "not text in UTF-8"),
    "UTF-16": ("0 1\n1 2\n".encode("utf-16"), "not text in UTF-8"),
    "with two byte order marks": (b"\xef\xbb\xbf\xef\xbb\xbf0 1\n1 2\n", "line 1"),
    "comma separated": (b"0,1\n1,2\n", "line 1, '0,1', is not an edge"),
    "JSON": (b"[[0, 1], [1, 2]]", "is not an edge"),
    "GraphML": (b'<?xml version="1.0"?><graphml/>', "is not an edge"),
    "with a call": (b"0 1\n__import__('os').mkdir('evaluated') 2\n", "line 2"),
    "with weights": (b"0 1 0.5\n1 2 0.5\n", "line 1, '0 1 0.5', is not an edge"),
    "numbered from 1": (b"1 2\n2 3\n", "agent 0 has no edge"),
    "ten digits": (b"0 1\n1 9999999999\n", "line 2"),
    "a distant agent": (b"0 1\n1 999999999\n", "agent 2 has no edge, agent 999999999 has one"),
    "two parts": (b"0 1\n2 3\n", "2 agents cannot be reached from agent 0"),
    "a loop": (b"0 1\n1 1\n1 2\n", "agent 1 is joined to itself"),
    "four agents": (b"0 1\n1 2\n2 3\n", "agents: 3 is not allowed with graph = graph.txt, which has 4; 4"),
    "nothing": (b"", "it has no edge"),
    "one long line": (b"0" * 10**6, "line 1"),
    "11 MB": (b"0 1\n" * 2**21 * 2, "it is too large"),
}
"""Files of edges that `lpi train --agents 3` is given as a graph, and what its message says."""

CONFIGS = {
    "a list": ("[1, 2]", "config: [1, 2] is not allowed; a mapping"),
    "a number": ("3", "config: 3 is not allowed; a mapping"),
    "a number for a key": ("{1: 2}", "1: no such key"),
    "null for a key": ("{null: 2}", "None: no such key"),
    "a list for a key": ("? !!python/tuple [1, 2]\n: 3", "(1, 2): no such key"),
    "a key of two lines": ('"a\\nb": 1', "a b: no such key"),
    "a date for seeds": ("seeds: [2020-01-01]", "seeds: datetime.date(2020, 1, 1) is not allowed"),
    "a set of seeds": ("seeds: !!set {1, 2}", "seeds: {"),
    "a list in itself": ("seeds: &a [*a]", "seeds: [[...]] is not allowed"),
    "a mapping in itself": ("settings: &a {gamma: *a}", "settings.gamma: {'gamma': {...}} is not allowed"),
    "octal seeds": ("seeds: [0o17]", "seeds: '0o17' is not allowed"),
    "sexagesimal agents": ("figures: {figure1: {agents: [10:30:00], taus: [0.1]}}", "figures.figure1.agents: 37800"),
    "yes for kappas": ("kappas: [yes]", "kappas: True is not allowed"),
    "infinite cost": ("settings: {cost: .inf}", "settings.cost: inf is not allowed"),
    "no number for memory": ("memory_limit_gb: .nan", "memory_limit_gb: nan is not allowed"),
    "bytes for a folder": ("results_folder: !!binary aGVsbG8=", "results_folder: b'hello' is not allowed"),
    "a line break in a folder": ('results_folder: "a\\nb"', "results_folder: 'a\\nb' is not allowed"),
    "a huge number of agents": ("locality: {agents: [1000000000], taus: [0.1]}", f"<= {LARGEST_NETWORK}"),
    "a huge panel": ("figures: {figure1: {agents: [2000000000], taus: [0.1]}}", f"<= {LARGEST_NETWORK}"),
    "a huge acting": ("acting: {agents: 3000000000, tau: 0.1, p_eff: [0.5]}", f"<= {LARGEST_NETWORK}"),
    "settings twice nested": ("settings: {settings: {gamma: 0.9}}", "settings.settings: no such key"),
    "a file that is not there": ("settings: {graph: none.txt}", "there is no such file"),
    "a file name too long": (f"settings: {{graph: {LONG}.txt}}", "File name too long"),
    "a folder for a graph": ("settings: {graph: folder.txt}", "'folder.txt' is not allowed, it is not a file"),
    "a pipe for a graph": ("settings: {graph: pipe.txt}", "'pipe.txt' is not allowed, it is not a file"),
    "a device for a graph": ("settings: {graph: /dev/zero}", "settings.graph: '/dev/zero' is not allowed"),
    "an environment too long": (
        f"{{readings: [mine], custom_readings: {{mine: {{environment: {LONG}.py}}}}}}",
        "File name too long",
    ),
    "an environment that is not there": (
        "{readings: [mine], custom_readings: {mine: {environment: none.py}}}",
        "environment: 'none.py' is not allowed, there is no such file",
    ),
    "code for an environment": (
        "{readings: [mine], custom_readings: {mine: {environment: \"__import__('os').mkdir('evaluated')\"}}}",
        "custom_readings.mine.environment: ",
    ),
    "a reading of an operating system": ("custom_readings: {../../etc: {}}", "custom_readings: '../../etc'"),
}
"""Configs as they stand in a file, and what the workflow says."""


def notebook(parameters: str, book: str = "book.ipynb") -> list[str]:
    return ["notebook", book, "--parameters", parameters, "--output", "o", "--html", "h"]


COMMANDS = {
    "thousands of digits": (["train", "--output", "o.csv", "--set", f"outer_loops={DIGITS}"], "outer_loops: '999"),
    "thousands of brackets": (["train", "--output", "o.csv", "--set", f"q_start={'[' * 50000}"], "q_start: '[[["),
    "a huge network": (["optimum", "--agents", "1000000000"], "agents: 1000000000 is not allowed; an integer >= 1 and <"),
    "a huge kappa": (["train", "--output", "o.csv", "--agents", "40", "--kappa", "1000000"], "kappa: 1000000"),
    "infinite eta": (["train", "--output", "o.csv", "--set", "eta=Infinity"], "eta: inf is not allowed"),
    "code for a number": (["optimum", "--gamma", "__import__('os').mkdir('evaluated')"], "gamma: "),
    "an object": (["optimum", "--set", 'gamma={"a": 1}'], "gamma: {'a': 1} is not allowed"),
    "no key": (["optimum", "--set", "=1"], "--set: '=1' is not allowed; key=value"),
    "a file for a key": (["optimum", "--set", "@/etc/passwd=1"], "no such key"),
    "a percent sign": (["optimum", "--set", "%s%n=1"], "%s%n: no such key"),
    "a graph too long": (["optimum", "--graph", f"{LONG}.txt"], "graph: 'nnn"),
    "a policy too long": (["evaluate", f"{LONG}.npz"], "policy: 'nnn"),
    "an output too long": (["train", "--output", f"{LONG}.csv"], "output: 'nnn"),
    "parameters that are no JSON": (notebook("bad.json"), "bad.json: not"),
    "parameters without an end": (notebook("deep.json"), "deep.json: not"),
    "parameters in a list": (notebook("list.json"), "list.json: [1]"),
    "a parameter that is code": (
        notebook("code.json"),
        "no such parameter; one of curves",
    ),
    "a notebook that is text": (notebook("empty.json", "bad.json"), "bad.json: not a notebook"),
    "runs that are binary": (["aggregate", "zeros.csv", "--output", "o.csv"], "zeros.csv: "),
    "runs of another table": (["aggregate", "other.csv", "--output", "o.csv"], "other.csv: column reading"),
    "a field of a megabyte": (["aggregate", "wide.csv", "--output", "o.csv"], "wide.csv: not a CSV file"),
}  # fmt: skip
"""Command lines, and what they say."""


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    """A folder with the files that the cases name."""
    folder = tmp_path_factory.mktemp("outside")
    (folder / "folder.txt").mkdir()
    os.mkfifo(folder / "pipe.txt")
    texts = {
        "bad.json": "{", "deep.json": "[" * 50000, "list.json": "[1]", "empty.json": "{}",
        "code.json": json.dumps({"curves = __import__('os').mkdir('evaluated'); x": 1}),
        "zeros.csv": "\0" * 4096, "other.csv": "a,b\n1,2\n", "wide.csv": f"reading\n\"{'x' * 10**6}\"\n",
    }  # fmt: skip
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")
    (folder / "book.ipynb").write_bytes((ROOT / "notebooks/figure1.ipynb").read_bytes())
    return folder


@pytest.fixture
def unchanged(inputs, monkeypatch):
    """Runs in the folder, for at most SECONDS, and leaves it as it was."""
    monkeypatch.chdir(inputs)
    before, start = contents(inputs), time.process_time()
    yield inputs
    assert time.process_time() - start < SECONDS
    assert contents(inputs) == before


def contents(folder: Path) -> dict[str, bytes | None]:
    return {path.name: path.read_bytes() if path.is_file() else None for path in folder.rglob("*")}


def refused(arguments: list[str], capsys, *said: str) -> None:
    """The command ends with one line, which holds these words, and status 2."""
    try:
        status = cli.main(arguments)
    except SystemExit as end:
        status = end.code
    printed = capsys.readouterr()
    assert status == 2, printed.err
    assert printed.out == "" and printed.err.count("\n") == 1 and printed.err.endswith("\n")
    assert "Traceback" not in printed.err
    for words in said:
        assert words in printed.err


def test_there_are_as_many_cases_as_promised():
    assert sum(map(len, (POLICIES, GRAPHS, CONFIGS, COMMANDS))) >= 60


@pytest.mark.filterwarnings("error::RuntimeWarning")
@pytest.mark.parametrize("name", POLICIES)
def test_a_bad_policy(name, inputs, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    content, said = POLICIES[name]
    Path("policy.npz").write_bytes(content)
    start = time.process_time()
    refused(["evaluate", "policy.npz", "--agents", "3"], capsys, said)
    assert time.process_time() - start < SECONDS
    assert contents(tmp_path) == {"policy.npz": content}


def test_the_policy_that_the_bad_ones_are_made_from_is_good(tmp_path, capsys):
    (tmp_path / "policy.npz").write_bytes(npz())
    mdp = spreading_process(lpi.Network.named("line", 3))
    assert lpi.LocalPolicy.load(tmp_path / "policy.npz", mdp).kappa == 0
    assert cli.main(["evaluate", str(tmp_path / "policy.npz"), "--agents", "3"]) == 0


@pytest.mark.parametrize("name", GRAPHS)
def test_a_bad_graph(name, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    content, said = GRAPHS[name]
    Path("graph.txt").write_bytes(content)
    start = time.process_time()
    refused(["train", "--graph", "graph.txt", "--agents", "3", "--output", "o.csv"], capsys, "graph", said)
    with pytest.raises(ConfigError) as raised:
        experiment.load({"settings": {"graph": "graph.txt"}, "figures": {"figure1": {"agents": [3], "taus": [0.1]}}})
    assert "graph.txt" in str(raised.value) and "\n" not in str(raised.value)
    assert time.process_time() - start < SECONDS
    assert contents(tmp_path) == {"graph.txt": content}


@pytest.mark.parametrize("name", CONFIGS)
def test_a_bad_config(name, unchanged):
    text, said = CONFIGS[name]
    with pytest.raises(ConfigError) as raised:
        experiment.load(yaml.load(text, yaml.FullLoader))  # as Snakemake reads it
    assert "\n" not in str(raised.value) and len(str(raised.value)) < LONGEST
    assert said in str(raised.value)


@pytest.mark.parametrize("name", COMMANDS)
def test_a_bad_command_line(name, unchanged, capsys):
    arguments, said = COMMANDS[name]
    refused(arguments, capsys, said)


TAGS = [
    "!!python/object/apply:os.mkdir [evaluated]",
    "!!python/object/new:os.mkdir [evaluated]",
    "!!python/object:os.mkdir {}",
    "!!python/module:antigravity",
]


@pytest.mark.parametrize("tag", TAGS)
def test_a_tag_in_a_config_runs_nothing(tag, unchanged):
    from snakemake.common.configfile import load_configfile
    from snakemake_interface_common.exceptions import WorkflowError

    with pytest.raises(WorkflowError, match="not valid JSON or YAML"):
        load_configfile(io.StringIO(f"seeds: {tag}\n"))


@pytest.mark.parametrize("tag", TAGS)
def test_a_tag_in_a_design_runs_nothing(tag, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("design.yaml").write_text(f"seeds: {tag}\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"design.yaml: not a YAML file"):
        load_multiverse("design.yaml")
    assert [path.name for path in tmp_path.iterdir()] == ["design.yaml"]


HOSTILE = ["'''; import os #", '"; import os; "', "\\", "\\'", "{__import__('os')}", "a\nimport os", "%run x", "\u2028"]


@pytest.mark.parametrize("value", [*HOSTILE, HOSTILE, {text: text for text in HOSTILE}])
def test_a_parameter_of_a_notebook_stays_a_value(value):
    """papermill writes parameters into a cell as source: it must mean the value, whatever the text is."""
    from papermill.translators import PythonTranslator

    (statement,) = ast.parse(PythonTranslator.codify({"curves": value})).body
    assert isinstance(statement, ast.Assign) and ast.literal_eval(statement.value) == value


PROCESSES = {
    "lpi: a huge network": ("lpi", ["optimum", "--agents", "1000000000"], "lpi optimum: agents: 1000000000"),
    "lpi: no such file": ("lpi", ["evaluate", "none.npz"], "lpi evaluate: policy: 'none.npz'"),
    "lpi: a misspelt key": ("lpi", ["train", "--output", "o.csv", "--set", "kapa=1"], "lpi train: kapa"),
    "lpi: a graph": ("lpi", ["train", "--output", "o.csv", "--graph", "none.txt"], "lpi train: graph: 'none.txt'"),
    "snakemake: a misspelt key": ("snakemake", ["--config", "kapas=[1]"], "config: kapas: no such key"),
    "snakemake: a value": ("snakemake", ["--config", "settings={gamma: 2}"], "config: settings.gamma: '2'"),
    "snakemake: a graph": ("snakemake", ["--config", "settings={graph: none.txt}"], "config: "),
    "snakemake: a design": ("snakemake", ["--config", "multiverse=README.md"], "config: README.md: not a YAML file"),
}
"""Those that run in a process of their own: the module, its arguments, and how the line begins."""
SNAKEMAKE = ("Using workflow specific profile", "Config file config/config.yaml is extended by")
"""What Snakemake itself says before it reads the workflow."""


@pytest.mark.parametrize("name", PROCESSES)
def test_a_process_ends_with_one_line_and_status_2(name, tmp_path):
    module, arguments, begins = PROCESSES[name]
    if module == "snakemake":
        arguments = ["--snakefile", str(ROOT / "Snakefile"), "--cores", "1", *arguments]
        for folder in ("config", "profiles"):
            (tmp_path / folder).symlink_to(ROOT / folder)
        (tmp_path / "README.md").write_text("{a: [\n", encoding="utf-8")
    before = {path.name for path in tmp_path.iterdir()}
    start = children_seconds()
    done = subprocess.run([sys.executable, "-m", module, *arguments], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 2, done.stderr
    assert children_seconds() - start < SECONDS
    lines = [line for line in done.stderr.splitlines() if not line.startswith(SNAKEMAKE)]
    assert len(lines) == 1 and lines[0].startswith(begins) and done.stdout == ""
    assert {path.name for path in tmp_path.iterdir()} - {".snakemake"} == before


def children_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
