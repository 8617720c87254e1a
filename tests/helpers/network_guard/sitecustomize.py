"""Python imports this first where its folder is on ``PYTHONPATH``: a guard for child processes.

Each attempt to connect or to resolve a name fails, and is a line in the file ``GUARD_LOG``. So is
each file that Python opens for writing.
"""

import os
import sys

NETWORK = (
    "socket.bind",
    "socket.connect",
    "socket.getaddrinfo",
    "socket.gethostbyaddr",
    "socket.gethostbyname",
    "socket.getnameinfo",
    "socket.sendmsg",
    "socket.sendto",
)
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT
LOG = os.open(os.environ["GUARD_LOG"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)


def guard(event: str, values: tuple) -> None:
    """Log the events that the tests are about, and forbid those of the network."""
    if event in NETWORK:
        os.write(LOG, f"network {event} {values[1:]}\n".encode())
        raise PermissionError(f"the test forbids {event}")
    if event == "open" and isinstance(values[2], int) and values[2] & WRITING:
        os.write(LOG, f"write {os.fspath(values[0])}\n".encode(errors="replace"))


sys.addaudithook(guard)
