"""Answers that people see: HTML under a strict Content-Security-Policy, never kept, never framed."""

import hashlib
import re
from typing import Any
from urllib.parse import urlencode

from flask import Response, render_template, request

_POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self' data:; script-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_LOCAL = re.compile(r"/console(/[A-Za-z0-9._~!$&'()*+,;=:@%-]+)*/?(\?[A-Za-z0-9._~!$&'()*+,;=:@%/?-]*)?")
_MAX_LOCAL = 2000
HOME = "/console/"


def html(text: str, status: int = 200) -> Response:
    """Answer with a page."""
    response = Response(text, status, content_type="text/html; charset=utf-8")
    response.headers["Content-Security-Policy"] = _POLICY
    response.headers["Referrer-Policy"] = "same-origin"  # under no-referrer, forms of our own come with Origin: null
    response.headers["Cache-Control"] = "no-store"
    response.headers["X-Frame-Options"] = "DENY"
    response.headers["Cross-Origin-Opener-Policy"] = "same-origin"
    return response


def fragment(text: str) -> Response:
    """Answer with a part of a page, and 304 where the page shows it as it is (RFC 9110 §13.1.2)."""
    response = html(text)
    response.set_etag(hashlib.sha256(text.encode()).hexdigest()[:32])
    response.headers["Cache-Control"] = "no-cache, private"
    response.make_conditional(request)
    return response


def older(cursor: str) -> str:
    """Return the address of the next page of a listing, with the filters of this one; templates have it."""
    return f"{request.path}?{urlencode({**request.args.to_dict(), 'cursor': cursor})}"


def go(location: str) -> Response:
    """Send the browser on by GET; `location` is our own, or the server's."""
    response = Response(status=303)
    response.headers["Location"] = location
    response.headers["Cache-Control"] = "no-store"
    response.headers["Referrer-Policy"] = "no-referrer"
    return response


def hand_over(location: str) -> Response:
    """Send the browser on after a form, by a page: browsers hold a form's `form-action` against every redirect."""
    return html(render_template("console/hand_over.html", location=location))


def local(path: str) -> str:
    """Return a path of the console's own as it is, and home for anything else (RFC 9700 §4.11: no open redirects)."""
    fits = len(path) <= _MAX_LOCAL and _LOCAL.fullmatch(path) is not None and ".." not in path
    return path if fits else HOME


def problem_page(status: int, title: str, words: str, **values: Any) -> Response:  # noqa: ANN401 - template values
    """Say in plain words that something cannot be done; with `me`, `nav` and `csrf` inside the console's frame."""
    return html(render_template("console/problem.html", title=title, words=words, **values), status)
