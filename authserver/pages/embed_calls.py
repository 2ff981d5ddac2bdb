"""What the embed page's own script calls, with the page's cookie, at the embed origin (design section 6)."""

from collections.abc import Callable
from typing import Any, TypeVar

from flask import Blueprint, Response, request
from pydantic import BaseModel, ValidationError

from authserver.accounts.refusals import Throttled
from authserver.appetize.devices import EVENTS, DeviceEvent, DeviceReport
from authserver.appetize.found import Found
from authserver.appetize.minter import actor_of
from authserver.impersonation.reasons import chosen
from authserver.pages.embed_report import ReportBody
from authserver.pages.parts import PageParts
from authserver.protocol.access import Caller, Credential, Relation, may_call
from authserver.protocol.names import OPEN_STATES, PENDING_STATES, State
from authserver.protocol.refusals import Forbidden, InvalidRequest, NotFound, Refusal
from authserver.storage import people
from authserver.storage.database import Work, unit_of_work
from authserver.web.limits import AT_EMBED_ORIGIN
from authserver.web.refusals import Trace, json_answer, new_trace, problem

LIFETIME = 60
"""For how many seconds after the longest impersonation a page may still report what was done."""

Body = TypeVar("Body", bound=BaseModel)
Answer = Callable[[Work, Trace, Found], dict[str, Any]]


def add_calls(blueprint: Blueprint, parts: PageParts) -> None:
    """Add the calls: each by POST with JSON, from the page's own origin."""

    @blueprint.post("/<handoff_id>/config")
    def config(handoff_id: str) -> Response:
        def answer(work: Work, trace: Trace, found: Found) -> dict[str, Any]:
            actor, handoffs = actor_of(work, found.record), parts.appetize.handoffs
            return handoffs.configure(work, found, actor, by="page", client_address=trace.address)

        return _called(parts, handoff_id, answer)

    @blueprint.post("/<handoff_id>/code")
    def code(handoff_id: str) -> Response:
        def answer(work: Work, trace: Trace, found: Found) -> dict[str, Any]:
            actor, codes = actor_of(work, found.record), parts.appetize.codes
            fresh = codes.fresh(work, found, actor, client_address=trace.address)
            return {"url": fresh.url, "expires_in": fresh.expires_in}

        return _called(parts, handoff_id, answer)

    @blueprint.post("/<handoff_id>/events")
    def events(handoff_id: str) -> Response:
        def answer(work: Work, trace: Trace, found: Found) -> dict[str, Any]:
            del trace
            body = _parsed(ReportBody)
            kept = [event for event in body.events if event.event in EVENTS]
            reported = parts.appetize.devices.report(work, found, _report(body))
            left_out = len(body.events) - len(kept)
            return {"accepted": reported.accepted, "known": reported.known, "left_out": left_out}

        return _called(parts, handoff_id, answer)

    @blueprint.post("/<handoff_id>/state")
    def state(handoff_id: str) -> Response:
        return _called(parts, handoff_id, lambda work, _, found: state_of(parts, work, found))

    @blueprint.post("/<handoff_id>/end")
    def end(handoff_id: str) -> Response:
        """End the impersonation as its actor; ending it twice is ending it once."""

        def answer(work: Work, trace: Trace, found: Found) -> dict[str, Any]:
            del trace
            record = found.record
            parts.lifecycle.end(work, record, state=State.ENDED, by=record.actor_id, reason="actor")
            parts.appetize.devices.close(work, found, by=record.actor_id)
            return state_of(parts, work, parts.appetize.registry.known(work, handoff_id))

        return _called(parts, handoff_id, answer)


def _called(parts: PageParts, handoff_id: str, answer: Answer) -> Response:
    """Answer a call of the page: of this handoff's cookie, from its own origin, as JSON that no form can send."""
    trace = new_trace()
    with unit_of_work() as work:
        try:
            if not at_embed_origin():
                raise NotFound("embed.host")
            if request.headers.get("Origin") != parts.settings.appetize.embed_origin:
                raise Forbidden("embed.origin")
            if request.mimetype != "application/json":
                raise InvalidRequest("embed.content_type", "The request body must be JSON.")
            found = page_of(parts, work, trace, handoff_id)
            return json_answer(answer(work, trace, found))
        except Refusal as refusal:
            parts.refusals.refuse(work, trace, refusal)
            response = problem(refusal)
            if isinstance(refusal, Throttled):
                response.headers["Retry-After"] = str(refusal.retry_after)
            return response


def at_embed_origin() -> bool:
    """Tell whether the present request came to the embed origin."""
    return bool(request.environ.get(AT_EMBED_ORIGIN))


def cookie_name(parts: PageParts, handoff_id: str) -> str:
    """Return the name of a page's cookie: one a handoff, since several may be open in a browser."""
    secure = parts.settings.appetize.embed_origin.startswith("https:")
    return f"{'__Host-' if secure else ''}authserver-embed-{handoff_id}"


def page_of(parts: PageParts, work: Work, trace: Trace, handoff_id: str) -> Found:
    """Return the handoff whose page the present request is of."""
    cookie = request.cookies.get(cookie_name(parts, handoff_id), "")
    found = parts.appetize.pages.of_cookie(work, handoff_id, cookie)
    trace.actor, trace.impersonation_id = found.record.actor_id, found.record.id
    if not may_call(trace.endpoint, Caller(Credential.EMBED_PAGE), {Relation.ITSELF}):
        raise Forbidden("access.table")
    return found


def state_of(parts: PageParts, work: Work, found: Found) -> dict[str, Any]:
    """Return what the page shows: who acts as whom, why, how, and for how long still."""
    record, handoff, app, now = found.record, found.handoff, found.offered, parts.clock.now()
    names = people.named(work.session, [record.actor_id, record.subject_id])
    over = record.overdue(now)
    limits = [record.expires_at, record.grace_until] if record.state is State.ACTIVE else [record.pending_until]
    ends = [limit for limit in limits if limit is not None]
    build, mismatch = parts.appetize.registry.build(work, found)
    return {
        "impersonation_id": record.id,
        "state": State.ENDED if over else record.state,
        "pending": record.state in PENDING_STATES and not over,
        "end_reason": record.end_reason,
        "seconds_left": min(ends) - now if ends and record.state in OPEN_STATES and not over else 0,
        "actor": names.get(record.actor_id, ""),
        "subject": names.get(record.subject_id, ""),
        "reason": record.reason or chosen(record.reason_code),
        "ticket_id": record.ticket_id,
        "mode": record.mode,
        "override": record.override,
        "app": handoff.app,
        "build": build,
        "build_mismatch": mismatch,
        "app_off": app is None,
        "how": app and app.how,
        "fresh_link": app is not None and (app.by_link or app.gives_codes),
        "sdk_url": app and app.sdk_url,
        "base_url": app and app.base_url,
        "configured": handoff.consumed_at is not None,
        "device_ended": handoff.ended_ms is not None,
    }


def _parsed(body: type[Body]) -> Body:
    try:
        return body.model_validate(request.get_json(silent=True))
    except (ValidationError, RecursionError) as error:
        raise InvalidRequest("body.schema", "The request does not fit the schema.") from error


def _report(body: ReportBody) -> DeviceReport:
    return DeviceReport(
        stages={stage.stage: stage.at_ms for stage in body.stages},
        device_session=body.session,
        events=tuple(
            DeviceEvent(
                id=event.id,
                name=event.event,
                at_ms=event.at_ms,
                element_type=None if event.element is None else event.element.type,
                element_id=None if event.element is None else event.element.identifier,
            )
            for event in body.events
        ),
    )
