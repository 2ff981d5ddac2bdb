"""A stand-in for Appetize: the SDK's surface and a visible phone with a sample banking app, on this machine.

It stands apart from the server: it imports nothing else of authserver. docs/device-stand-in.md says what it does.
"""

from authserver.standin.app import Surroundings, create_standin
from authserver.standin.server import reserve, serving, url

__all__ = ["Surroundings", "create_standin", "reserve", "serving", "url"]
