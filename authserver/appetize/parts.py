"""What the edges need of the handoff; `app/` puts it together."""

from dataclasses import dataclass

from authserver.appetize.apps import Apps
from authserver.appetize.codes import HandoffCodes
from authserver.appetize.devices import Devices
from authserver.appetize.found import Registry
from authserver.appetize.handoffs import Handoffs
from authserver.appetize.pages import EmbedPages
from authserver.appetize.renewal import Renewal


@dataclass(frozen=True, slots=True, kw_only=True)
class AppetizeParts:
    """Everything of the handoff."""

    apps: Apps
    registry: Registry
    handoffs: Handoffs
    codes: HandoffCodes
    renewal: Renewal
    pages: EmbedPages
    devices: Devices
