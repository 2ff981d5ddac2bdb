"""The channels: each takes a parcel over, or says by a fixed name why it does not."""

import base64
import binascii
import hashlib
import hmac
import json
import os
import smtplib
import ssl
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from typing import Protocol

import requests

from authserver.impersonation.notify.mail_form import Parcel, as_email, as_html, as_text
from authserver.impersonation.notify.messages import WORDS_VERSION
from authserver.settings_governance import Hook, Notification, Smtp

_PERMANENT = 500
_WEBHOOK_SECRET = "whsec_"
_MAIL_REASONS: tuple[tuple[type[OSError], str], ...] = (
    (smtplib.SMTPAuthenticationError, "authentication"),
    (smtplib.SMTPConnectError, "unreachable"),
    (smtplib.SMTPHeloError, "unreachable"),
    (smtplib.SMTPResponseException, "refused"),
    (smtplib.SMTPNotSupportedError, "not_supported"),
    (ssl.SSLError, "tls"),
    (TimeoutError, "timeout"),
)
"""What a failure is called; the first that fits."""


class ChannelFailedError(Exception):
    """A channel did not take a message over. `reason` is a fixed word; a `permanent` one is not tried again."""

    def __init__(self, channel: str, reason: str, *, permanent: bool = False) -> None:
        """Say which channel, and why."""
        super().__init__(f"{channel}: {reason}")
        self.channel = channel
        self.reason = reason
        self.permanent = permanent


class Channel(Protocol):
    """Something that takes messages over."""

    name: str

    def send(self, parcel: Parcel) -> None:
        """Hand over; when it returns, the message was accepted. Raises ChannelFailedError."""


def channels(settings: Notification, *, host: str) -> tuple[Channel, ...]:
    """Return the configured channels in their order; `host` is how this server calls itself (RFC 5321 §4.1.1.1)."""
    made: dict[str, Channel] = {
        "mail": MailChannel(settings, host=host),
        "webhook": WebhookChannel(settings.webhook),
        "folder": FolderChannel(settings),
    }
    return tuple(made[name] for name in settings.channels)


class MailChannel:
    """SMTP (RFC 5321): accepted once the server answered the data by 250, and no sooner."""

    name = "mail"

    def __init__(self, settings: Notification, *, host: str) -> None:
        """Send by the configured server."""
        self._settings = settings
        self._host = host

    def send(self, parcel: Parcel) -> None:
        """Hand over to the mail server."""
        if parcel.address is None:
            raise ChannelFailedError(self.name, "no_address", permanent=True)
        mail = as_email(parcel, sender=self._settings.from_address, sender_name=self._settings.sender_name)
        try:
            server = self._connected(self._settings.smtp)
            try:
                server.send_message(mail, self._settings.from_address, [parcel.address])
            finally:
                _leave(server)
        except OSError as error:  # smtplib's own are among them
            raise _mail_failure(error) from error

    def _connected(self, smtp: Smtp) -> smtplib.SMTP:
        timeout, context = smtp.timeout_seconds, ssl.create_default_context()
        server: smtplib.SMTP
        if smtp.security == "tls":
            server = smtplib.SMTP_SSL(smtp.host, smtp.port, self._host, timeout=timeout, context=context)
        else:
            server = smtplib.SMTP(smtp.host, smtp.port, self._host, timeout=timeout)
        try:
            if smtp.security == "starttls":
                server.starttls(context=context)
            if smtp.username:
                server.login(smtp.username, smtp.password)
        except BaseException:
            server.close()
            raise
        return server


def _leave(server: smtplib.SMTP) -> None:
    """Say goodbye; how that goes says nothing about the message."""
    try:
        server.quit()
    except OSError:
        server.close()


def _mail_failure(error: OSError) -> ChannelFailedError:
    """Name a failure; the server's own words stay outside, for they may hold anything."""
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        permanent = all(code >= _PERMANENT for code, _ in error.recipients.values())
        return ChannelFailedError("mail", "recipient_refused", permanent=permanent)
    reason = next((name for kind, name in _MAIL_REASONS if isinstance(error, kind)), "unreachable")
    code = error.smtp_code if isinstance(error, smtplib.SMTPResponseException) else 0
    return ChannelFailedError("mail", reason, permanent=reason == "refused" and code >= _PERMANENT)


class WebhookChannel:
    """A signed POST (Standard Webhooks 1.0.0) to a system of the company's that tells people in its own way."""

    name = "webhook"

    def __init__(self, hook: Hook) -> None:
        """Call `hook`."""
        self._hook = hook

    def send(self, parcel: Parcel) -> None:
        """Hand over; only a 2xx is an acceptance, and a redirection is none."""
        body, at = _body(parcel), str(parcel.at)
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "authserver",
            "webhook-id": parcel.id,
            "webhook-timestamp": at,
            "webhook-signature": signature(self._hook.secret, parcel.id, at, body),
        }
        limit = self._hook.timeout_seconds
        try:
            with requests.Session() as session:
                session.trust_env = False
                with session.post(
                    self._hook.url,
                    data=body,
                    headers=headers,
                    timeout=(limit, limit),
                    allow_redirects=False,
                    stream=True,
                ) as response:
                    status = response.status_code
        except requests.exceptions.SSLError as error:
            raise ChannelFailedError(self.name, "tls") from error
        except requests.Timeout as error:
            raise ChannelFailedError(self.name, "timeout") from error
        except (requests.RequestException, OSError) as error:
            raise ChannelFailedError(self.name, "unreachable") from error
        if not HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
            raise ChannelFailedError(self.name, "status")


def signature(secret: str, message_id: str, timestamp: str, body: bytes) -> str:
    """Return the `webhook-signature`: HMAC-SHA-256 over id, time and body; a `whsec_…` secret is base64."""
    key = secret.encode()
    if secret.startswith(_WEBHOOK_SECRET):
        try:
            key = base64.b64decode(secret.removeprefix(_WEBHOOK_SECRET), validate=True)
        except binascii.Error:
            key = secret.encode()
    signed = f"{message_id}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()


def _body(parcel: Parcel) -> bytes:
    letter = parcel.letter
    data = {
        "message_id": parcel.message_id,
        "impersonation_id": parcel.impersonation_id,
        "user_id": parcel.user_id,
        "address": parcel.address,
        "words_version": WORDS_VERSION,
        "subject": letter.subject,
        "text": as_text(letter),
        "html": as_html(letter),
        "link": letter.link,
    }
    at = datetime.fromtimestamp(parcel.at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return json.dumps({"type": parcel.kind, "timestamp": at, "data": data}, separators=(",", ":")).encode()


class FolderChannel:
    """A file a message, whole or not at all, for this user alone: for another system, or a developer, to pick up."""

    name = "folder"

    def __init__(self, settings: Notification) -> None:
        """Write into the configured folder."""
        self._settings = settings

    def send(self, parcel: Parcel) -> None:
        """Write the mail; the same message again is the same file."""
        settings = self._settings
        mail = as_email(parcel, sender=settings.from_address, sender_name=settings.sender_name)
        file = settings.folder / f"{parcel.id}.eml"
        try:
            settings.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            _write(file, mail.as_bytes())
        except OSError as error:
            raise ChannelFailedError(self.name, "not_writable") from error


def _write(file: Path, data: bytes) -> None:
    part = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        descriptor = os.open(part, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        part.replace(file)
    finally:
        part.unlink(missing_ok=True)
