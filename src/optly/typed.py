"""
Values and arguments are of the type they are annotated with, or are refused when they are given.

Whoever writes Python may pass anything: what a CSV file or a column gives, a text for an enumeration, None for what is
required. The annotations say what is right, and they alone are read: by :func:`fields` for the fields of a value, and
by :func:`methods` for the arguments of calls. What means the same is coerced: the text of a member of an enumeration to
the member, several values to a tuple, a subclass of a text or of a datetime to the plain type that the record can hold.
Everything else is an :class:`~optly.errors.InvalidValueError`, which names the field or the argument and no value.
"""

from __future__ import annotations

import enum
import functools
import inspect
import itertools
import operator
import os
import re
import sys
import types
import typing
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, TypeAlias, TypeVar

import attrs

from optly.errors import InvalidValueError, NaiveDatetimeError, UsageError

_Class = TypeVar("_Class", bound=type)

# How long a text may be where nothing else is said, in characters.
LONGEST: Final = 5_000
# Most texts are no longer than this and printable, which is quick to see.
_SHORT: Final = 200
_LONGEST_HEARD: Final = 1_000_000
# How large bytes may be: MariaDB takes 16 MiB at once, in which its driver writes text that is a third larger as hex.
_LARGEST: Final = 6_000_000
# How many combining marks may follow one another: no language needs more, and to normalise many takes for ever.
# Source: UAX #15, section 13, https://www.unicode.org/reports/tr15/#Stream_Safe_Text_Format (as reported 2026-11-29).
_MARKS: Final = 30
# No mark is below U+0300, and few texts have as many other letters without a space. The first of them by itself: the
# library then skips to it.
_MAYBE_MARKS: Final = re.compile(f"[\u0300-\U0010ffff][\u0300-\U0010ffff]{{{_MARKS}}}")
# Whole numbers that every store, and JSON, can hold.
_WHOLE: Final = 2**53
# So that no sum of an instant and a length of time is beyond what can be told.
_AGES: Final = timedelta(days=36_525)
_EARLIEST, _LATEST = 1900, 2999
# In tuples: what freezes the clock in tests puts a class of its own in the place of every plain name.
_DATETIME, _DATE = (datetime,), (date,)


@attrs.frozen
class Longest:
    """
    In an annotation: how long the text may be, in characters, where that is not `LONGEST`.
    """

    characters: int


@attrs.frozen
class AtLeast:
    """
    In an annotation: how small the whole number may be.
    """

    number: int


class Judged:
    """
    In an annotation: only the outermost type is looked at. What the value is passed on to judges the rest: what a
    stranger sent, in words for them; values that are read while the call runs, each by itself.
    """


class Mended:
    """
    In an annotation: a text from outside that must not be lost whatever is in it. What no store can hold is replaced.
    """


# How many of something.
Count: TypeAlias = Annotated[int, AtLeast(1)]
# What a newsletter is written in.
LongText: TypeAlias = Annotated[str, Longest(1_000_000)]
# What someone wrote to us, or a provider reported.
Heard: TypeAlias = Annotated[str, Mended]
# What is judged where it is read: what a stranger sent, such as a code or a complaint, or a text to be parsed.
Sent: TypeAlias = Annotated[str, Judged]


# Whether a value of a type is right as it is, by type; None if every value is.
_Ordinary: TypeAlias = Mapping[type, "Callable[[Any], bool] | None"]


def _never(_value: Any) -> bool:
    return False


@attrs.frozen
class _Reader:
    """
    Reads the values of one type.

    Attributes:
        words: What is needed, in words.
        takes: Whether a value is of this type, or means one that is.
        read: Returns such a value as it is to be, given the name to refuse it under.
        ordinary: What is right as it is, by its type.
    """

    words: str
    takes: Callable[[Any], bool]
    read: Callable[[Any, str], Any]
    ordinary: _Ordinary = attrs.field(factory=dict, eq=False)

    def passes(self, value: Any) -> bool:
        """
        Whether a value is right at a glance.
        """
        glance = self.ordinary.get(type(value), _never)
        return glance is None or glance(value)

    def __call__(self, value: Any, name: str) -> Any:
        if self.passes(value):
            return value
        if not self.takes(value):
            raise InvalidValueError(f"{name} must be {self.words}, not a value of type {type(value).__name__}")
        return self.read(value, name)


def _is(*classes: type) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, classes)


def _as_it_is(value: Any, _name: str) -> Any:
    return value


# ---- plain types


# Nearly all values are right at a glance, and every decision of the gate has some.


def _is_short(text: str) -> bool:
    return len(text) <= _SHORT and text.isprintable()


def _is_small(number: int) -> bool:
    return -_WHOLE < number < _WHOLE


def _is_in_utc(instant: datetime) -> bool:
    return instant.tzinfo is UTC and _EARLIEST <= instant.year <= _LATEST


def require_text(text: str, name: str, longest: int = LONGEST) -> str:
    """
    Return a text that every store can hold, as a plain `str`.

    Raises:
        InvalidValueError: It is too long, or contains a NUL, half of a surrogate pair or a heap of combining marks.
    """
    if len(text) > longest:
        raise InvalidValueError(f"{name} is longer than {longest:,} characters")
    if "\0" in text:
        raise InvalidValueError(f"{name} contains a NUL character")
    if not text.isascii():
        try:
            written = text.encode()
        except UnicodeEncodeError:
            raise InvalidValueError(f"{name} contains half of a surrogate pair, which is no character") from None
        # A mark takes two bytes or more.
        if len(written) - len(text) > _MARKS and _MAYBE_MARKS.search(text) and _without_heaps(text) != text:
            raise InvalidValueError(f"{name} contains more than {_MARKS} combining marks in a row")
    # Not str(text), which a subclass, such as a framework's marked text, may answer with itself.
    return text if type(text) is str else str.__str__(text)


def mended(text: str) -> str:
    """
    Return a text without what `require_text` refuses: what is no character is replaced, and what is too much left out.
    """
    text = text[:_LONGEST_HEARD].encode("utf-16", "surrogatepass").decode("utf-16", "replace").replace("\0", "\ufffd")
    return _without_heaps(text)


def _without_heaps(text: str) -> str:
    kept, marks = [], 0
    for sign in text:
        marks = marks + 1 if unicodedata.combining(sign) else 0
        if marks <= _MARKS:
            kept.append(sign)
    return "".join(kept)


def _heard(text: str, _name: str) -> str:
    try:
        return require_text(text, "", _LONGEST_HEARD)
    except InvalidValueError:
        return mended(text)


def _text(longest: int = LONGEST) -> _Reader:
    return _Reader("a text (str)", _is(str), lambda text, name: require_text(text, name, longest), {str: _is_short})


def _bytes(value: bytes, name: str) -> bytes:
    if len(value) > _LARGEST:
        raise InvalidValueError(f"{name} is larger than {_LARGEST:,} bytes")
    return bytes(value)


def _number(value: int, name: str, least: int = 1 - _WHOLE) -> int:
    if not -_WHOLE < value < _WHOLE:
        raise InvalidValueError(f"{name} is too large a number")
    if value < least:
        raise InvalidValueError(f"{name} must be at least {least}")
    return int(value)


def _instant(value: datetime, name: str) -> datetime:
    if value.utcoffset() is None:
        raise NaiveDatetimeError(f"{name} has no time zone: use datetime.now(timezone.utc) or the like")
    if type(value) is not _DATETIME[0]:
        date, time = value.date(), value.timetz()
        value = _DATETIME[0].combine(_day(date, name), time.replace(fold=value.fold))
    # In its own zone first: at the ends of time, one in UTC cannot be told.
    if _EARLIEST <= value.year <= _LATEST and _EARLIEST <= (instant := value.astimezone(UTC)).year <= _LATEST:
        return instant
    raise InvalidValueError(f"{name} is not in the years {_EARLIEST} to {_LATEST}")


def _day(value: date, _name: str) -> date:
    return _DATE[0](value.year, value.month, value.day)


def _span(value: timedelta, name: str) -> timedelta:
    if abs(value) > _AGES:
        raise InvalidValueError(f"{name} is longer than a hundred years")
    return value


_PLAIN: Final[Mapping[object, _Reader]] = {
    str: _text(),
    bool: _Reader("True or False", _is(bool), _as_it_is, {bool: None}),
    int: _Reader(
        "a whole number (int)", lambda v: isinstance(v, int) and not isinstance(v, bool), _number, {int: _is_small}
    ),
    float: _Reader("a number", lambda v: isinstance(v, int | float) and not isinstance(v, bool), _as_it_is),
    bytes: _Reader("bytes", _is(bytes), _bytes),
    datetime: _Reader("an instant (an aware datetime)", _is(*_DATETIME), _instant, {_DATETIME[0]: _is_in_utc}),
    date: _Reader("a day (date)", lambda v: isinstance(v, _DATE) and not isinstance(v, _DATETIME), _day),
    timedelta: _Reader("a length of time (timedelta)", _is(timedelta), _span),
    Path: _Reader("a path", _is(str, os.PathLike), lambda value, _name: Path(value)),
    type(None): _Reader("None", _is(type(None)), _as_it_is, {type(None): None}),
}
read_text: Final[Callable[[object, str], str]] = _PLAIN[str]
_ANYTHING: Final = _Reader("anything", lambda _value: True, _as_it_is)


# ---- types made of others


def _of_class(cls: type) -> _Reader:
    return _Reader(f"{'an' if cls.__name__[0] in 'AEIOU' else 'a'} {cls.__name__}", _is(cls), _as_it_is, {cls: None})


def _of_enumeration(cls: type[enum.Enum]) -> _Reader:
    texts = [member.value if isinstance(member.value, str) else member.name for member in cls]
    words = f"one of {cls.__name__}: {', '.join(texts)}"
    of = getattr(cls, "of", cls)

    def read(value: Any, name: str) -> Any:
        if isinstance(value, cls):
            return value
        try:
            return of(str.__str__(value))
        except ValueError:
            raise InvalidValueError(f"{name} must be {words}") from None

    return _Reader(words, _is(cls, str), read, {cls: None})


def _of_protocol(cls: type) -> _Reader:
    bodies = [base for base in cls.__mro__ if getattr(base, "_is_protocol", False) and base is not typing.Protocol]
    names = {name for body in bodies for name in (*vars(body), *vars(body).get("__annotations__", ()))}
    needed = [name for name in names if not name.startswith("_") or name == "__call__"]

    def takes(value: Any) -> bool:
        return not isinstance(value, type) and all(hasattr(value, name) for name in needed)

    return _Reader(f"an object that is a {cls.__name__}", takes, _as_it_is)


def _of_choice(values: Sequence[Any]) -> _Reader:
    def takes(value: Any) -> bool:
        return any(type(value) is type(known) and value == known for known in values)

    return _Reader(f"one of {', '.join(map(str, values))}", takes, _as_it_is)


def _nested(which: str, name: str) -> str:
    call, colon, argument = name.rpartition(": ")
    return f"{call}{colon}{which} {argument}"


def _are_several(value: Any) -> bool:
    return isinstance(value, Iterable) and not isinstance(value, str | bytes | bytearray | Mapping)


def _of_several(each: _Reader, made: Callable[[Iterable[Any]], Any]) -> _Reader:
    def read(value: Any, name: str) -> Any:
        return made([item if each.passes(item) else each(item, _nested("each of", name)) for item in value])

    ordinary: _Ordinary = {tuple: lambda value: all(map(each.passes, value))} if made is tuple else {}
    return _Reader(f"several values, each {each.words}", _are_several, read, ordinary)


def _of_row(parts: Sequence[_Reader]) -> _Reader:
    def takes(value: Any) -> bool:
        return isinstance(value, tuple | list) and len(value) == len(parts)

    def read(value: Any, name: str) -> Any:
        return tuple(part(item, name) for part, item in zip(parts, value, strict=True))

    return _Reader(f"a tuple of {len(parts)}", takes, read)


def _of_mapping(key: _Reader, item: _Reader) -> _Reader:
    def read(value: Any, name: str) -> Any:
        if all(map(key.passes, value.keys())) and all(map(item.passes, value.values())):
            return dict(value)
        first, second = _nested("each key of", name), _nested("each value of", name)
        return {key(one, first): item(two, second) for one, two in value.items()}

    return _Reader("a mapping (dict)", _is(Mapping), read)


def _of_union(hints: Sequence[Any]) -> _Reader:
    # Where a text may name a member of an enumeration, it has to; beside what is parsed, the parser judges it.
    named, parsed = any(_is_enumeration(hint) for hint in hints), any(hasattr(hint, "parse") for hint in hints)
    text = [] if named else [Sent if parsed else str]
    readers = [reader_of(one) for hint in hints for one in (text if hint is str else [hint])]

    def read(value: Any, name: str) -> Any:
        return next(reader for reader in readers if reader.takes(value))(value, name)

    return _Reader(
        " or ".join(dict.fromkeys(reader.words for reader in readers)),
        lambda value: any(reader.takes(value) for reader in readers),
        read,
        {kind: glance for reader in readers for kind, glance in reader.ordinary.items()},
    )


def _is_enumeration(hint: Any) -> bool:
    return isinstance(hint, type) and issubclass(hint, enum.Enum)


def _of_annotated(hint: Any, notes: Sequence[Any]) -> _Reader:
    for note in notes:
        if isinstance(note, Longest):
            return _text(note.characters)
        if isinstance(note, AtLeast):
            return attrs.evolve(reader_of(hint), read=functools.partial(_number, least=note.number), ordinary={})
        if note is Mended:
            return attrs.evolve(reader_of(hint), read=_heard)
        if note is Judged:
            whole = reader_of(hint)
            return attrs.evolve(whole, read=_as_it_is)
    return reader_of(hint)


@functools.cache
def reader_of(hint: Any) -> _Reader:
    """
    Return what reads the values of an annotation. One that says nothing about values takes anything.
    """
    if hint in _PLAIN:
        return _PLAIN[hint]
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin is Annotated:
        return _of_annotated(inner[0], hint.__metadata__)
    if origin in (typing.Union, types.UnionType):
        return _of_union(inner)
    if origin is Literal:
        return _of_choice(inner)
    if origin is tuple and inner[-1] is not Ellipsis:
        return _of_row([reader_of(part) for part in inner])
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return _of_mapping(reader_of(inner[0]), reader_of(inner[1]))
    if isinstance(origin, type) and issubclass(origin, Iterable):
        return _of_several(reader_of(inner[0]), origin if origin in (frozenset, list, set) else tuple)
    if origin is Callable:
        return _Reader("a function", callable, _as_it_is)
    if _is_enumeration(hint):
        return _of_enumeration(hint)
    if isinstance(hint, type) and hint is not object:
        return _of_protocol(hint) if getattr(hint, "_is_protocol", False) else _of_class(hint)
    return _ANYTHING


# ---- where they are read


def fields(cls: type, known: list[attrs.Attribute[Any]]) -> list[attrs.Attribute[Any]]:
    """
    Let each field of a value be read by its annotation, before any converter and validator of its own: for the
    `field_transformer` of attrs.
    """
    return [
        field if field.inherited or not field.init else field.evolve(converter=_converter(cls, field))  # type: ignore[attr-defined]
        for field in known
    ]


def _converter(cls: type, field: attrs.Attribute[Any]) -> Any:
    name = f"{cls.__name__}.{field.name.lstrip('_')}"
    ordinary: _Ordinary = {}
    reader: _Reader | None = None
    default: object = field.default
    then: Any = field.converter

    def convert(value: Any) -> Any:
        nonlocal ordinary, reader
        if value is default:
            return value
        glance = ordinary.get(type(value), _never)
        if glance is None or glance(value):
            return value
        if reader is None:  # not before: the annotation may name what is defined further down
            reader = reader_of(_evaluated(field.type, cls.__module__))
            ordinary = reader.ordinary
        return reader(value, name)

    if then is None:
        return convert
    if isinstance(then, attrs.Converter):
        return attrs.converters.pipe(convert, then)
    return lambda value: then(convert(value))  # in half the time


def _evaluated(hint: Any, module: str) -> Any:
    # An annotation in our own source, which Python would have evaluated itself.
    return eval(hint, vars(sys.modules[module])) if isinstance(hint, str) else hint  # noqa: S307


# Puts a value into a field of a copy.
_Put: TypeAlias = Callable[[Any, Any], None]

if TYPE_CHECKING:
    from attrs import evolve as evolve  # whose calls type checkers know: the names of the fields, and their types
else:

    def evolve(value, /, **changes):
        """
        Return a copy of a value with others in some of its fields, as :func:`attrs.evolve` does. Only those are read:
        what the value had was read when it was made.
        """
        kind = type(value)
        copier = _copier(kind)
        if copier is None:
            return attrs.evolve(value, **changes)
        copy = object.__new__(kind)
        for _ in map(operator.call, copier.puts, itertools.repeat(copy), copier.got(value)):
            pass  # each is put in its place, without a step of ours
        for name, given in changes.items():
            if name not in copier.parts:
                return attrs.evolve(value, **changes)  # which says so
            put, read = copier.parts[name]
            put(copy, given if read is None else read(given))
        for judge in copier.judges:
            judge(copy)
        return copy


@attrs.frozen
class _Copier:
    """
    Copies the values of one class.

    Attributes:
        got: Returns what a value has in its fields.
        puts: Puts each into a copy.
        parts: For what is given, by its name: what puts it, and what reads it before.
        judges: Look at the copy as a whole.
    """

    got: Callable[[Any], tuple[Any, ...]]
    puts: Sequence[_Put]
    parts: Mapping[str, tuple[_Put, Callable[[Any], Any] | None]]
    judges: Sequence[Callable[[Any], None]]


@functools.cache
def _copier(kind: type) -> _Copier | None:
    """
    Return what copies the values of a class, or None if its constructor has to.
    """
    known = attrs.fields(kind)
    slots = {field.name: getattr(kind, field.name, None) for field in known}
    puts = {name: slot.__set__ for name, slot in slots.items() if isinstance(slot, types.MemberDescriptorType)}
    made = any(not field.init or isinstance(field.converter, attrs.Converter) for field in known)
    if made or len(puts) < max(len(known), 2):  # of one field attrgetter returns no tuple
        return None
    judges = [functools.partial(_validate, field) for field in known if field.validator is not None]
    return _Copier(
        operator.attrgetter(*puts),
        [*puts.values()],
        {field.alias or field.name: (puts[field.name], field.converter) for field in known},
        [*judges, *([kind.__attrs_post_init__] if hasattr(kind, "__attrs_post_init__") else [])],
    )


def _validate(field: attrs.Attribute[Any], value: Any) -> None:
    if field.validator is not None:
        field.validator(value, field, getattr(value, field.name))


def each(given: Mapping[str, Any], hints: Mapping[str, Any], label: str) -> dict[str, Any]:
    """
    Return values by name, each read by its type. One without a type is left out.
    """
    return {name: reader_of(hints[name])(value, f"{label}: {name}") for name, value in given.items() if name in hints}


def methods(cls: _Class) -> _Class:
    """
    Let the arguments of each public method of a class, and of its constructor, be read by their annotations.
    """
    for name, method in list(vars(cls).items()):
        own = name == "__init__" and not attrs.has(cls)
        if inspect.isfunction(method) and (own or not name.startswith("_")):
            setattr(cls, name, _arguments(method))
    return cls


def _arguments(method: Callable[..., Any]) -> Callable[..., Any]:
    of = method.__qualname__.split(".")
    label = of[-2] if of[-1] == "__init__" else of[-1]
    readers: dict[str, _Reader] = {}
    positional: Sequence[_Ordinary] = ()
    others = False

    def read(args: tuple[Any, ...], named: dict[str, Any]) -> Sequence[Any]:
        nonlocal others, positional
        if not readers:  # not before: as above
            found, others = _parameters(method)
            positional = [reader.ordinary for reader in found.values()]
            readers.update(found)
        for name, value in named.items():
            reader = readers.get(name)
            if reader is not None:
                named[name] = reader(value, f"{label}: {name}")
            elif others:
                raise UsageError(f"{label}: there is no argument and no fact called {name}")
        # Written out, because every decision of the gate passes here.
        for ordinary, value in zip(positional, args, strict=False):
            glance = ordinary.get(type(value), _never)
            if glance is not None and not glance(value):
                given = [one(it, f"{label}: {name}") for (name, one), it in zip(readers.items(), args, strict=False)]
                return [*given, *args[len(given) :]]  # too many: Python says so
        return args

    if inspect.iscoroutinefunction(method):

        @functools.wraps(method)
        async def awaited(self: Any, *args: Any, **named: Any) -> Any:
            return await method(self, *read(args, named), **named)

        return awaited

    @functools.wraps(method)
    def called(self: Any, *args: Any, **named: Any) -> Any:
        return method(self, *read(args, named), **named)

    return called


def _parameters(method: Callable[..., Any]) -> tuple[dict[str, _Reader], bool]:
    """
    Return what reads each argument of a method, in their order, and whether these are all that it takes.
    """
    readers: dict[str, _Reader] = {}
    others = False
    for name, parameter in [*inspect.signature(method).parameters.items()][1:]:
        try:
            hint = _evaluated(parameter.annotation, method.__module__)
        except NameError:  # imported for type checkers only: what it is passed on to judges it
            continue
        if parameter.kind is parameter.VAR_KEYWORD:
            others = True
            known = typing.get_type_hints(typing.get_args(hint)[0], include_extras=True)
            readers.update({fact: reader_of(one) for fact, one in known.items()})
        else:
            readers[name] = reader_of(hint)
    return readers, others
