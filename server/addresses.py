"""Client addresses: parse them, and find the network that limits apply to."""

import ipaddress

__all__ = ["is_address", "is_loopback", "network_of", "parse_address"]

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def parse_address(text: str) -> Address | None:
    """Return a numeric address without its zone, or None if the text is not an address.

    An IPv4 address mapped into IPv6 is returned as IPv4.
    """
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def is_address(text: str) -> bool:
    """Whether this is a numeric address."""
    return parse_address(text) is not None


def is_loopback(text: str) -> bool:
    """Whether this is a numeric address of this machine's loopback interface."""
    address = parse_address(text)
    return address is not None and address.is_loopback


def network_of(text: str) -> str:
    """Return the network that limits apply to: the IPv4 address, or the /56 of an IPv6 address.

    Providers give a household up to 256 networks of 64 bits (RIPE-690); they count as one.
    """
    address = parse_address(text)
    if address is None:
        return text
    if isinstance(address, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((address, 56), strict=False))
    return str(address)
