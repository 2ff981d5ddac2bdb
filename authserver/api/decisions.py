"""`/api/v1/impersonations/{id}/…`: what people decide on one, its extension, and the report that is owed for it."""

from typing import Any

from flask_openapi.blueprint import APIBlueprint

from authserver.api.call import Call, call
from authserver.api.schemas import (
    ApprovalBody,
    ConsentBody,
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
from authserver.protocol.refusals import InvalidToken
from authserver.protocol.tokens import Authentication

Answer = tuple[dict[str, Any], int]


def add_decisions(blueprint: APIBlueprint) -> None:
    """Add the operations."""

    @blueprint.post("/impersonations/<string:id>/approval", responses={200: ImpersonationOut, **problems(404, 409)})
    def decide_approval(path: IdPath, body: ApprovalBody) -> Answer:
        """Approve or deny as a second person; a `deny` of what is active withdraws the approval, and revokes."""
        present = call()
        record = present.impersonation(path.id)
        ruling = Ruling(choice=body.decision, lifetime=body.expires_in, remark=body.remark)
        return present.shown(present.parts.approvals.decide(present.work, record, decider(present), ruling)), 200

    @blueprint.post("/impersonations/<string:id>/consent", responses={200: ImpersonationOut, **problems(404, 409)})
    def decide_consent(path: IdPath, body: ConsentBody) -> Answer:
        """Consent or refuse as the customer; a `deny` of what is active withdraws the consent, and revokes."""
        present = call()
        record = present.impersonation(path.id)
        said = Said(choice=body.decision, surface="app", number=body.number)
        return present.shown(present.parts.consents.decide(present.work, record, decider(present), said)), 200

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


def _authentication(present: Call) -> Authentication:
    authentication = present.caller.token.authentication
    if authentication is None:
        raise InvalidToken("token.not_a_person")
    return authentication
