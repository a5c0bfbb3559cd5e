"""Why nothing can be written: a job that fails on a full disk may leave its log empty for the same reason."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from pathlib import Path

ROOM = 1_000_000
"""Bytes below which a disk counts as full: many jobs write more."""


def unwritable(folders: Iterable[str | os.PathLike]) -> list[str]:
    """A line for each folder that cannot be written; of folders that are not there yet, for the parent that is."""
    present = dict.fromkeys(map(_present, folders))
    return [f"{folder}: cannot be written" for folder in present if not os.access(folder, os.W_OK | os.X_OK)]


def trouble(folders: Iterable[str | os.PathLike]) -> list[str]:
    """A line for each folder, or its nearest parent that exists, that is on a full disk or cannot be written."""
    found = []
    for folder in folders:
        free = shutil.disk_usage(_present(folder)).free
        found += [f"{folder}: the disk is full, {free // 1000} kB are free"] if free < ROOM else unwritable([folder])
    return found


def _present(folder: str | os.PathLike) -> Path:
    """A folder, or its nearest parent that exists."""
    return next(path for path in (Path(folder), *Path(folder).parents) if path.exists())
