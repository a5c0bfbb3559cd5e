"""How a mistake in a config, a design, a file or a command line is told: in one line, with the key, the value and what is
allowed."""

from __future__ import annotations

import difflib
import re
from collections.abc import Hashable, Iterable, Mapping
from typing import Any

LONGEST = 120
"""Characters of a value that are shown."""
_MOST_PARTS = 200
_NUMBER = re.compile(r"[+-]?([0-9]+[.,]?[0-9]*|[.,][0-9]+)(e[+-]?[0-9]+)?", re.IGNORECASE)


class Mistake(ValueError):
    """What a user can put right; the message is one line that says how.

    A notebook shows this line alone, and not the code that was running; IPython's `%debug` leads to that.
    """

    def _render_traceback_(self) -> list[str]:
        """What IPython shows in place of a traceback."""
        return [f"{type(self).__name__}: {self}"]


class ConfigError(Mistake):
    """A setting that is not allowed; the message names the key, the value and what is allowed."""


def unknown_key(key: Any, known: Iterable[str]) -> str:
    """Message for a key that does not exist, with the nearest one that does."""
    text = " ".join(str(key).split()) if _parts(key, _MOST_PARTS) <= _MOST_PARTS else shown(key)
    text = text if len(text) <= LONGEST else f"{text[:LONGEST]} ..."
    close = difflib.get_close_matches(text, list(known), n=1)
    hint = f"did you mean {close[0]!r}?" if close else f"one of {', '.join(known)}"
    return f"{text}: no such key; {hint}"


def shown(value: Any) -> str:
    """A value in at most about `LONGEST` characters; aliases in YAML make values whose text would fill any memory."""
    if _parts(value, _MOST_PARTS) > _MOST_PARTS:
        return f"a {type(value).__name__} too long to be shown"
    try:
        text = repr(value)
    except ValueError:  # Python writes no integer of more than some thousand digits
        return "a number of thousands of digits"
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 20]} ... {text[-10:]}"


def written_as_text(value: Any) -> str:
    """What to write instead where a number came as text; nothing for any other value."""
    if not isinstance(value, str) or len(value) > LONGEST or _NUMBER.fullmatch(value) is None:
        return ""
    number = float(value.replace(",", "."))
    number = int(number) if number.is_integer() and re.fullmatch("[+-]?[0-9]+", value) else number
    if re.fullmatch(r"[+-]?\d+e[+-]?\d+", value, re.IGNORECASE):
        return f" (YAML takes {value} for text; write {number!r})"
    return f" (this is text; the number is written {number!r}, without quotes)"


def integer(key: str, text: str, low: int, high: int | None = None) -> int:
    """An integer from a command line."""
    # not int() alone, which also takes "1_0" and other scripts' digits, and has a message of its own for 5000 digits
    if re.fullmatch("[0-9]{1,99}", text) and low <= int(text) and (high is None or int(text) <= high):
        return int(text)
    value = shown(text).strip("'") if re.fullmatch("-?[0-9]+", text) else shown(text)
    raise ConfigError(
        f"{key}: {value} is not allowed; an integer >= {low}" + ("" if high is None else f" and <= {high}")
    )


def one_line(message: object) -> str:
    """A message without line breaks."""
    return " ".join(str(message).split())


def twice(values: Iterable[Any]) -> list[Any]:
    """The first value that is there twice, in a list; an empty list where each is there once."""
    seen, others = set(), []
    for value in values:
        if isinstance(value, Hashable) and not isinstance(value, tuple):
            # True == 1, but a boolean is refused by its type, with a better message
            if value in seen and not isinstance(value, bool):
                return [value]
            seen.add(value)
        elif value in others:
            return [value]
        else:
            others.append(value)
    return []


def _parts(value: Any, most: int, outer: tuple[int, ...] = ()) -> int:
    """Number of values in a nested one, as its text would show them; some number above `most` where there are more."""
    if most < 1 or id(value) in outer or not isinstance(value, (list, tuple, set, Mapping)):
        return 1
    count = 1
    for item in [*value, *value.values()] if isinstance(value, Mapping) else value:
        count += _parts(item, most - count, (*outer, id(value)))
        if count > most:
            break
    return count
