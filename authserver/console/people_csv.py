"""A CSV file of people (RFC 4180), which nobody trusts: read strictly, and written so that no spreadsheet runs it."""

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

COLUMNS = {
    "username": "Needed. Whoever has it already is changed, others are added.",
    "population": "staff or customers; without it as the roles say. It stays what it is.",
    "name": "As staff and systems see it.",
    "email": "One address.",
    "email_verified": "true or false.",
    "tier": "Up to 32 of a-z 0-9 _ -, such as standard or vip.",
    "country": "Two capital letters.",
    "roles": "Some of support lead auditor admin, or customer; a space between.",
    "groups": "Words, a space between.",
    "conflicts": "User names of those who never act for each other, a space between.",
    "locale": "A language such as sv-SE.",
    "time_zone": "A zone such as Europe/Stockholm.",
    "appearance": "light or dark.",
    "app_version": "Of the app that they use.",
}
_OURS = ("row", "problems")
"""Columns that the file of bad rows has besides, so that it can be mended and brought again."""
MAX_BYTES = 48_000
"""Of a piece of a file; the server takes no larger request."""
MAX_ROWS = 2000
_MAX_CELL = 1024
_ROW = "(row)"
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
Error = dict[str, str]


class UnreadableError(Exception):
    """This is no file of people; `words` say why, and repeat nothing of it but the names of columns."""

    def __init__(self, words: str) -> None:
        """Take the words."""
        self.words = words
        super().__init__(words)


@dataclass(slots=True)
class Row:
    """A row of the file; `number` counts as a spreadsheet does, where the columns' names are row 1."""

    number: int
    cells: list[str]
    values: dict[str, str] = field(default_factory=dict)
    errors: list[Error] = field(default_factory=list)
    action: str = "error"

    @property
    def username(self) -> str:
        """The user name, as far as there is one."""
        return self.values.get("username", "")


@dataclass(frozen=True, slots=True)
class People:
    """What a file, or a piece of it, says: its columns and its rows. `next_row` is the number of what follows."""

    columns: list[str]
    rows: list[Row]
    next_row: int

    @property
    def good(self) -> list[Row]:
        """The rows that can be sent to the API."""
        return [row for row in self.rows if not row.errors]

    @property
    def bad(self) -> list[Row]:
        """The rows with something wrong."""
        return [row for row in self.rows if row.errors]


def decoded(content: bytes) -> str:
    """Return a file's text. Raises UnreadableError for all that is not UTF-8."""
    if len(content) > MAX_BYTES:
        raise UnreadableError("The file is too large to be read at once. With scripts it is read in pieces.")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UnreadableError("The file is not in UTF-8. Save it as “CSV UTF-8”.") from error


def read(text: str, *, first_row: int = 2) -> People:
    """Read a file, or a piece of it under its first line, whose first row has this number. Raises UnreadableError."""
    if "\0" in text:
        raise UnreadableError("The file holds what is no text. Save it as “CSV UTF-8”.")
    try:
        records = list(csv.reader(io.StringIO(text.removeprefix("\ufeff"), newline=""), strict=True))
    except csv.Error as error:
        raise UnreadableError("A quotation mark is not closed, or stands within a cell without quotes.") from error
    if len(records) > MAX_ROWS + 1:
        raise UnreadableError(f"There are more than {MAX_ROWS} rows. With scripts the file is read in pieces.")
    columns = _columns(records[0] if records else [])
    rows = [_row(first_row + index, columns, cells) for index, cells in enumerate(records[1:]) if any(cells)]
    _refuse_repeats(rows)
    return People(columns, rows, first_row + len(records[1:]))


def _columns(names: Sequence[str]) -> list[str]:
    """Check the first line: each column is known, and there once."""
    columns = [name.strip().lower() for name in names]
    if not any(columns):
        raise UnreadableError("The file is empty. Its first line names the columns.")
    if len(columns) == 1 and ";" in columns[0]:
        raise UnreadableError("The columns are parted by semicolons. Save it with commas.")
    unknown = [f"{name[:64]!r}" for name in columns if name not in {*COLUMNS, *_OURS}]
    if unknown:
        raise UnreadableError(f"There is no such column: {', '.join(unknown[:8])}.")
    if twice := sorted({name for name in columns if columns.count(name) > 1}):
        raise UnreadableError(f"A column is there twice: {', '.join(twice)}.")
    if "username" not in columns:
        raise UnreadableError("There is no column username, by which people are told apart.")
    return columns


def _row(number: int, columns: Sequence[str], cells: Sequence[str]) -> Row:
    row = Row(number, list(cells))
    if len(cells) != len(columns):
        words = "has more cells than there are columns" if len(cells) > len(columns) else "has too few cells"
        row.errors.append({"field": _ROW, "problem": words})
    row.values = {name: _plain(cell) for name, cell in zip(columns, cells, strict=False) if name not in _OURS}
    for name, cell in row.values.items():
        if len(cell) > _MAX_CELL:
            row.errors.append({"field": name, "problem": f"is longer than {_MAX_CELL} characters"})
    return row


def _refuse_repeats(rows: Iterable[Row]) -> None:
    seen: dict[str, int] = {}
    for row in rows:
        before = seen.setdefault(row.username, row.number)
        if row.username and before != row.number:
            row.errors.append({"field": "username", "problem": f"stands in row {before} already"})


def _plain(cell: str) -> str:
    """Return a cell's text, without the mark that `_inert` puts before what a spreadsheet would run."""
    cell = cell.strip()
    return cell[1:] if cell.startswith("'") and cell[1:].startswith(_FORMULA) else cell


def _inert(cell: str) -> str:
    return f"'{cell}" if cell.startswith(_FORMULA) else cell


def written(columns: Sequence[str], rows: Iterable[Row]) -> str:
    """Write rows with what is wrong with each, without the line of columns; nothing in it is a formula (CWE-1236)."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    for row in rows:
        cells = [_inert(row.values.get(name, "")) for name in columns if name not in _OURS]
        problems = "; ".join(f"{error['field']} {error['problem']}" for error in row.errors)
        writer.writerow([*cells, row.number, _inert(problems)])
    return text.getvalue()


def first_line(columns: Sequence[str]) -> str:
    """Write the line of columns of the file of bad rows."""
    return ",".join([*(name for name in columns if name not in _OURS), *_OURS]) + "\r\n"
