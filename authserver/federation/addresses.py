"""Which addresses the server connects to when it asks a trusted issuer: no private, local or metadata ones."""

import ipaddress
from collections.abc import Callable

from authserver.federation.refusals import UnavailableError

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolver = Callable[[str, int], list[str]]
"""Returns every address of a host; raises OSError."""

_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_METADATA = frozenset(map(ipaddress.ip_address, ("168.63.129.16", "100.100.100.200", "fd00:ec2::254")))
"""Where clouds answer their own machines, beside the link-local addresses."""


def checked(host: str, port: int, resolver: Resolver, *, allow_private: bool, loopback_only: bool) -> list[str]:
    """Resolve a host once and return its addresses to connect to; one that is not allowed refuses them all."""
    try:
        found = [ipaddress.ip_address(text.partition("%")[0]) for text in resolver(host, port)]
    except (OSError, ValueError) as error:
        raise UnavailableError("transport.unresolved") from error
    if not found:
        raise UnavailableError("transport.unresolved")
    for address in found:
        seen = _embedded(address)
        if not _allowed(seen, allow_private=allow_private) or (loopback_only and not seen.is_loopback):
            raise UnavailableError("transport.address")
    return [str(address) for address in found]


def _embedded(address: Address) -> Address:
    """Return the IPv4 address that an IPv6 one stands for, if it stands for one."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    teredo = address.teredo
    return address.ipv4_mapped or address.sixtofour or (teredo[1] if teredo else None) or address


def _allowed(address: Address, *, allow_private: bool) -> bool:
    """Tell whether to connect: link-local, metadata and multicast addresses never; private ones where configured."""
    if address.is_loopback:
        return allow_private
    if address.is_link_local or address.is_multicast or address.is_unspecified or address in _METADATA:
        return False
    return address.is_global or allow_private
