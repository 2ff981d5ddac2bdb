"""A letter as mail (RFC 5322): plain words, and the same as plain HTML."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from html import escape

from authserver.impersonation.notify.messages import WORDS_VERSION, Letter

_MAILBOX = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,188}[A-Za-z0-9])?")
_HTML = """\
<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>{subject}</title></head>
<body>
<p>{opening}</p>
<table>
{facts}
</table>
{paragraphs}
<p><a href="{link}">{link_words}</a></p>
</body>
</html>
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parcel:
    """A letter ready to be handed over; `address` is None where there is no usable one. `at` is now, in seconds."""

    id: str
    message_id: str
    kind: str
    impersonation_id: str | None
    user_id: str | None
    address: str | None
    letter: Letter
    at: int


def usable(address: str | None) -> str | None:
    """Return an address if it is a plain mailbox; whatever else somebody registered is none."""
    return address if address is not None and _MAILBOX.fullmatch(address) else None


def as_email(parcel: Parcel, *, sender: str, sender_name: str) -> EmailMessage:
    """Return the mail. Its headers are ours alone; nothing that somebody typed stands in them."""
    mail = EmailMessage(policy=SMTP)
    name, _, domain = sender.rpartition("@")
    mail["From"] = Address(sender_name, name, domain)
    if parcel.address is not None:
        mail["To"] = parcel.address
    mail["Subject"] = parcel.letter.subject
    mail["Date"] = format_datetime(datetime.fromtimestamp(parcel.at, UTC))
    mail["Message-ID"] = parcel.message_id
    mail["Auto-Submitted"] = "auto-generated"  # RFC 3834 §5: nothing answers it by itself
    mail["X-Words-Version"] = WORDS_VERSION
    mail.set_content(as_text(parcel.letter), cte="quoted-printable")
    mail.add_alternative(as_html(parcel.letter), subtype="html", cte="quoted-printable")
    return mail


def as_text(letter: Letter) -> str:
    """Return the letter as plain text."""
    facts = "\n".join(f"{what}: {value}" for what, value in letter.facts)
    return "\n\n".join((letter.opening, facts, *letter.paragraphs, f"{letter.link_words}:\n{letter.link}")) + "\n"


def as_html(letter: Letter) -> str:
    """Return the letter as HTML without style, image or script; every value is escaped."""
    rows = (
        f'<tr><th scope="row" align="left">{escape(what)}</th><td>{escape(value)}</td></tr>'
        for what, value in letter.facts
    )
    return _HTML.format(
        subject=escape(letter.subject),
        opening=escape(letter.opening),
        facts="\n".join(rows),
        paragraphs="\n".join(f"<p>{escape(paragraph)}</p>" for paragraph in letter.paragraphs),
        link=escape(letter.link),
        link_words=escape(letter.link_words),
    )
