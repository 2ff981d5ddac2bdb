"""The device authorization grant (RFC 8628 §3.4, §3.5): a device polls until its person has decided."""

from typing import Any, NoReturn

from authserver.accounts.devices import APPROVED, DENIED, INTERVAL_SECONDS
from authserver.oauth.grants.base import Grant
from authserver.oauth.grants.person import Authorized, redeem, refuse_replay
from authserver.protocol.names import GRANT_DEVICE_CODE
from authserver.protocol.refusals import AccessDenied, AuthorizationPending, ExpiredToken, InvalidGrant, SlowDown
from authserver.storage import devices
from authserver.storage.devices import StoredDevice
from authserver.tokens import targets


class DeviceCodeGrant(Grant):
    """Gives a device the tokens of the person who approved it, once, out of the session they approved it in."""

    GRANT_TYPE = GRANT_DEVICE_CODE
    PUBLIC = True

    def respond(self) -> dict[str, Any]:
        """Check what the code is bound to and what was decided, sign, use the code up, write."""
        code_hash = self.parts.devices.device_hash(self.form.require("device_code"))
        found = devices.of_device(self.work.session, code_hash)
        if found is None or found.client_id != self.registered_client.client_id:
            raise InvalidGrant("device.unknown_or_not_the_clients")
        self.trace.actor = found.user_id
        self._check(found)
        if found.decision != APPROVED or found.user_id is None or found.session_id is None:
            self._wait(code_hash)
        authorized = Authorized(
            way=self.GRANT_TYPE,
            family_id=found.family_id,
            user_id=found.user_id,
            session_id=found.session_id,
            target=targets.restore(self.work.session, found.resources, found.scopes, self.parts.settings.issuer),
        )

        def use() -> bool:
            return devices.use(self.work.session, code_hash, decision=APPROVED, now=self.parts.clock.now())

        return redeem(self, authorized, use, reason="device.used_meanwhile")

    def _check(self, found: StoredDevice) -> None:
        if found.used_at is not None:
            refuse_replay(self, found.family_id, "device.replayed")
        if self.parts.clock.now() >= found.expires_at:
            raise ExpiredToken("device.expired")
        if found.decision == DENIED:
            raise AccessDenied("device.denied")

    def _wait(self, code_hash: str) -> NoReturn:
        """Say that nothing is decided; who polls too fast has to wait longer from then on (§3.5)."""
        self.work.lock()
        now_ms = self.parts.clock.now_ms()
        if devices.poll(self.work.session, code_hash, now_ms=now_ms):
            raise AuthorizationPending("device.pending")
        interval = devices.slow_down(self.work.session, code_hash, by=INTERVAL_SECONDS, now_ms=now_ms)
        raise SlowDown("device.polled", extra={"interval": interval})
