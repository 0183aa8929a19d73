"""The test of loopback addresses, and the warning of a process that listens on others unprotected."""

import asyncio
import ipaddress
import re
from collections.abc import Sequence
from urllib.parse import urlsplit

from services.runtime.logs import get_logger

ALLOW_INSECURE = "TONG_DAI_ALLOW_INSECURE"
WARN_EVERY_S = 60.0

_USERINFO = re.compile(r"(\w://)[^/?#\s]*@")

log = get_logger(__name__)


def is_loopback(host: str) -> bool:
    """Return whether only this machine reaches `host`. Of names only "localhost" is believed (RFC 6761 section
    6.3).
    """
    text = host.strip().strip("[]").lower().rstrip(".")
    if text == "localhost":
        return True
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback


def is_loopback_target(target: str) -> bool:
    """Return whether every address of a gRPC name is loopback: "host:port", "dns:///host:port", "ipv4:a:1,b:2",
    "unix:/p".
    """
    scheme, separator, rest = target.partition(":")
    if separator and scheme in ("unix", "unix-abstract"):
        return True
    if separator and scheme in ("dns", "ipv4", "ipv6"):
        target = rest.removeprefix("//").rpartition("/")[2] if rest.startswith("//") else rest
    hosts = [_host_of(address) for address in target.split(",")]
    return all(is_loopback(host) for host in hosts)


def is_plain_and_far(url: str) -> bool:
    """Return whether what is sent to a URL goes over plain text to another machine. To one that is no URL nothing
    goes.
    """
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme == "http" and not is_loopback(parts.hostname or "")


def without_userinfo(text: str) -> str:
    """A text with the user and password of every URL in it left out (RFC 3986 section 3.2.1)."""
    return _USERINFO.sub(r"\1***@", text)


def _host_of(address: str) -> str:
    if address.startswith("["):
        return address[1:].partition("]")[0]
    return address.rpartition(":")[0] if address.count(":") == 1 else address


async def warn_of_exposures(exposures: Sequence[str]) -> None:
    """Log each of them now and every minute. Runs until cancelled; returns at once when there are none."""
    while exposures:
        for exposure in exposures:
            log.warning("insecure", exposure=exposure, allowed_by=ALLOW_INSECURE)
        await asyncio.sleep(WARN_EVERY_S)
