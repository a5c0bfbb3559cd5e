"""numba's `njit`, whose cache of compiled kernels notices damage and compiles anew.

numba writes a file of its cache under another name and renames it, but a power cut can leave one empty or with a hole, and
numba then fails while it unpickles it, in each later process (numba issue 10434); a byte that has changed within the machine
code would even be run.  Here each file ends with a checksum, and one that does not fit it counts as missing.

Two processes that compile a kernel for different types at once both call their file number 1, and the index may name the
other one's.  The file therefore says which types it is for, and one for others counts as missing too.
"""

from __future__ import annotations

import pickle
import zlib
from collections.abc import Callable

import numba
from numba.core.caching import FunctionCache, IndexDataCacheFile

_SIZE = 4  # bytes of a checksum


def njit(*, cache: bool = False, **options) -> Callable[[Callable], Callable]:
    """`numba.njit` with options; `cache=True` keeps what it compiles in checked files."""

    def compiled(python_function: Callable):
        kernel = numba.njit(**options)(python_function)
        if cache:
            kernel._cache = _CheckedCache(python_function)
        return kernel

    return compiled


class _CheckedFiles(IndexDataCacheFile):
    """The files of one kernel: an index, and machine code for each signature."""

    def save(self, key, data) -> None:
        super().save(key, (key, data))

    def load(self, key):
        found = super().load(key)
        return found[1] if found is not None and found[0] == key else None

    def _dump(self, obj) -> bytes:
        content = super()._dump(obj)
        return content + _checksum(content)  # pickle does not read on behind its end

    def _load_index(self) -> dict:
        version = pickle.dumps(self._version, protocol=-1)
        return super()._load_index() if _whole(self._index_path, version) else {}

    def _load_data(self, name: str):
        path = self._data_path(name)
        if not _whole(path):
            raise FileNotFoundError(path)
        return super()._load_data(name)


class _CheckedCache(FunctionCache):
    def __init__(self, python_function: Callable):
        super().__init__(python_function)
        stamp = self._impl.locator.get_source_stamp()
        self._cache_file = _CheckedFiles(self._cache_path, self._impl.filename_base, stamp)


def _checksum(content: bytes) -> bytes:
    return zlib.crc32(content).to_bytes(_SIZE, "big")


def _whole(path: str, head: bytes = b"") -> bool:
    """Whether a file begins with `head` and the rest ends with its own checksum."""
    try:
        with open(path, "rb") as file:
            content = file.read()
    except FileNotFoundError:
        return False
    end = len(content) - _SIZE
    return end > len(head) and content.startswith(head) and content[end:] == _checksum(content[len(head) : end])
