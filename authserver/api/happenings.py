"""What a timeline says of each event: its kind, its words, and which of its members whom it may show them to."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Any


class Sight(IntEnum):
    """How much a reader sees. Each sees what those before do."""

    SUBJECT = 1
    """The customer: what was done in their name, and what they were told and decided."""
    ACTOR = 2
    """Who acts: not what was withheld, and nothing that tells why the policy said no."""
    STAFF = 3
    """Who sees every impersonation."""
    EVIDENCE = 4
    """Who may read the trail: everything that is in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Telling:
    """How an event is told.

    `titles` are by the value of the member `varies`, `""` for any other. `by` is the member that names who did it.
    `plain` members are shown to whom the event is shown, `more` from the actor on.
    """

    kind: str
    titles: Mapping[str, str]
    varies: str = ""
    by: str = ""
    since: Sight = Sight.ACTOR
    plain: tuple[str, ...] = ()
    more: tuple[str, ...] = ()

    def title(self, payload: Mapping[str, Any]) -> str:
        """Say in a few words what happened."""
        found = self.titles.get(str(payload.get(self.varies)))
        return found or self.titles[""]


_ENDED = {
    "ended": "Ended",
    "denied": "Denied",
    "expired": "Expired without a decision",
    "revoked": "Revoked",
    "": "Came to its end",
}
_NOTICES = {
    "impersonation_started": "The customer was told that it began",
    "impersonation_ended": "The customer was told that it ended",
    "consent_mail": "The customer was asked by e-mail",
    "consent_code": "The customer was sent a code",
    "approval_wanted": "A lead was told that approval is wanted",
    "approval_reminder": "A lead was reminded that approval is wanted",
    "security_alert": "A security contact was alerted",
    "": "A message was sent",
}
OF_SUBJECT = frozenset({"impersonation_started", "impersonation_ended", "consent_mail", "consent_code"})
"""The messages that go to the customer: they see no other."""
_DEVICE = ("app", "handoff_id", "device_session")


def _one(title: str) -> dict[str, str]:
    return {"": title}


TELLINGS: dict[str, Telling] = {
    "impersonation:requested": Telling(
        kind="request",
        titles=_one("Requested"),
        by="actor",
        since=Sight.SUBJECT,
        plain=("reason", "reason_code", "ticket_id", "mode", "lifetime", "resources", "scopes", "override"),
        more=("way", "client_id", "consent_way", "digest", "state"),
    ),
    "impersonation:activated": Telling(
        kind="active", titles=_one("Became active"), by="actor", since=Sight.SUBJECT, plain=("expires_at",)
    ),
    "impersonation:extended": Telling(
        kind="extension",
        titles=_one("Extended"),
        by="actor",
        since=Sight.SUBJECT,
        plain=("lifetime", "expires_at"),
        more=("digest",),
    ),
    "impersonation:ended": Telling(
        kind="end",
        titles=_ENDED,
        varies="state",
        by="ended_by",
        since=Sight.SUBJECT,
        plain=("state",),
        more=("end_reason",),
    ),
    "approval:decided": Telling(
        kind="approval",
        titles={"approve": "Approved", "deny": "Approval denied", "withdraw": "Approval withdrawn", "": "Decided"},
        varies="decision",
        by="approver",
        since=Sight.SUBJECT,
        plain=("decision",),
        more=("lifetime", "remark", "digest"),
    ),
    "consent:decided": Telling(
        kind="consent",
        titles={"approve": "Consent given", "deny": "Consent refused", "withdraw": "Consent withdrawn", "": "Decided"},
        varies="decision",
        by="subject",
        since=Sight.SUBJECT,
        plain=("decision", "way", "words_version", "words_language"),
        more=("digest", "basis"),
    ),
    "consent_code:tried": Telling(
        kind="consent",
        titles={"True": "The customer's code was entered", "": "A wrong code was entered"},
        varies="correct",
        by="actor",
        since=Sight.SUBJECT,
        plain=("correct",),
        more=("left",),
    ),
    "support-code:redeemed": Telling(
        kind="consent",
        titles=_one("The customer's support code was used"),
        by="actor",
        since=Sight.SUBJECT,
        plain=("words_version", "words_language"),
        more=("client_id", "digest"),
    ),
    "break_glass:opened": Telling(
        kind="break_glass",
        titles=_one("The glass was broken: consent and approval were passed over"),
        by="actor",
        since=Sight.SUBJECT,
        more=("due_at", "contacts"),
    ),
    "break_glass:reported": Telling(
        kind="break_glass",
        titles=_one("The owed report was filed"),
        by="actor",
        since=Sight.ACTOR,
        plain=("overdue",),
        more=("report",),
    ),
    "notice:sent": Telling(
        kind="notice", titles=_NOTICES, varies="kind", since=Sight.SUBJECT, plain=("kind", "channel")
    ),
    "notice:failed": Telling(
        kind="notice",
        titles=_one("A message could not be sent"),
        since=Sight.STAFF,
        plain=("kind", "channel", "error", "final"),
    ),
    "notice:withheld": Telling(
        kind="notice",
        titles=_one("The customer's notice was withheld"),
        by="by",
        since=Sight.STAFF,
        plain=("reason_code", "until"),
    ),
    "token:issued": Telling(
        kind="token",
        titles={"id": "An ID token was issued", "": "A token was issued"},
        varies="kind",
        by="actor",
        since=Sight.SUBJECT,
        plain=("audience", "scopes", "expires_at"),
        more=("jti", "kind", "way", "client_id"),
    ),
    "token:revoked": Telling(kind="token", titles=_one("A token was revoked"), plain=("jti", "client_id")),
    "actions:reported": Telling(
        kind="report",
        titles=_one("Performed actions were reported"),
        by="reported_by",
        plain=("count", "digest"),
    ),
    "handoff:created": Telling(kind="device", titles=_one("A device was asked for"), by="actor", plain=_DEVICE),
    "handoff:opened": Telling(kind="device", titles=_one("The device's page was opened"), by="actor", plain=_DEVICE),
    "handoff:configured": Telling(
        kind="device", titles=_one("The device's configuration was given out"), plain=(*_DEVICE, "jti")
    ),
    "handoff:started": Telling(
        kind="device",
        titles=_one("A device was started"),
        since=Sight.SUBJECT,
        plain=("app",),
        more=_DEVICE,
    ),
    "handoff:closed": Telling(
        kind="device",
        titles=_one("The device was closed"),
        by="by",
        since=Sight.SUBJECT,
        more=(*_DEVICE, "requested_ms", "started_ms", "first_frame_ms", "app_launched_ms", "ended_ms"),
    ),
    "handoff-code:created": Telling(
        kind="device", titles=_one("A one-time code was made for the device"), plain=("handoff_id", "expires_at")
    ),
    "handoff-code:redeemed": Telling(kind="device", titles=_one("The device redeemed its code"), plain=("handoff_id",)),
    "handoff-code:replayed": Telling(
        kind="device",
        titles=_one("A used code was presented again: its tokens were revoked"),
        plain=("handoff_id",),
    ),
    "device_session:ended": Telling(
        kind="device", titles=_one("The device session was over"), by="by", since=Sight.SUBJECT, more=("grace_until",)
    ),
    "device_session:reopened": Telling(
        kind="device", titles=_one("A device was opened again"), by="actor", since=Sight.SUBJECT
    ),
    "request:refused": Telling(
        kind="refusal", titles=_one("A call was refused"), by="actor", since=Sight.STAFF, plain=("endpoint", "error")
    ),
}
"""By the name of the event. One that is not here is shown to readers of the trail alone."""
OTHER = Telling(kind="other", titles=_one("Something else was recorded"), since=Sight.EVIDENCE)
