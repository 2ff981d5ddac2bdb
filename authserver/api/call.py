"""One call of the API: its unit of work, its caller, its refusal, its one commit."""

from dataclasses import dataclass
from typing import Any

from flask import Blueprint, Response, g, request
from werkzeug.exceptions import InternalServerError

from authserver.api import shapes
from authserver.api.parts import ApiParts
from authserver.protocol.access import Credential, has_line
from authserver.protocol.refusals import Forbidden, InvalidRequest, NotFound, Refusal
from authserver.storage import impersonations
from authserver.storage.database import Work, new_work
from authserver.storage.impersonations import Record
from authserver.web.bearer import Bearer
from authserver.web.refusals import NO_STORE, Trace, new_trace, problem


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

    def shown(self, record: Record) -> dict[str, Any]:
        """Show an impersonation to the caller: the words and numbers of a pending consent, to whom they are for."""
        shown = shapes.impersonation(self.work.session, record)
        session, consents, user_id = self.work.session, self.parts.consents, self.caller.token.user_id
        concerned = self.caller.token.act is None and user_id in {record.actor_id, record.subject_id}
        if concerned and consents.asked(session, record):
            if user_id == record.actor_id:
                return shown.model_copy(update={"consent_number": consents.number(record)}).model_dump(mode="json")
            request = shapes.consent_request(consents.words(session, record), consents.choices(record))
            shown = shown.model_copy(update={"consent_request": request})
        return shown.model_dump(mode="json")

    def impersonation(self, impersonation_id: str) -> Record:
        """Return an impersonation that the caller may call this endpoint for: not one's own is as unknown."""
        record, bearer = impersonations.find(self.work.session, impersonation_id), self.caller
        if record is None and bearer.token.act is not None:
            raise Forbidden("access.table")
        if record is None:
            raise NotFound("impersonation.unknown")
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


def govern(blueprint: Blueprint, parts: ApiParts) -> None:
    """Authenticate before anything is parsed, record refusals, and commit once, after the handler.

    Where the table of access wants no credential none is looked at, and where it takes a secret a token may be absent.
    """

    @blueprint.before_request
    def begin() -> Response | None:
        present = Call(parts, new_work(), new_trace())
        g.authserver_call = present
        try:
            _authenticate(present)
            _check_form()
        except Refusal as refusal:
            return refuse(refusal)
        return None

    @blueprint.errorhandler(Refusal)
    def refuse(refusal: Refusal) -> Response:
        present = call()
        parts.refusals.refuse(present.work, present.trace, refusal)
        return problem(refusal)

    @blueprint.errorhandler(InternalServerError)
    def crash(error: InternalServerError) -> Response:
        g.pop("authserver_call").work.rollback()
        return parts.refusals.http_error(error)

    @blueprint.after_request
    def commit(response: Response) -> Response:
        if "authserver_call" in g:
            call().work.commit()
        for name, value in NO_STORE.items():
            response.headers.setdefault(name, value)
        return response

    @blueprint.teardown_request
    def forget(_error: BaseException | None) -> None:
        if "authserver_call" in g:
            call().work.rollback()


def _authenticate(present: Call) -> None:
    """Verify the caller; a kind of credential that the endpoint does not know goes no further."""
    header, trace = request.headers.get("Authorization"), present.trace
    if has_line(trace.endpoint, Credential.NONE) or (
        header is None and has_line(trace.endpoint, Credential.CONFIG_SECRET)
    ):
        return
    present.bearer = present.parts.bearer.authenticate(present.work.session, header, trace)
    if not has_line(trace.endpoint, present.bearer.caller.credential):
        raise Forbidden("access.table")


def _check_form() -> None:
    """Refuse what schemas cannot see: a repeated parameter, and JSON that is nested too deeply to be parsed."""
    if any(len(values) > 1 for _, values in request.args.lists()):
        raise InvalidRequest("query.repeated")
    try:
        request.get_json(silent=True)  # Flask keeps it for the handler
    except RecursionError as error:
        raise InvalidRequest("body.nested") from error
