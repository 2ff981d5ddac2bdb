"""How a customer's own device looks: their language, time zone and appearance, in the words of the vendor's SDK."""

import re
from dataclasses import dataclass
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from authserver.storage import DbSession, people

_TAG = re.compile(r"(?P<language>[A-Za-z]{2,3})(-(?P<script>[A-Za-z]{4}))?(-(?P<region>[A-Za-z]{2}|[0-9]{3}))?(-.*)?")
"""Language, script and region of a BCP 47 tag (RFC 5646 §2.1); what else one may hold says nothing of a device."""
_APPEARANCES = frozenset({"light", "dark"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What is known of a customer's device; empty is unknown. `locale` is a BCP 47 tag."""

    locale: str = ""
    time_zone: str = ""
    appearance: str = ""
    app_version: str = ""

    def options(self, platform: str) -> dict[str, str]:
        """Return it as settings of the SDK, of which some are for one platform alone; what is malformed is left out."""
        found: dict[str, str] = {}
        tag = _TAG.fullmatch(self.locale)
        if tag is not None:
            found["language"] = "-".join(part for part in (tag["language"].lower(), _title(tag["script"])) if part)
            if tag["region"]:
                found["locale"] = f"{tag['language'].lower()}_{tag['region'].upper()}"
        if platform == "android" and _is_time_zone(self.time_zone):
            found["timezone"] = self.time_zone
        if self.appearance in _APPEARANCES:
            found["appearance"] = self.appearance
        return found


def look_of(session: DbSession, user_id: str) -> Look:
    """Return how a person's device looks."""
    row = people.find(session, user_id)
    if row is None:
        return Look()
    return Look(locale=row.locale, time_zone=row.time_zone, appearance=row.appearance, app_version=row.app_version)


def _title(script: str | None) -> str:
    return "" if script is None else script.title()


def _is_time_zone(name: str) -> bool:
    try:
        return bool(name) and ZoneInfo(name).key == name
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
