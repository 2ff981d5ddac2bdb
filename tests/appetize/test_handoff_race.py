"""Eight ask for one handoff's configuration at the same instant (design section 6)."""

import threading

from tests.conftest import MakeWorld
from tests.world import ISSUER


def test_race_for_the_configuration_gives_exactly_one_token(make_world: MakeWorld) -> None:
    world = make_world()
    body = {"impersonation": world.start().json["id"], "app": "demo-bank"}
    handoff = world.api("POST", "/appetize/handoffs", "agent", json=body).json
    barrier, answers = threading.Barrier(8), list[int]()
    headers = {"Authorization": f"Bearer {world.token('agent')}"}
    path = f"/appetize/handoffs/{handoff['id']}/config"

    def fetch() -> None:
        client = world.app.test_client()
        barrier.wait()
        answers.append(client.post(path, json={}, headers=headers, base_url=ISSUER).status_code)

    threads = [threading.Thread(target=fetch) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == [200] + [410] * 7
    assert len(world.events("handoff:configured")) == 1
    assert len([event for event in world.events("token:issued") if event["way"] == "handoff"]) == 1
