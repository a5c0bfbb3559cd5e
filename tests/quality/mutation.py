"""Mutation score of the parts of lpi that decide what is learned and what is said of it.

    .venv/bin/python tests/quality/mutation.py [improvement evaluation claims] [--places 150] [--seed 0] [--tests ...]

Cosmic Ray makes the mutants, in a copy of the tree.  Compiled code is run interpreted (NUMBA_DISABLE_JIT): numba's cache
cannot hide a mutant, and what is out of bounds fails.  The tests of a target are run once without a mutant, with the lines
that each one reaches; then a process is forked for each mutant and runs tests that reach it, quick ones first, until one
fails.  Processes are forked from one that has imported the libraries but nothing of lpi.

Of the places that a target has (a piece of code and a kind of change), so many are drawn, and for each one of its changes.
Left out are annotations, which nothing evaluates, and decorators, which concern compiling and caching.

Writes mutants.csv (a row for each mutant) and mutation.csv (what was drawn from) beside this file, and the page.
"""

from __future__ import annotations

import argparse
import ast
import csv
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import warnings
from collections import Counter, defaultdict
from pathlib import Path

import page

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
MUTANT = ("target", "module", "definition", "line", "operator", "before", "after", "outcome")
DRAW = ("target", "places", "drawn", "seed", "tests", "left_out", "crashed")
KILLED, TIMEOUT, CRASHED, SURVIVED = "killed", "timeout", "crashed", "survived"

PARTS = ("__init__", "amendments", "evidence", "intervals", "judge", "model", "plot", "report")
TARGETS = {
    "improvement": (("improvement.py",), ("improvement",)),
    "evaluation": (("evaluation.py",), ("evaluation", "improvement", "spreading")),
    "claims": (
        tuple(f"claims/{name}.py" for name in PARTS),
        ("evidence", "verdicts", "intervals", "claims_report", "judge", "claims"),
    ),
}
"""Modules under lpi, and what is tested in tests/test_*.py."""
LONG = 3.0
"""CPU seconds, interpreted, of a test that is left out."""
PATIENCE = 15.0
"""CPU seconds of the tests of one mutant."""
AT_ONCE = 4 * 2**30
"""Bytes of a process with a mutant."""


def places(module: Path) -> dict[tuple, list]:
    """(position, kind of change) -> Cosmic Ray's mutations there."""
    from cosmic_ray.commands.init import _all_work_items

    ignored = _ignored(ast.parse(module.read_text(encoding="utf-8")))
    found = defaultdict(list)
    for item in _all_work_items([module], {}):
        (mutation,) = item.mutations
        kind = mutation.operator_name.removeprefix("core/").partition("_")[0]
        if kind != "RemoveDecorator" and not any(a <= mutation.start_pos and mutation.end_pos <= b for a, b in ignored):
            found[mutation.start_pos, mutation.end_pos, kind].append(mutation)
    return found


def _ignored(tree: ast.Module) -> list[tuple[tuple[int, int], tuple[int, int]]]:
    """Where annotations and decorators begin and end: (line, column)."""
    found = []
    for node in ast.walk(tree):
        parts = [getattr(node, name, None) for name in ("annotation", "returns")] + getattr(node, "decorator_list", [])
        found += [((a.lineno, a.col_offset), (a.end_lineno, a.end_col_offset)) for a in parts if a is not None]
    return found


def draw(target: str, copy: Path, most: int, seed: int) -> tuple[int, list]:
    """How many places a target has, and the mutations drawn, in a random order."""
    rng, every = random.Random(f"{target} {seed}"), []
    for name in TARGETS[target][0]:
        every += [found for _, found in sorted(places(copy / "lpi" / name).items())]
    chosen = [rng.choice(found) for found in rng.sample(every, min(most, len(every)))]
    return len(every), [mutation for mutation in chosen if _is_python(mutated(mutation))]


def mutated(mutation) -> str:
    """The module with a mutation."""
    from cosmic_ray.mutating import mutate_code
    from cosmic_ray.plugins import get_operator

    source = Path(mutation.module_path).read_text(encoding="utf-8")
    return mutate_code(source, get_operator(mutation.operator_name)(), mutation.occurrence)


def _is_python(source: str) -> bool:
    """Not so where the star of keyword arguments was taken for a product."""
    with warnings.catch_warnings(action="ignore"):
        try:
            compile(source, "", "exec")
        except SyntaxError:
            return False
    return True


class Reached:
    """A pytest plugin: the lines of lpi that each test reaches, and its CPU time."""

    def __init__(self, coverage):
        self.coverage, self.seconds, self.failed = coverage, {}, []

    def pytest_runtest_logstart(self, nodeid):
        self.coverage.switch_context(nodeid)

    def pytest_fixture_setup(self, fixturedef, request):
        """What several tests share belongs to all tests of the file."""
        if fixturedef.scope != "function":
            self.coverage.switch_context(request.node.nodeid.partition("::")[0] or "")

    def pytest_runtest_call(self, item):
        self.coverage.switch_context(item.nodeid)
        self.began = time.process_time()

    def pytest_runtest_logreport(self, report):
        if report.failed:
            self.failed.append(report.nodeid)
        if report.when == "call":
            self.seconds[report.nodeid] = time.process_time() - self.began


def baseline(copy: Path, files: tuple[str, ...]) -> dict:
    """Seconds by test, and the tests by module and line; of the whole without a mutant."""
    import coverage
    import pytest

    watch = coverage.Coverage(source=[str(copy / "lpi")], data_file=None, config_file=False)
    plugin = Reached(watch)
    watch.start()
    pytest.main(
        [*OPTIONS, "-p", "limits", f"--seconds-of-cpu={LONG}", *(f"tests/test_{name}.py" for name in files)], [plugin]
    )
    watch.stop()
    lines = defaultdict(dict)
    data = watch.get_data()
    for module in data.measured_files():
        name = str(Path(module).relative_to(copy / "lpi"))
        lines[name] = {str(line): contexts for line, contexts in data.contexts_by_lineno(module).items()}
    return {"seconds": plugin.seconds, "lines": lines, "failed": plugin.failed}


OPTIONS = (
    "-q",
    "-x",
    "--no-header",
    "-p",
    "interpreted",
    "-p",
    "no:cacheprovider",
    "-k",
    "not notebook and not seconds",
)


def covering(found: dict, module: str, first: int, last: int) -> list[str]:
    """Tests that reach one of the lines, as many as fit into PATIENCE; all tests for what is run by importing.

    Of each test function the quickest case comes first, then the second of each, and so on.
    """
    contexts = set()
    for line in range(first, last + 1):
        contexts |= set(found["lines"][module].get(str(line), ()))
    tests = [
        test
        for test, seconds in found["seconds"].items()
        if seconds < LONG and ("" in contexts or test in contexts or test.partition("::")[0] in contexts)
    ]
    cases, chosen, total = Counter(), [], 0.0
    rounds = []
    for test in sorted(tests, key=found["seconds"].get):
        function = test.partition("[")[0]
        rounds.append((cases[function], found["seconds"][test], test))
        cases[function] += 1
    for _, seconds, test in sorted(rounds):
        total += seconds
        if total > PATIENCE and chosen:
            break
        chosen.append(test)
    return chosen


def forked(work, seconds: float):
    """What `work` returns in a process of its own, as JSON; None if it ends otherwise or needs more CPU time."""
    with tempfile.TemporaryFile("w+") as answer:
        child = os.fork()
        if child == 0:
            try:
                os.setsid()
                resource.setrlimit(resource.RLIMIT_CPU, (int(seconds) + 1, int(seconds) + 1))
                resource.setrlimit(resource.RLIMIT_AS, (AT_ONCE, AT_ONCE))
                silent = os.open(os.devnull, os.O_RDWR)
                for stream in (0, 1, 2):
                    os.dup2(silent, stream)
                json.dump(work(), answer)
                answer.flush()
            finally:
                os._exit(0)
        _, status = os.waitpid(child, 0)
        answer.seek(0)
        text = answer.read()
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) in (signal.SIGXCPU, signal.SIGKILL):
        return TIMEOUT
    return json.loads(text) if text else None


def outcome(copy: Path, mutation, found: dict) -> tuple[str, str, str]:
    """Of a mutant, and its line before and after."""
    path = Path(mutation.module_path)
    source, mutant = path.read_text(encoding="utf-8"), mutated(mutation)
    before, after = changed(source, mutant)
    tests = covering(found, str(path.relative_to(copy / "lpi")), *extent(source, mutation.start_pos[0]))
    if not tests:
        return SURVIVED, before, after
    import pytest

    path.write_text(mutant, encoding="utf-8")
    try:
        limit = 30 + 3 * sum(found["seconds"][test] for test in tests)
        result = outcome_of(forked(lambda: int(pytest.main([*OPTIONS, *tests])), limit))
    finally:
        path.write_text(source, encoding="utf-8")
    return result, before, after


def outcome_of(status: int | str | None) -> str:
    """Of pytest's exit status, or of what `forked` returns in its place."""
    return {0: SURVIVED, None: CRASHED, TIMEOUT: TIMEOUT}.get(status, KILLED)


def extent(source: str, line: int) -> tuple[int, int]:
    """First and last line of the innermost statement around a line, without the statements that it holds."""
    best = (line, line)
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.stmt) and node.lineno <= line <= node.end_lineno:
            body = getattr(node, "body", None)
            last = body[0].lineno - 1 if isinstance(body, list) and body[0].lineno > line else node.end_lineno
            if not isinstance(body, list) or body[0].lineno > line:
                best = (node.lineno, max(last, line))
    return best


def changed(source: str, mutant: str) -> tuple[str, str]:
    """The lines that differ, stripped."""
    pairs = zip(source.splitlines(), mutant.splitlines(), strict=False)
    return next(((a.strip(), b.strip()) for a, b in pairs if a != b), ("", ""))


def copy_of_the_tree(folder: Path) -> Path:
    """What git knows, without the figures."""
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    copy = folder / "tree"
    for name in listed.stdout.splitlines():
        if not name.startswith("figures/") and (ROOT / name).is_file():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, copy / name)
    return copy


def prepare(copy: Path) -> None:
    """This process as its children begin: in the copy, libraries imported."""
    os.chdir(copy)
    sys.path[:0] = [str(copy), str(copy / "tests"), str(HERE)]
    sys.dont_write_bytecode = True
    os.environ.update(NUMBA_DISABLE_JIT="1", NUMBA_CACHE_DIR=str(copy / "kernels"), PYTHONDONTWRITEBYTECODE="1")
    import hypothesis.strategies
    import matplotlib.figure
    import networkx
    import numba
    import pandas
    import pytest  # noqa: F401
    import scipy.stats

    assert "lpi" not in sys.modules and hypothesis.strategies and matplotlib.figure and networkx and numba
    assert pandas and scipy.stats


def measure(target: str, copy: Path, files, most: int, seed: int) -> tuple[dict, list[dict]]:
    """What was drawn (DRAW), and its mutants (MUTANT); `files` as in TARGETS."""
    found = forked(lambda: baseline(copy, files), 3600)
    if not isinstance(found, dict) or found["failed"]:
        raise SystemExit(f"{target}: the tests do not pass without a mutant: {found and found['failed']}")
    tests = [test for test, seconds in found["seconds"].items() if seconds < LONG]
    number, mutations = draw(target, copy, most, seed)
    rows = []
    for count, mutation in enumerate(mutations, 1):
        result, before, after = outcome(copy, mutation, found)
        name = str(Path(mutation.module_path).relative_to(copy))
        operator = mutation.operator_name.removeprefix("core/")
        values = (target, name, mutation.definition_name or "", mutation.start_pos[0], operator, before, after, result)
        rows.append(dict(zip(MUTANT, values, strict=True)))
        print(f"{target} {count}/{len(mutations)} {result}: {name}:{values[3]} {before!r} -> {after!r}", flush=True)
    left_out, crashed = len(found["seconds"]) - len(tests), sum(row["outcome"] == CRASHED for row in rows)
    return dict(zip(DRAW, (target, number, len(rows), seed, len(tests), left_out, crashed), strict=True)), rows


def replace(path: Path, columns: tuple[str, ...], target: str, rows: list[dict]) -> None:
    """The rows of a target in place of those that a table has."""
    present = []
    if path.exists():
        with path.open(encoding="utf-8", newline="") as file:
            present = [row for row in csv.DictReader(file) if row["target"] != target]
    order = list(TARGETS)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(sorted(present + rows, key=lambda row: order.index(row["target"])))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("targets", nargs="*", choices=[*TARGETS, []], help="all by default")
    parser.add_argument("--places", type=int, default=150, help="places drawn from each target")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--tests", nargs="*", help="only these of a target's tests, and nothing is written: for a trial"
    )
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        copy = copy_of_the_tree(Path(folder).resolve())
        prepare(copy)
        for target in options.targets or TARGETS:
            drawn, rows = measure(target, copy, options.tests or TARGETS[target][1], options.places, options.seed)
            if options.tests:
                continue
            replace(page.MUTANTS, MUTANT, target, rows)
            replace(page.DRAWN, DRAW, target, [drawn])
            page.main()


if __name__ == "__main__":
    main()
