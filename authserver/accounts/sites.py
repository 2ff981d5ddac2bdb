"""What one subscriber can easily change within: a whole IPv4 address, a /64 of IPv6 (RFC 6177)."""

import ipaddress

_IPV6_SITE = 64
_GROUPS_OF_SITE = 4


def site(address: str) -> str:
    """Return the site of an address; empty for what is none."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return ""
    if isinstance(parsed, ipaddress.IPv4Address):
        return str(parsed)
    return str(parsed.ipv4_mapped or ipaddress.ip_network((parsed, _IPV6_SITE), strict=False))


def in_full(address: str) -> str:
    """Write an address so that all of one site begin alike; what is none stays as it is."""
    try:
        return ipaddress.ip_address(address).exploded
    except ValueError:
        return address


def in_short(address: str) -> str:
    """Write an address as people are shown it; what is none stays as it is."""
    try:
        return str(ipaddress.ip_address(address))
    except ValueError:
        return address


def beginning(address: str) -> str | None:
    """Return what every address of the same site begins with `in_full`; None when the site is this address alone."""
    groups = in_full(address).split(":")
    return ":".join(groups[:_GROUPS_OF_SITE]) + ":" if len(groups) > _GROUPS_OF_SITE else None
