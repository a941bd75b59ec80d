"""
How often something may be asked of the pages, and of whom a request comes.

What is asked is counted in a store that all processes share: the manager's own, or any that the library *limits* has.
A window begins with the first that is counted, and ends when its time is over. Whoever is counted is named by a keyed
hash, so that a store of counters holds no address and no link.

Nothing is limited of what a person came for: looking at their choices, changing them, and stopping. What may be asked
about one contact, such as a code or a copy, the manager itself counts, whoever asks.

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
_NETWORK: Final = 64  # bits of an IPv6 address; whoever has one has all the addresses that begin with them

_log = logging.getLogger("optly")


# ---- what is limited


def _windows(text: str) -> Iterator[limits.RateLimitItem]:
    """
    Yield the limits that *text* names, the shortest window first.

    Raises:
        ValueError: It names none, or one that cannot be kept.
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
    How often something may be asked of the pages. Each is one limit or several, such as ``"3/15 minutes; 10/day"``, or
    None for no limit.

    A client is the other end of the connection or what a trusted proxy says of it; of an IPv6 address, its first 64
    bits. What a shorter window refuses does not count towards a longer one. How often one person can be sent something
    is limited beside this, by the manager itself.

    Attributes:
        new_links_by_client: New links that one client asks for.
        new_links: New links that are asked for in all.
        digits_by_client: Digits of one-time codes that one client tries.
        misses_by_client: Links that open nothing, from one client. Links that open something are not counted.
        misses: Links that open nothing, in all. Beyond it a warning is logged, once in a window, and nothing else
            happens: somebody may be guessing.
        store: Where it is counted: None for the manager's own store, or a storage of the library *limits* or its URI,
            such as ``redis://127.0.0.1:6379``. Not in the repr.

    Raises:
        ConfigurationError: A limit cannot be read.
    """

    new_links_by_client: str | None = _limit("20/hour")
    new_links: str | None = _limit("1000/hour")
    digits_by_client: str | None = _limit("30/hour")
    misses_by_client: str | None = _limit("60/hour")
    misses: str | None = _limit("1000/hour")
    store: str | Counters | None = attrs.field(default=None, repr=False)


# ---- where it is counted

# Counts one more in a window under a name, and returns how many that makes.
_Count: TypeAlias = "Callable[[limits.RateLimitItem, bytes], int]"


def _in_our_store(storage: Storage, clock: Clock) -> _Count:
    def count(window: limits.RateLimitItem, name: bytes) -> int:
        now = clock()
        return storage.count(name, now, now + _length(window))

    return count


def _in_another(store: str | Counters) -> _Count:
    """
    Return what counts in a storage of the library, which reads the time itself.

    Raises:
        ConfigurationError: There is no such storage, or what it needs is not installed.
    """
    from limits.errors import ConfigurationError as Unknown
    from limits.storage import Storage as Counters
    from limits.storage import storage_from_string

    wrong = "Limits.store must be a storage of the library limits, not one of its asynchronous ones, or the URI of one"
    if isinstance(store, str):
        try:
            made: object = storage_from_string(store)
        except (Unknown, ValueError) as error:  # whose texts may repeat the URI, password and all
            raise ConfigurationError(f"{wrong}; what it needs must be installed ({type(error).__name__})") from None
    else:
        made = store
    if not isinstance(made, Counters):
        raise ConfigurationError(wrong)
    counters = made

    def count(window: limits.RateLimitItem, name: bytes) -> int:
        return counters.incr(window.key_for(name.hex()), window.get_expiry())

    return count


# ---- counting


@attrs.frozen
class Limiter:
    """
    Counts what is asked of the pages of one organisation, and says whether it may still be done. Safe to share between
    threads; of many that ask at once, in any process, no more are allowed than the limit says.

    Every question counts. When the store of counters fails, no new link is sent, and everything else goes on: a code
    has few tries of its own, and nobody is kept from looking or stopping.
    """

    _organisation: str
    _windows: Mapping[str, tuple[limits.RateLimitItem, ...]]
    _count: _Count = attrs.field(repr=False)
    _secret: bytes = attrs.field(repr=False)

    @classmethod
    def of(cls, limits: Limits, *, organisation: str, storage: Storage, clock: Clock, secret: bytes) -> Limiter:
        """
        Keep to *limits*.

        Args:
            organisation: The key of the organisation, whose counters are its own.
            storage: Where it is counted, unless the limits name another place.
            clock: Tells the time, where it is counted in *storage*.
            secret: A key for this alone. Processes that count together have the same one.

        Raises:
            ConfigurationError: The limits name a place that there is not.
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
        Count a new link that *client* asks for. Ask before the address is looked up.
        """
        return self._by_client("new_links_by_client", client, otherwise=False) and self._is_within(
            "new_links", "", otherwise=False
        )

    def may_try_digits(self, client: str) -> bool:
        """
        Count a one-time code that *client* typed in.
        """
        return self._by_client("digits_by_client", client, otherwise=True)

    def may_miss(self, client: str) -> bool:
        """
        Count a link of *client*'s that opened nothing. Ask after it was looked up, so that one that opens something
        opens whatever else was tried from there.
        """
        for window in self._windows["misses"]:
            if self._number(window, "misses", "") == window.amount + 1:
                _log.warning("many links are tried that open nothing", extra={"limit": repr(window)})
        return self._by_client("misses_by_client", client, otherwise=True)

    def _by_client(self, what: str, client: str, *, otherwise: bool) -> bool:
        # Behind a socket without addresses all clients look the same, and one of them would use up the limit of all.
        return not client or self._is_within(what, client, otherwise=otherwise)

    def _is_within(self, what: str, who: str, *, otherwise: bool) -> bool:
        """
        Count one, and tell whether that is within every limit, or return *otherwise* if nobody can tell.
        """
        for window in self._windows[what]:
            number = self._number(window, what, who)
            if number is None:
                return otherwise
            if number > window.amount:
                return False
        return True

    def _number(self, window: limits.RateLimitItem, what: str, who: str) -> int | None:
        """
        Count one in a window, and return how many that makes, or None if the store of counters fails.
        """
        place = f"{self._organisation}\0{window.key_for(what, who)}"
        try:
            return self._count(window, hmac.digest(self._secret, place.encode(), "sha256"))
        except Exception as error:  # each storage has errors of its own, and none of them may become a page's
            _log.error("what is asked of the pages is not counted", extra={"error": type(error).__qualname__})
            return None


# ---- whose request it is


def client_address(request: Request, proxies: int) -> str:
    """
    Return what a client is counted as: its IP address, or the first 64 bits of it, as a network, where it is of IPv6.

    Args:
        proxies: How many proxies stand in front of the server, each of which adds the address it was called from to the
            end of ``X-Forwarded-For``. What stands further to the left anybody could have written. With 0, or if the
            header does not say, it is the other end of the connection, whatever that is called.

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
    Return what the client at an IP address is counted as, or None if the text is no such address.
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
