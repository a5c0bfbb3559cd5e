"""A pytest plugin: a test that uses more than so many seconds of CPU time is stopped and counted, not failed.

    python -m pytest -p limits --seconds-of-cpu 20

What a compiled loop does in milliseconds takes minutes where it is interpreted; what such a test reached until it was
stopped counts all the same.
"""

import signal

import pytest


class Stopped(BaseException):
    """Not an Exception: nothing that is tested may catch it."""


def pytest_addoption(parser):
    parser.addoption("--seconds-of-cpu", type=float, default=20.0, help="CPU time that a test has, of its own process")


def pytest_configure(config):
    def stop(*_):
        raise Stopped

    signal.signal(signal.SIGPROF, stop)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item):
    """Not its fixtures, which other tests may share."""
    signal.setitimer(signal.ITIMER_PROF, item.config.getoption("--seconds-of-cpu"))
    try:
        return (yield)
    except Stopped:
        pytest.skip("stopped: out of CPU time")
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
