"""Text that people read in more than one place: nothing that hides, turns around or breaks a line."""

import re

_CONTROLS = r"\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufeff"
_LINE = re.compile(rf"[^{_CONTROLS}]{{1,255}}")
_WORD = re.compile(rf"[^\s{_CONTROLS}]{{1,64}}")


def is_line(text: str) -> bool:
    """Tell whether `text` is one line of up to 255 characters."""
    return _LINE.fullmatch(text) is not None and bool(text.strip())


def is_word(text: str) -> bool:
    """Tell whether `text` is a word of up to 64 characters."""
    return _WORD.fullmatch(text) is not None


def is_username(text: str) -> bool:
    """Tell whether `text` can name an account: up to 255 visible characters and no space."""
    return 0 < len(text) <= 255 and text.isprintable() and not any(char.isspace() for char in text)  # noqa: PLR2004
