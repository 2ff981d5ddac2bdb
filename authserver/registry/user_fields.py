"""What may be said of a person: each field with its rule and its words."""

import re
import zoneinfo
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from typing import Any

from authserver.protocol.names import USER_ID_PREFIX, Population, Role
from authserver.registry.refusals import Wrong
from authserver.registry.words import is_line, is_username, is_word

POLICY_FIELDS = ("roles", "groups", "tier", "country", "conflicts")
"""What policy decides by: nobody changes their own."""
_MAX_WORDS = 32
_TIER = re.compile(r"[a-z0-9_-]{0,32}")
_COUNTRY = re.compile(r"(?:[A-Z]{2})?")
_LOCALE = re.compile(
    r"(?:[a-z]{2,3}(?:-[A-Z][a-z]{3})?(?:-(?:[A-Z]{2}|[0-9]{3}))?(?:-(?:[0-9a-z]{5,8}|[0-9][0-9a-z]{3}))*)?"
)
_MAX_LOCALE = 35
_EMAIL = re.compile(r"""[^\s@,;<>()"\\]+(?:@[^\s@,;<>()"\\]+)?""")
"""One address, or a word that stands for none: a mail to two would be a mail to a stranger."""
_APP_VERSION = re.compile(r"(?:[0-9A-Za-z][0-9A-Za-z.+_-]{0,63})?")
_LINE_WORDS = "has 1 to 255 characters, and none that cannot be seen"
_LIST_WORDS = f"is up to {_MAX_WORDS} words of up to 64 characters"


@cache
def _time_zones() -> frozenset[str]:
    return frozenset(zoneinfo.available_timezones()) | {""}


_RULES: dict[str, tuple[Callable[[Any], bool], str]] = {
    "name": (is_line, _LINE_WORDS),
    "email": (
        lambda email: is_line(email) and _EMAIL.fullmatch(email) is not None,
        "is one address, of up to 255 characters",
    ),
    "roles": (lambda roles: set(roles) <= set(Role), f"is some of {', '.join(Role)}"),
    "tier": (lambda tier: _TIER.fullmatch(tier) is not None, "is up to 32 of a-z 0-9 _ -"),
    "country": (lambda country: _COUNTRY.fullmatch(country) is not None, "is two capital letters, or empty"),
    "groups": (lambda groups: len(groups) <= _MAX_WORDS and all(map(is_word, groups)), _LIST_WORDS),
    "conflicts": (lambda people: len(people) <= _MAX_WORDS, f"is up to {_MAX_WORDS} people"),
    "locale": (
        lambda locale: len(locale) <= _MAX_LOCALE and _LOCALE.fullmatch(locale) is not None,
        "is a language tag (BCP 47) such as sv-SE, or empty",
    ),
    "time_zone": (lambda zone: zone in _time_zones(), "is an IANA time zone such as Europe/Stockholm, or empty"),
    "appearance": (lambda appearance: appearance in {"", "light", "dark"}, "is light, dark or empty"),
    "app_version": (
        lambda version: _APP_VERSION.fullmatch(version) is not None,
        "is up to 64 of A-Z a-z 0-9 . + _ -, or empty",
    ),
}


def username_wrongs(username: str) -> list[Wrong]:
    """Return what is wrong with a new user name."""
    if not is_username(username):
        return [Wrong("username", "a user name has 1 to 255 visible characters, without spaces", username)]
    if username.startswith(f"{USER_ID_PREFIX}_"):
        return [Wrong("username", "a user name does not begin with usr_: ids do", username)]
    return []


def wrongs(values: Mapping[str, Any], population: str) -> list[Wrong]:
    """Return what is wrong with fields of somebody of this population; the two populations never mix."""
    found = [Wrong(name, words) for name, (fits, words) in _RULES.items() if name in values and not fits(values[name])]
    roles = set(values.get("roles", ()))
    if population == Population.STAFF and Role.CUSTOMER in roles:
        found.append(Wrong("roles", "staff do not have the role customer: the two populations never mix"))
    if population == Population.CUSTOMERS and roles - {Role.CUSTOMER}:
        found.append(Wrong("roles", "customers have no role but customer: the two populations never mix"))
    return found


def population_of(roles: Iterable[str]) -> str:
    """Return the population that roles belong to; customers have the customer role or none."""
    return Population.STAFF if set(roles) - {Role.CUSTOMER} else Population.CUSTOMERS
