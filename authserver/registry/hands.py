"""Who changes what is registered: an admin, by id, or a command line, which has a word for a name."""

from authserver.protocol.access import DIRECTORY_WRITE, entitled
from authserver.protocol.names import is_user_id
from authserver.protocol.refusals import Forbidden
from authserver.storage import people
from authserver.storage.database import Work


def take_hold(work: Work, by: str, *user_ids: str) -> None:
    """Begin to write, hold who changes and who is changed, and ask again whether the former still may.

    Whoever changes is thereby an enabled admin until the commit, and nobody takes that from themselves: so there is
    always one left. Raises Forbidden for an admin whom another one stopped meanwhile.
    """
    work.lock()
    if not is_user_id(by):
        people.hold(work.session, *user_ids)
        return
    people.hold(work.session, by, *user_ids)
    person = people.find(work.session, by)
    if person is None or not person.enabled or DIRECTORY_WRITE not in entitled(person.roles):
        raise Forbidden("registry.no_admin_any_more")
