"""The settings of the console: an OAuth client that comes with the server."""

from pathlib import Path
from typing import Annotated, Self

from pydantic import BeforeValidator, Field, model_validator

from authserver.settings_types import Origin, Seconds, Section


class Console(Section):
    """Whether there is a console, and the client that it is. The limits hold in one process.

    `link_origins` are those whose links open a customer at once.
    """

    enabled: bool = False
    client_id: str = "console"
    client_secret: str = Field(default="", repr=False)
    client_secret_file: Annotated[Path | None, BeforeValidator(lambda file: file or None)] = None
    server_url: Annotated[Origin | None, BeforeValidator(lambda url: url or None)] = None
    session_seconds: Seconds = 43_200
    link_origins: tuple[Origin, ...] = ()
    max_calls: int = Field(default=24, ge=1, le=40)
    max_streams: int = Field(default=16, ge=0, le=24)

    @model_validator(mode="after")
    def _usable(self) -> Self:
        if self.enabled and bool(self.client_secret) == (self.client_secret_file is not None):
            msg = "console.client_secret or console.client_secret_file: one of them is needed"
            raise ValueError(msg)
        return self

    def secret(self) -> str:
        """Return the client's secret as it is now. Raises OSError where its file cannot be read."""
        file = self.client_secret_file
        return self.client_secret if file is None else file.read_text(encoding="utf-8").strip()
