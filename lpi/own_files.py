"""What a Python file of a user's own defines: an environment, or a policy evaluation.

That file is executed, as any program that is called by its name: nothing else that a config names is.
"""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import TypeVar

from lpi.mistakes import ConfigError

FAULTS = (Exception, SystemExit)
"""Whatever a user's program may raise; an interruption is not its own."""
Defined = TypeVar("Defined")


def is_own(name: str) -> bool:
    """Whether a setting names a Python file, not what is shipped."""
    return name.endswith(".py")


def defined(key: str, path: str, name: str, kind: type[Defined]) -> Defined:
    """Execute a file; what it calls `name`, which is of that kind.

    Raises:
        ConfigError: one line that names the setting `key`, the file, and what is wrong with it.
    """
    try:
        exists = Path(path).is_file()
    except OSError as error:  # a name too long for any file
        raise ConfigError(f"{key}: {path!r} is not allowed, {error.strerror}; a Python file") from error
    if not exists:
        why = "it is not a file" if Path(path).exists() else "there is no such file"
        raise ConfigError(f"{key}: {path!r} is not allowed, {why}; a Python file")
    try:
        found = runpy.run_path(path).get(name)
    except FAULTS as error:
        raise ConfigError(f"{key}: {path!r} failed: {told(error)}") from error
    if not isinstance(found, kind):
        raise ConfigError(f"{key}: {path!r} defines no {name}; an {kind.__module__}.{kind.__name__}")
    return found


def told(error: BaseException) -> str:
    """Type and message of an error."""
    return f"{type(error).__name__}: {error}".removesuffix(": ")
