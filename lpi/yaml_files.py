"""YAML files from outside: read as they are meant, or refused in one line."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from lpi.mistakes import ConfigError, shown

LARGEST_FILE = 2**20
"""Bytes that such a file may have."""
MERGE = "<<"
"""YAML's key that puts another mapping into this one; such mappings in one another grow beyond any memory."""


def read_yaml(path: str | os.PathLike, key: str) -> Any:
    """The content of a YAML file in UTF-8, read without tags that make objects and without `MERGE`.

    Args:
        path: of the file.
        key: what named it, for the message where there is no such file.

    Raises:
        ConfigError: one line; no such file, another encoding, no YAML, or a key that a mapping holds twice, of which
            YAML readers take the last without a word.
    """
    return _read(path, key, construct=True)


def check_files(*paths: str | os.PathLike) -> None:
    """End the program with one line and exit status 2 where Snakemake would misread a config file or say nothing clear.

    Pipes are left to Snakemake: they cannot be read twice.
    """
    for path in paths:
        if Path(path).is_file():
            try:
                _read(path, "config", construct=False)
            except ConfigError as error:
                print(f"config: {error}", file=sys.stderr)
                sys.exit(2)


def _read(path: str | os.PathLike, key: str, construct: bool) -> Any:
    import yaml

    name = os.fspath(path)
    content = _content(path, key)
    try:
        loader = yaml.SafeLoader(content.decode("utf-8-sig"))
        node = loader.get_single_node()
        _check_keys(node, name, set(), construct)
        return loader.construct_document(node) if construct and node is not None else None
    except UnicodeDecodeError as error:
        raise ConfigError(f"{name}: not a YAML file: it is not text in UTF-8") from error
    except RecursionError as error:
        raise ConfigError(f"{name}: not a YAML file: brackets within brackets without end") from error
    except ConfigError:
        raise
    except (yaml.YAMLError, ValueError) as error:  # such as an integer of thousands of digits, or the day 2020-13-45
        raise ConfigError(f"{name}: not a YAML file: {' '.join(str(error).split())}") from error


def _content(path: str | os.PathLike, key: str) -> bytes:
    name = os.fspath(path)
    try:
        if Path(path).exists() and not Path(path).is_file():
            raise ConfigError(f"{key}: {name!r} is not allowed (not a file); a YAML file")
        with open(path, "rb") as file:
            content = file.read(LARGEST_FILE + 1)
    except OSError as error:
        raise ConfigError(f"{key}: {name!r} is not allowed ({error.strerror}); a YAML file") from error
    if len(content) > LARGEST_FILE:
        raise ConfigError(f"{name}: it is too large; at most {LARGEST_FILE} bytes")
    return content


def _check_keys(node: Any, name: str, seen: set[int], refuse_merge: bool) -> None:
    """No mapping below a node holds a key twice."""
    import yaml

    if id(node) in seen or not isinstance(node, yaml.CollectionNode):
        return
    seen.add(id(node))
    children = node.value
    if isinstance(node, yaml.MappingNode):
        keys: set[str] = set()
        for key in [key for key, _ in node.value if isinstance(key, yaml.ScalarNode)]:
            line = key.start_mark.line + 1
            if key.value in keys and key.value != MERGE:
                raise ConfigError(f"{name}: line {line}: {shown(key.value)} is there twice; each key once")
            if key.value == MERGE and refuse_merge:
                raise ConfigError(f"{name}: line {line}: {MERGE!r} is not allowed; the keys themselves")
            keys.add(key.value)
        children = [value for _, value in node.value]
    for child in children:
        _check_keys(child, name, seen, refuse_merge)
