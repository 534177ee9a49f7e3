"""Make it impossible for this process to reach anything but loopback: for the sandbox and for tests.

Writes: nothing; it adds an audit hook (PEP 578), which Python cannot take off again.  Safe to repeat: a second
`install` changes nothing.  The hook sees the sockets that Python itself makes, asyncio's included.  It does not see those
of child processes or of C libraries that open their own, and a name that is handed straight to `socket.connect` is
looked up before the hook is asked: nothing here does that, asyncio and `create_connection` look names up first.
"""

import errno
import socket
import sys
from ipaddress import ip_address
from typing import Any

_LOCAL_NAMES = frozenset({"localhost", "localhost.localdomain", "ip6-localhost", "ip6-loopback"})
_installed: list[bool] = []


def install() -> None:
    """From now on every connect, bind and send to anywhere but loopback, and every look-up of a name, raises
    PermissionError that names the address.  Sockets of the file system (AF_UNIX) stay free."""
    if not _installed:
        sys.addaudithook(_hook)
        _installed.append(True)


def allowed(address: str) -> bool:
    """Return True for an address of this host's loopback (127.0.0.0/8, ::1, ::ffff:127.0.0.0/104) or its usual name.

    Documentation addresses (192.0.2.0/24) are refused like any other; so is the wildcard, which others could reach.
    """
    try:
        parsed = ip_address(address)
    except ValueError:
        return address.lower() in _LOCAL_NAMES
    mapped = getattr(parsed, "ipv4_mapped", None)
    return (mapped or parsed).is_loopback


def _hook(event: str, args: tuple[Any, ...]) -> None:
    if event in ("socket.connect", "socket.bind", "socket.sendto", "socket.sendmsg"):
        _check_socket(event, args[0], args[1])
    elif event in ("socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr"):
        _check_name(event, args[0])
    elif event == "socket.getnameinfo":
        _check_reverse(event, args[0])


def _check_socket(event: str, sock: socket.socket, address: Any) -> None:
    if sock.family == socket.AF_UNIX or address is None:  # None: already connected, and checked then
        return
    host = address[0] if isinstance(address, tuple) and address else address
    inet = sock.family in (socket.AF_INET, socket.AF_INET6)
    if not (inet and isinstance(host, str) and allowed(host)):
        raise _refusal(event, host)


def _check_name(event: str, host: Any) -> None:
    """Refuse what would be put to a resolver.  A number is not, except for the look-up of its name."""
    text = host.decode("ascii", "replace") if isinstance(host, bytes) else host
    if text is None or text == "":
        return
    if event != "socket.gethostbyaddr" and _is_number(text):
        return
    if not (isinstance(text, str) and allowed(text)):
        raise _refusal(event, text)


def _check_reverse(event: str, address: Any) -> None:
    _check_name("socket.gethostbyaddr", address[0] if isinstance(address, tuple) and address else address)


def _is_number(text: Any) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _refusal(event: str, address: Any) -> PermissionError:
    return PermissionError(errno.EACCES, f"{event} of {address!r:.200} is refused: only loopback may be reached here")
