"""The channels against real servers: what counts as accepted, and by which name each failure goes."""

import base64
import hashlib
import hmac
import ssl
import stat
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from authserver.impersonation.notify.channels import ChannelFailedError, channels, signature
from authserver.impersonation.notify.messages import MessageKind
from authserver.settings_governance import Notification
from tests.notify.post_office import Hooked, PostOffice, free_port, post_office
from tests.notify.seeing import SECRET, webhook_settings
from tests.notify.test_messages import TOLD, parcel

PARCEL = parcel(MessageKind.STARTED, TOLD)


def settings(**changes: Any) -> Notification:
    plain = {
        "channels": ["mail"],
        "from_address": "no-reply@bank.example",
        "sender_name": "Bank; of <Example>",
        "objections": "",
        "security_contacts": [],
        "withholding_reason_codes": [],
        "withholding_max_seconds": 60,
        "attempts": 3,
        "retry_seconds": 2,
        "gate_seconds": 60,
        "link_seconds": 60,
        "folder": "mail",
    }
    return Notification.model_validate({**plain, **changes})


def refused(chosen: Notification, **changes: Any) -> tuple[str, bool]:
    [channel] = channels(chosen, host="login.example.com")
    with pytest.raises(ChannelFailedError) as caught:
        channel.send(replace(PARCEL, **changes))
    assert caught.value.channel == chosen.channels[0]
    return caught.value.reason, caught.value.permanent


def test_mail_server_that_accepts_has_the_message(office: PostOffice) -> None:
    [channel] = channels(settings(**office.settings()), host="login.example.com")
    channel.send(PARCEL)
    [mail] = office.mails
    assert office.recipients == ["customer@example.com"]
    assert (mail["Message-ID"], mail["To"]) == ("<msg_1@login.example.com>", "customer@example.com")
    assert mail["From"] == '"Bank; of <Example>" <no-reply@bank.example>'
    assert mail["Auto-Submitted"] == "auto-generated"
    assert all(len(line) < 999 for line in office.raw[0].splitlines())


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("451 later", ("refused", False)),
        ("554 never", ("refused", True)),
        ("421 closing", ("refused", False)),
    ],
)
def test_mail_server_that_refuses_is_told_from_one_that_defers(
    office: PostOffice, answer: str, expected: tuple[str, bool]
) -> None:
    office.answers = [answer]
    assert refused(settings(**office.settings())) == expected
    assert office.mails == []


def test_mail_that_cannot_go_has_a_name(office: PostOffice) -> None:
    chosen = settings(**office.settings())
    assert refused(chosen, address=None) == ("no_address", True)
    nobody = {"host": "127.0.0.1", "port": free_port(), "security": "none"}
    assert refused(settings(smtp=nobody)) == ("unreachable", False)
    encrypted = {**office.settings()["smtp"], "security": "starttls"}
    assert refused(settings(smtp=encrypted)) == ("not_supported", False)
    with_password = {**office.settings()["smtp"], "username": "us", "password": "wrong"}
    assert refused(settings(smtp=with_password)) == ("not_supported", False)


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, ssl.SSLContext]:
    """A certificate that signs itself, and a server's context with it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "mail")])
    now = datetime.now(UTC)
    alternative = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(alternative, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file, key_file = tmp_path / "mail.pem", tmp_path / "mail.key"
    file.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    key_file.write_bytes(key.private_bytes(encoding, form, serialization.NoEncryption()))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file, key_file)
    return file, context


def test_mail_goes_over_verified_tls_alone(
    certificate: tuple[Path, ssl.SSLContext], monkeypatch: pytest.MonkeyPatch
) -> None:
    file, context = certificate
    with post_office(tls_context=context, require_starttls=True) as office:
        chosen = settings(smtp={**office.settings()["smtp"], "security": "starttls"})
        assert refused(chosen) == ("tls", False)
        assert refused(settings(**office.settings())) == ("refused", True)
        monkeypatch.setenv("SSL_CERT_FILE", str(file))
        [channel] = channels(chosen, host="login.example.com")
        channel.send(PARCEL)
        assert len(office.mails) == 1


# --- webhook


def test_webhook_is_signed_as_standard_webhooks_are(hook: Hooked) -> None:
    [channel] = channels(settings(channels=["webhook"], webhook=webhook_settings(hook)), host="")
    channel.send(PARCEL)
    [(headers, body)] = hook.calls
    signed = f"msg_1.{headers['webhook-timestamp']}.".encode() + body
    expected = base64.b64encode(hmac.new(SECRET.encode(), signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{expected}"
    assert (headers["webhook-id"], headers["webhook-timestamp"]) == ("msg_1", "1800000000")
    [said] = hook.bodies()
    assert (said["type"], said["timestamp"]) == ("impersonation_started", "2027-01-15T08:00:00Z")
    assert said["data"]["message_id"] == "<msg_1@login.example.com>"
    assert said["data"]["user_id"] == "usr_2"


def test_webhook_signature_is_the_published_example() -> None:
    """The example of the Standard Webhooks specification's reference libraries."""
    body = b'{"test": 2432232314}'
    secret, message_id = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "msg_p5jXN8AQM9LWM0D4loKWxJek"
    expected = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    assert signature(secret, message_id, "1614265330", body) == expected


@pytest.mark.parametrize("status", [301, 307, 400, 410, 429, 500])
def test_webhook_is_accepted_by_a_2xx_alone_and_follows_nowhere(hook: Hooked, status: int) -> None:
    hook.statuses = [status]
    assert refused(settings(channels=["webhook"], webhook=webhook_settings(hook))) == ("status", False)
    assert len(hook.calls) == 1


def test_webhook_that_is_down_has_a_name() -> None:
    down = {"url": f"http://127.0.0.1:{free_port()}/", "secret": SECRET}
    assert refused(settings(channels=["webhook"], webhook=down)) == ("unreachable", False)


# --- folder


def test_folder_holds_one_private_file_a_message(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "mail"
    [channel] = channels(settings(channels=["folder"], folder=str(folder)), host="")
    channel.send(PARCEL)
    channel.send(replace(PARCEL, address=None))
    [file] = list(folder.iterdir())
    assert (file.name, stat.S_IMODE(file.stat().st_mode)) == ("msg_1.eml", 0o600)
    assert b"Message-ID: <msg_1@login.example.com>" in file.read_bytes()
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    wrong = tmp_path / "file"
    wrong.touch()
    assert refused(settings(channels=["folder"], folder=str(wrong / "x"))) == ("not_writable", False)
