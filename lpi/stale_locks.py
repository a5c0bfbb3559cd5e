"""Remove Snakemake's locks of a folder when the Snakemake that set them is no longer there.

Snakemake keeps two processes out of one folder by files that say nothing of who made them; after kill -9 or a power cut
they stay, and the next call is refused.  Each call therefore also holds a lock of the operating system on a file, which
ends with the process however that ends.  Whoever gets it alone knows that no other call is alive.
"""

from __future__ import annotations

import contextlib
import os
import socket
from pathlib import Path
from typing import BinaryIO

try:
    import fcntl
except ImportError:  # not POSIX: `snakemake --unlock` remains
    fcntl = None

ALIVE = "alive"
"""The file that calls hold; it lists the machines that have called, because not every network file system passes locks
on to other machines."""


def release(folder: str | os.PathLike) -> BinaryIO | None:
    """Remove the locks in Snakemake's folder (`.snakemake`) if no other call is alive there, and count as alive.

    Returns:
        What keeps this process counted until it is closed or the process ends; None where locks are not to be had.
    """
    if fcntl is None:
        return None
    folder = Path(folder)
    with contextlib.suppress(OSError):
        folder.mkdir(exist_ok=True)
        file = open(folder / ALIVE, "a+b")  # noqa: SIM115  (held as long as the process lives)
        try:
            _release(file, folder / "locks")
        except OSError:
            file.close()
            raise
        return file
    return None


def _release(file: BinaryIO, locks: Path) -> None:
    file.seek(0)
    machines = file.read().split(b"\n")[:-1]
    own = socket.gethostname().encode()
    if own not in machines:
        file.write(own + b"\n")
        file.flush()
    if machines == [own]:
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            for path in locks.glob("*.lock"):
                path.unlink()
    fcntl.flock(file, fcntl.LOCK_SH)
