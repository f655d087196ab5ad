"""Keeps simple bots off the public forms, without cookies, scripts or a third party."""

from __future__ import annotations

import hashlib
import time
from ipaddress import IPv6Address, ip_address, ip_network

from django.core import signing
from django.core.cache import cache

from massmail_plugin import conf

_SALT = "massmail_plugin.bots"
#: Seconds that a person needs to fill in a form at least, and may take at most.
_FASTEST, _SLOWEST = 2, 24 * 60 * 60


def stamp(form: str) -> str:
    """Return a proof of when this form was asked for."""
    return signing.dumps([form, time.time()], key=conf.secret_keys()[0], salt=_SALT)


def is_human_pace(stamped: str, form: str) -> bool:
    """Return whether this form was asked for before it was sent, and neither just now nor days ago."""
    age = _age(stamped, form)
    return age is not None and age >= _FASTEST


def stamp_again(stamped: str, form: str) -> str:
    """Return the stamp for a form that is shown once more: the one it had, so that the time since then counts."""
    return stamped if _age(stamped, form) is not None else stamp(form)


def _age(stamped: str, form: str) -> float | None:
    """Return how many seconds ago the form was asked for; None if it never was, or days ago."""
    key, *older = conf.secret_keys()
    try:
        asked_for, at = signing.loads(stamped, key=key, salt=_SALT, fallback_keys=[*older])
    except signing.BadSignature:
        return None
    age = time.time() - at
    return age if asked_for == form and age <= _SLOWEST else None


def network_of(address: str) -> str:
    """Return what is counted for an IP address: with IPv6 the whole /64, of which each customer has one at least."""
    try:
        ip = ip_address(address)
    except ValueError:
        return address
    if isinstance(ip, IPv6Address):
        return str(ip.ipv4_mapped or ip_network((ip, 64), strict=False))
    return str(ip)


def is_too_often(what: str, who: str, limit: int, seconds: int) -> bool:
    """Count one more try of ``who``; return whether there were more than ``limit`` in these ``seconds``.

    Counted in the cache, under a hash: as well as the cache is shared between processes.
    """
    window = int(time.time()) // seconds
    name = hashlib.sha256(f"{what}\0{who}\0{window}".encode()).hexdigest()
    key = f"massmail.tries.{name}"
    if cache.add(key, 1, timeout=seconds):
        return limit < 1
    try:
        return cache.incr(key) > limit
    except ValueError:
        # It has just run out.
        return False
