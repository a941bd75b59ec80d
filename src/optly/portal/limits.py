"""
Rate limits of the pages, and which client a request comes from.

Requests are counted in a store that all processes share: the manager's own, or any that the library *limits* supports.
A window begins with the first request that is counted. Clients are named by a keyed hash, so a store of counters holds
no address and no link.

What a person came for is not limited: seeing their choices, changing them, and stopping. Requests about one contact,
such as for a code or a copy, are counted by the manager, whichever client makes them.

Source: OWASP ASVS 5.0, 2.4.1, 6.3.8 and 6.6.3; OWASP Forgot Password Cheat Sheet (read 2026-11-23).
"""

from __future__ import annotations

import hmac
import logging
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import attrs

from optly.errors import ConfigurationError
from optly.protocols import Clock, Storage
from optly.protocols.http import Request

if TYPE_CHECKING:
    import limits
    from limits.storage import Storage as Counters

_LONGEST: Final = timedelta(days=366)
_NETWORK: Final = 64  # bits of an IPv6 address; a client usually has all the addresses with the same prefix

_log = logging.getLogger("optly")


def _windows(text: str) -> Iterator[limits.RateLimitItem]:
    """
    Yield the limits in *text*, the shortest window first.

    Raises:
        ValueError: There is none, or one cannot be kept.
    """
    from limits import parse_many

    for window in sorted(parse_many(text), key=_length):
        if not window.amount or _length(window) > _LONGEST:
            raise ValueError
        yield window


def _length(window: limits.RateLimitItem) -> timedelta:
    return timedelta(seconds=window.get_expiry())


def _is_limit(_instance: object, attribute: attrs.Attribute[Any], value: str | None) -> None:
    if value is None:
        return
    try:
        list(_windows(value))
    except (ValueError, OverflowError):
        raise ConfigurationError(
            f'Limits.{attribute.name} must be such as "3/15 minutes; 10/day", each at least 1 and over at most '
            f"{_LONGEST.days} days, or None for no limit"
        ) from None


def _limit(default: str) -> Any:
    return attrs.field(default=default, validator=_is_limit)


@attrs.frozen(kw_only=True)
class Limits:
    """
    How often the pages may be used for something. Each is one limit or several, such as ``"3/15 minutes; 10/day"``, or
    None for no limit.

    A client is the other end of the connection or what a trusted proxy reports; for IPv6, the first 64 bits of the
    address. What a shorter window refuses does not count towards a longer one. How often one person can be sent
    something is limited as well, by the manager.

    Attributes:
        new_links_by_client: New links requested by one client.
        new_links: New links requested in total.
        digits_by_client: One-time codes tried by one client.
        misses_by_client: Invalid links tried by one client. Valid links are not counted.
        misses: Invalid links tried in total. Beyond it a warning is logged, once in a window, because someone may be
            guessing. Nothing is refused.
        store: Where requests are counted: None for the manager's own store, or a storage of the library *limits* or its
            URI, such as ``redis://127.0.0.1:6379``. Not in the repr.

    Raises:
        ConfigurationError: A limit is malformed.
    """

    new_links_by_client: str | None = _limit("20/hour")
    new_links: str | None = _limit("1000/hour")
    digits_by_client: str | None = _limit("30/hour")
    misses_by_client: str | None = _limit("60/hour")
    misses: str | None = _limit("1000/hour")
    store: str | Counters | None = attrs.field(default=None, repr=False)


# Adds one to the count of a window under a name, and returns the count. From a number on, it may write nothing.
_Count: TypeAlias = "Callable[[limits.RateLimitItem, bytes, int], int]"


def _in_our_store(storage: Storage, clock: Clock) -> _Count:
    def count(window: limits.RateLimitItem, name: bytes, most: int) -> int:
        now = clock()
        return storage.count(name, now, now + _length(window), most=most)

    return count


def _in_another(store: str | Counters) -> _Count:
    """
    Return a counter in a storage of the library, which reads the time itself.

    Raises:
        ConfigurationError: There is no such storage, or a package that it needs is not installed.
    """
    from limits.errors import ConfigurationError as Unknown
    from limits.storage import Storage as Counters
    from limits.storage import storage_from_string

    wrong = "Limits.store must be a storage of the library limits, not an asynchronous one, or its URI"
    made: object = store
    if isinstance(made, str):
        try:
            made = storage_from_string(made)
        except (Unknown, ValueError) as error:  # whose messages may repeat the URI and its password
            raise ConfigurationError(f"{wrong}; what it needs must be installed ({type(error).__name__})") from None
    if not isinstance(made, Counters):
        raise ConfigurationError(wrong)
    counters = made

    def count(window: limits.RateLimitItem, name: bytes, most: int) -> int:
        key = window.key_for(name.hex())
        return counters.incr(key, window.get_expiry()) if most else counters.get(key) + 1

    return count


@attrs.frozen
class Limiter:
    """
    Counts the requests to the pages of one organisation, and says whether each is within the limits. Safe to share
    between threads; however many requests arrive at once, in any process, the limit holds.

    Every call counts one request, up to the limit: beyond it nothing is written. If the store of counters fails, no
    new link is sent, and everything else is allowed: a code has few attempts of its own, and nobody is kept from
    looking or stopping.
    """

    _organisation: str
    _windows: Mapping[str, tuple[limits.RateLimitItem, ...]]
    _count: _Count = attrs.field(repr=False)
    _secret: bytes = attrs.field(repr=False)

    @classmethod
    def of(cls, limits: Limits, *, organisation: str, storage: Storage, clock: Clock, secret: bytes) -> Limiter:
        """
        Return a limiter that enforces *limits*.

        Args:
            organisation: The key of the organisation, which has its own counters.
            storage: Where requests are counted, unless the limits name another store.
            clock: The time, for counting in *storage*.
            secret: A key for this purpose only. Processes that count together must share it.

        Raises:
            ConfigurationError: The limits name a store that does not exist.
        """
        texts: dict[str, str | None] = {
            field.name: getattr(limits, field.name) for field in attrs.fields(Limits) if field.name != "store"
        }
        return cls(
            organisation,
            {name: tuple(_windows(text)) if text else () for name, text in texts.items()},
            _in_our_store(storage, clock) if limits.store is None else _in_another(limits.store),
            secret,
        )

    def may_send_link(self, client: str) -> bool:
        """
        Count a new link requested by *client*. Call this before the address is looked up.
        """
        # Whether there is room for anybody comes first, so that nobody's name is written where there is none.
        room = all(
            (self._number(window, "new_links", "", 0) or 0) <= window.amount for window in self._windows["new_links"]
        )
        by_client = room and self._by_client("new_links_by_client", client, otherwise=False)
        return by_client and self._is_within("new_links", "", otherwise=False)

    def may_try_digits(self, client: str) -> bool:
        """
        Count a one-time code entered by *client*.
        """
        return self._by_client("digits_by_client", client, otherwise=True)

    def may_miss(self, client: str) -> bool:
        """
        Count an invalid link tried by *client*. Call this after the link was looked up, so that a valid link works
        whatever else the client tried.
        """
        beyond = False
        for window in self._windows["misses"]:
            number = self._number(window, "misses", "", window.amount + 1) or 0
            if number == window.amount + 1:
                _log.warning("many invalid links are being tried", extra={"limit": repr(window)})
            beyond = beyond or number > window.amount
        # Whoever tries so many from many places must not fill the store with the names of those places either.
        return beyond or self._by_client("misses_by_client", client, otherwise=True)

    def _by_client(self, what: str, client: str, *, otherwise: bool) -> bool:
        # On a socket without addresses all clients look the same, and one would use up the limit of all.
        return not client or self._is_within(what, client, otherwise=otherwise)

    def _is_within(self, what: str, who: str, *, otherwise: bool) -> bool:
        """
        Count one request, and return whether it is within every limit, or *otherwise* if the store fails.
        """
        for window in self._windows[what]:
            number = self._number(window, what, who, window.amount)
            if number is None:
                return otherwise
            if number > window.amount:
                return False
        return True

    def _number(self, window: limits.RateLimitItem, what: str, who: str, most: int) -> int | None:
        """
        Count one request in a window, and return the count, or None if the store of counters fails. From *most* on
        nothing is written, so with 0 it only says what the count would be.
        """
        place = f"{self._organisation}\0{window.key_for(what, who)}"
        try:
            return self._count(window, hmac.digest(self._secret, place.encode(), "sha256"), most)
        except Exception as error:  # each storage has its own errors, and none may fail a page
            _log.error(
                "rate limiter unavailable; requests are not being counted", extra={"error": type(error).__qualname__}
            )
            return None


def client_address(request: Request, proxies: int) -> str:
    """
    Return the name under which a client is counted: its IP address or, for IPv6, the network of its first 64 bits.

    Args:
        proxies: The number of proxies in front of the server, each of which appends the address of its client to
            ``X-Forwarded-For``. Anyone could have written what is further to the left. With 0, or without a usable
            header, it is the other end of the connection, whatever that is called.

    Source: OWASP ASVS 5.0, 4.1.3 (read 2026-11-23).
    """
    if proxies > 0:
        claimed = ",".join(request.values("x-forwarded-for")).split(",")
        if len(claimed) >= proxies and (found := _client(_without_port(claimed[-proxies].strip()))):
            return found
    return _client(request.remote_addr) or request.remote_addr


def _without_port(text: str) -> str:
    bracketed, closing, _ = text.removeprefix("[").partition("]")
    if closing and text.startswith("["):
        return bracketed
    address, _, port = text.partition(":")
    return address if port.isdecimal() else text


def _client(text: str) -> str | None:
    """
    Return the name under which the client at an IP address is counted, or None if the text is not an IP address.
    """
    try:
        address: IPv4Address | IPv6Address = ip_address(text)
    except ValueError:
        return None
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is None:
            return str(IPv6Network((int(address), _NETWORK), strict=False))
        address = address.ipv4_mapped
    return str(address)
