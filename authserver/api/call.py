"""One call of the API: its unit of work, its caller, its refusal, its one commit."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from flask import Blueprint, Response, g, request
from werkzeug.exceptions import InternalServerError

from authserver.api import shapes
from authserver.api.parts import ApiParts
from authserver.api.schemas import ImpersonationOut
from authserver.protocol.access import Caller, Credential, Relation, has_line, may_call
from authserver.protocol.refusals import Forbidden, InvalidRequest, NotFound, Refusal
from authserver.storage import impersonations, resources
from authserver.storage.clients import RegisteredClient
from authserver.storage.database import Work, new_work
from authserver.storage.impersonations import Record
from authserver.storage.listings import Viewer
from authserver.web.bearer import Bearer
from authserver.web.refusals import NO_STORE, Trace, new_trace, problem

_ASSERTION = ("client_id", "client_assertion", "client_assertion_type")


@dataclass(slots=True)
class Call:
    """What a handler works with. `bearer` is None only where an endpoint takes another credential too."""

    parts: ApiParts
    work: Work
    trace: Trace
    bearer: Bearer | None = None
    client: RegisteredClient | None = None
    """A client that authenticated as itself, where an endpoint takes that."""

    @property
    def caller(self) -> Bearer:
        """The verified caller."""
        if self.bearer is None:
            raise Forbidden("access.no_bearer")
        return self.bearer

    def authenticate(self, header: str | None) -> Bearer:
        """Verify who calls; a kind of credential that the endpoint does not know goes no further."""
        self.bearer = bearer = self.parts.bearer.authenticate(self.work, header, self.trace)
        credential = bearer.caller.credential
        if credential is Credential.CLIENT or not has_line(self.trace.endpoint, credential):
            raise Forbidden("access.table")  # a client's own token is not the client authenticating itself
        return bearer

    def shown(self, record: Record) -> dict[str, Any]:
        """Show an impersonation to the caller, as JSON."""
        return self.shape(record).model_dump(mode="json")

    def shapes(self, records: Sequence[Record]) -> list[ImpersonationOut]:
        """Show impersonations as a listing does. What people are called here is not for customers."""
        bearer = self.caller
        own = None if bearer.token.act is not None else bearer.token.user_id
        sees_all = bearer.sees_all
        return shapes.impersonations(
            self.work.session, records, shows_usernames=lambda record: sees_all or record.actor_id == own
        )

    @property
    def viewer(self) -> Viewer:
        """Who lists: the caller as one who sees all, or their own."""
        return Viewer(
            person=None if self.caller.sees_all else self.caller.user_id,
            now=self.parts.clock.now(),
            withholding=self.parts.settings.notification.withholding_reason_codes,
        )

    def shape(self, record: Record) -> ImpersonationOut:
        """Show an impersonation to the caller: the words and numbers of a pending consent, to whom they are for."""
        [shown] = self.shapes([record])
        session, consents, user_id = self.work.session, self.parts.consents, self.caller.token.user_id
        concerned = self.caller.token.act is None and user_id in {record.actor_id, record.subject_id}
        if concerned and consents.asked(session, record):
            if user_id == record.actor_id:
                return shown.model_copy(update={"consent_number": consents.number(record)})
            request = shapes.consent_request(consents.words(session, record), consents.choices(record))
            shown = shown.model_copy(update={"consent_request": request})
        return shown

    def impersonation(self, impersonation_id: str) -> Record:
        """Return an impersonation that the caller may call this endpoint for: not one's own is as unknown."""
        record = impersonations.find(self.work.session, impersonation_id)
        if self.client is not None:
            return self._of_resource_server(record, self.client)
        bearer = self.caller
        if record is None and bearer.token.act is not None:
            raise Forbidden("access.table")
        if record is None:
            raise NotFound("impersonation.unknown")
        withholding = self.parts.settings.notification.withholding_reason_codes
        if record.hidden_from(bearer.token.user_id or "", self.parts.clock.now(), withholding):
            raise NotFound("impersonation.withheld")
        self.trace.impersonation_id = record.id
        relations = bearer.relations(record)
        try:
            bearer.demand(self.trace.endpoint, relations)
        except Forbidden as refusal:
            if relations or bearer.sees_all or bearer.token.act is not None:
                raise
            raise NotFound("impersonation.not_ones_own") from refusal
        return record

    def _of_resource_server(self, record: Record | None, client: RegisteredClient) -> Record:
        """Return an impersonation that names a resource of this client; any other is as unknown."""
        owned = resources.owned(self.work.session, client.client_id)
        if record is None or not owned.keys() & set(record.resources):
            raise NotFound("impersonation.not_for_client")
        self.trace.impersonation_id = record.id
        if not may_call(self.trace.endpoint, Caller(Credential.CLIENT), {Relation.OWNER}):
            raise Forbidden("access.table")
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
    """Verify the caller, where the table of access wants one."""
    header, trace = request.headers.get("Authorization"), present.trace
    if has_line(trace.endpoint, Credential.NONE) or (
        header is None and has_line(trace.endpoint, Credential.CONFIG_SECRET)
    ):
        return
    assertion = _assertion() if has_line(trace.endpoint, Credential.CLIENT) else None
    if assertion is not None and (assertion or (header or "").partition(" ")[0].lower() == "basic"):
        present.client = present.parts.authenticate_client(present.work, assertion, trace)
        return
    token = present.authenticate(header).token
    named = (request.view_args or {}).get("id", token.impersonation_id)
    if token.act is not None and (named is None or named != token.impersonation_id):
        raise Forbidden("access.table")


def _assertion() -> dict[str, str]:
    """Return the members by which a client without a secret proves itself (RFC 7521 §4.2), in JSON here."""
    body = _json()
    members = body if isinstance(body, dict) and "client_assertion" in body else {}
    found = {name: members.get(name) for name in _ASSERTION}
    return {name: value for name, value in found.items() if isinstance(value, str) and value}


def _check_form() -> None:
    """Refuse what schemas cannot see: a repeated parameter, and JSON that is nested too deeply to be parsed."""
    if any(len(values) > 1 for _, values in request.args.lists()):
        raise InvalidRequest("query.repeated")
    _json()


def _json() -> object:
    """Return the body's JSON, or None; Flask keeps it for the handler."""
    try:
        return request.get_json(silent=True)
    except RecursionError as error:
        raise InvalidRequest("body.nested") from error
