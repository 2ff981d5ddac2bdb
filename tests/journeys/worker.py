"""A process that asks what other processes ask at the same moment, and says what it was answered.

`python -m tests.journeys.worker FILE`: FILE is JSON. It prints `ready`, waits for a line, works, and prints JSON.
"""

import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from authserver import settings as settings_module
from authserver.app import prepare
from tests.world import Answer, HandClock, World, make_app


class Worker:
    """Asks, and counts what the trail must have of it."""

    def __init__(self, world: World, task: dict[str, Any]) -> None:
        self.world = world
        self.task = task
        self.counted: Counter[str] = Counter()
        self.started: dict[str, str] = {}

    def run(self) -> dict[str, Any]:
        for number in range(self.task["rounds"]):
            self._shared(number)
            self._own(number)
        return {"counted": self.counted, "started": self.started}

    def _shared(self, number: int) -> None:
        """Everybody asks this: it must happen once."""
        world = self.world
        started = self._exchange(f"SHARED-{number}")
        self._seen("handles", world.way_c(started["impersonation"]))
        asked = self._seen("asked", world.way_a(target="customer-ask", ticket_id=f"ASK-{number}"))
        self._seen("consents", world.decide(asked["impersonation_id"], "consent", "customer-ask"))
        path = f"/appetize/handoffs/{self.task['handoffs'][number]}/config"
        self._seen("configured", world.api("POST", path, "agent", json={}))
        assertion = world.post("/oauth/token", self.task["assertions"][number], client=None)
        self.counted[f"assertion {assertion.status_code}"] += 1
        self._seen("ended", world.end(self.task["to_end"][number], "lead"))

    def _own(self, number: int) -> None:
        """Nobody else asks this: none of it may be lost."""
        world = self.world
        started = self._exchange(f"OWN-{self.task['number']}{number}")
        self._seen("own ends", world.end(started["impersonation_id"]))
        self._seen("dead handles", world.way_c(started["impersonation"]))
        self._seen("refused", world.way_a(target="disabled", ticket_id=f"BANK-{number}"))

    def _exchange(self, ticket_id: str) -> dict[str, Any]:
        answer = self._seen("exchanges", self.world.way_a(ticket_id=ticket_id))
        self.started[ticket_id] = answer["impersonation_id"]
        return answer

    def _seen(self, what: str, answer: Answer) -> dict[str, Any]:
        assert answer.status_code < 500, answer.text
        self.counted[f"{what} {answer.status_code}"] += 1
        self.counted["refusals"] += answer.status_code >= 400 and answer.json.get("error") != "consent_required"
        self.counted["tokens"] += "access_token" in answer.json or "params" in answer.json
        return answer.json


def main() -> None:
    task = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    clock = HandClock()
    world = World(
        make_app(settings_module.load([Path(name) for name in task["settings"]], {}), clock), clock, task["credentials"]
    )
    fresh = make_app(settings_module.load([Path(name) for name in task["fresh_settings"]], {}), clock)
    print("ready", flush=True)  # noqa: T201 - this is how it is waited for
    sys.stdin.readline()
    with fresh.app_context():
        prepare(fresh.extensions["authserver"])
    found = Worker(world, task).run()
    print(json.dumps(found), flush=True)  # noqa: T201 - this is how it answers


if __name__ == "__main__":
    main()
