"""Answers that people see: HTML with a strict Content-Security-Policy, never kept, never framed."""

import re

from flask import Response, render_template

from authserver.protocol.refusals import Refusal

_ORIGIN = re.compile(r"(https?://[A-Za-z0-9.-]+(?::[0-9]+)?)(?:[/?].*)?")
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*:).*")
_NEVER_ALONE = frozenset({"http:", "https:", "ws:", "wss:", "javascript:", "data:", "blob:", "filesystem:", "about:"})
"""Schemes that as a source would let a form lead anywhere, or run what it is given."""


def page(html: str, status: int = 200, *, form_action: str = "'self'", scripts: bool = False) -> Response:
    """Answer with a page; `form_action` is where its forms may lead, also by redirect."""
    response = Response(html, status, content_type="text/html; charset=utf-8")
    script = "script-src 'self'; connect-src 'self'; " if scripts else ""
    response.headers["Content-Security-Policy"] = (
        f"default-src 'none'; style-src 'self'; img-src 'self' data:; {script}"
        f"form-action {form_action}; base-uri 'none'; frame-ancestors 'none'"
    )
    response.headers["Referrer-Policy"] = "same-origin"  # under no-referrer, forms of our own come with Origin: null
    response.headers["Cache-Control"] = "no-store"
    response.headers["X-Frame-Options"] = "DENY"
    response.headers["Cross-Origin-Opener-Policy"] = "same-origin"
    return response


def leads_to(uri: str | None) -> str:
    """Return the `form-action` of a form whose answer may redirect to `uri`: browsers hold it against redirects too.

    `uri` is a client's own, or None. For an origin that CSP has no words for, such as an IPv6 address, it is our own
    alone, and `go_from_form` goes there.
    """
    source = _source(uri) if uri else None
    return "'self'" if source is None else f"'self' {source}"


def _source(uri: str) -> str | None:
    """Return the source expression of CSP that names where a URI leads: its origin, or the scheme of an app."""
    origin = _ORIGIN.fullmatch(uri)
    if origin is not None:
        return origin.group(1)
    scheme = _SCHEME.fullmatch(uri)
    return None if scheme is None or scheme.group(1).lower() in _NEVER_ALONE else scheme.group(1)


def go_to(location: str) -> Response:
    """Send the browser on by GET (RFC 9700 §4.12: 303, never 307), without telling where it came from."""
    response = Response(status=303)
    response.headers["Location"] = location
    response.headers["Referrer-Policy"] = "no-referrer"
    response.headers["Cache-Control"] = "no-store"
    return response


def go_from_form(location: str, leads: str | None) -> Response:
    """Send the browser on after a form of ours whose `form-action` is `leads_to(leads)`: by a page where it must be."""
    return go_to(location) if not leads or _source(leads) is not None else hand_over(location)


def hand_over(location: str) -> Response:
    """Send the browser on elsewhere after a form of ours.

    By a page, not by a redirect: browsers hold a form's `form-action` against every redirect that follows, and where
    an IdP leads on to is not for us to know.
    """
    return page(render_template("hand_over.html", location=location))


def error_page(refusal: Refusal) -> Response:
    """Say in plain words that something cannot be done here."""
    status = refusal.status if refusal.status != 401 else 400  # noqa: PLR2004 - a page offers no challenge
    response = page(render_template("error.html", words=refusal.public, error=refusal.error), status)
    if "retry_after" in refusal.extra:
        response.headers["Retry-After"] = str(refusal.extra["retry_after"])
    return response
