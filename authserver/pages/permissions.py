"""What a customer allows: codes for support, a standing yes, the answers that they gave, and other applications."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from flask import Blueprint, Response, request

from authserver.impersonation import consent_words
from authserver.impersonation.support_codes import Listed
from authserver.impersonation.words import PRESENT_SUPPORT_CODE
from authserver.pages.customer import own, rendered, shown
from authserver.pages.parts import PageParts
from authserver.protocol.refusals import NotFound, Refusal
from authserver.storage import DbSession, authorizations, impersonations, people, resources
from authserver.storage.database import Work
from authserver.storage.tables import Consent, User

_MINUTES = (5, 10, 15, 30, 60)
_DAYS = (30, 90, 365)
_GIVEN = 10
_MOST_CONSENTS = 100
_PLAIN = {
    "scope.nothing_left": "Tick at least one thing that support may see.",
    "support_code.scope_not_theirs": "Tick only what is offered here.",
    "support_code.mode_inconceivable": "Nobody can be allowed that. Choose the other one.",
}
"""Refusals whose words are for programs, as this page says them."""
_WRONG = "Something in this form is not right. Look at it again."


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """An answer that the customer gave; `id` names the impersonation that it was to."""

    id: str
    actor: str
    yes: bool
    way: str
    at: int
    runs: bool
    """What it allowed goes on, so that it can be taken back."""


def add_permissions(blueprint: Blueprint, parts: PageParts) -> None:
    """Add the page."""

    @blueprint.get("/account/permissions")
    def permissions() -> Response:
        return shown(parts, lambda work, _signed_in, user: permissions_page(parts, work, user))


def permissions_page(parts: PageParts, work: Work, user: User, refusal: Refusal | None = None) -> Response:
    """Show what is allowed; after a refusal with what was typed, and in plain words what is wrong with it."""
    standing = impersonations.standing_consent(work.session, user.id, now=parts.clock.now())
    most = parts.settings.consent.standing_max_seconds
    return rendered(
        parts,
        work,
        user,
        "account_permissions.html",
        current="permissions",
        status=HTTPStatus.OK if refusal is None else refusal.status,
        error=None if refusal is None else plain(refusal),
        support=_support(parts, work.session, user, request.form if refusal is not None else {}),
        standing=standing,
        words=consent_words.of_standing(),
        days=[days for days in _DAYS if days * 86400 <= most] or [max(1, most // 86400)],
        given=_given(parts, work.session, user.id),
        applications=authorizations.clients_of(work.session, user.id),
    )


def plain(refusal: Refusal) -> str:
    """Return a refusal's words for people."""
    if refusal.error in {"invalid_scope", "invalid_target", "access_denied"}:
        return _PLAIN.get(refusal.reason, _WRONG)
    return refusal.public


def _support(parts: PageParts, session: DbSession, user: User, typed: Mapping[str, Any]) -> dict[str, Any]:
    described, limits = resources.descriptions(session), parts.support_codes.limits
    ticked = set(request.form.getlist("scopes")) if typed else None
    listed = parts.support_codes.listing(session, user.id)
    modes = parts.support_codes.modes(user)
    return {
        "modes": modes,
        "mode": typed.get("mode") if typed.get("mode") in modes else modes[0],
        "scopes": [
            {
                "name": scope.name,
                "words": described.get(scope.name) or scope.name,
                "writes": scope.access == "write",
                "ticked": ticked is None or scope.name in ticked,
            }
            for scope in parts.support_codes.choices(session, user)
        ],
        "minutes": [m for m in _MINUTES if 60 * m <= limits.max_lifetime] or [max(1, limits.max_lifetime // 60)],
        "usual": typed.get("lifetime_minutes", str(limits.lifetime // 60)),
        "codes": [_code(found, described) for found in listed if found.state in {"live", "active"}],
        "words": PRESENT_SUPPORT_CODE,
    }


def _code(found: Listed, described: Mapping[str, str]) -> dict[str, Any]:
    stored = found.stored
    return {
        "id": stored.id,
        "active": found.state == "active",
        "impersonation_id": stored.impersonation_id,
        "mode": stored.mode,
        "scopes": [described.get(name) or name for name in stored.scopes],
        "minutes": stored.lifetime // 60,
        "until": stored.expires_at,
    }


def _given(parts: PageParts, session: DbSession, user_id: str) -> Sequence[Given]:
    """Return the newest answers to requests that the customer may know of."""
    rows = impersonations.consents_of(session, user_id, limit=_MOST_CONSENTS)
    answers = [row for row in rows if row.kind != "standing" and row.impersonation_id is not None][:_GIVEN]
    found = [one for row in answers if (one := _answer(parts, session, user_id, row)) is not None]
    names = people.named(session, {one.actor for one in found})
    return [
        Given(
            id=one.id,
            actor=names.get(one.actor) or "Somebody from our staff",
            yes=one.yes,
            way=one.way,
            at=one.at,
            runs=one.runs,
        )
        for one in found
    ]


def _answer(parts: PageParts, session: DbSession, user_id: str, row: Consent) -> Given | None:
    try:
        record = own(parts, session, user_id, row.impersonation_id or "")
    except NotFound:
        return None
    runs = record.activated_at is not None and record.ended_at is None and not record.overdue(parts.clock.now())
    yes = row.decision == "approve"
    return Given(
        id=record.id,
        actor=record.actor_id,
        yes=yes,
        way=row.way,
        at=row.given_at,
        runs=runs and yes and row.withdrawn_at is None,
    )
