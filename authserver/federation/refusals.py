"""What goes wrong with a trusted issuer; the reason is a dotted name for log and trail, never for an answer."""


class FederationError(Exception):
    """Something that a trusted issuer was asked for, and that it did not give; `reason` is private."""

    def __init__(self, reason: str) -> None:
        """Fail for a private reason."""
        super().__init__(reason)
        self.reason = reason


class UnavailableError(FederationError):
    """The issuer could not be asked, or what it answered is no answer: later it may be."""


class UntrustworthyError(FederationError):
    """A token or an answer that proves nothing here."""


class NobodyHereError(FederationError):
    """A genuine token of somebody who is nobody here, or may not be: default deny."""
