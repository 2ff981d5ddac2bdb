"""What the tests of messages share."""

import re
from typing import Any

from sqlalchemy import select

from authserver.storage import people
from authserver.storage.tables import OutboxMessage
from tests.notify.post_office import Hooked, PostOffice
from tests.world import World

SECRET = "a secret of more than thirty-two characters"


def deliver(world: World) -> int:
    """Do what the outbox's loop does in a tick."""
    return world.wired.outbox.tick()


def rows(world: World, *columns: str) -> list[Any]:
    """Return columns of the outbox, oldest first."""
    with world.work() as work:
        query = select(OutboxMessage).order_by(OutboxMessage.created_at, OutboxMessage.due_at, OutboxMessage.kind)
        return [tuple(getattr(row, column) for column in columns) for row in work.session.scalars(query).all()]


def change_person(world: World, who: str, **values: Any) -> None:
    with world.work() as work:
        work.lock()
        assert people.change(work.session, world.id(who), **values)


def told_first(world: World, name: str = "customer") -> None:
    """Let the policy want a notice before anybody acts for this customer."""
    change_person(world, name, groups=["notify-first"])


def text_of(office: PostOffice, number: int = -1) -> str:
    part = office.mails[number].get_body(("plain",))
    assert part is not None
    return str(part.get_content()).replace("\r\n", "\n")


def html_of(office: PostOffice, number: int = -1) -> str:
    part = office.mails[number].get_body(("html",))
    assert part is not None
    return str(part.get_content())


def link_in(text: str) -> str:
    """Return the path of the link in a message."""
    [link] = re.findall(r"http://127\.0\.0\.1:9000(/\S+)", text)
    return str(link)


def webhook_settings(hook: Hooked) -> dict[str, Any]:
    return {"url": hook.url, "secret": SECRET, "timeout_seconds": 5.0}
