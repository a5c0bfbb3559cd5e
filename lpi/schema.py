"""JSON schema of the config file, table of all settings and table of what is logged, generated from the code.

`python -m lpi.schema` brings workflow/schemas/config.schema.yaml, the table in config/README.md, the commented defaults
in config/config.yaml and the columns in the page of Algorithm 1 up to date; the tests fail where they are not.  The workflow itself checks a config with
`lpi.experiment.load`, in one line a mistake.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from lpi.config import LARGEST_SEED, READINGS, SETTINGS, allowed
from lpi.config_keys import FIGURES, GRID, KEYS, NAME
from lpi.config_values import Acting, Panels
from lpi.edge_list import FILE
from lpi.marks import with_block
from lpi.results import COLUMNS

SCHEMA = "workflow/schemas/config.schema.yaml"
README = "config/README.md"
CONFIG = "config/config.yaml"
PAGE = "docs/algorithms/1-localized-policy-iteration.md"
COMMAND = "python -m lpi.schema"
"""What the marks around a table name (`lpi.marks`)."""


def config_schema() -> dict[str, Any]:
    """Description, type, range and default of every key, at every level; unknown keys are refused."""
    keys = _keys()
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Configuration of the workflow",
        "description": "Made by `python -m lpi.schema` from lpi/config.py and lpi/config_keys.py; edit those.",
        **_object(
            {name: _described(key.description, key.allowed, key.default, keys[name]) for name, key in KEYS.items()}
        ),
        "$defs": {"settings": _object({key: setting_schema(key) for key in SETTINGS if key not in GRID}, "null")},
    }


def setting_schema(key: str) -> dict[str, Any]:
    """Schema of one setting."""
    limits = SETTINGS[key].metadata
    bounds = {"low": "minimum", "high": "maximum", "above": "exclusiveMinimum"}
    kinds: list[dict[str, Any]] = [{"enum": list(limits["of"])}] if limits["of"] else []
    for kind in limits["kinds"]:
        if kind == "list":
            kinds.append(_list({"type": "integer", "minimum": 0}, unique=False))
        elif kind == "null":
            kinds.append({"type": "null"})
        elif kind == "python":
            kinds.append({"type": "string", "pattern": r"\.py$"})
        elif kind == "mapping":
            kinds.append({"type": "object", "additionalProperties": {"type": "number"}})
        elif kind == "file":
            kinds.append({"type": "string", "pattern": f"^{FILE.pattern}$"})
        else:
            words = {word: limits[name] for name, word in bounds.items() if limits[name] is not None}
            kinds.append({"type": kind, **words})
    kind = kinds[0] if len(kinds) == 1 else {"anyOf": kinds}
    return _described(f"{limits['description']} Source: {limits['source']}.", allowed(key), SETTINGS[key].default, kind)


def settings_table() -> str:
    """Markdown table of all settings: their values in the shipped readings, what is allowed, meaning and source."""
    lines = [["setting", *READINGS, "allowed", "meaning", "where the paper says so"]]
    lines.append(["---"] * len(lines[0]))
    for key, setting in SETTINGS.items():
        grid = f"see `{GRID[key]}`" if key in GRID else None
        values = [grid or f"`{json.dumps(values.get(key, setting.default))}`" for values in READINGS.values()]
        meaning, source = setting.metadata["description"], setting.metadata["source"]
        lines.append([f"`{key}`", *(value.replace('"', "") for value in values), allowed(key), meaning, source])
    return "".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |\n" for line in lines)


def schema_text() -> str:
    """What the schema file holds."""
    import yaml

    copied = json.loads(json.dumps(config_schema()))  # shared parts would become anchors
    return yaml.safe_dump(copied, sort_keys=False, width=120, default_flow_style=None)


def readme_text(present: str) -> str:
    """config/README.md with the table of settings in its place; MarksError where it has none."""
    return with_block(README, present, "table", COMMAND, settings_table())


def columns_table() -> str:
    """Markdown table of the columns of a run's CSV: `lpi.results.COLUMNS`."""
    kinds = {"str": "text", "int": "integer", "float": "number"}
    lines = [("column", "values", "meaning, unit"), ("---",) * 3]
    for name, column in COLUMNS.items():
        values = " or ".join(f"`{word}`" for word in column.of) or kinds[column.kind]
        lines.append((f"`{name}`", values, column.description.replace("|", "\\|")))
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def page_text(present: str) -> str:
    """The page of Algorithm 1 with the table of columns in its place; MarksError where it has none."""
    return with_block(PAGE, present, "columns", COMMAND, columns_table())


def config_text(present: str) -> str:
    """config/config.yaml with the defaults of lpi.config in the lines of the settings that are commented out."""
    for key, setting in SETTINGS.items():
        value = json.dumps(setting.default).replace('"', "")
        present = re.sub(rf"^  # {key}: .*$", f"  # {key}: {value}", present, flags=re.MULTILINE)
    return present


def _keys() -> dict[str, dict[str, Any]]:
    """Type of each key of the config file."""
    settings, folder = {"$ref": "#/$defs/settings"}, {"type": "string", "minLength": 1}
    name, values = (
        {"type": "string", "pattern": f"^{NAME.pattern}$"},
        {"kappas": "kappa", "agents": "agents", "taus": "tau"},
    )
    lists = {plural: _list(setting_schema(key)) for plural, key in values.items()}
    acting = {"agents": setting_schema("agents"), "tau": setting_schema("tau"), "p_eff": _list(setting_schema("p_eff"))}
    panels = _object({field: lists[field] for field in Panels._fields}, "null")
    return {
        "readings": _list(name),
        "custom_readings": {"type": ["object", "null"], "propertyNames": name, "additionalProperties": settings},
        "kappas": lists["kappas"],
        "seeds": _list({"type": "integer", "minimum": 0, "maximum": LARGEST_SEED}),
        "seeds_per_job": {"type": "integer", "minimum": 1, "maximum": LARGEST_SEED},
        "figures": _object({figure: {**panels, "required": list(Panels._fields)} for figure in FIGURES}),
        "locality": {**_object({field: lists[field] for field in Panels._fields}), "required": list(Panels._fields)},
        "acting": {**_object(acting), "required": list(Acting._fields)},
        "verify": {**_object({field: lists[field] for field in Panels._fields}), "required": list(Panels._fields)},
        "settings": settings,
        "multiverse": folder,
        "results_folder": folder,
        "figures_folder": folder,
        "memory_limit_gb": {"type": "number", "exclusiveMinimum": 0},
    }


def _described(description: str, what: str, default: Any, kind: dict[str, Any]) -> dict[str, Any]:
    return {"description": f"{description} Allowed: {what}.", "default": default, **kind}


def _object(properties: dict[str, Any], *others: str) -> dict[str, Any]:
    return {
        "type": ["object", *others] if others else "object",
        "properties": properties,
        "additionalProperties": False,
    }


def _list(items: dict[str, Any], unique: bool = True) -> dict[str, Any]:
    return {"type": "array", "items": items, "minItems": 1, **({"uniqueItems": True} if unique else {})}


def main() -> None:
    """Bring the generated texts in the current folder up to date."""
    pages = {SCHEMA: schema_text()}
    for name, updated in ((README, readme_text), (CONFIG, config_text), (PAGE, page_text)):
        pages[name] = updated(Path(name).read_text(encoding="utf-8"))
    for name, text in pages.items():  # all are made before the first is written
        Path(name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
