"""The site: `.venv/bin/python -m sphinx -W docs docs/_build`; nothing in it is fetched from elsewhere."""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
ABSENT = "not-in-the-site"
_package = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]

project, release = _package["name"], _package["version"]
author = "The lpi maintainers"
project_copyright = f"2026 {author}"
extensions = [
    "myst_parser",
    "sphinx.ext.apidoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
]
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = "lpi"
html_show_sphinx = False
html_copy_source = False
default_role = "literal"  # docstrings write code between single backticks
smartquotes = False
highlight_language = "none"

myst_heading_anchors = 4
myst_ref_domains = ["std"]
myst_enable_extensions = ["attrs_inline"]

apidoc_modules = [
    {"path": "../lpi", "destination": "api", "separate_modules": True, "include_private": False, "module_first": True}
]
autodoc_default_options = {
    "members": True,
    "member-order": "bysource",
    "undoc-members": True,
    "show-inheritance": False,
}
autodoc_typehints = "signature"
napoleon_numpy_docstring = False


SECTION = re.compile(r"(Args|Returns|Raises|Yields):$")
"""Where a docstring's indentation is that of a list, and not of a formula."""
OUTSIDE = re.compile(r"\]\((\.\./[^)#]*?)(#[^)]*)?\)")
"""A link to something above docs/."""
ANCHORED = re.compile(r"\]\(([\w./-]+\.md)#([\w-]+)\)")
ANCHOR = re.compile(r'^<a id="([\w-]+)"></a>$', flags=re.MULTILINE)


def escape_markup(app, what, name, obj, options, lines):
    """Docstrings are plain text with code between backticks and formulas that are indented."""
    if lines and lines[0].startswith("Alias for field number"):
        lines.clear()
    text, section, formula = [], False, False
    for line in lines:
        indented = line.startswith("    ")
        if line and not indented:
            text += [""] if formula and text[-1] else []
            section, formula = bool(SECTION.match(line)), False
        if indented and not section and not formula:
            text += [*([""] if text and text[-1] else []), "::", ""]
            formula = True
        text.append(line if formula else escaped(line))
    lines[:] = text


def escaped(line):
    """Bars, asterisks and closing underscores outside code are meant as they stand."""
    parts = re.split(r"(``.*?``|`[^`]*`)", line)
    for place in range(0, len(parts), 2):
        bullet = re.match(r"\s*\* ", parts[place]) if place == 0 else None
        lead = bullet[0] if bullet else ""
        parts[place] = lead + re.sub(r"([*|])|(?<=\w)(_)(?!\w)", r"\\\g<0>", parts[place][len(lead) :])
    return "".join(parts)


def link_outside(app, docname, source):
    """Files above docs/ are copied beside the site; the guide to the configuration is a page of it."""
    folder = (ROOT / "docs" / docname).parent

    def link(match):
        target, anchor = match[1], match[2] or ""
        path = (folder / target).resolve()
        if path == ROOT / "config/README.md":
            return f"](/configuration.md{anchor})"
        if path.suffix in (".png", ".svg") or ROOT / "docs" in path.parents:
            return match[0]
        return f"](path:{target})" if path.is_file() else f"](#{ABSENT})"

    text = OUTSIDE.sub(link, source[0])
    text = re.sub(rf"\[([^\]]*)\]\(#{ABSENT}\)", r"\1", text)
    text = ANCHORED.sub(lambda match: f"](#{match[2]})" if match[2] in anchors(folder / match[1]) else match[0], text)
    source[0] = ANCHOR.sub(r"(\1)=", text)


def anchors(path):
    """What a page names by `<a id="...">`, which Sphinx knows as labels of the whole site."""
    return set(ANCHOR.findall(path.read_text(encoding="utf-8"))) if path.is_file() else set()


def setup(app):
    """The first before napoleon reads the sections of a docstring."""
    app.connect("autodoc-process-docstring", escape_markup, priority=100)
    app.connect("source-read", link_outside)
