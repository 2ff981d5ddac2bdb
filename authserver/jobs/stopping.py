"""A worker process hears that it is to stop before the server waits for its answers, some of which never end."""

import os
import signal
import threading
from collections.abc import Callable

_STOPPING = {signal.SIGINT, signal.SIGTERM}


def on_stop(action: Callable[[], None]) -> None:
    """Run `action`, in a thread, at the first signal to stop; whoever handles signals goes on handling them.

    Must be called in the main thread (`signal.set_wakeup_fd`).
    """
    heard, told = os.pipe()
    os.set_blocking(told, False)
    signal.set_wakeup_fd(told, warn_on_full_buffer=False)

    def listen() -> None:
        while _STOPPING.isdisjoint(os.read(heard, 64)):
            pass
        action()

    threading.Thread(target=listen, name="stopping", daemon=True).start()
