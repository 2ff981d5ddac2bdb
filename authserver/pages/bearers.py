"""Access tokens at the pages: where a browser's session alone counts, they are refused (design section 2)."""

from flask import Blueprint, Response, request

from authserver.pages.parts import PageParts
from authserver.protocol.access import Credential, has_line
from authserver.protocol.refusals import Refusal
from authserver.storage.database import unit_of_work
from authserver.web.refusals import new_trace, problem


def refuse_bearers(blueprint: Blueprint, parts: PageParts) -> None:
    """Refuse tokens, those with `act` above all, before any page that takes a session and no token looks at either."""

    @blueprint.before_request
    def refuse() -> Response | None:
        header, trace = request.headers.get("Authorization"), new_trace()
        if header is None or not _takes_sessions_alone(trace.endpoint):
            return None
        with unit_of_work() as work:
            try:
                parts.bearer.authenticate(work, header, trace).demand(trace.endpoint)
            except Refusal as refusal:
                parts.refusals.refuse(work, trace, refusal)
                return problem(refusal)
        return None


def _takes_sessions_alone(endpoint: str) -> bool:
    return has_line(endpoint, Credential.BROWSER) and not has_line(endpoint, Credential.PERSON)
