"""`/api/v1/audit/verify`: the whole trail, gone over while the server goes on recording."""

from typing import Any

from flask_openapi.blueprint import APIBlueprint

from authserver.api.call import call
from authserver.api.schemas import problems
from authserver.api.schemas_evidence import HeadOut, ProofOut
from authserver.audit.events.readings import TrailVerified
from authserver.audit.export import instant
from authserver.audit.proof import Report


def add_proofs(blueprint: APIBlueprint) -> None:
    """Add the operation."""

    @blueprint.post("/audit/verify", responses={200: ProofOut, **problems(409)})
    def verify_audit_trail() -> tuple[dict[str, Any], int]:
        """Verify every event, signed head, anchor line and approval, and name what does not fit."""
        present = call()
        present.caller.demand(present.trace.endpoint)
        began_ms = present.parts.clock.now_ms()
        report = present.parts.prover.prove(present.work.session)
        present.parts.trail.record(
            present.work,
            TrailVerified(
                by=present.caller.user_id,
                intact=report.ok,
                events=report.events,
                to_seq=report.last_seq,
                problems=len(report.findings),
            ),
        )
        return _shown(report, took_ms=present.parts.clock.now_ms() - began_ms).model_dump(mode="json"), 200


def _shown(report: Report, *, took_ms: int) -> ProofOut:
    signed = report.signed
    head = None
    if signed is not None:
        head = HeadOut(seq=signed.seq, digest=signed.digest, at=instant(signed.at_ms), kid=signed.kid)
    return ProofOut(
        intact=report.ok,
        events=report.events,
        heads=report.heads,
        anchors=report.anchors,
        from_seq=report.first_seq,
        to_seq=report.last_seq,
        problems=list(report.findings),
        took_ms=took_ms,
        head=head,
    )
