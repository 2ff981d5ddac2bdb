"""What options of several commands have in common: lists of words in one option, tables, moments."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, NoReturn

import click


class Words(click.ParamType[list[str]]):
    """Words in one option, separated by spaces or commas; an empty option is an empty list."""

    name = "words"

    def __init__(self, choices: Iterable[str] | None = None) -> None:
        """Take any words, or those of `choices` alone."""
        self._choices = None if choices is None else tuple(choices)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> list[str]:  # noqa: ANN401
        """Split, drop what is said twice, and refuse what is no choice."""
        words = list(dict.fromkeys(value.replace(",", " ").split())) if isinstance(value, str) else list(value)
        if self._choices is not None:
            for word in words:
                if word not in self._choices:
                    self.fail(f"{word!r} is not one of {', '.join(self._choices)}", param, ctx)
        return words


def given(**values: object) -> dict[str, Any]:
    """Return the options that were given: those that are not None."""
    return {name: value for name, value in values.items() if value is not None}


def refuse(words: str) -> NoReturn:
    """End the command with its reason; what it has written is rolled back."""
    raise click.ClickException(words)


def echo_table(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a table whose columns are as wide as what they hold."""
    lines = [tuple(titles), *(tuple(row) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(titles))]
    for line in lines:
        click.echo("  ".join(f"{cell:<{width}}" for cell, width in zip(line, widths, strict=True)).rstrip())


def moment(instant: int | None) -> str:
    """Write an instant as RFC 3339 in UTC; nothing for none."""
    return "" if instant is None else datetime.fromtimestamp(instant, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
