"""The words that a customer reads before they consent. A text never changes: a new one gets a new version."""

import hashlib
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Words:
    """A text as it is shown; `language` is a BCP 47 tag."""

    version: str
    language: str
    text: str

    @property
    def hash(self) -> str:
        """SHA-256 (hex) of the text in UTF-8."""
        return hashlib.sha256(self.text.encode("utf-8", "surrogatepass")).hexdigest()

    @property
    def sentences(self) -> tuple[str, ...]:
        """The text by its lines, as pages set them."""
        return tuple(self.text.split("\n"))


SUPPORT_CODE = (
    Words(
        "support-code/1",
        "en",
        "With this code our support can see your account as you see it, within the limits that you set here. "
        "The code works once. Give it only to somebody whom you have called yourself, or who you are sure works "
        "for us. Nobody can pay, change your credentials or consent in your name with it. What it opened is "
        "recorded, and you can end it at any time on this page.",
    ),
)
"""Every text ever shown when a support code is made, the present one last."""

PRESENT_SUPPORT_CODE = SUPPORT_CODE[-1]
