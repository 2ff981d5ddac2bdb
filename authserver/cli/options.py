"""What options of several commands have in common: lists of words in one option, tables, moments."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, NoReturn

import click

from authserver.protocol.refusals import NotFound, Refusal
from authserver.registry.refusals import Wrong


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


_ARGUMENTS = frozenset({"username", "client_id", "uri"})
_OPTIONS = {"grant_types": "grants", "owner_client_id": "owner"}


@contextmanager
def registering(what: str, kind: str) -> Iterator[None]:
    """Say why a change of what is registered is refused: the register's own words, with what was typed."""
    try:
        yield
    except NotFound:
        refuse(f"{what}: no such {kind}; see: authserver {kind}s list")
    except Refusal as refusal:
        wrongs: Sequence[Wrong] = getattr(refusal, "wrongs", ())
        refuse("; ".join(_said(wrong, what) for wrong in wrongs) or refusal.public)


def _said(wrong: Wrong, what: str) -> str:
    if wrong.field in _ARGUMENTS:
        return f"{what}: {wrong.words}"
    option = "--" + _OPTIONS.get(wrong.field, wrong.field).replace("_", "-")
    return f"{option}: {wrong.value} {wrong.words}" if wrong.value else f"{option} {wrong.words}"


def echo_table(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a table whose columns are as wide as what they hold."""
    lines = [tuple(titles), *(tuple(row) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(titles))]
    for line in lines:
        click.echo("  ".join(f"{cell:<{width}}" for cell, width in zip(line, widths, strict=True)).rstrip())


def moment(instant: int | None) -> str:
    """Write an instant as RFC 3339 in UTC; nothing for none."""
    return "" if instant is None else datetime.fromtimestamp(instant, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
