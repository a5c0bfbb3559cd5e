"""The option that runs every fault as often as docs/faults.md says."""

import pytest


def pytest_addoption(parser):
    parser.addoption("--faults", action="store_true", help="every fault of tests/faults, and write its table")


def pytest_collection_modifyitems(config, items):
    if not config.getoption("--faults"):
        skip = pytest.mark.skip(reason="one of many repetitions: pytest tests/faults --faults")
        for item in items:
            if item.get_closest_marker("faults"):
                item.add_marker(skip)
