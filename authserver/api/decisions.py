"""`/api/v1/impersonations/{id}/…`: what people decide on one, its extension, and the report that is owed for it."""

from datetime import datetime
from typing import Any

from flask_openapi.blueprint import APIBlueprint

from authserver.accounts.throttle import Guess
from authserver.api.call import Call, call
from authserver.api.schemas import (
    ApprovalBody,
    ConsentBody,
    ConsentCodeBody,
    ExtendBody,
    IdPath,
    ImpersonationOut,
    ReportBody,
    problems,
)
from authserver.impersonation.approvals import Ruling
from authserver.impersonation.asks import ActingPerson
from authserver.impersonation.consents import Answer as Said
from authserver.impersonation.decisions import Decider
from authserver.protocol.refusals import InvalidRequest, InvalidToken
from authserver.protocol.tokens import Authentication

Answer = tuple[dict[str, Any], int]
_FREE_REQUESTS = 2
"""For how many requests an actor may use up every try before each next one has to wait."""


def add_decisions(blueprint: APIBlueprint) -> None:
    """Add the operations."""

    @blueprint.post("/impersonations/<string:id>/approval", responses={200: ImpersonationOut, **problems(404, 409)})
    def decide_approval(path: IdPath, body: ApprovalBody) -> Answer:
        """Approve or deny as a second person; a `deny` of what is active withdraws the approval, and revokes."""
        present = call()
        record = present.impersonation(path.id)
        ruling = Ruling(
            choice=body.decision,
            lifetime=body.expires_in,
            remark=body.remark,
            digest=body.digest,
            withhold_notice_until=_until(body.withhold_notice_until, present.parts.clock.now()),
        )
        return present.shown(present.parts.approvals.decide(present.work, record, decider(present), ruling)), 200

    @blueprint.post("/impersonations/<string:id>/consent", responses={200: ImpersonationOut, **problems(404, 409)})
    def decide_consent(path: IdPath, body: ConsentBody) -> Answer:
        """Consent or refuse as the customer; a `deny` of what is active withdraws the consent, and revokes."""
        present = call()
        record = present.impersonation(path.id)
        said = Said(choice=body.decision, surface="app", number=body.number, words_hash=body.words_hash)
        return present.shown(present.parts.consents.decide(present.work, record, decider(present), said)), 200

    @blueprint.post(
        "/impersonations/<string:id>/consent-code", responses={200: ImpersonationOut, **problems(404, 409, 429)}
    )
    def enter_consent_code(path: IdPath, body: ConsentCodeBody) -> Answer:
        """Enter the code that the customer was sent and read out; after a few wrong ones the request is denied."""
        present = call()
        record = present.impersonation(path.id)
        _throttle(present)
        entered = present.parts.consents.enter_code(present.work, record, decider(present), body.code)
        present.parts.throttle.give_back(present.work, Guess.CONSENT_CODE, present.caller.user_id)
        return present.shown(entered), 200

    @blueprint.post("/impersonations/<string:id>/extend", responses={200: ImpersonationOut, **problems(404, 409)})
    def extend_impersonation(path: IdPath, body: ExtendBody) -> Answer:
        """Ask for a longer life; policy, approval and consent are asked again, and until then nothing changes."""
        present = call()
        record = present.impersonation(path.id)
        actor = ActingPerson(user_id=present.caller.user_id, authentication=_authentication(present))
        extended = present.parts.extension.ask(
            present.work, record, actor, expires_in=body.expires_in, client_address=present.trace.address
        )
        return present.shown(extended), 200

    @blueprint.post("/impersonations/<string:id>/report", responses={200: ImpersonationOut, **problems(404, 409)})
    def file_report(path: IdPath, body: ReportBody) -> Answer:
        """File the report that is owed for breaking the glass; until then the right to break it is suspended."""
        present = call()
        record = present.impersonation(path.id)
        present.parts.reports.file(present.work, record, decider(present), body.report)
        return present.shown(record), 200


def decider(present: Call) -> Decider:
    """Return the person who calls, in the session that stands behind their token."""
    return Decider(user_id=present.caller.user_id, session_id=_authentication(present).session_id)


def _throttle(present: Call) -> None:
    """Count a try by its actor, who could otherwise guess on by starting anew again and again."""
    settings = present.parts.settings
    free = _FREE_REQUESTS * settings.consent.code_tries
    forget = settings.accounts.backoff_forget_seconds
    present.parts.throttle.claim_by(present.work, Guess.CONSENT_CODE, present.caller.user_id, free=free, forget=forget)


def _until(said: int | str | None, now: int) -> int | None:
    """Read an instant (RFC 3339), or seconds from now."""
    if said is None:
        return None
    if isinstance(said, int):
        return now + said
    try:
        return int(datetime.fromisoformat(said.upper()).timestamp())
    except (ValueError, OverflowError) as error:
        raise InvalidRequest("withhold_notice_until.malformed", "withhold_notice_until is no instant.") from error


def _authentication(present: Call) -> Authentication:
    authentication = present.caller.token.authentication
    if authentication is None:
        raise InvalidToken("token.not_a_person")
    return authentication
