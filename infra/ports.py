"""TCP ports: which are free."""

import os
import socket


class PortTaken(Exception):
    """Nothing can listen there. The text names the port and a way out."""


def is_free(port: int, host: str = "127.0.0.1") -> bool:
    try:
        listen(host, port)
    except OSError:
        return False
    return True


def refuse_taken(host: str, port: int, *, instead: str | None = None) -> None:
    """PortTaken, with what to do instead, unless a server could listen there.

    Ask before granian does: it would share a port silently.
    """
    try:
        listen(host, port)
    except OSError as error:
        why = os.strerror(error.errno).lower() if error.errno and error.errno > 0 else str(error)
        other = port + 1 if port < 65535 else 8000
        another = f"Take another port: rapport up --port {other}, or make up PORT={other}."
        raise PortTaken(f"Nothing can listen on {host}, port {port}: {why}. {instead or another}") from None


def listen(host: str, port: int) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    socket.create_server((host, port), family=family).close()
