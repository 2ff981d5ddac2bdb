"""What the messages say: rows in, words out. Pure, and versioned: a change of the words is a new `WORDS_VERSION`.

Names, reasons and tickets are written by people: they stand on one line, in quotation marks, and never in a header.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from authserver.impersonation import reasons
from authserver.protocol.names import OPEN_STATES, Mode, State
from authserver.storage.impersonations import Record

WORDS_VERSION = "en/1"
_MAX_QUOTED = 500
_LINK = re.compile(r":(?=//)|(?<=\w)\.(?=[^\W\d_]{2})")


class MessageKind(StrEnum):
    """What a message is about."""

    STARTED = "impersonation_started"
    ENDED = "impersonation_ended"
    APPROVAL_WANTED = "approval_wanted"
    APPROVAL_REMINDER = "approval_reminder"
    CONSENT_MAIL = "consent_mail"
    CONSENT_CODE = "consent_code"
    SECURITY_ALERT = "security_alert"


WAITS_IN: dict[MessageKind, State] = {
    MessageKind.APPROVAL_WANTED: State.AWAITING_APPROVAL,
    MessageKind.APPROVAL_REMINDER: State.AWAITING_APPROVAL,
    MessageKind.CONSENT_MAIL: State.AWAITING_CONSENT,
    MessageKind.CONSENT_CODE: State.AWAITING_CONSENT,
}
"""Messages that ask for a decision, and the state that waits for it: in any other they are not sent any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What a message tells of, as it stands when it is sent."""

    record: Record
    actor_name: str
    now: int
    gates: bool
    objections: str
    link: str
    code: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """A message in words: `facts` are pairs of what and its value; `link` is the only address in it."""

    subject: str
    opening: str
    facts: tuple[tuple[str, str], ...]
    paragraphs: tuple[str, ...]
    link_words: str
    link: str


def compose(kind: MessageKind, told: Told) -> Letter:
    """Say it."""
    return _COMPOSERS[kind](told)


_MARKS = '“”„‟«»"'
"""Quotation marks: what somebody typed stays within ours."""


def one_line(text: str) -> str:
    """Return what somebody typed as one printable line that no mail program makes a link of."""
    printable = "".join("'" if char in _MARKS else char if char.isprintable() else " " for char in text)
    line = _LINK.sub(r"\g<0> ", " ".join(printable.split()))
    return line if len(line) <= _MAX_QUOTED else line[:_MAX_QUOTED] + "…"


def moment(at: int | None) -> str:
    """Return an instant for people."""
    return "" if at is None else datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M UTC")


def _started(told: Told) -> Letter:
    record = told.record
    if told.gates:
        opening = (
            "One of our employees is about to see your account as you see it. It begins once this message is sent."
        )
    elif record.state in OPEN_STATES:
        opening = "One of our employees sees your account as you see it."
    else:
        opening = "One of our employees saw your account as you see it. It is over."
    return Letter(
        subject="An employee acts in your account",
        opening=opening,
        facts=(*_customer_facts(told), ("For how long", f"at most {_minutes(record.lifetime)}")),
        paragraphs=(
            f"If you do not want this: {told.objections}",
            "You can also end it yourself, at once, on this page. No sign-in is needed.",
        ),
        link_words="See it, and end it",
        link=told.link,
    )


def _ended(told: Told) -> Letter:
    record = told.record
    how = (
        "You ended it."
        if record.ended_by == record.subject_id
        else "It is over, and nobody sees your account any more."
    )
    return Letter(
        subject="An employee has stopped acting in your account",
        opening=how,
        facts=(*_customer_facts(told), ("Ended", moment(record.ended_at))),
        paragraphs=(f"If you did not want this: {told.objections}",),
        link_words="See what it was",
        link=told.link,
    )


def _customer_facts(told: Told) -> tuple[tuple[str, str], ...]:
    record = told.record
    changes = "look and change things" if record.mode == Mode.FULL else "look only, change nothing"
    facts = (
        ("Who", _quoted(told.actor_name)),
        ("When", moment(record.activated_at) or "now"),
        ("Why", _quoted(record.reason) or reasons.chosen(record.reason_code)),
        ("Ticket", _quoted(record.ticket_id)),
        ("What is possible", changes),
    )
    urgent = ("Emergency", "It was begun without asking you first. It is reviewed.") if record.override else None
    return tuple(fact for fact in (*facts, urgent) if fact is not None and fact[1])


def _approval_wanted(told: Told) -> Letter:
    return Letter(
        subject="Your approval is wanted",
        opening="An employee asks to act for a customer, and a second person has to approve it.",
        facts=_staff_facts(told),
        paragraphs=(f"Without an answer the request expires at {moment(told.record.pending_until)}.",),
        link_words="See that it waits",
        link=told.link,
    )


def _approval_reminder(told: Told) -> Letter:
    letter = _approval_wanted(told)
    return Letter(
        subject="Reminder: your approval is wanted",
        opening="This still waits for you. " + letter.opening,
        facts=letter.facts,
        paragraphs=letter.paragraphs,
        link_words=letter.link_words,
        link=letter.link,
    )


def _consent_mail(told: Told) -> Letter:
    return Letter(
        subject="May an employee see your account?",
        opening="One of our employees asks to see your account as you see it. Nothing happens unless you say yes.",
        facts=(*_asking_facts(told), ("For how long", f"at most {_minutes(told.record.lifetime)}")),
        paragraphs=(
            f"Sign in to say yes or no, until {moment(told.record.pending_until)}. Opening the page decides nothing.",
            f"If this surprises you: {told.objections}",
        ),
        link_words="Sign in and decide",
        link=told.link,
    )


def _consent_code(told: Told) -> Letter:
    return Letter(
        subject="Your code",
        opening="One of our employees asks to see your account as you see it. If you want that, read them this code:",
        facts=(
            ("Code", told.code),
            *_asking_facts(told),
            ("For how long", f"at most {_minutes(told.record.lifetime)}"),
        ),
        paragraphs=(
            f"If you are not speaking with {_quoted(told.actor_name)}, or do not want this, tell nobody the code.",
            f"If this surprises you: {told.objections}",
        ),
        link_words="See the request",
        link=told.link,
    )


def _asking_facts(told: Told) -> tuple[tuple[str, str], ...]:
    return tuple(fact for fact in _customer_facts(told) if fact[0] != "When")


def _security_alert(told: Told) -> Letter:
    return Letter(
        subject="The glass was broken",
        opening="An employee acts for a customer by override, without the consent and the approval that are usual.",
        facts=(*_staff_facts(told), ("Since", moment(told.record.activated_at) or moment(told.now))),
        paragraphs=("Look at it now. The one who did it owes a report.",),
        link_words="See the request",
        link=told.link,
    )


def _staff_facts(told: Told) -> tuple[tuple[str, str], ...]:
    """Tell staff of the customer by identifier alone: mail is no place for more."""
    record = told.record
    facts = (
        ("Who", f"{_quoted(told.actor_name)} ({record.actor_id})"),
        ("For the customer", record.subject_id),
        ("Why", _quoted(record.reason) or reasons.chosen(record.reason_code)),
        ("Reason code", _quoted(record.reason_code)),
        ("Ticket", _quoted(record.ticket_id)),
        ("Mode", record.mode),
        ("For how long", f"at most {_minutes(record.lifetime)}"),
        ("Request", record.id),
    )
    return tuple(fact for fact in facts if fact[1])


def _quoted(text: str) -> str:
    line = one_line(text)
    return f"“{line}”" if line else ""


def _minutes(seconds: int) -> str:
    minutes = max(1, -(-seconds // 60))
    return "1 minute" if minutes == 1 else f"{minutes} minutes"


_COMPOSERS: dict[MessageKind, Callable[[Told], Letter]] = {
    MessageKind.STARTED: _started,
    MessageKind.ENDED: _ended,
    MessageKind.APPROVAL_WANTED: _approval_wanted,
    MessageKind.APPROVAL_REMINDER: _approval_reminder,
    MessageKind.CONSENT_MAIL: _consent_mail,
    MessageKind.CONSENT_CODE: _consent_code,
    MessageKind.SECURITY_ALERT: _security_alert,
}
