"""IP addresses that cannot be set as a camera's from the page."""

import ipaddress

__all__ = ["is_refused", "refusal_of"]

# Link-local addresses, and where clouds serve credentials: AWS (IPv6), Alibaba, Oracle, Azure.
REFUSED = tuple(
    map(
        ipaddress.ip_network,
        (
            *("169.254.0.0/16", "fe80::/10", "fd00:ec2::254/128"),
            *("100.100.100.200/32", "192.0.0.192/32", "168.63.129.16/32"),
        ),
    )
)

# IPv6 addresses that have an IPv4 address in their last 32 bits (RFC 6052).
NAT64 = ipaddress.ip_network("64:ff9b::/96")


def is_refused(text: str) -> bool:
    """Return whether an IP address is link-local, or a cloud's metadata service."""
    address = ipaddress.ip_address(text.partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if address in NAT64:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is not None and is_refused(str(inner)):
            return True
    return any(address in one for one in REFUSED if one.version == address.version)


def refusal_of(host: str) -> str:
    """Return the error message for a host whose address is refused."""
    return f"{host} is a link-local address, which cannot be used for a camera"
