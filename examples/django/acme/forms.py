"""
The forms.
"""

from __future__ import annotations

from collections.abc import Callable

from django import forms
from django.http import HttpRequest

from optly.contacts.addresses import EmailAddress, PhoneNumber
from optly.errors import AddressError

EMAIL = "Enter an email address, such as name@example.com"
PHONE = "Enter a mobile number, such as 07911 123456, or leave it empty"


def read_by(parse: Callable[[str], object], message: str) -> Callable[[str], None]:
    """
    Make a validator that accepts what *parse* accepts.
    """

    def validate(text: str) -> None:
        try:
            parse(text)
        except AddressError:
            raise forms.ValidationError(message) from None

    return validate


def email_field() -> forms.CharField:
    return forms.CharField(
        label="Email address",
        error_messages={"required": EMAIL},
        validators=[read_by(EmailAddress.parse, EMAIL)],
        widget=forms.EmailInput(attrs={"autocomplete": "email"}),
    )


class Form(forms.Form):
    """
    A form that shows its own error messages, not the browser's.
    """

    use_required_attribute = False

    def __init__(self, request: HttpRequest) -> None:
        super().__init__(request.POST if request.method == "POST" else None, auto_id="%s", label_suffix="")


class SignUp(Form):
    """
    Who to ask.
    """

    name = forms.CharField(
        label="Your name",
        max_length=200,
        error_messages={"required": "Enter your name"},
        widget=forms.TextInput(attrs={"autocomplete": "name"}),
    )
    email = email_field()
    phone = forms.CharField(
        label="Mobile number, if we may ask about texts",
        required=False,
        validators=[read_by(PhoneNumber.parse, PHONE)],
        widget=forms.TextInput(attrs={"type": "tel", "autocomplete": "tel"}),
    )


class Offer(Form):
    """
    Who to send an offer to.
    """

    email = email_field()
