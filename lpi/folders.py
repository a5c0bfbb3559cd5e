"""Why nothing can be written: a job that fails on a full disk may leave its log empty for the same reason."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from pathlib import Path

ROOM = 1_000_000
"""Bytes below which a disk counts as full: many jobs write more."""


def trouble(folders: Iterable[str | os.PathLike]) -> list[str]:
    """A line for each folder, or its nearest parent that exists, that is on a full disk or cannot be written."""
    found = []
    for folder in map(Path, folders):
        present = next(path for path in (folder, *folder.absolute().parents) if path.exists())
        free = shutil.disk_usage(present).free
        if free < ROOM:
            found.append(f"{folder}: the disk is full, {free // 1000} kB are free")
        elif not os.access(present, os.W_OK | os.X_OK):
            found.append(f"{folder}: cannot be written")
    return found
