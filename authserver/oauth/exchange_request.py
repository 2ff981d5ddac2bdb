"""The parameters of a token exchange, parsed once (RFC 8693 §2.1, design section 3)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self

from authserver.oauth.form import Form
from authserver.protocol.names import (
    TYPE_ACCESS_TOKEN,
    TYPE_ID_TOKEN,
    TYPE_IMPERSONATION,
    TYPE_JWT,
    TYPE_SUPPORT_CODE,
    TYPE_USER_ID,
    Mode,
    Way,
)
from authserver.protocol.refusals import InvalidRequest

_TOKEN_TYPES = frozenset({TYPE_ACCESS_TOKEN, TYPE_ID_TOKEN, TYPE_JWT})
_MAX_TICKET_CHARS = 128
_MAX_ID_CHARS = 255
_MAX_DIGITS = 18
_NO_IMPERSONATION = frozenset({Way.ON_BEHALF_OF, Way.TRUSTED_ISSUER})
_WITH_ACTOR = {
    TYPE_USER_ID: Way.USER_ID,
    TYPE_IMPERSONATION: Way.IMPERSONATION,
    TYPE_SUPPORT_CODE: Way.SUPPORT_CODE,
}
"""What names the target by itself, and wants the actor's own token beside it."""
_OF_IMPERSONATION = ("mode", "override", "consent_way")


@dataclass(frozen=True, slots=True, kw_only=True)
class ExchangeRequest:
    """A well-formed request for an exchange; nothing in it is verified yet."""

    way: Way
    unverified_subject_token: str = field(repr=False)
    subject_token_type: str
    unverified_actor_token: str | None = field(repr=False)
    actor_token_type: str | None
    requested_token_type: str
    requested_subject: str | None
    reason: str | None
    reason_code: str | None
    ticket_id: str | None
    mode: Mode | None
    expires_in: int | None
    break_glass: bool
    consent_way: str | None = None

    @classmethod
    def parse(cls, form: Form, aliases: Mapping[str, str], max_reason_chars: int) -> Self:
        """Read a form, or raise InvalidRequest for what is missing, contradictory or of an unknown type."""
        subject_token, subject_type = form.require("subject_token"), form.require("subject_token_type")
        subject_type = aliases.get(subject_type, subject_type)
        actor_token, actor_type = form.get("actor_token"), form.get("actor_token_type")
        if (actor_token is None) != (actor_type is None):
            raise InvalidRequest("actor.half", "actor_token and actor_token_type go together.")
        if actor_type is not None:
            actor_type = aliases.get(actor_type, actor_type)
            if actor_type not in _TOKEN_TYPES:
                raise InvalidRequest("actor.type", "actor_token_type is not supported.")
        way = _way(subject_type, form.get("requested_subject"))
        _check_way(way, form)
        return cls(
            way=way,
            unverified_subject_token=subject_token,
            subject_token_type=subject_type,
            unverified_actor_token=actor_token,
            actor_token_type=actor_type,
            requested_token_type=_requested_type(form, aliases),
            requested_subject=_short(form, "requested_subject", _MAX_ID_CHARS),
            reason=_short(form, "reason", max_reason_chars),
            reason_code=_short(form, "reason_code", _MAX_TICKET_CHARS),
            ticket_id=_short(form, "ticket_id", _MAX_TICKET_CHARS),
            mode=_mode(form.get("mode")),
            expires_in=_seconds(form.get("requested_expires_in")),
            break_glass=_override(form.get("override")),
            consent_way=form.get("consent_way"),
        )


def _way(subject_type: str, requested_subject: str | None) -> Way:
    if subject_type in _WITH_ACTOR:
        return _WITH_ACTOR[subject_type]
    if subject_type not in _TOKEN_TYPES:
        raise InvalidRequest("subject.type", "subject_token_type is not supported.")
    if requested_subject is not None:
        return Way.OWN_TOKEN
    return Way.ON_BEHALF_OF if subject_type == TYPE_ACCESS_TOKEN else Way.TRUSTED_ISSUER


def _check_way(way: Way, form: Form) -> None:
    """Refuse parameters that have no meaning in a way, for silence would give more than was asked."""
    if way in _WITH_ACTOR.values():
        if form.get("requested_subject") is not None:
            raise InvalidRequest("requested_subject.unexpected", "requested_subject has no place in this exchange.")
        if form.get("actor_token") is None:
            raise InvalidRequest("actor.missing", "actor_token is required.")
    if way in {Way.OWN_TOKEN, Way.TRUSTED_ISSUER} and form.get("actor_token") is not None:
        raise InvalidRequest("actor.unexpected", "actor_token has no place in this exchange.")
    if way in _NO_IMPERSONATION and any(form.get(name) is not None for name in _OF_IMPERSONATION):
        raise InvalidRequest("mode.unexpected", "mode, override and consent_way have no place in this exchange.")


def _requested_type(form: Form, aliases: Mapping[str, str]) -> str:
    requested = form.get("requested_token_type") or TYPE_ACCESS_TOKEN
    requested = aliases.get(requested, requested)
    if requested not in _TOKEN_TYPES:
        raise InvalidRequest("requested_token_type", "requested_token_type is not supported.")
    return requested


def _short(form: Form, name: str, limit: int) -> str | None:
    value = form.get(name)
    if value is not None and len(value) > limit:
        raise InvalidRequest(f"{name}.too_long", f"{name} is too long.")
    return value


def _mode(text: str | None) -> Mode | None:
    if text is None:
        return None
    try:
        return Mode(text)
    except ValueError as error:
        raise InvalidRequest("mode.unknown", "mode is read_only or full.") from error


def _seconds(text: str | None) -> int | None:
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= _MAX_DIGITS and int(text) > 0):
        raise InvalidRequest("requested_expires_in", "requested_expires_in is a positive number of seconds.")
    return int(text)


def _override(text: str | None) -> bool:
    if text not in {None, "break_glass"}:
        raise InvalidRequest("override.unknown", "override is break_glass.")
    return text is not None
