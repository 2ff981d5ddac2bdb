"""Links from elsewhere, such as a CRM's: a page that merely leads here spends nothing of what an agent may try."""

from collections.abc import Collection
from urllib.parse import urlencode

from flask import request

_ASK = "ask"


def is_foreign(origins: Collection[str]) -> bool:
    """Tell whether a page elsewhere led here, of an origin that is not trusted to (Fetch Metadata).

    A page can have its Referer left out, and cannot forge one.
    """
    if request.headers.get("Sec-Fetch-Site", "same-origin") in {"same-origin", "none"}:
        return False
    return "/".join(request.headers.get("Referer", "").split("/")[:3]) not in origins


def asks_first(origins: Collection[str]) -> bool:
    """Tell whether the agent is asked first: also after a sign-in that such a page led to."""
    return _ASK in request.args or is_foreign(origins)


def marked(path: str) -> str:
    """Return the present path so that the agent is asked first when it is come back to."""
    return f"{path}{'&' if '?' in path else '?'}{_ASK}=first"


def confirmed() -> str:
    """Return the present query without the mark: what the agent says yes to."""
    return urlencode([(name, value) for name, value in request.args.items(multi=True) if name != _ASK])
