"""Why somebody acts, where they wrote no words of their own: what they chose stands there, and never as their words."""

import re

_CODE = re.compile(r"[A-Za-z0-9_-]{1,40}")
_NONE = "No reason given"


def label(code: str) -> str:
    """Return a reason code in words: `legal_request` is `Legal request`."""
    return code.replace("_", " ").replace("-", " ").capitalize()


def chosen(code: str) -> str:
    """Say what stands in the place of words: what was chosen from the list, as that; free text is no choice."""
    return f"{label(code)} (chosen from a list)" if _CODE.fullmatch(code) else _NONE
