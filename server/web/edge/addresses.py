"""Client addresses: what kind an address is, and which ones are counted together."""

import ipaddress

__all__ = ["is_address", "is_loopback", "network_of"]

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def is_address(text: str) -> bool:
    """Return whether the text is an IP address."""
    return _parse(text) is not None


def is_loopback(text: str) -> bool:
    """Return whether the text is a loopback address."""
    address = _parse(text)
    return address is not None and address.is_loopback


def network_of(text: str) -> str:
    """Return the network that limits apply to: an IPv4 address, or the /56 of an IPv6 address.

    Providers give a household up to 256 networks of 64 bits (RIPE-690); they count as one.
    """
    address = _parse(text)
    if address is None:
        return text
    if isinstance(address, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((address, 56), strict=False))
    return str(address)


def _parse(text: str) -> Address | None:
    """Return the address without its zone; an IPv4 address mapped to IPv6 becomes IPv4 again."""
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address
