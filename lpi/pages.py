"""How a notebook looks as one HTML page: without scripts, nothing loaded from elsewhere, readable on a phone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

NAVIGATION = '<nav aria-label="Pages and sections">'
"""Where a page's links begin."""
WAY_BACK = '<a href="../../index.html">All notebooks</a>'
"""From FIGURES/READING/notebooks to the page of `lpi.gallery`."""


def sections(cells: Sequence[Mapping[str, Any]]) -> list[tuple[str, str]]:
    """The headings of a notebook's text below its title, each with the id of the cell that it stands in."""
    return [
        (line.lstrip("# ").replace("`", "").strip(), cell["id"])
        for cell in cells
        if cell["cell_type"] == "markdown"
        for line in cell["source"].splitlines()
        if line.startswith(("## ", "### "))
    ]


def published(page: str) -> str:
    """The page with a link to the page that leads to all of them, which is there only where it was published."""
    return page.replace(NAVIGATION, f"{NAVIGATION}\n{WAY_BACK}", 1)


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
p, ul, ol, blockquote { max-width: 52rem; }
body { margin: 0 auto 2rem; max-width: 84rem; padding: 0 1rem; color: #222; background: #fff;
       font: 1rem/1.55 system-ui, "DejaVu Sans", sans-serif; }
nav { padding: 0.6rem 0; border-bottom: 1px solid #ddd; font-size: 0.85rem; }
nav a { display: inline-block; padding: 0.15rem 0; margin-right: 1.2rem; color: #0b5cad; text-decoration: none; }
nav a:hover, nav a:focus { text-decoration: underline; }
h1 { font-size: 1.6rem; line-height: 1.25; } h2 { font-size: 1.2rem; margin-top: 2rem; }
img { max-width: 100%; height: auto; }
blockquote { margin: 1rem 0; padding: 0.1rem 1rem; border-left: 4px solid #bbb; color: #444; }
table { border-collapse: collapse; display: block; font-size: 0.8rem; }
table, .output_png, .highlight { overflow-x: auto; }
/* A shade at the edge behind which there is more; it is covered where there is none. */
table {
  background: linear-gradient(to right, #fff 40%, transparent) 0 0 / 2.5rem 100% no-repeat local,
              linear-gradient(to left, #fff 40%, transparent) 100% 0 / 2.5rem 100% no-repeat local,
              linear-gradient(to right, #0003, transparent) 0 0 / 0.8rem 100% no-repeat scroll,
              linear-gradient(to left, #0003, transparent) 100% 0 / 0.8rem 100% no-repeat scroll; }
th, td { padding: 0.25rem 0.5rem; border-bottom: 1px solid #ddd; text-align: left; vertical-align: bottom; }
td { white-space: nowrap; }
thead th { border-bottom: 1.5px solid #444; }
code, pre { font-family: ui-monospace, "DejaVu Sans Mono", monospace; font-size: 0.85rem; }
p code, li code { overflow-wrap: anywhere; }
.highlight { background: #f6f6f6; padding: 0.4rem 0.8rem; } .highlight pre { margin: 0; }
details { margin: 0.4rem 0; } summary { color: #666; cursor: pointer; font-size: 0.8rem; }
@media (max-width: 50rem) {
  .output_png img { max-width: 44rem; } summary { padding: 0.3rem 0; }
  td:first-child:not([style]) { white-space: normal; min-width: 8rem; }
}
{{ resources.lpi.colors }}
</style>
</head>
<body>
@NAVIGATION@
{%- for heading, cell in resources.lpi.sections %}
<a href="#cell-id={{ cell }}">{{ heading | escape }}</a>
{%- endfor %}
</nav>
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
""".replace("@NAVIGATION@", NAVIGATION)
