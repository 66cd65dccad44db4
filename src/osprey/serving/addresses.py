"""Which addresses on the network a service may be sent to by a client: public ones alone."""

from __future__ import annotations

import ipaddress

_REFUSED = tuple(
    ipaddress.ip_network(text)
    for text in (
        "100.64.0.0/10",  # carriers' own (CGNAT)
        "168.63.129.16/32",  # Azure's inside
        "192.0.0.0/24",  # protocols' own, and Oracle's inside
        "192.88.99.0/24",  # 6to4 relays
        "64:ff9b::/96",  # NAT64: leads to any IPv4 address, private ones included
        "64:ff9b:1::/48",
        "2001::/32",  # Teredo
        "2002::/16",  # 6to4
        "fec0::/10",  # site-local of old
    )
)


def is_public(text: str) -> bool:
    """Whether an IP address leads to the open internet, and to no machine of one's own.

    Args:
        text: As the resolver gives it.
    """
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    special = (
        address.is_private
        or address.is_loopback
        or address.is_link_local
        or address.is_multicast
        or address.is_reserved
        or address.is_unspecified
    )
    return address.is_global and not special and not any(address in net for net in _REFUSED)
