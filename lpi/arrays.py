"""Arrays in .npz files from outside: what they are is read before what they hold, and nothing in them is executed.

An archive of some kilobytes can unfold to any size, so that no array is read before its shape has been judged.
"""

from __future__ import annotations

import math
import os
import zipfile
from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np

LARGEST_HEADER = 10_000
"""Bytes of an array's own description."""


class Header(NamedTuple):
    """Shape and type of an array in a file."""

    shape: tuple[int, ...]
    dtype: np.dtype


def check_file(path: str | os.PathLike) -> None:
    """A file proper, as a pipe may never end and a folder holds nothing; OSError if not."""
    if not os.path.isfile(path):
        os.stat(path)  # raises where there is nothing
        raise OSError(0, "not a file", os.fspath(path))


def read(
    path: str | os.PathLike, judge: Callable[[Mapping[str, Header], Callable[[str], np.ndarray]], None]
) -> dict[str, np.ndarray]:
    """The arrays of an .npz file by name.

    Args:
        path: of the file.
        judge: is given the headers of all arrays, and a function that reads one of them; raises what is to be raised.

    Raises:
        Exception: a damaged archive fails in many ways, not all of them documented.
    """
    with zipfile.ZipFile(path) as archive:
        members = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}

        def array(name: str) -> np.ndarray:
            with archive.open(members[name]) as file:
                return np.lib.format.read_array(file, allow_pickle=False, max_header_size=LARGEST_HEADER)

        headers = {name: _header(archive, info) for name, info in members.items()}
        judge(headers, array)
        return {name: array(name) for name in members}


def _header(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Header:
    with archive.open(info) as file:
        version = np.lib.format.read_magic(file)
        reader = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}.get(version)
        if reader is None:
            raise ValueError(f"{info.filename} has another version of the format, {version}")
        shape, _, dtype = reader(file, max_header_size=LARGEST_HEADER)
    if dtype.hasobject:
        raise ValueError(f"{info.filename} holds objects")
    if math.prod(shape) * dtype.itemsize > info.file_size:
        raise ValueError(f"{info.filename} says that it holds more than it does")
    return Header(shape, dtype)
