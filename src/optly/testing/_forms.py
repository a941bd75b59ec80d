"""
Forms as a browser without scripts understands them: how they are filled in, and what a button sends. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, TypeAlias, TypeVar
from urllib.parse import urlencode, urljoin, urlsplit

import attrs

Answer: TypeAlias = "str | bool | Sequence[str]"
_Named = TypeVar("_Named", "Control", "Option")

_BUTTONS: Final = frozenset({"submit", "image"})
_CHOICES: Final = frozenset({"radio", "checkbox"})
_NOT_TYPED: Final = _BUTTONS | _CHOICES | {"hidden", "file", "select"}
_BOUNDARY: Final = "optly-testing-browser"


class PageError(AssertionError):
    """
    The page does not allow what was asked for: a browser would find no such link, field, option or button, or refuse.
    """


@attrs.frozen(kw_only=True, eq=False)
class Option:
    """
    An option of a list.
    """

    value: str
    label: str
    selected: bool
    disabled: bool


@attrs.frozen(kw_only=True, eq=False)
class Control:
    """
    A field or a button of a form. Two are equal only if they are the same.

    Attributes:
        kind: The type of an input or a button; ``select`` or ``textarea`` for those.
        label: The text of its label, or the text on a button.
        question: The legend of the fieldset it is in.
        options: The options of a list.
        attributes: As written on the page.
    """

    kind: str
    name: str
    value: str = attrs.field(repr=False)
    label: str
    question: str
    checked: bool
    disabled: bool
    options: tuple[Option, ...] = ()
    attributes: Mapping[str, str] = attrs.field(repr=False)

    @property
    def is_button(self) -> bool:
        return self.kind in _BUTTONS

    @property
    def is_typed(self) -> bool:
        return self.kind not in _NOT_TYPED

    def is_called(self, key: str) -> bool:
        """
        Whether *key* is its name, its label or, for radio buttons and checkboxes, the question they answer.
        """
        match self.kind:
            case "hidden":
                return False
            case "radio":
                return key in (self.name, self.question)
            case "checkbox":
                return key in (self.name, self.question, self.label)
            case _:
                return key in (self.name, self.label)

    def filled_in(self, answer: Answer) -> Control:
        """
        Return the control with *answer* in it.

        Raises:
            PageError: A person could not do that.
        """
        if self.disabled or (self.is_typed and "readonly" in self.attributes):
            raise PageError(f"{self.label or self.name!r} cannot be changed")
        match answer:
            case bool() if self.kind in _CHOICES:
                return attrs.evolve(self, checked=answer)
            case str() if self.is_typed:
                limit = self.attributes.get("maxlength", "")
                if limit.isdecimal() and len(answer) > int(limit):
                    raise PageError(f"{self.label or self.name!r} takes {limit} characters at most")
                return attrs.evolve(self, value=answer)
            case _ if self.kind == "select" and not isinstance(answer, bool):
                return self._selected(answer)
        raise PageError(f"{self.label or self.name!r} ({self.kind}) does not take {answer!r}")

    def _selected(self, answer: str | Sequence[str]) -> Control:
        wanted = _several(answer)
        if len(wanted) != 1 and "multiple" not in self.attributes:
            raise PageError(f"{self.label or self.name!r} takes one option")
        chosen = [_only(each, self.options) for each in wanted]
        if any(option.disabled for option in chosen):
            raise PageError(f"{answer!r} cannot be chosen")
        return attrs.evolve(
            self, options=tuple(attrs.evolve(option, selected=option in chosen) for option in self.options)
        )

    @property
    def values(self) -> Sequence[str]:
        """
        What is typed into it or chosen.
        """
        if self.kind == "select":
            return [option.value for option in self.options if option.selected and not option.disabled]
        return [self.value] if self.kind not in _CHOICES or self.checked else []

    @property
    def pairs(self) -> Sequence[tuple[str, str]]:
        """
        What it adds to a form that is sent. A button adds it only if it is the one that was pressed.
        """
        if self.disabled:
            return []
        if self.kind == "image":
            return [(f"{self.name}.{axis}".lstrip("."), "0") for axis in "xy"]
        return [(self.name, value) for value in self.values if self.name]


@attrs.frozen(kw_only=True)
class Submission:
    """
    What a browser sends when a button is pressed.
    """

    method: str
    url: str = attrs.field(repr=False)
    media_type: str = ""
    body: bytes = attrs.field(default=b"", repr=False)


@attrs.frozen(kw_only=True)
class Form:
    """
    A form on a page. Filling it in returns another one, so that one form can be filled in and sent many times.

    Attributes:
        page: The address of the page.
        base: What the relative addresses on the page are relative to.
        referrer_policy: That of the page.
        controls: Fields and buttons in the order of the page.
        attributes: As written on the page.
    """

    page: str = attrs.field(repr=False)
    base: str = attrs.field(repr=False)
    referrer_policy: str
    controls: tuple[Control, ...]
    attributes: Mapping[str, str] = attrs.field(repr=False)

    @property
    def action(self) -> str:
        """
        The whole address the form is sent to.
        """
        return self._absolute(self.attributes)

    @property
    def fields(self) -> tuple[Control, ...]:
        return tuple(control for control in self.controls if not control.is_button)

    @property
    def buttons(self) -> tuple[Control, ...]:
        return tuple(control for control in self.controls if control.is_button)

    def fill_in(self, answers: Mapping[str, Answer]) -> Form:
        """
        Return the form with *answers* filled in.

        Args:
            answers: What to fill in, by the name, the label or the question (the legend) of a field. An answer to
                radio buttons, checkboxes or a list is the label or the value of what to choose, or a sequence of them;
                a single checkbox takes True or False as well.

        Raises:
            PageError: There is no such field or option, or more than one, or a person could not do that.
        """
        form = self
        for key, answer in answers.items():
            changed = form._changed(key, answer)
            form = attrs.evolve(form, controls=tuple(changed.get(control, control) for control in form.controls))
        return form

    def _changed(self, key: str, answer: Answer) -> Mapping[Control, Control]:
        found = [field for field in self.fields if field.is_called(key)]
        if not found:
            others = {field.question or field.label or field.name for field in self.fields if field.kind != "hidden"}
            raise PageError(f"there is no field {key!r} to fill in, but {sorted(others)}")
        if found[0].kind not in _CHOICES or isinstance(answer, bool):
            if len(found) != 1 or found[0].kind == "radio":
                raise PageError(f"{len(found)} fields ({found[0].kind}) are called {key!r}")
            return {found[0]: found[0].filled_in(answer)}
        chosen = [_only(each, found) for each in _several(answer)]
        if chosen and chosen[0].kind == "radio":
            # A browser releases the other buttons of that name, wherever in the form they are.
            found = [field for field in self.fields if (field.kind, field.name) == ("radio", chosen[0].name)]
            if len(chosen) != 1:
                raise PageError(f"{key!r} takes one answer")
        return {field: field.filled_in(field in chosen) for field in found if field in chosen or not field.disabled}

    def submission(self, button: str = "") -> Submission:
        """
        Return what a browser sends when a button is pressed. Of its own checks, a browser's check that required fields
        are filled in is made, and no other.

        Args:
            button: Its label. By default what the Enter key presses, which is the first button.

        Raises:
            PageError: There is no such button, or it is disabled, or a required field is empty.
        """
        pressed = self._pressed(button)
        says = dict(self.attributes)
        if pressed:
            says |= {name[4:]: value for name, value in pressed.attributes.items() if name.startswith("form")}
        if "novalidate" not in says:
            self._check_required()
        pairs = [pair for each in self.controls if not each.is_button or each is pressed for pair in each.pairs]
        url, method = self._absolute(says), says.get("method", "").lower()
        if method == "dialog":
            raise PageError("the form closes a dialog and sends nothing")
        if method != "post":
            return Submission(method="GET", url=urlsplit(url)._replace(query=_encoded(pairs)).geturl())
        if says.get("enctype", "").lower() != "multipart/form-data":
            media_type = "application/x-www-form-urlencoded"
            return Submission(method="POST", url=url, media_type=media_type, body=_encoded(pairs).encode())
        media_type = f"multipart/form-data; boundary={_BOUNDARY}"
        files = {control.name for control in self.controls if control.kind == "file"}
        return Submission(method="POST", url=url, media_type=media_type, body=_multipart(pairs, files))

    def _pressed(self, label: str) -> Control | None:
        if not label and not self.buttons:
            if sum(field.is_typed for field in self.fields) > 1:
                raise PageError("the form has no button, and Enter does not send a form with several fields to type in")
            return None
        button = _only(label, self.buttons) if label else self.buttons[0]
        if button.disabled:
            raise PageError(f"the button {button.label!r} is disabled")
        return button

    def _check_required(self) -> None:
        for field in self.fields:
            if "required" not in field.attributes or "readonly" in field.attributes or field.disabled:
                continue
            same = [other for other in self.fields if other.kind == field.kind == "radio" and other.name == field.name]
            if not any(value for other in same or [field] for value in other.values):
                raise PageError(f"{field.question or field.label or field.name!r} is required")

    def _absolute(self, attributes: Mapping[str, str]) -> str:
        # Without an action, a form goes to its own page and not to the base of that page.
        action = attributes.get("action", "").strip()
        return urljoin(self.base, action) if action else self.page


def _several(answer: str | Sequence[str]) -> Sequence[str]:
    return (answer,) if isinstance(answer, str) else answer


def _only(name: str, of: Iterable[_Named]) -> _Named:
    """
    Return the one of them with this label or, if none is labelled so, with this value.
    """
    known = list(of)
    found = [each for each in known if each.label == name] or [each for each in known if each.value == name]
    if len(found) != 1:
        raise PageError(f"{len(found)} of {[each.label or each.value for each in known]} are called {name!r}")
    return found[0]


def _encoded(pairs: Iterable[tuple[str, str]]) -> str:
    return urlencode([(_lines(name), _lines(value)) for name, value in pairs])


def _multipart(pairs: Iterable[tuple[str, str]], files: Iterable[str]) -> bytes:
    parts = []
    for name, value in pairs:
        quoted = _lines(name).replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")
        file = '; filename=""\r\nContent-Type: application/octet-stream' if name in files else ""
        parts.append(f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="{quoted}"{file}\r\n\r\n{_lines(value)}')
    return "\r\n".join([*parts, f"--{_BOUNDARY}--\r\n"]).encode()


def _lines(text: str) -> str:
    """
    Return *text* with the ends of lines that browsers send.
    """
    return "\r\n".join(text.replace("\r\n", "\n").replace("\r", "\n").split("\n"))
