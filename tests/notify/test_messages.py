"""What the messages say, and that nothing somebody typed becomes more than words in them."""

from dataclasses import replace
from email import message_from_bytes, policy

import pytest

from authserver.impersonation.notify.mail_form import Parcel, as_email, as_html, as_text, usable
from authserver.impersonation.notify.messages import MessageKind, Told, compose, one_line
from authserver.protocol.names import State
from authserver.storage.impersonations import Record

HOSTILE = 'Anna\r\nBcc: all@example.com\r\n\r\n<script>alert("1")</script> https://evil.example www.evil.example \u202e'
RECORD = Record(
    id="imp_1",
    state=State.ACTIVE,
    digest="",
    actor_id="usr_1",
    actor_session_id="ses_1",
    subject_id="usr_2",
    client_id="backend",
    resources=("https://a.example",),
    scopes=("a:read",),
    asked_scopes=("a:read",),
    mode="read_only",
    reason="a wrong balance",
    reason_code="customer_initiated_support",
    ticket_id="BANK-1",
    lifetime=3600,
    client_address="127.0.0.1",
    policies=(),
    created_ms=0,
    pending_until=1_800_000_300,
    activated_at=1_800_000_000,
    expires_at=1_800_003_600,
    ended_at=None,
    ended_by=None,
    end_reason=None,
)
TOLD = Told(
    record=RECORD,
    actor_name="Anna Agent",
    now=1_800_000_000,
    gates=False,
    objections="Call us.",
    link="https://login.example.com/notice/imp_1.0",
    code="318204",
)


def parcel(kind: MessageKind, told: Told) -> Parcel:
    return Parcel(
        id="msg_1",
        message_id="<msg_1@login.example.com>",
        kind=kind,
        impersonation_id="imp_1",
        user_id="usr_2",
        address="customer@example.com",
        letter=compose(kind, told),
        at=told.now,
    )


@pytest.mark.parametrize("kind", MessageKind)
def test_every_message_says_who_and_why_how_long_and_has_one_link(kind: MessageKind) -> None:
    letter = compose(kind, TOLD)
    for form in (as_text(letter), as_html(letter)):
        assert "“Anna Agent”" in form
        assert "“a wrong balance”" in form
        assert "BANK-1" in form
        assert form.count("https://") == 1
        assert ("at most 60 minutes" in form) is (kind is not MessageKind.ENDED)
        customer = kind in {MessageKind.STARTED, MessageKind.ENDED, MessageKind.CONSENT_MAIL, MessageKind.CONSENT_CODE}
        assert ("Call us." in form) is customer
        assert ("usr_2" in form) is not customer
        assert ("318204" in form) is (kind is MessageKind.CONSENT_CODE)


@pytest.mark.parametrize("kind", MessageKind)
def test_nothing_typed_reaches_a_header_or_becomes_a_line_a_tag_or_a_link(kind: MessageKind) -> None:
    record = replace(RECORD, reason=HOSTILE, ticket_id=HOSTILE, reason_code=HOSTILE)
    told = replace(TOLD, record=record, actor_name=HOSTILE)
    plain = as_email(parcel(kind, TOLD), sender="no-reply@example.com", sender_name="Bank")
    sent = as_email(parcel(kind, told), sender="no-reply@example.com", sender_name="Bank").as_bytes()
    mail = message_from_bytes(sent, policy=policy.default)
    without_boundary = [pair for pair in mail.items() if pair[0] != "Content-Type"]
    assert without_boundary == [pair for pair in plain.items() if pair[0] != "Content-Type"]
    letter = compose(kind, told)
    text, html = as_text(letter), as_html(letter)
    assert not any(line.startswith("Bcc:") for line in text.splitlines())
    assert "\u202e" not in text
    assert "<script" not in html
    assert "&lt;script&gt;" in html
    assert text.count("://") == html.count("://") == 1
    assert "www.evil" not in text
    assert "evil.example" not in text
    assert as_text(letter).count("\n") == as_text(compose(kind, TOLD)).count("\n")


def test_line_is_cut() -> None:
    assert len(one_line("x" * 10_000)) == 501
    assert one_line(" a\tb\u2028c ") == "a b c"


def test_started_message_says_how_it_stands_when_it_is_sent() -> None:
    assert "sees your account" in as_text(compose(MessageKind.STARTED, TOLD))
    over = replace(TOLD, record=replace(RECORD, state=State.ENDED, ended_at=1_800_000_060))
    assert "It is over" in as_text(compose(MessageKind.STARTED, over))
    waiting = replace(TOLD, gates=True, record=replace(RECORD, state=State.REQUESTED, activated_at=None))
    assert "is about to see" in as_text(compose(MessageKind.STARTED, waiting))
    broken = replace(TOLD, record=replace(RECORD, override="break_glass"))
    assert "Emergency" in as_text(compose(MessageKind.STARTED, broken))


@pytest.mark.parametrize(
    ("address", "good"),
    [
        ("customer@example.com", True),
        ("o'neil+bank@mail.example.co.uk", True),
        ("", False),
        (None, False),
        ("nobody", False),
        ("a@b\r\nBcc: c@d", False),
        ("a@b>, <c@d", False),
        ("a b@example.com", False),
        ("ä@example.com", False),
        ("-oQ/tmp@-x", False),
    ],
)
def test_only_a_plain_mailbox_is_an_address(address: str | None, good: bool) -> None:  # noqa: FBT001 - a table
    assert (usable(address) == address) is (good or address is None)
