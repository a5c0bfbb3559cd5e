"""The notebooks: committed without outputs, run with parameters, rendered without outside addresses."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import curves
import nbformat
import papermill
import pytest
import truths
from nbclient import NotebookClient
from nbclient.exceptions import DeadKernelError

from lpi import experiment, findings, notebook, results
from lpi.mistakes import Mistake
from lpi.notebook import NotebookError
from lpi.truth import findings as truth_findings

FOLDER = Path(__file__).resolve().parents[1] / "notebooks"
NAMES = (
    *("claims", "figure1", "figure2", "figure3", "multiverse", "optimality_gap", "scaling", "sensitivity", "summary"),
    "theory",
)
OWN = {
    "claims": 'table = "../results/working/claims.csv"',
    "multiverse": 'verdicts = "../figures/multiverse/verdicts.csv"',
    "scaling": 'table = "../benchmarks/growth.csv"',
    "sensitivity": 'tables = "../figures/studies"',
    "theory": 'table = "../results/theory/theory.csv"',
}
"""What the notebooks of tables other than curves read by default."""
FIGURE3 = {"agents": [5, 10], "taus": [0.05], "kappas": [0, 1]}


def _read(path):
    return nbformat.read(path, as_version=4)


def _small(folder, *sources):
    """A notebook of a parameters cell and further code cells; starting it takes a kernel but no large import."""
    cells = [nbformat.v4.new_code_cell('word = "default"\nother = None', metadata={"tags": ["parameters"]})]
    cells += [nbformat.v4.new_code_cell(source) for source in sources]
    path = folder / "small.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=cells), path)
    return path


def test_these_are_the_notebooks():
    assert sorted(path.stem for path in FOLDER.glob("*.ipynb")) == sorted(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_committed_notebook_is_stripped_and_has_one_parameters_cell(name):
    committed = _read(FOLDER / f"{name}.ipynb")
    nbformat.validate(committed)
    tagged = [cell for cell in committed.cells if "parameters" in cell.metadata.get("tags", [])]
    made = OWN.get(name, 'curves = "../results/working/curves.csv"')
    assert len(tagged) == 1 and made in tagged[0].source
    for cell in committed.cells:
        assert set(cell.metadata) <= {"tags"}
        assert re.fullmatch(r"[a-z]+(-[a-z0-9]+)*", cell.id)
        if cell.cell_type == "code":
            assert cell.execution_count is None and cell.outputs == []
    assert set(committed.metadata) == {"kernelspec", "language_info"}


@pytest.fixture(scope="module")
def executed(tmp_path_factory):
    """figure3 run on made-up curves in a folder with a space."""
    folder = tmp_path_factory.mktemp("a folder")
    data = curves.grid(folder / "curves.csv", agents=(5, 10))
    values = {"curves": str(data), "output": str(folder / "drawn" / "figure3"), **FIGURE3}
    notebook.execute(FOLDER / "figure3.ipynb", values, folder / "one.ipynb", folder / "one.html")
    return folder, values


def test_execution_saves_the_figure_and_shows_what_was_found(executed):
    folder, _ = executed
    assert sorted(path.name for path in (folder / "drawn").iterdir()) == ["figure3.pdf", "figure3.png"]
    page = (folder / "one.html").read_text()
    assert page.count("<img") == page.count('src="data:image/png;base64,') == 1
    assert 'alt="Learning curves. Reading working; τ = 0.05;' in page
    assert "larger κ always leads to a better total regularized reward" in page
    assert "The final median rises with every step of κ in 2 of 2 panels (n = 5; n = 10)." in page
    assert "simulated at n = 10" in page
    assert "50 %, n = 10" in page and "Spread: the largest median minus the smallest." in page
    assert re.search(r'<details open(="")?>\s*<summary>Parameters of this page</summary>', page)


def test_html_loads_nothing_and_runs_nothing(executed):
    page = (executed[0] / "one.html").read_text()
    assert not re.search(r"<(script|link|iframe|object|embed)\b", page)
    assert all(
        address.startswith(("data:", "#cell-id="))
        for address in re.findall(r'(?:src|href)\s*=\s*["\']?([^"\'>\s]+)', page)
    )
    assert not re.search(r"https?:|@import|url\(", page)


def test_executed_notebook_keeps_no_times_paths_or_random_ids_and_repeats_to_the_byte(executed):
    folder, values = executed
    result = _read(folder / "one.ipynb")
    assert "papermill" not in result.metadata
    assert all(set(cell.metadata) <= {"tags"} for cell in result.cells)
    committed = [cell.id for cell in _read(FOLDER / "figure3.ipynb").cells]
    assert [cell.id for cell in result.cells if cell.id != "injected-parameters"] == committed
    notebook.execute(FOLDER / "figure3.ipynb", values, folder / "two.ipynb", folder / "two.html")
    for kind in ("ipynb", "html"):
        assert (folder / f"one.{kind}").read_bytes() == (folder / f"two.{kind}").read_bytes()


@pytest.mark.parametrize("name", ["figure2", "summary"])
def test_other_notebooks_run_for_the_other_reading(tmp_path, name):
    data = curves.grid(tmp_path / "curves.csv", reading="as_printed", seeds=2)
    panel = {"agents": [8], "taus": [0.05]}
    values = {"figures": {"figure1": panel, "figure2": panel}} if name == "summary" else {**panel, "kappas": [0, 1]}
    settings = experiment.load({"settings": {"gamma": 0.9}}).configuration("as_printed")["settings"]
    values |= {"curves": str(data), "output": str(tmp_path / name), "settings": settings}
    if name == "summary":
        values["optima"] = str(truths.optima(tmp_path / "optima.csv", truths.optimum(reading="as_printed")))
    notebook.execute(FOLDER / f"{name}.ipynb", values, tmp_path / "out.ipynb", tmp_path / "out.html")
    page = (tmp_path / "out.html").read_text()
    assert "Reading <strong>as_printed</strong>" in page and "inner_start = uniform" in page
    assert "gamma = 0.9" in page and "As shipped" not in page
    made = {path.suffix for path in tmp_path.glob(f"{name}.*")}
    assert made == ({".csv", ".md", ".tex"} if name == "summary" else {".pdf", ".png"})


def test_optimality_gap_draws_three_figures_and_says_what_they_show(tmp_path):
    data = curves.grid(tmp_path / "curves.csv", seeds=2)
    meanings = [("failure", "failure"), ("success", "success")]
    local = [str(truths.locality(tmp_path / f"l{k}.csv", means)) for k, means in enumerate(meanings)]
    acting = [str(truths.acting(tmp_path / f"a{k}.csv", means)) for k, means in enumerate(meanings)]
    values = {"curves": str(data), "locality": local, "acting": acting, "output": str(tmp_path / "drawn")}
    values |= {"optima": str(truths.optima(tmp_path / "optima.csv", truths.optimum())), "panels": [[8, 0.05]]}
    values |= {"kappas": [0, 1], "convention": ["success", "success"]}
    notebook.execute(FOLDER / "optimality_gap.ipynb", values, tmp_path / "out.ipynb", tmp_path / "out.html")
    drawn = [f"figure{number}.{kind}" for number in (4, 5, 6) for kind in ("pdf", "png")]
    assert sorted(path.name for path in (tmp_path / "drawn").iterdir()) == drawn
    page = (tmp_path / "out.html").read_text()
    assert page.count("<img") == page.count('src="data:image/png;base64,') == 3
    assert "The hypotheses hold in 0 of 6 rows." in page and "at every step of p_eff, under 2 of 2 conventions" in page


def test_missing_column_stops_with_one_line_and_writes_nothing(tmp_path):
    data = curves.grid(tmp_path / "curves.csv")
    data.write_text(data.read_text().replace("reported_se", "reported_error", 1))
    with pytest.raises(NotebookError) as caught:
        notebook.execute(FOLDER / "figure1.ipynb", {"curves": str(data)}, tmp_path / "a.ipynb", tmp_path / "a.html")
    message = str(caught.value)
    assert message.endswith(f"figure1.ipynb: ResultsError: {data}: column reported_se: missing")
    assert [path.name for path in tmp_path.iterdir()] == ["curves.csv"]


def test_kernel_is_this_interpreter_with_this_import_path_even_where_another_python3_kernel_is_installed(
    tmp_path, monkeypatch
):
    spec = tmp_path / "jupyter" / "kernels" / "python3"
    spec.mkdir(parents=True)
    (spec / "kernel.json").write_text(json.dumps({"argv": ["/bin/false"], "display_name": "x", "language": "python"}))
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "jupyter"))
    monkeypatch.setenv("PATH", os.defpath)
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path / "only here")])
    (tmp_path / "only here").mkdir()
    (tmp_path / "only here" / "lpi_only_here.py").write_text("")
    source = _small(tmp_path, "import sys\nimport lpi_only_here\nprint(sys.executable, word)")
    notebook.execute(source, {"word": "given"}, tmp_path / "out.ipynb", tmp_path / "out.html")
    outputs = [output.text for cell in _read(tmp_path / "out.ipynb").cells for output in cell.outputs]
    assert outputs == [f"{sys.executable} given\n"]


def test_kernel_that_does_not_start_is_tried_three_times(tmp_path, monkeypatch):
    attempts = []

    def dies(*_, **__):
        attempts.append(1)
        raise RuntimeError("Kernel died before replying to kernel_info")

    monkeypatch.setattr(papermill, "execute_notebook", dies)
    with pytest.raises(NotebookError, match="did not start in 3 attempts: Kernel died before"):
        notebook.execute(_small(tmp_path), {}, tmp_path / "out.ipynb", tmp_path / "out.html")
    assert len(attempts) == 3


def test_a_kernel_that_dies_in_a_cell_is_not_tried_again(tmp_path, monkeypatch):
    attempts = []

    def dies(*_, **__):
        attempts.append(1)
        raise DeadKernelError("Kernel died")

    monkeypatch.setattr(papermill, "execute_notebook", dies)
    with pytest.raises(NotebookError, match="small.ipynb: the kernel died while a cell was running"):
        notebook.execute(_small(tmp_path), {}, tmp_path / "out.ipynb", tmp_path / "out.html")
    assert len(attempts) == 1 and not (tmp_path / "out.ipynb").exists()


@pytest.mark.parametrize(
    ("parameters", "message"),
    [({"wrod": 1}, "parameter wrod: no such parameter; one of word, other"), ({"agents": [8]}, "parameter agents")],
)
def test_unknown_parameter_is_refused_before_a_kernel_starts(tmp_path, monkeypatch, parameters, message):
    monkeypatch.setattr(papermill, "execute_notebook", None)
    with pytest.raises(NotebookError, match=message):
        notebook.execute(_small(tmp_path), parameters, tmp_path / "out.ipynb", tmp_path / "out.html")


PARAMETERS = {
    "curves": "results/working/curves.csv",
    "agents": [8],
    "tables": [f"results/{number}/of/a/path/that/is/not/short.csv" for number in range(3)],
    "settings": {"p1": 0.6, "beta": None, "graph": "line", "rho": [0.25] * 30, "long": {"word": "w" * 90, "so": True}},
    "none": {},
}


@pytest.mark.parametrize("formatter", (True, False))
def test_parameters_are_laid_out_alike_with_and_without_a_formatter(monkeypatch, formatter):
    """Where `black` is installed papermill lays parameters out with it: the same notebook would have other bytes."""
    black = pytest.importorskip("black")
    if not formatter:
        monkeypatch.setitem(sys.modules, "black", None)
    cell = notebook.Parameters.codify(PARAMETERS)
    assert cell == black.format_str(cell, mode=black.FileMode(string_normalization=False))
    assert max(map(len, cell.splitlines())) > 90
    found = {}
    exec(cell, found)
    assert {name: found[name] for name in PARAMETERS} == PARAMETERS


def test_parameters_of_the_summary_are_its_names_and_not_their_keys():
    source = _read(FOLDER / "summary.ipynb")
    notebook._check_parameters(source, {"curves": "", "optima": "", "output": None, "figures": {}}, "summary.ipynb")
    with pytest.raises(NotebookError, match="parameter agents: no such parameter"):
        notebook._check_parameters(source, {"agents": [8]}, "summary.ipynb")


def test_what_is_no_notebook_or_no_parameters_file_is_refused(tmp_path):
    (tmp_path / "text.ipynb").write_text("text")
    nbformat.write(nbformat.v4.new_notebook(), tmp_path / "empty.ipynb")
    for name, message in (("none", "cannot be read"), ("text", "not a notebook"), ("empty", "exactly one")):
        with pytest.raises(NotebookError, match=message):
            notebook.execute(tmp_path / f"{name}.ipynb", {}, tmp_path / "o.ipynb", tmp_path / "o.html")
    (tmp_path / "list.json").write_text("[1]")
    for name, message in (("none.json", "cannot be read"), ("text.ipynb", "not a JSON"), ("list.json", "JSON object")):
        with pytest.raises(NotebookError, match=message):
            notebook.read_parameters(tmp_path / name)


def test_standalone_without_curves_says_what_to_run(tmp_path):
    """The cells as a person runs them in JupyterLab, started in a folder beside which there are no results."""
    code = "\n".join(cell.source for cell in _read(FOLDER / "figure1.ipynb").cells if cell.cell_type == "code")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(FOLDER.parent), *sys.path])}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    expected = (
        "lpi.results.ResultsError: ../results/working/curves.csv: no such file; `.venv/bin/snakemake --cores 2` in"
    )
    assert done.stderr.splitlines()[-1].startswith(expected)


def test_in_a_notebook_a_mistake_is_one_line_and_an_error_of_the_program_is_not(tmp_path):
    book = _small(tmp_path, "from lpi import results\nresults.read_curves('none.csv')", "1 / 0")
    shown = NotebookClient(
        _read(book), allow_errors=True, resources={"metadata": {"path": str(FOLDER.parent)}}
    ).execute()
    mistake, error = (cell.outputs[0] for cell in shown.cells[1:])
    assert mistake.traceback == [
        "ResultsError: none.csv: no such file; `.venv/bin/snakemake --cores 2` in the project's folder makes it"
    ]
    assert len(error.traceback) > 2


MISTAKES = {
    "no list of n": ({"agents": 8}, "agents: 8 is not allowed; a list of one or more numbers"),
    "text for a list": ({"taus": "0.05"}, "taus: '0.05' is not allowed; a list"),
    "text in a list": ({"kappas": ["0"]}, r"kappas: \['0'\] is not allowed; a list"),
    "no kappa": ({"kappas": []}, r"kappas: \[\] is not allowed; a list"),
    "a kappa that was not run": ({"kappas": [0, 7]}, "tau 0.05, kappa 7; there are kappa 0, 1$"),
    "a tau that was not run": ({"taus": [0.3]}, "agents 8, tau 0.3, kappa 0, 1; there are agents 8, tau 0.05$"),
    "no quantity": ({"quantity": "J"}, "quantity: 'J' is not allowed; one of reported"),
    "no settings": ({"settings": "all"}, "settings: 'all' is not allowed; names and values, or None"),
    "an unknown setting": ({"settings": {"gama": 1}}, "gama: no such key; did you mean 'gamma'"),
}


@pytest.mark.parametrize("changed, message", MISTAKES.values(), ids=MISTAKES)
def test_a_parameter_changed_by_mistake_is_told(tmp_path, changed, message):
    """The first cells of figure1, in this process: a kernel for each would take seconds."""
    values = {"agents": [8], "taus": [0.05], "kappas": [0, 1], "quantity": "reported", "settings": None, **changed}
    values["curves"] = str(curves.grid(tmp_path / "curves.csv"))
    _, first, *_ = (cell.source for cell in _read(FOLDER / "figure1.ipynb").cells if cell.cell_type == "code")
    with pytest.raises(Mistake, match=message):
        exec(first, values)


@pytest.mark.parametrize("panels", [[], [[8]], [["8", 0.05]]])
def test_panels_are_pairs_of_numbers(tmp_path, panels):
    data = results.read_curves(curves.grid(tmp_path / "curves.csv"))
    with pytest.raises(Mistake, match="panels: .* is not allowed; a list of one or more"):
        findings.opening(data, [tuple(panel) for panel in panels])


@pytest.mark.parametrize("convention", ["success", ["success"], ["success", "both"]])
def test_what_is_no_convention_is_told(tmp_path, convention):
    table = truth_findings.read_locality([truths.locality(tmp_path / "local.csv")])
    with pytest.raises(Mistake, match="convention: .* is not allowed; a pair of failure or success"):
        truth_findings.floors_of(table, convention)


@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_without_its_table_names_the_command_that_makes_it(tmp_path, name, monkeypatch):
    monkeypatch.chdir(tmp_path)
    values: dict = {}
    parameters, *cells = (cell.source for cell in _read(FOLDER / f"{name}.ipynb").cells if cell.cell_type == "code")
    exec(parameters, values)
    values["design"] = str(FOLDER.parent / "config/multiverse.yaml")
    with pytest.raises(Mistake, match=r"no such file; `.venv/bin/(snakemake --cores 2|python benchmarks/growth)"):
        for cell in cells:
            exec(cell, values)
