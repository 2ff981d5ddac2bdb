"""Requests that a client's page posts (OIDC Core §3.1.2.1, RP-Initiated Logout §2), as the GET that they mean."""

import re

from flask import Response, request

from authserver.protocol.refusals import InvalidRequest
from authserver.web.pages import go_to

MAX_QUERY = 8192
_QUERY = re.compile(r'[!$-~"]*')


def as_get(path: str) -> Response:
    """Send the browser to `path` with the posted form as its query: a cookie comes from elsewhere only with a GET."""
    body = request.get_data(cache=True)
    if len(body) > MAX_QUERY:
        raise InvalidRequest("posted.too_long")
    query = body.decode("latin-1")
    if _QUERY.fullmatch(query) is None:
        raise InvalidRequest("posted.malformed")
    return go_to(f"{path}?{query}")
