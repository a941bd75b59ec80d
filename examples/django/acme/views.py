"""
Two pages: one to sign up on, and one to send offers from.
"""

from __future__ import annotations

from http import HTTPStatus

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from acme.forms import Form, Offer, SignUp
from optly.contrib.django import get_manager
from optly.contrib.django.mail import MailWithheldError, MarketingEmail


def sign_up(request: HttpRequest) -> HttpResponse:
    """
    Have a question sent to what was typed. Nothing counts before it is answered.
    """
    form = SignUp(request)
    if not form.is_valid():
        return show(request, form, title="Hear from Acme", button="Sign up")
    get_manager().sign_up(
        name=form.cleaned_data["name"],
        email=form.cleaned_data["email"] or None,
        phone=form.cleaned_data["phone"] or None,
        ticked=form.ticked,
        how="sign-up form",
    )
    # The page is the same for everyone, so that nobody learns from it who is a contact or what they chose.
    return done(request, "Check your messages", "Follow the link we have sent to confirm that it was you.")


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
