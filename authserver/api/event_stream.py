"""The API's streams: events for one caller, who is decided on again with every look."""

from dataclasses import replace
from typing import Any

from flask import json, request

from authserver.api.call import Call
from authserver.protocol.refusals import Refusal
from authserver.storage.database import Work
from authserver.web.event_stream import Events, Look, Streaming
from authserver.web.refusals import problem_details


class EventStream(Events):
    """Events for whoever holds the token that it was asked for with."""

    def __init__(self, present: Call) -> None:
        """Take a slot for the caller, and begin to watch. Raises the refusal where there are too many."""
        self._parts = parts = present.parts
        self._trace = replace(present.trace)
        self._header = request.headers.get("Authorization")
        seconds = parts.settings.streams.check_seconds
        streaming = Streaming(
            app=parts.app, clock=parts.clock, watch=parts.watch, slots=parts.slots, check_seconds=seconds
        )
        super().__init__(streaming, present.caller.user_id)

    def _call(self, work: Work) -> Call:
        """Return a call like the first one, with its caller decided on anew. Raises the refusal."""
        present = Call(self._parts, work, self._trace)
        present.authenticate(self._header)
        return present

    def _over(self, work: Work, refusal: Refusal) -> Look:
        """Record that the caller may hear no more, and tell them."""
        self._parts.refusals.refuse(work, self._trace, refusal)
        return Look("problem", json.dumps(problem_details(refusal)), last=True)


def documented(description: str, events: list[str], *shapes: str) -> dict[str, Any]:
    """Return the OpenAPI description of a stream of these events, whose data has one of these shapes."""
    event: dict[str, Any] = {
        "type": "object",
        "description": "One event.",
        "properties": {
            "event": {"enum": events},
            "id": {"type": "string", "pattern": "^[0-9]+$"},
            "data": {
                "type": "string",
                "contentMediaType": "application/json",
                "contentSchema": {"anyOf": [{"$ref": f"#/components/schemas/{name}"} for name in shapes]},
            },
        },
        "required": ["event", "id", "data"],
    }
    return {"description": description, "content": {"text/event-stream": {"schema": event}}}
