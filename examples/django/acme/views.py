"""
Two pages: one on which people sign up, and one from which offers are sent.
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
    Put somebody on record and ask them by email, because they have just said that they wish to be asked.
    """
    form = SignUp(request)
    if not form.is_valid():
        return show(request, form, title="Hear from Acme", button="Ask me")
    manager, phone = get_manager(), form.cleaned_data["phone"]
    # Who is on record already, and what they said, is nobody else's business: the page is the same for everybody.
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
    return done(request, "Check your messages", "We have written to you. The link in our email asks you.")


def send_offer(request: HttpRequest) -> HttpResponse:
    """
    Send somebody an offer. Nothing here asks whether they may be sent one: the email backend does.
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
        return done(request, f"held back: {error.decision.reason}", error.decision.explanation)
    return done(request, "sent", "It will be in their inbox in a moment.")


def show(request: HttpRequest, form: Form, **facts: str) -> HttpResponse:
    """
    Show a form, with what was wrong with it if it was sent.
    """
    status = HTTPStatus.UNPROCESSABLE_ENTITY if form.is_bound else HTTPStatus.OK
    return render(request, "form.html", {"form": form, **facts}, status=status)


def done(request: HttpRequest, title: str, text: str) -> HttpResponse:
    """
    Say what came of it.
    """
    return render(request, "done.html", {"title": title, "text": text})
