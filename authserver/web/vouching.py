"""The console calls for people, and says at which address each of them is: under the server's own seal.

An address alone would be believed of whoever may connect from where the console does, or of nobody.
"""

from authserver.web.markers import Markers

HEADER = "X-Authserver-Address"
ENVIRON = "HTTP_X_AUTHSERVER_ADDRESS"
"""The header's name in the WSGI environment."""
_KIND = "address"


class Vouching:
    """Seals an address into a header's value, and reads it again; a seal is good for some minutes."""

    def __init__(self, markers: Markers) -> None:
        """Seal with `markers`, whose key every process of the server has, and nobody else."""
        self._markers = markers

    def headers(self, address: str) -> dict[str, str]:
        """Return what goes with a call for somebody at this address; empty is an address that is not known."""
        return {HEADER: f"{address} {self._markers.make(_KIND, address)}"}

    def address(self, value: str) -> str | None:
        """Return the address of a header's value; None where the seal is not ours, or too old."""
        address, _, seal = value.partition(" ")
        return None if self._markers.asked_at(_KIND, address, [seal]) is None else address
