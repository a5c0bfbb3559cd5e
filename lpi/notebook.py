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
from pygments.formatters import HtmlFormatter

from lpi.results import atomic_write

RETRIES = 2
LONGEST_SOCKET = 100
"""Bytes that the operating system allows for the path of a socket, with a margin."""


class NotebookError(ValueError):
    """A notebook that cannot be run or that stopped; one line that names it and says why."""


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
        extra_loaders=[DictLoader({"lpi.html.j2": PAGE})],
        embed_images=True,
        exclude_anchor_links=True,
        exclude_input_prompt=True,
        exclude_output_prompt=True,
    )
    title = next((c.source.splitlines()[0].lstrip("# ") for c in notebook.cells if c.cell_type == "markdown"), "")
    colors = HtmlFormatter(style="default").get_style_defs(".highlight")
    shown = "injected-parameters" if any("injected-parameters" in _tags(c) for c in notebook.cells) else "parameters"
    resources = {"lpi": {"title": title, "colors": colors, "shown": shown}}
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
    source.metadata["kernelspec"] = {"display_name": "Python 3", "language": "python", "name": "python3"}
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
                    kernel_name="python3",
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


PAGE = """\
{%- extends 'basic/index.html.j2' -%}

{%- block header -%}
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{ resources.lpi.title | escape }}</title>
<style>
p, ul, blockquote { max-width: 52rem; }
body { margin: 2rem auto; max-width: 68rem; padding: 0 1rem; color: #222; background: #fff;
       font: 1rem/1.55 system-ui, "DejaVu Sans", sans-serif; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.2rem; margin-top: 2rem; }
img { max-width: 100%; height: auto; }
blockquote { margin: 1rem 0; padding: 0.1rem 1rem; border-left: 4px solid #bbb; color: #444; }
table { border-collapse: collapse; display: block; overflow-x: auto; font-size: 0.8rem; }
th, td { padding: 0.25rem 0.5rem; border-bottom: 1px solid #ddd; text-align: left; vertical-align: bottom; }
td { white-space: nowrap; }
thead th { border-bottom: 1.5px solid #444; }
code, pre { font-family: ui-monospace, "DejaVu Sans Mono", monospace; font-size: 0.85rem; }
.highlight { background: #f6f6f6; padding: 0.4rem 0.8rem; overflow-x: auto; } .highlight pre { margin: 0; }
details { margin: 0.4rem 0; } summary { color: #777; cursor: pointer; font-size: 0.8rem; }
{{ resources.lpi.colors }}
</style>
</head>
<body>
<main>
{%- endblock header -%}

{% block input %}
<details{% if resources.lpi.shown in cell.metadata.get('tags', []) %} open{% endif %}>
<summary>{% if 'parameters' in cell.metadata.get('tags', []) %}Default parameters
{%- elif 'injected-parameters' in cell.metadata.get('tags', []) %}Parameters of this page{% else %}Code{% endif %}</summary>
{{ super() }}
</details>
{%- endblock input %}

{%- block footer %}
</main>
</body>
</html>
{%- endblock footer -%}
"""
