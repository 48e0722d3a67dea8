"""What an address, a token or a file must look like. An error says so, and repeats nothing of it.

Everything here raises ValueError with a sentence that fits behind the name of a setting.
"""

from __future__ import annotations

import re
import ssl
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

_HOST = r"\[[0-9A-Fa-f:.]+\]|[^:@/\[\]\s]*"
_SERVER = re.compile(rf"({_HOST})(?::([0-9]{{1,5}}))?")
_TOKEN = re.compile(r"[!-~]([ -~]*[!-~])?")
_LAST_PORT = 65_535
_POSTGRES = "must be postgresql://user:password@host:port/name, with signs such as / # ? escaped"


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach the address. No name but localhost is taken for one."""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def base_url(host: str, port: int) -> str:
    """The http address of a host and port of our own."""
    return f"http://[{host}]:{port}" if _is_ipv6(host) else f"http://{host}:{port}"


def host_of(server: str) -> str:
    """The host of `host`, `host:port` or `[host]:port`; a bare IPv6 address is a host."""
    if _is_ipv6(server):
        return server
    found = _SERVER.fullmatch(server)
    if found is None or not found[1] or not _is_server(server):
        raise ValueError("must be host:port, separated by commas")
    return found[1].strip("[]")


def check_database(url: str) -> None:
    """Refuses what the driver would misread: a sign of a password may end its host or its port."""
    if url.startswith("sqlite:///"):
        if url == "sqlite:///":
            raise ValueError("needs a path behind sqlite:///")
        return
    try:
        parts = urlsplit(url)
        parse_qs(parts.query, strict_parsing=bool(parts.query))
    except ValueError:
        raise ValueError(_POSTGRES) from None
    hosts = parts.netloc.rpartition("@")[2].split(",")
    misread = parts.netloc.count("@") > 1 or "@" in parts.path or parts.fragment
    if misread or not all(_is_server(host) for host in hosts):
        raise ValueError(_POSTGRES)


def check_address(url: str, *, plain: bool) -> None:
    """An http or https address. plain: without TLS also beyond this machine."""
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        raise ValueError("must be an http or https address") from None
    fits = _is_server(parts.netloc.rpartition("@")[2]) and _TOKEN.fullmatch(url)
    if parts.scheme not in ("http", "https") or not host or not fits:
        raise ValueError("must be an http or https address")
    if parts.scheme == "http" and not is_loopback(host) and not plain:
        raise ValueError("must use https, or set ALLOW_HTTP=true")


def check_token(token: str) -> None:
    """A token stands in a header: nothing but printable ASCII, and no space at its ends."""
    if not _TOKEN.fullmatch(token):
        raise ValueError("must be printable ASCII without spaces around it")


def check_readable(path: Path) -> None:
    """A file that is there and may be read."""
    try:
        with path.open("rb"):
            return
    except OSError:
        raise ValueError("the file cannot be read") from None


def tls_context(ca: Path | None, certificate: Path | None, key: Path | None) -> ssl.SSLContext:
    """How brokers are trusted and who we are to them. Raises ValueError and OSError."""
    context = ssl.create_default_context(cafile=str(ca) if ca else None)
    if certificate:
        context.load_cert_chain(str(certificate), str(key) if key else None)
    return context


def _is_server(text: str) -> bool:
    found = _SERVER.fullmatch(text)
    if found is None or int(found[2] or 0) > _LAST_PORT:
        return False
    try:
        found[1].encode("idna")  # as a name is looked up
    except UnicodeError:
        return False
    return True


def _is_ipv6(text: str) -> bool:
    try:
        return ip_address(text).version == 6
    except ValueError:
        return False
