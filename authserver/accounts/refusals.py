"""What a person can be told while they sign in or change a credential."""

from authserver.protocol.refusals import Refusal


class WrongCredentials(Refusal):
    """What was given proves nothing; the words never say which part, or whether there is such an account."""

    error = "access_denied"
    words = "The user name, the password or the code is not right."


class LoginExpired(Refusal):
    """There is no sign-in under way for this browser, or not at this step."""

    error = "login_expired"
    words = "This sign-in has expired. Start again."


class UnknownUserCode(Refusal):
    """A device's code that nothing waits behind: unknown, expired, decided and used ones look the same."""

    error = "invalid_user_code"
    words = "This code is not right, or it is not valid any more. Compare it with your device."


class NothingToAllow(Refusal):
    """What a device asks for is nothing that the person has."""

    error = "invalid_scope"
    words = "Your account has nothing of what this device asks for."


class Throttled(Refusal):
    """Too many failures of the account or the address; `retry_after` is seconds."""

    error = "slow_down"
    status = 429
    words = "There were too many attempts. Wait a while, then try again."

    def __init__(self, reason: str, retry_after: int) -> None:
        """Refuse for `retry_after` more seconds."""
        super().__init__(reason, extra={"retry_after": retry_after})
        self.retry_after = retry_after


class Busy(Refusal):
    """More passwords are being hashed than the server takes on."""

    error = "temporarily_unavailable"
    status = 503
    words = "The server is busy. Try again in a moment."


class WeakPassword(Refusal):
    """A new password that is not accepted; `advice` is fixed text in extra."""

    words = "This password is too easy to guess, or too short or too long."


class CredentialRefused(Refusal):
    """A new credential that could not be verified, or that cannot be added as things stand."""

    words = "This could not be added. Start again."
