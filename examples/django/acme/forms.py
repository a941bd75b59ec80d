"""
The forms.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from django import forms
from django.http import HttpRequest

from optly import Channel
from optly.contacts.addresses import EmailAddress, PhoneNumber
from optly.errors import AddressError

EMAIL = "Enter an email address, such as name@example.com"
PHONE = "Enter a mobile number, such as 07911 123456"


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


def email_field(*, required: bool = True) -> forms.CharField:
    return forms.CharField(
        label="Email address",
        required=required,
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
    Whom to ask, and about what.
    """

    BOXES: ClassVar = {
        "email_offers": (Channel.EMAIL, "offers"),
        "email_news": (Channel.EMAIL, "news"),
        "sms_offers": (Channel.SMS, "offers"),
    }

    name = forms.CharField(
        label="Your name",
        max_length=200,
        required=False,
        widget=forms.TextInput(attrs={"autocomplete": "name"}),
    )
    email = email_field(required=False)
    phone = forms.CharField(
        label="Mobile number, for texts",
        required=False,
        validators=[read_by(PhoneNumber.parse, PHONE)],
        widget=forms.TextInput(attrs={"type": "tel", "autocomplete": "tel"}),
    )
    email_offers = forms.BooleanField(label="Acme may email me offers and discounts", required=False)
    email_news = forms.BooleanField(label="Acme may email me news", required=False)
    sms_offers = forms.BooleanField(label="Acme may text me offers and discounts", required=False)

    @property
    def ticked(self) -> list[tuple[Channel, str]]:
        """
        What was ticked, each box by its channel and purpose. If none was, the question asks about everything by email.
        """
        ticked = [box for name, box in self.BOXES.items() if self.cleaned_data.get(name)]
        return ticked or [box for box in self.BOXES.values() if box[0] is Channel.EMAIL]

    def clean(self) -> None:
        super().clean()
        for channel, field, message in ((Channel.EMAIL, "email", EMAIL), (Channel.SMS, "phone", PHONE)):
            typed = self.cleaned_data.get(field) or field in self.errors
            if not typed and any(channel is box for box, _ in self.ticked):
                self.add_error(field, message)


class Offer(Form):
    """
    Who to send an offer to.
    """

    email = email_field()
