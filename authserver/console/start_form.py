"""What is asked for when somebody starts to act as a customer: as typed, as sent, and as offered with good defaults."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

from werkzeug.datastructures import MultiDict

Json = Any
_LENGTHS = (300, 600, 900, 1800, 3600, 7200, 14400)
_ID = re.compile(r"[A-Za-z0-9_.-]{1,255}")
_OUTCOMES = {
    "allow": ("good", "At once"),
    "needs_consent": ("warn", "With consent"),
    "needs_approval": ("warn", "With approval"),
    "needs_notice": ("warn", "After a message"),
    "needs_step_up": ("warn", "After a new sign-in"),
    "deny": ("bad", "Not possible"),
}
_MODES = {"read_only": "Look only", "full": "Look and act"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Typed:
    """What a link or a person filled in; what is empty was not."""

    subject: str = ""
    ticket_id: str = ""
    reason_code: str = ""
    reason: str = ""
    mode: str = ""
    expires_in: str = ""
    consent_way: str = ""
    app: str = ""
    override: str = ""
    resources: tuple[str, ...] = ()

    @classmethod
    def of(cls, given: MultiDict[str, str]) -> Self:
        """Read a form, or a page's own names for its fields (`ticket` for the ticket)."""
        names = ("reason_code", "reason", "mode", "expires_in", "consent_way", "app", "override")
        subject = given.get("subject", "").strip()
        return cls(
            subject=subject if _ID.fullmatch(subject) else "",
            ticket_id=(given.get("ticket_id") or given.get("ticket", "")).strip(),
            resources=tuple(given.getlist("resource")),
            **{name: given.get(name, "").strip() for name in names},
        )

    @classmethod
    def of_link(cls, given: MultiDict[str, str]) -> Self:
        """Read a link's parameters: the form's names, but to break the glass, which only a person decides on."""
        return replace(cls.of(given), override="")

    def body(self) -> dict[str, Json]:
        """Return what the API is sent."""
        body: dict[str, Json] = {
            "subject": self.subject,
            "reason": self.reason,
            "reason_code": self.reason_code,
            "ticket_id": self.ticket_id,
            "resource": list(self.resources),
            "mode": self.mode or "read_only",
            "consent_way": self.consent_way or None,
            "override": self.override or None,
        }
        if self.expires_in.isascii() and self.expires_in.isdigit():
            body["expires_in"] = int(self.expires_in[:9])
        return body


def reason_code(typed: Typed, options: Json) -> str:
    """Return the reason that is chosen: what was filled in, if it is on the list, or the first."""
    codes = [str(each["code"]) for each in options["reason_codes"]]
    return typed.reason_code if typed.reason_code in codes else next(iter(codes), "")


def start_form(typed: Typed, options: Json, preview: Json) -> dict[str, Json]:
    """Return what the form shows: each field's choices, and what stands in it."""
    outcomes = [_outcome(each) for each in preview["outcomes"]]
    open_modes = [each["mode"] for each in outcomes if each["possible"]]
    code = reason_code(typed, options)
    limit = options["expires_in"]["maximum"]
    lengths = sorted({each for each in _LENGTHS if each <= limit} | {options["expires_in"]["default"]})
    offered = [each["uri"] for each in options["resources"]]
    chosen = [uri for uri in typed.resources if uri in offered]
    chosen = chosen or [each["uri"] for each in options["resources"] if each["default"]] or offered
    return {
        "subject": typed.subject,
        "outcomes": outcomes,
        "mode": typed.mode if typed.mode in open_modes else next(iter(open_modes), ""),
        "needs_consent": any("needs_consent" in each["needs"] for each in outcomes),
        "reason_code": code,
        "reason": typed.reason,
        "ticket_id": typed.ticket_id,
        "lengths": lengths,
        "expires_in": _length(typed.expires_in, lengths, options["expires_in"]["default"]),
        "consent_way": typed.consent_way,
        "resources": chosen,
        "app": typed.app,
        "override": typed.override,
        "focus": _focus(typed, options),
    }


def _focus(typed: Typed, options: Json) -> str:
    """Return the first field that has to be filled in still; else the button."""
    lacking = {"ticket_id": options["ticket_required"], "reason": options["reason_required"]}
    return next((name for name, wanted in lacking.items() if wanted and not getattr(typed, name)), "start")


def _outcome(found: Json) -> dict[str, Json]:
    look, words = _OUTCOMES.get(found["outcome"], ("", found["outcome"]))
    return {
        **found,
        "possible": found["outcome"] != "deny",
        "look": look,
        "words": words,
        "name": _MODES.get(found["mode"], found["mode"]),
    }


def _length(typed: str, lengths: Sequence[int], default: int) -> int:
    """Return the length that is chosen; what a link asks for, and is not offered, is the next shorter one."""
    wanted = int(typed[:9]) if typed.isascii() and typed.isdigit() else default
    return max((each for each in lengths if each <= wanted), default=lengths[0])
