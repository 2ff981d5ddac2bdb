"""What goes wrong with a token: it is no good, or nobody can say."""


class ResourceError(Exception):
    """A reason is private: for a log, never for a caller."""

    def __init__(self, reason: str) -> None:
        """Give a dotted reason."""
        super().__init__(reason)
        self.reason = reason


class InvalidTokenError(ResourceError):
    """The token is not genuine, not alive, or not for this resource server."""


class InvalidProofError(InvalidTokenError):
    """The token is bound to a key, and what came with it proves nothing (RFC 9449 §7.1)."""


class UnavailableError(ResourceError):
    """The authorization server cannot be asked: without an answer nobody gets in."""
