"""Executed notebooks whose tables are committed: their cells, run here, say and draw what is published."""

from __future__ import annotations

import ast
import base64
from pathlib import Path

import IPython.display
import nbformat
import pytest
from IPython.display import Image, Markdown

ROOT = Path(__file__).resolve().parents[1]
MULTIVERSE = {name: f"figures/multiverse/{name}.csv" for name in ("verdicts", "effects")}
PUBLISHED = {
    "multiverse": MULTIVERSE | {"design": "config/multiverse.yaml", "best": "figures/multiverse/best_match.json"},
    "scaling": {"table": "benchmarks/growth.csv"},
    "sensitivity": {"tables": "figures/studies"},
    "theory": {"table": "figures/theory/theory.csv"},
}
"""Notebook -> its parameters, with committed tables."""


def shown(cells, parameters: dict, monkeypatch) -> list:
    """What the code cells display, in order."""
    found: list = []
    monkeypatch.setattr(IPython.display, "display", found.append)
    names: dict = {}
    for cell in cells:
        if "injected-parameters" in cell.metadata.get("tags", []):
            names |= parameters
            continue
        if cell.cell_type != "code":
            continue
        code = ast.parse(cell.source)
        last = code.body.pop() if code.body and isinstance(code.body[-1], ast.Expr) else None
        exec(compile(code, "cell", "exec"), names)
        if last is not None:
            found.append(eval(compile(ast.Expression(last.value), "cell", "eval"), names))
    return [one for one in found if one is not None]


@pytest.mark.parametrize("name", PUBLISHED)
def test_cells_say_and_draw_what_is_published(name, monkeypatch, tmp_path):
    monkeypatch.chdir(ROOT)
    (path,) = Path("figures").glob(f"*/notebooks/{name}.ipynb")
    book = nbformat.read(path, as_version=4)
    outputs = [output.data for cell in book.cells if cell.cell_type == "code" for output in cell.outputs]
    said = [data["text/markdown"] for data in outputs if "text/markdown" in data]
    drawn = [base64.b64decode(data["image/png"]) for data in outputs if "image/png" in data]
    assert len(said) + len(drawn) > 2
    found = shown(book.cells, PUBLISHED[name] | {"output": str(tmp_path / name)}, monkeypatch)
    assert [one.data for one in found if isinstance(one, Markdown)] == said
    pictures = [one.data for one in found if isinstance(one, Image)]
    assert pictures == drawn
    files = sorted(tmp_path.rglob("*.p[dn][fg]"))
    assert len(files) == 2 * len(drawn)
    for file in files:
        assert file.read_bytes() == (path.parents[1] / file.name).read_bytes()
