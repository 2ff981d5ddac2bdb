"""`/api/v1/impersonations/{id}/device`: what becomes of the device that an impersonation runs on."""

from typing import Any

from flask_openapi.blueprint import APIBlueprint

from authserver.api.call import call
from authserver.api.schemas import DeviceBody, IdPath, ImpersonationOut, problems

Answer = tuple[dict[str, Any], int]


def add_devices(blueprint: APIBlueprint) -> None:
    """Add the operation."""

    @blueprint.post("/impersonations/<string:id>/device", responses={200: ImpersonationOut, **problems(404, 409)})
    def report_device(path: IdPath, body: DeviceBody) -> Answer:
        """Report that the device session ended; unless a device is opened again in the grace time, so will the rest."""
        present = call()
        record = present.impersonation(path.id)
        token = present.caller.token
        by = present.caller.user_id if token.act is None else token.act.sub
        ended = present.parts.devices.ended(present.work, record, by=by, handoff_id=body.handoff)
        return present.shown(ended), 200
