"""Links from elsewhere, such as a CRM's: a page that merely leads here spends nothing of what an agent may try."""

from urllib.parse import urlencode

from flask import request

from authserver.console.parts import ConsoleParts

_ASK = "ask"
_LOOK_UP = frozenset({"console.start", "console.home", "console.find"})
"""The pages whose mere opening looks customers up."""
_SHOWN = ("subject", "ticket", "ticket_id", "reason_code")
"""What a page that is not trusted may fill in: each stands before the agent's eyes, and none is their own words."""


def is_foreign(parts: ConsoleParts) -> bool:
    """Tell whether a page elsewhere led here, of an origin that is not trusted to (Fetch Metadata).

    A page can have its Referer left out, and cannot forge one: where the browser says nothing of the site, a Referer of
    elsewhere says it.
    """
    referer = request.headers.get("Referer", "")
    origin = "/".join(referer.split("/")[:3])
    site = request.headers.get("Sec-Fetch-Site", "same-origin" if origin in {"", parts.issuer} else "cross-site")
    return site not in {"same-origin", "none"} and origin not in parts.link_origins


def asks_first(parts: ConsoleParts) -> bool:
    """Tell whether the agent is asked first: also after a sign-in that such a page led to."""
    return request.endpoint in _LOOK_UP and (_ASK in request.args or is_foreign(parts))


def marked(path: str) -> str:
    """Return the present path so that the agent is asked first when it is come back to."""
    return path if _ASK in request.args else f"{path}{'&' if '?' in path else '?'}{_ASK}=first"


def confirmed() -> str:
    """Return of the present query what the agent says yes to."""
    return urlencode([(name, value) for name in _SHOWN for value in request.args.getlist(name)[:1]])
