"""
Two pages: one to sign up on, and one to send offers from.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from http import HTTPStatus

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from acme.forms import Form, Offer, SignUp
from optly import Channel, Solicited, Subscriber
from optly.contrib.django import get_manager
from optly.contrib.django.mail import MailWithheldError, MarketingEmail
from optly.errors import LineTakenError, NotPermittedError


def sign_up(request: HttpRequest) -> HttpResponse:
    """
    Add a contact and ask them by email. The form they have just filled in is the basis for asking.
    """
    form = SignUp(request)
    if not form.is_valid():
        return show(request, form, title="Hear from Acme", button="Sign up")
    manager, phone = get_manager(), form.cleaned_data["phone"]
    # The page is the same for everyone, so that nobody learns from it who is a contact or what they chose.
    with suppress(LineTakenError, NotPermittedError):
        contact = manager.add_contact(
            name=form.cleaned_data["name"],
            email=form.cleaned_data["email"],
            phone=phone or None,
            subscriber=Subscriber.INDIVIDUAL,
        )
        manager.request_consent(
            contact,
            via=Channel.EMAIL,
            channels=[Channel.EMAIL, Channel.SMS] if phone else [Channel.EMAIL],
            purposes=["offers", "news"],
            basis=Solicited(how="sign-up form", at=datetime.now(UTC)),
        )
    return done(request, "Check your email", "Follow the link to choose what you want to hear about.")


def send_offer(request: HttpRequest) -> HttpResponse:
    """
    Send an offer. The email backend checks the gate, so nothing here has to.
    """
    form = Offer(request)
    if not form.is_valid():
        return show(request, form, title="Send an offer", button="Send")
    message = MarketingEmail(
        purpose="offers",
        subject="20% off every kettle",
        body="This week every kettle is 20% off.",
        to=[form.cleaned_data["email"]],
    )
    try:
        message.send()
    except MailWithheldError as error:
        return done(request, f"Not sent: {error.decision.reason}", error.decision.explanation)
    return done(request, "Sent", "The offer is on its way.")


def show(request: HttpRequest, form: Form, **facts: str) -> HttpResponse:
    """
    Show a form, with its errors if it was submitted.
    """
    status = HTTPStatus.UNPROCESSABLE_ENTITY if form.is_bound else HTTPStatus.OK
    return render(request, "form.html", {"form": form, **facts}, status=status)


def done(request: HttpRequest, title: str, text: str) -> HttpResponse:
    """
    Show the outcome.
    """
    return render(request, "done.html", {"title": title, "text": text})
