"""How the suite is run: every fault as often as docs/faults.md says, or a few; all tests on several processes."""

import os

import pytest

PROCESSES = 4
"""At most; the workflows that tests run have two jobs at once themselves."""


def pytest_addoption(parser):
    parser.addoption("--faults", action="store_true", help="every fault of tests/faults, and write its table")


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config):
    """The whole suite runs on several processes (pytest-xdist), a module on one; tests that are named run on one."""
    # a worker comes by here too, and must not have workers of its own
    alone = config.getoption("--faults") or config.getoption("usepdb") or hasattr(config, "workerinput")
    if config.getoption("numprocesses", 0) is None and config.args_source is config.ArgsSource.TESTPATHS and not alone:
        config.option.numprocesses = min(PROCESSES, os.cpu_count() or 1)
        config.option.dist, config.option.loadscopereorder = "loadfile", False


def pytest_collection_modifyitems(config, items):
    # modules that run snakemake are the longest: none of them shall begin when the others have ended
    longest = {item.path for item in items if item.get_closest_marker("workflow")}
    items.sort(key=lambda item: item.path not in longest)
    if not config.getoption("--faults"):
        skip = pytest.mark.skip(reason="one of many repetitions: pytest tests/faults --faults")
        for item in items:
            if item.get_closest_marker("faults"):
                item.add_marker(skip)
