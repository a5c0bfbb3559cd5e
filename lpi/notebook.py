"""Run a parameterised notebook with papermill and render it as one HTML file that loads nothing from outside.

The kernel is this very interpreter, whether or not its environment is activated, with this process's import path and
without the user's own kernels, IPython start-up files or history.  It talks over sockets in a private folder, because
free ports found on a busy machine may be taken when the kernel opens them.
"""

from __future__ import annotations

import copy
import json
import os
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import nbformat
import papermill
from jinja2 import DictLoader
from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from nbclient.exceptions import DeadKernelError
from nbconvert import HTMLExporter
from papermill.exceptions import PapermillExecutionError
from papermill.translators import PythonTranslator, papermill_translators
from pygments.formatters import HtmlFormatter

from lpi import pages
from lpi.results import atomic_write

KERNEL = "python3"
RETRIES = 2
LONGEST_SOCKET = 100
"""Bytes that the operating system allows for the path of a socket, with a margin."""


WIDTH = 88
"""Characters of a line of parameters."""


class NotebookError(ValueError):
    """A notebook that cannot be run or that stopped; one line that names it and says why."""


class Parameters(PythonTranslator):
    """Parameters as Python, laid out here: papermill's own layout depends on whether `black` is installed."""

    @classmethod
    def codify(cls, parameters: Mapping[str, Any], comment: str = "Parameters") -> str:
        """The cell of parameters: a comment, and an assignment for each."""
        assignments = (f"{name} = {cls._laid_out(value, f'{name} = ')}" for name, value in parameters.items())
        return "".join(f"{line}\n" for line in (cls.comment(comment), *assignments))

    @classmethod
    def _laid_out(cls, value: Any, before: str, after: str = "") -> str:
        """A value as Python; where it is too long for the line that it stands on, with a line for each element."""
        line = cls.translate(value)
        if len(before + line + after) <= WIDTH or not value or not isinstance(value, list | dict):
            return line
        indent = " " * (len(before) - len(before.lstrip()) + 4)
        if isinstance(value, list):
            brackets, elements = "[]", [("", element) for element in value]
        else:
            brackets, elements = "{}", [(f"{cls.translate_str(key)}: ", element) for key, element in value.items()]
        lines = (f"{indent}{key}{cls._laid_out(element, indent + key, ',')},\n" for key, element in elements)
        return f"{brackets[0]}\n{''.join(lines)}{indent[4:]}{brackets[1]}"


papermill_translators.register(KERNEL, Parameters)


def execute(
    notebook: str | os.PathLike, parameters: Mapping[str, Any], output: str | os.PathLike, html: str | os.PathLike
) -> None:
    """Run a notebook and write the executed notebook and its HTML page; neither, if anything fails.

    Relative paths in the parameters are taken from the current folder.  Times, durations and paths are removed, so
    that the same notebook, parameters and data give the same bytes.

    Raises:
        NotebookError: no such notebook, no cell or more than one cell tagged `parameters`, a parameter that this cell
            does not set, an error in a cell (with the error's own message), or a kernel that does not start.
    """
    source = _read(notebook)
    _check_parameters(source, parameters, notebook)
    executed = _strip(_run(source, dict(parameters), notebook))
    page = to_html(executed)
    atomic_write(output, nbformat.writes(executed) + "\n")
    atomic_write(html, page)


def read_parameters(path: str | os.PathLike) -> dict[str, Any]:
    """The parameters in a JSON file: an object of names and values."""
    try:
        values = json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise NotebookError(f"{path}: cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise NotebookError(f"{path}: not a JSON file: {error}") from error
    if not isinstance(values, dict):
        raise NotebookError(f"{path}: {values!r} is not allowed; a JSON object of parameter names and values")
    return values


def to_html(notebook: nbformat.NotebookNode) -> str:
    """The notebook as one HTML page without scripts: text and outputs open, code folded, parameters visible."""
    exporter = HTMLExporter(
        template_name="basic",
        template_file="lpi.html.j2",
        extra_loaders=[DictLoader({"lpi.html.j2": pages.PAGE})],
        embed_images=True,
        exclude_anchor_links=True,
        exclude_input_prompt=True,
        exclude_output_prompt=True,
    )
    title = next((c.source.splitlines()[0].lstrip("# ") for c in notebook.cells if c.cell_type == "markdown"), "")
    colors = HtmlFormatter(style="default").get_style_defs(".highlight")
    shown = "injected-parameters" if any("injected-parameters" in _tags(c) for c in notebook.cells) else "parameters"
    resources = {"lpi": {"title": title, "colors": colors, "shown": shown, "sections": pages.sections(notebook.cells)}}
    page, _ = exporter.from_notebook_node(notebook, resources)
    return page


def _read(path: str | os.PathLike) -> nbformat.NotebookNode:
    try:
        source = nbformat.read(path, as_version=4)
    except OSError as error:
        raise NotebookError(f"{path}: cannot be read: {error.strerror}") from error
    except (ValueError, nbformat.ValidationError) as error:
        raise NotebookError(f"{path}: not a notebook: {_first_line(error)}") from error
    # Papermill reads the language from here; a notebook saved for another kernel would run in this one all the same.
    source.metadata["kernelspec"] = {"display_name": "Python 3", "language": "python", "name": KERNEL}
    return source


def _check_parameters(source: nbformat.NotebookNode, parameters: Mapping[str, Any], path: str | os.PathLike) -> None:
    """Papermill only warns of an unknown parameter, and runs with the default."""
    tagged = sum("parameters" in _tags(cell) for cell in source.cells)
    if tagged != 1:
        raise NotebookError(f"{path}: {tagged} cells tagged 'parameters' are not allowed; exactly one")
    known = papermill.inspect_notebook(copy.deepcopy(source))
    for name in parameters:
        if name not in known:
            raise NotebookError(f"{path}: parameter {name}: no such parameter; one of {', '.join(known)}")


def _run(source: nbformat.NotebookNode, parameters: dict[str, Any], path: str | os.PathLike) -> nbformat.NotebookNode:
    for attempt in range(RETRIES + 1):
        try:
            with tempfile.TemporaryDirectory(prefix="lpi-") as folder:
                return papermill.execute_notebook(
                    copy.deepcopy(source),
                    None,
                    parameters,
                    kernel_name=KERNEL,
                    language="python",
                    progress_bar=False,
                    kernel_manager_class=_kernel_in(folder),
                    # A graceful end interrupts the kernel, which then reports that on standard error.
                    shutdown_kernel="immediate",
                )
        except PapermillExecutionError as error:
            raise NotebookError(f"{path}: {error.ename}: {_first_line(error.evalue)}") from error
        except DeadKernelError as error:
            raise NotebookError(f"{path}: the kernel died while a cell was running (out of memory?)") from error
        except (RuntimeError, OSError) as error:
            if attempt == RETRIES:
                raise NotebookError(
                    f"{path}: the kernel did not start in {RETRIES + 1} attempts: {_first_line(error)}"
                ) from error
    raise AssertionError("unreachable")


def _kernel_in(folder: str) -> type[AsyncKernelManager]:
    """A kernel manager that starts this interpreter and keeps all of its files in a folder."""
    command = [sys.executable, "-Xfrozen_modules=off", "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    # The kernel must import the modules that this process imports, installed or not.
    paths = os.pathsep.join(os.path.abspath(entry) for entry in sys.path)
    environment = {"PYTHONPATH": paths, "IPYTHONDIR": folder, "JUPYTER_RUNTIME_DIR": folder}

    class ThisInterpreter(KernelSpecManager):
        def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
            return KernelSpec(argv=command, env=environment, display_name="Python 3", language="python")

    class Kernel(AsyncKernelManager):
        def __init__(self, **options):
            super().__init__(**options)
            self.kernel_spec_manager = ThisInterpreter()
            self.connection_file = os.path.join(folder, "kernel.json")
            if os.name == "posix" and len(os.fsencode(self.connection_file)) < LONGEST_SOCKET:
                self.transport = "ipc"
                self.ip = os.path.join(folder, "kernel")

    return Kernel


def _strip(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """Remove what differs between two runs of the same notebook."""
    notebook.metadata.pop("papermill", None)
    for cell in notebook.cells:
        tags = _tags(cell)
        cell.metadata = nbformat.from_dict({"tags": tags} if tags else {})
        if "injected-parameters" in tags:
            cell.id = "injected-parameters"
    return notebook


def _tags(cell: nbformat.NotebookNode) -> list[str]:
    return cell.metadata.get("tags", [])


def _first_line(error: object) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
