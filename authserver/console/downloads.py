"""A download that is passed on as it comes, and says so at its end where it is not the whole."""

import json
import weakref
from collections.abc import Iterator

from flask import Response

from authserver.console.api_client import Opened

_TYPES = {"jsonl": "application/jsonl", "csv": "text/csv; charset=utf-8; header=present"}
_LOST = {"error": "connection_lost"}
_ENDS = {
    "jsonl": json.dumps({"name": "export:stopped", "payload": _LOST}) + "\n",
    "csv": ',,export:stopped,,,,,,"{""error"":""connection_lost""}",,,,\r\n',
}
"""What the API itself ends an export with that it had to stop: here it is the API that fell silent."""


class Download:
    """An export of the API's."""

    def __init__(self, opened: Opened, form: str) -> None:
        """Pass `opened` on; it is closed also where nobody ever reads it."""
        self._opened = opened
        self._form = form
        self.close = weakref.finalize(self, opened.close)

    def __iter__(self) -> Iterator[bytes]:
        """Give what comes."""
        try:
            yield from self._opened
            if not self._opened.whole:
                yield _ENDS[self._form].encode()
        finally:
            self.close()

    def response(self) -> Response:
        """Answer with it."""
        response = Response(self, content_type=_TYPES[self._form])
        response.headers["Content-Disposition"] = f'attachment; filename="audit.{self._form}"'
        response.headers["Cache-Control"] = "no-store"
        response.headers["X-Accel-Buffering"] = "no"
        response.call_on_close(self.close)
        return response
