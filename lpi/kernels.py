"""numba's `njit`, whose cache of compiled kernels notices damage and compiles anew.

numba writes a file of its cache under another name and renames it, but a power cut can leave one empty or with a hole, and
numba then fails while it unpickles it, in each later process (numba issue 10434); a byte that has changed within the machine
code would even be run.  Here each file ends with a checksum, and one that does not fit it counts as missing.

Two processes that compile a kernel for different types at once both call their file number 1, and the index may name the
other one's.  The file therefore says which types it is for, and one for others counts as missing too.

The caches of kernels that are not made here are left alone.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import pickle
import shutil
import stat
import tempfile
import zlib
from collections.abc import Callable
from pathlib import Path

import numba
from numba.core.caching import (
    CompileResultCacheImpl,
    FunctionCache,
    IndexDataCacheFile,
    UserProvidedCacheLocator,
)

_SIZE = 4  # bytes of a checksum
_UNUSED = 30 * 86_400  # seconds after which kernels of another state of the package are removed


@functools.cache
def folder() -> Path:
    """For compiled kernels: `NUMBA_CACHE_DIR`, or a folder of its own for each state of the package's source files.

    The first that can be written of: the one chosen, one within the package, among the user's caches, and among the
    system's temporary files.  numba looks at the file of a kernel, not at the files of the functions that are compiled into it, and would go on
    using what was compiled from an older one.
    """
    package = Path(__file__).parent
    sources = b"".join(path.read_bytes() for path in sorted(package.rglob("*.py")))
    name = f"kernels-{hashlib.sha256(sources).hexdigest()[:16]}"
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser())
    chosen = os.environ.get("NUMBA_CACHE_DIR")
    for path in (*([Path(chosen)] if chosen else []), package / "__pycache__" / name, home / "lpi" / name):
        try:
            new = not path.exists()
            path.mkdir(parents=True, exist_ok=True)
        except OSError:
            continue
        if os.access(path, os.W_OK):
            if path.name == name:
                _note_use(path, new)
            return path
    return _temporary(name)


def _note_use(path: Path, new: bool) -> None:
    """Set the time of a folder to now; beside a new one, remove those that nobody has used for long.

    Nothing here stops a run, nor does a removal stop a process that was using the folder: it compiles anew.  Times are the
    file system's, and a folder from the future, as after a clock that was set back, is not old.
    """
    with contextlib.suppress(OSError):
        os.utime(path)
        oldest = path.stat().st_mtime - _UNUSED
        for other in path.parent.glob(f"kernels-{'[0-9a-f]' * 16}") if new else ():
            if other.lstat().st_mtime < oldest:
                shutil.rmtree(other, ignore_errors=True)


def _temporary(name: str) -> Path:
    """A folder that the processes of this user share, and that no other could have made: its files will be unpickled."""
    own = Path(tempfile.gettempdir()) / f"lpi-{os.getuid()}"
    with contextlib.suppress(FileExistsError):
        own.mkdir(mode=0o700)
    found = own.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or stat.S_IMODE(found.st_mode) & 0o022:
        return Path(tempfile.mkdtemp(prefix="lpi-"))
    (own / name).mkdir(exist_ok=True)
    return own / name


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
        with contextlib.suppress(FileNotFoundError):  # the folder was removed a moment ago: not kept
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


class _OwnFolder(UserProvidedCacheLocator):
    def __init__(self, python_function: Callable, path: str):
        super().__init__(python_function, path)
        self._cache_path = str(folder() / self.get_suitable_cache_subpath(path))

    @classmethod
    def from_function(cls, python_function: Callable, path: str):
        return cls(python_function, path)  # also where numba.config names no folder


class _OwnImpl(CompileResultCacheImpl):
    _locator_classes = [_OwnFolder]  # noqa: RUF012 - as numba has it


class _CheckedCache(FunctionCache):
    _impl_class = _OwnImpl

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
