"""Blocks that a program makes in pages that are otherwise written by hand: each stands between two marks."""

from __future__ import annotations

import os

from lpi.mistakes import Mistake


class MarksError(Mistake):
    """A page whose marks do not say where its block is; the message is one line that names page and marks."""


def marks(name: str, command: str) -> tuple[str, str]:
    """The lines before and behind a block; the first says what makes it."""
    return f"<!-- {name}: made by {command} -->\n", f"<!-- end of {name} -->"


def with_block(path: str | os.PathLike, page: str, name: str, command: str, content: str, needed: bool = True) -> str:
    """The text of the page at a path with other content in the block of that name.

    A page with neither mark stays as it is if the block is not needed.

    Raises:
        MarksError: a mark that is not there, or twice, or the second before the first.
    """
    begin, end = marks(name, command)
    before, *rest = page.split(begin)
    if not needed and not rest and end not in page:
        return page
    if len(rest) != 1 or page.count(end) != 1 or end in before:
        raise MarksError(f"{path}: {begin.strip()} and {end}: each has to be there once, in this order")
    _, _, after = rest[0].partition(end)
    return f"{before}{begin}\n{content}\n{end}{after}"
