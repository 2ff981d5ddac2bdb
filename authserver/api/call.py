"""One call of the API: its unit of work, its caller, its refusal, its one commit."""

from dataclasses import dataclass

from flask import Blueprint, Response, g, request

from authserver.api.parts import ApiParts
from authserver.protocol.refusals import Forbidden, NotFound, Refusal
from authserver.storage import impersonations
from authserver.storage.database import Work, new_work
from authserver.storage.impersonations import Record
from authserver.web.bearer import Bearer
from authserver.web.refusals import Trace, new_trace, problem


@dataclass(slots=True)
class Call:
    """What a handler works with. `bearer` is None only where an endpoint takes another credential too."""

    parts: ApiParts
    work: Work
    trace: Trace
    bearer: Bearer | None = None

    @property
    def caller(self) -> Bearer:
        """The verified caller."""
        if self.bearer is None:
            raise Forbidden("access.no_bearer")
        return self.bearer

    def impersonation(self, impersonation_id: str) -> Record:
        """Return an impersonation that the caller may call this endpoint for: not one's own is as unknown."""
        record = impersonations.find(self.work.session, impersonation_id)
        if record is None:
            raise NotFound("impersonation.unknown")
        bearer = self.caller
        self.trace.impersonation_id = record.id
        relations = bearer.relations(record)
        try:
            bearer.demand(self.trace.endpoint, relations)
        except Forbidden as refusal:
            if relations or bearer.sees_all or bearer.token.act is not None:
                raise
            raise NotFound("impersonation.not_ones_own") from refusal
        return record


def call() -> Call:
    """Return the present call."""
    found: Call = g.authserver_call
    return found


def govern(blueprint: Blueprint, parts: ApiParts, *, open_endpoints: frozenset[str] = frozenset()) -> None:
    """Authenticate before anything is parsed, record refusals, and commit once, after the handler.

    `open_endpoints` take no bearer token, or another credential as well.
    """

    @blueprint.before_request
    def begin() -> Response | None:
        present = Call(parts, new_work(), new_trace())
        g.authserver_call = present
        header = request.headers.get("Authorization")
        if present.trace.endpoint in open_endpoints and header is None:
            return None
        try:
            present.bearer = parts.bearer.authenticate(present.work.session, header, present.trace)
        except Refusal as refusal:
            return refuse(refusal)
        return None

    @blueprint.errorhandler(Refusal)
    def refuse(refusal: Refusal) -> Response:
        present = call()
        parts.refusals.refuse(present.work, present.trace, refusal)
        return problem(refusal)

    @blueprint.after_request
    def commit(response: Response) -> Response:
        if "authserver_call" in g:
            call().work.commit()
        return response

    @blueprint.teardown_request
    def forget(_error: BaseException | None) -> None:
        if "authserver_call" in g:
            call().work.rollback()
