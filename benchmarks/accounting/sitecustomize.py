"""Where a process of the workflow spends its CPU time; the interpreter loads this file when job.py puts it on its path.

Each process writes one JSON file: its arguments, CPU seconds by part, those of its children, peak memory.  The parts
exclude each other: what an evaluation imports is counted under imports.  It writes at its end, and after long imports,
because the kernels of notebooks are killed.
"""

import _thread
import atexit
import builtins
import json
import os
import resource
import sys
import time

FILE = f"{os.environ['LPI_ACCOUNTS']}/{os.getpid()}-{time.time_ns()}.json"
LONG = 0.02  # s
spent = {"start": time.process_time()}
parts, since, main = ["rest"], [time.process_time()], _thread.get_ident()
hooked, written = set(), [0.0]


def turn():
    """What passed since the last turn belongs to the part that is going on."""
    now = time.process_time()
    spent[parts[-1]] = spent.get(parts[-1], 0.0) + now - since[0]
    since[0] = now


def within(part, function):
    """The function, whose time belongs to this part."""

    def counted(*arguments, **named):
        if parts[-1] == part or _thread.get_ident() != main:
            return function(*arguments, **named)
        turn()
        parts.append(part)
        try:
            return function(*arguments, **named)
        finally:
            turn()
            parts.pop()
            if part == "imports":
                hook()
                if spent[part] - written[0] > LONG:
                    note()

    return counted


def hook():
    """Count what is asked of modules that have just been imported."""
    algorithm, dispatcher = sys.modules.get("lpi.algorithm"), sys.modules.get("numba.core.dispatcher")
    if hasattr(algorithm, "_measure") and "algorithm" not in hooked:
        hooked.add("algorithm")
        make = algorithm._measure
        algorithm._measure = within("evaluation", lambda *arguments: within("evaluation", make(*arguments)))
    if hasattr(dispatcher, "Dispatcher") and "numba" not in hooked:
        hooked.add("numba")
        dispatcher.Dispatcher._compile_for_args = loaded(dispatcher.Dispatcher._compile_for_args)


def loaded(original):
    """numba's method that gets a kernel for types of arguments: from its cache, or compiled."""
    load = within("kernels", original)

    def counted(kernel, *arguments, **named):
        before, misses = spent.get("kernels", 0.0), sum(kernel.stats.cache_misses.values())
        try:
            return load(kernel, *arguments, **named)
        finally:
            if sum(kernel.stats.cache_misses.values()) > misses:
                seconds = spent["kernels"] - before
                spent["kernels"] -= seconds
                spent["compiled"] = spent.get("compiled", 0.0) + seconds

    return counted


def note():
    turn()
    written[0] = spent.get("imports", 0.0)
    others = resource.getrusage(resource.RUSAGE_CHILDREN)
    with open("/proc/self/status", encoding="ascii") as file:  # the peak in getrusage begins with the parent's
        peak = next(int(line.split()[1]) * 1024 for line in file if line.startswith("VmHWM"))
    account = {
        "arguments": sys.argv, "spent": spent, "children": others.ru_utime + others.ru_stime, "peak": peak,
    }  # fmt: skip
    with open(FILE, "w", encoding="utf-8") as file:
        json.dump(account, file)


builtins.__import__ = within("imports", builtins.__import__)
atexit.register(note)
