"""Passkeys: WebAuthn credentials with the user always verified: one alone is enough, and resists phishing."""

import ipaddress
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from authserver.accounts.authentication import Method
from authserver.accounts.refusals import CredentialRefused, WrongCredentials
from authserver.audit.chain import Trail
from authserver.audit.events.sign_in import CredentialChanged
from authserver.clock import Clock
from authserver.entropy import Entropy
from authserver.storage import DbSession, accounts, people
from authserver.storage.accounts import StoredPasskey
from authserver.storage.database import Work

if TYPE_CHECKING:
    from webauthn.helpers.structs import PublicKeyCredentialDescriptor

_MAX_ID_BYTES = 384
_MAX_NAME = 64
_TIMEOUT_MS = 300_000


@dataclass(frozen=True, slots=True)
class Options:
    """What the browser's `navigator.credentials` is called with, as JSON, and the challenge to keep till then."""

    json: str
    challenge: str


@dataclass(frozen=True, slots=True)
class PasskeyProof:
    """An answer that verified: whose passkey it was, and which method that amounts to."""

    credential_id: str
    user_id: str
    method: Method
    sign_count: int


class Passkeys:
    """Registers and verifies passkeys. webauthn takes half a second to import, so it is when first needed."""

    def __init__(self, issuer: str, trail: Trail, clock: Clock, entropy: Entropy) -> None:
        """Be the relying party whose id is the host of `issuer`, and whose only origin is `issuer` itself."""
        parts = urlsplit(issuer)
        self._rp_id = parts.hostname or ""
        implied = {"https": ":443", "http": ":80"}.get(parts.scheme, "")
        self._origin = issuer.lower().removesuffix(implied) if implied else issuer.lower()
        self._trail = trail
        self._clock = clock
        self._entropy = entropy

    @property
    def available(self) -> bool:
        """Whether browsers offer passkeys here: a relying party id is a domain, never an address (WebAuthn §5.1.2)."""
        try:
            ipaddress.ip_address(self._rp_id)
        except ValueError:
            return bool(self._rp_id)
        return False

    def registration_options(self, session: DbSession, user_id: str) -> Options:
        """Return the options of `navigator.credentials.create()` (WebAuthn §5.4) for a person who is signed in."""
        import webauthn  # noqa: PLC0415
        from webauthn.helpers import structs  # noqa: PLC0415

        person = people.find(session, user_id)
        if person is None:
            raise CredentialRefused("passkey.nobody")
        challenge = self._entropy.token()
        options = webauthn.generate_registration_options(
            rp_id=self._rp_id,
            rp_name=self._rp_id,
            user_id=user_id.encode(),
            user_name=person.username,
            user_display_name=person.name or person.username,
            challenge=webauthn.base64url_to_bytes(challenge),
            timeout=_TIMEOUT_MS,
            exclude_credentials=self._described(session, user_id),
            authenticator_selection=structs.AuthenticatorSelectionCriteria(
                resident_key=structs.ResidentKeyRequirement.PREFERRED,
                user_verification=structs.UserVerificationRequirement.REQUIRED,
            ),
        )
        return Options(webauthn.options_to_json(options), challenge)

    def register(  # noqa: PLR0913 - all that the ceremony rests on
        self, work: Work, user_id: str, *, challenge: str, response: str, name: str, by: str
    ) -> StoredPasskey:
        """Add a passkey by the browser's answer (WebAuthn §7.1), `challenge` having been used up.

        Raises CredentialRefused.
        """
        passkey = self._registered(user_id, challenge, response, name)
        work.lock()
        people.find(work.session, user_id, hold=True)
        if not accounts.add_passkey(work.session, passkey):
            raise CredentialRefused("passkey.known")
        accounts.forget_proofs(work.session, user_id)
        self._trail.record(work, CredentialChanged(user_id=user_id, kind="passkey", action="added", by=by))
        return passkey

    def authentication_options(self, session: DbSession, user_id: str | None) -> Options:
        """Return the options of `navigator.credentials.get()` (WebAuthn §5.5).

        `user_id` is a person who has proved a password or is signed in. None names no passkey, and tells nobody which
        accounts there are: the authenticator offers what it has.
        """
        import webauthn  # noqa: PLC0415
        from webauthn.helpers import structs  # noqa: PLC0415

        challenge = self._entropy.token()
        options = webauthn.generate_authentication_options(
            rp_id=self._rp_id,
            challenge=webauthn.base64url_to_bytes(challenge),
            timeout=_TIMEOUT_MS,
            allow_credentials=[] if user_id is None else self._described(session, user_id),
            user_verification=structs.UserVerificationRequirement.REQUIRED,
        )
        return Options(webauthn.options_to_json(options), challenge)

    def verify(self, work: Work, *, challenge: str, response: str) -> PasskeyProof:
        """Verify the browser's answer (WebAuthn §7.2) without writing; `use` has to follow. Raises WrongCredentials."""
        import webauthn  # noqa: PLC0415
        from webauthn.helpers import bytes_to_base64url, parse_authentication_credential_json, structs  # noqa: PLC0415

        try:
            credential = parse_authentication_credential_json(response)
        except Exception as error:  # the library lets many kinds through for hostile input
            raise WrongCredentials("passkey.malformed") from error
        stored = accounts.passkey(work.session, bytes_to_base64url(credential.raw_id))
        handle = credential.response.user_handle
        if stored is None or (handle is not None and handle != stored.user_id.encode()):
            raise WrongCredentials("passkey.unknown")
        try:
            verified = webauthn.verify_authentication_response(
                credential=credential,
                expected_challenge=webauthn.base64url_to_bytes(challenge),
                expected_rp_id=self._rp_id,
                expected_origin=self._origin,
                credential_public_key=webauthn.base64url_to_bytes(stored.public_key),
                credential_current_sign_count=stored.sign_count,
                require_user_verification=True,
            )
        except Exception as error:  # as above
            raise WrongCredentials("passkey.not_genuine") from error
        stays = verified.credential_device_type is structs.CredentialDeviceType.SINGLE_DEVICE
        method = Method.DEVICE_PASSKEY if stays else Method.SYNCED_PASSKEY
        return PasskeyProof(stored.credential_id, stored.user_id, method, verified.new_sign_count)

    def use(self, work: Work, proof: PasskeyProof) -> bool:
        """Raise the passkey's counter; False when another answer was first, or it is gone (WebAuthn §6.1.1)."""
        work.lock()
        return accounts.consume_sign_count(
            work.session, proof.credential_id, sign_count=proof.sign_count, now=self._clock.now()
        )

    def remove(self, work: Work, user_id: str, credential_id: str, *, by: str) -> bool:
        """Remove a person's passkey; tell whether there was such a one."""
        work.lock()
        people.find(work.session, user_id, hold=True)
        removed = accounts.remove_passkey(work.session, user_id, credential_id)
        if removed:
            self._trail.record(work, CredentialChanged(user_id=user_id, kind="passkey", action="removed", by=by))
        return removed

    def _registered(self, user_id: str, challenge: str, response: str, name: str) -> StoredPasskey:
        import webauthn  # noqa: PLC0415
        from webauthn.helpers import bytes_to_base64url  # noqa: PLC0415

        try:
            verified = webauthn.verify_registration_response(
                credential=response,
                expected_challenge=webauthn.base64url_to_bytes(challenge),
                expected_rp_id=self._rp_id,
                expected_origin=self._origin,
                require_user_verification=True,
            )
        except Exception as error:  # the library lets many kinds through for hostile input
            raise CredentialRefused("passkey.not_genuine") from error
        if len(verified.credential_id) > _MAX_ID_BYTES:
            raise CredentialRefused("passkey.id_too_long")
        return StoredPasskey(
            credential_id=bytes_to_base64url(verified.credential_id),
            user_id=user_id,
            public_key=bytes_to_base64url(verified.credential_public_key),
            sign_count=verified.sign_count,
            name=_named(name),
            created_at=self._clock.now(),
            used_at=None,
        )

    @staticmethod
    def _described(session: DbSession, user_id: str) -> "list[PublicKeyCredentialDescriptor]":
        from webauthn.helpers import base64url_to_bytes  # noqa: PLC0415
        from webauthn.helpers.structs import PublicKeyCredentialDescriptor  # noqa: PLC0415

        stored = accounts.passkeys_of(session, user_id)
        return [PublicKeyCredentialDescriptor(id=base64url_to_bytes(passkey.credential_id)) for passkey in stored]


def _named(name: str) -> str:
    return "".join(char for char in name if char.isprintable()).strip()[:_MAX_NAME] or "Passkey"
