"""
The demo without a person: every step is taken over real SMTP and real HTTP, and checked.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from optly.contacts import Channel
from optly.demo import Terminal
from optly.demo.acme import ADA_EMAIL, ADA_PHONE, OFFERS, Acme
from optly.demo.mail import Email, press_unsubscribe
from optly.errors import NotPermittedError
from optly.evidence import verify
from optly.record.checkpoints import Checkpoint
from optly.record.events import Actor, ConsentGiven, ConsentRefused
from optly.testing.browser import Browser, Form, read

_SECONDS: Final = 10


class StepFailedError(Exception):
    """
    A step of the demo failed.

    Attributes:
        step: Its name.
    """

    def __init__(self, message: str, *, step: str) -> None:
        super().__init__(message)
        self.step = step


def check(holds: object, otherwise: str) -> None:
    """
    Raises:
        AssertionError: It does not hold.
    """
    if not holds:
        raise AssertionError(otherwise)


def play(acme: Acme, terminal: Terminal, *, keep: bool) -> int:
    """
    Take every step and return how many there were.

    Args:
        keep: Whether to write the evidence beside the database.

    Raises:
        StepFailedError: A step failed. Those after it were not taken.
    """
    script = _Script(acme, terminal)
    link = script.ask()
    answered = script.answer(link)
    script.look()
    script.send_and_stop(answered)
    checkpoint = script.prove(keep=keep)
    script.erase(checkpoint)
    return script.taken


class _Script:
    """
    The steps, in order, with Ada's browser.
    """

    def __init__(self, acme: Acme, terminal: Terminal) -> None:
        self._acme = acme
        self._terminal = terminal
        self._browser = Browser.over_http(acme.base_url)
        self.taken = 0

    @contextmanager
    def _step(self, name: str) -> Iterator[Callable[[str], None]]:
        """
        Take a step, which reports what was observed or fails under its name.
        """
        observed: list[str] = []
        try:
            yield observed.append
        except Exception as error:
            reason = str(error) if isinstance(error, AssertionError) else f"{type(error).__name__}: {error}"
            raise StepFailedError(reason, step=name) from error
        self.taken += 1
        self._terminal.good(name, " ".join(observed))

    def ask(self) -> str:
        """
        Return the link in the email.
        """
        acme = self._acme
        with self._step("not asked cold") as report, self._unchanged():
            try:
                acme.manager.request_consent(acme.ada, via=Channel.EMAIL, channels=[Channel.EMAIL], purposes=[OFFERS])
            except NotPermittedError as error:
                report(f"Without a reason to ask, even the question is refused ({error.decision.regulation}).")
            else:
                check(False, "a question was sent without a reason to ask it")
        with self._step("asked") as report:
            acme.ask()
            check(not acme.inbox.emails, "the question was sent before it was delivered")
            report("Ada filled in the form on the website, so Acme asks: may we write by email, and by text message?")
        with self._step("delivered") as report:
            email, reply = self._deliver(1)
            check(ADA_EMAIL in email.headers.get("To", ""), "the email is not addressed to Ada")
            link = self._link_in(email)
            check(link in email.text, "the plain text has another link than the HTML")
            report(f"“{email.subject}”. The mail server replied: {reply}")
        return link

    def answer(self, link: str) -> Form:
        """
        Return the same form with other answers than Ada's.
        """
        acme, browser = self._acme, self._browser
        with self._step("opened") as report:
            with self._unchanged():
                head = browser.ask("HEAD", link)
            with self._unchanged():
                page = browser.get(link)
            check((head.status, page.status) == (200, 200), f"the link returns {head.status} and {page.status}")
            form = page.form(action=link)
            check(not any(field.checked for field in form.fields), "an answer is already chosen")
            check(not acme.gate(Channel.EMAIL), "the gate opened without an answer")
            report(
                "HEAD and GET showed the page and changed no row. No answer is chosen yet. Opening is not answering."
            )
        with self._step("answered") as report:
            by_email, by_text = (self._question(channel) for channel in (Channel.EMAIL, Channel.SMS))
            known = len(acme.history())
            page = browser.press(form.fill_in({by_email: "Yes", by_text: "No"}))
            check(page.status == 200, f"the form returned {page.status}")
            said = [event for event in acme.history()[known:] if event.actor is Actor.PERSON]
            given = [choice.channel for event in said if isinstance(event, ConsentGiven) for choice in event.choices]
            refused = [
                choice.channel for event in said if isinstance(event, ConsentRefused) for choice in event.choices
            ]
            check((given, refused) == ([Channel.EMAIL], [Channel.SMS]), "the recorded answers are not those given")
            report(f"Ada said yes to email and no to text messages. Confirmation sent: {self._deliver(2)[1]}")
        with self._step("email allowed") as report:
            decision = acme.gate(Channel.EMAIL)
            check(decision, f"the gate refused: {decision.reason}")
            report(f"{decision.explanation} ({decision.regulation})")
        with self._step("text refused") as report:
            report(self._refused(Channel.SMS))
        answered = form.fill_in({by_email: "Yes", by_text: "Yes"})
        with self._step("replayed") as report:
            status = self._replay(answered)
            check(not acme.gate(Channel.SMS), "the gate opened")
            report(f"The same form again, now with yes to both: {status}, and no row changed. A link is answered once.")
        return answered

    def look(self) -> None:
        """
        Go from the link in the confirmation to Ada's details, with a one-time code.
        """
        browser = self._browser
        with self._step("code sent") as report:
            link = self._link_in(self._acme.inbox.emails[-1])
            page = browser.get(link)
            check(page.status == 200, f"the link returns {page.status}")
            check(ADA_EMAIL not in page.text, "the page shows Ada's address to anyone with the link")
            entry = browser.press(browser.get(f"{link}/code").form(action=f"{link}/code"))
            email, reply = self._deliver(3)
            digits = set(re.findall(r"\b[0-9]{6}\b", email.text))
            check(browser.cookies and len(digits) == 1, "no code arrived")
            report(f"Her MyOptly link shows her choices, but no address. To see more she is sent a code: {reply}")
        with self._step("details shown") as report:
            details = browser.press(entry.form(action=entry.url).fill_in({"digits": digits.pop()}))
            check(ADA_EMAIL in details.text, "the code does not show her details")
            history = browser.get(details.url.replace("/details", "/history"))
            check(self._question(Channel.EMAIL) in history.words, "her history does not show the question")
            report("With the six digits she sees her details and her history, in the words she was shown.")

    def send_and_stop(self, answered: Form) -> None:
        acme, browser = self._acme, self._browser
        with self._step("offer delivered") as report:
            acme.offer(Channel.EMAIL)
            email, reply = self._deliver(4)
            stop = email.one_click or ""
            check(stop.startswith(f"{acme.base_url}/u/"), "the offer has no Unsubscribe button")
            report(f"“{email.subject}”. The mail server replied: {reply}")
        with self._step("stopped") as report:
            status = press_unsubscribe(stop)
            check(status == 200, f"the stop returned {status}")
            report("The mail program's own Unsubscribe button: one POST, no page, no login (RFC 8058).")
        with self._step("email refused") as report:
            report(self._refused(Channel.EMAIL))
        with self._step("notice delivered") as report:
            email, reply = self._deliver(5)
            report(f"“{email.subject}”, with a link in case it was a mistake: {reply}")
        with self._step("stop undone") as report:
            link = self._link_in(email)
            undo = browser.get(link).form(action=f"{link}/undo")
            check(not acme.gate(Channel.EMAIL), "opening the link undid the stop")
            browser.press(undo)
            check(acme.gate(Channel.EMAIL), "the gate stayed shut")
            check(not acme.gate(Channel.SMS), "more is allowed than Ada agreed to")
            report("It was a mistake. One button on the page behind that link, and what she agreed to counts again.")
        with self._step("all stopped") as report:
            link = acme.manager.link(acme.ada)
            browser.press(browser.get(link).form(action=f"{link}/stop"))
            check(not acme.gate(Channel.EMAIL), "the gate stayed open")
            acme.deliver()
            check(len(acme.inbox.emails) == 5, "a second notice was sent within the hour")
            report(
                "Then she means it: “Stop everything” on her MyOptly page, one button. She had a notice a moment ago, "
                "so the next one waits an hour."
            )
        with self._step("offer refused") as report:
            try:
                acme.offer(Channel.EMAIL)
            except NotPermittedError:
                pass
            else:
                check(False, "an offer was queued after the stop")
            check(not acme.deliver() and len(acme.inbox.emails) == 5, "an email was sent after the stop")
            report("Acme tries to send another offer. Nothing is queued and nothing is sent.")
        with self._step("replayed again") as report:
            status = self._replay(answered)
            check(not acme.gate(Channel.EMAIL), "an old link lifted the stop")
            report(f"The old form again, with yes to both: {status}. Only a new answer from Ada lifts her stop.")

    def prove(self, *, keep: bool) -> Checkpoint:
        """
        Return the head of the log as it stands now.
        """
        acme = self._acme
        with self._step("evidence verified") as report:
            pack = acme.manager.evidence(acme.ada)
            checkpoint = acme.manager.seal()
            assert checkpoint is not None
            text = pack.to_json()
            found = verify(text, public_keys=acme.manager.public_keys, checkpoint=checkpoint.note)
            check(found, f"the evidence does not verify: {'; '.join(map(str, found.problems))}")
            check(found.events == len(acme.history()), "the evidence is incomplete")
            report(
                f"{found.events} events, verified from the JSON alone: the chain, the signature, the place in the log."
            )
            if keep:
                report(f"Written to {acme.save(pack)}.")
        with self._step("tampering found") as report:
            forged = json.loads(text)
            forged["events"] = [row for row in forged["events"] if "objection-raised" not in row["payload"]]
            check(len(forged["events"]) < found.events, "there is no stop in the evidence")
            problems = verify(json.dumps(forged), public_keys=acme.manager.public_keys).problems
            check(problems, "the evidence verifies without the stop")
            report(
                f"The same evidence without the stop is rejected: {', '.join(sorted({p.finding for p in problems}))}."
            )
        return checkpoint

    def erase(self, checkpoint: Checkpoint) -> None:
        acme = self._acme
        with self._step("erased") as report:
            check(acme.holds(ADA_EMAIL) and acme.holds(ADA_PHONE), "Ada's addresses were not in the database")
            acme.manager.erase(acme.ada)
            check(not acme.holds(ADA_EMAIL) and not acme.holds(ADA_PHONE), "the database still holds an address")
            report("Ada's email address and phone number are no longer in any file of the database.")
        with self._step("still refused") as report:
            again = acme.manager.add_contact(name="Ada", email=ADA_EMAIL, phone=ADA_PHONE)
            check(again != acme.ada, "the erased contact came back")
            decisions = [
                acme.manager.check(address, channel, OFFERS)
                for address, channel in ((ADA_EMAIL, Channel.EMAIL), (ADA_PHONE, Channel.SMS))
            ]
            check(not any(decisions), "the gate forgot the stop")
            report(f"The same addresses are added again. {decisions[0].explanation}")
        with self._step("ledger verified") as report:
            found = acme.manager.verify(checkpoint=checkpoint.note)
            check(found, f"the ledger does not verify: {'; '.join(map(str, found.problems))}")
            report(f"{found.events} events, {found.erased} personal values erased, and the log only grew.")

    def _deliver(self, number: int) -> tuple[Email, str]:
        """
        Send what is due, wait for the email with this number, and return it with the server's reply.
        """
        replies = self._acme.deliver()
        check(len(replies) == 1, f"the mail server accepted {len(replies)} messages instead of one")
        email = self._acme.inbox.wait_for(number, _SECONDS)
        if email is None:
            raise AssertionError(f"the email was accepted and did not arrive within {_SECONDS} seconds")
        return email, replies[0]

    def _link_in(self, email: Email) -> str:
        links = [link.url for link in read(email.html).links if link.url.startswith(f"{self._acme.base_url}/l/")]
        check(len(links) == 1, f"the email has {len(links)} links to the pages")
        return links[0]

    @contextmanager
    def _unchanged(self) -> Iterator[None]:
        before = self._acme.fingerprint()
        yield
        check(self._acme.fingerprint() == before, "something in the database changed")

    def _refused(self, channel: Channel) -> str:
        decision = self._acme.gate(channel)
        check(not decision, "the gate allows it")
        return f"{decision.explanation} ({decision.regulation})"

    def _question(self, channel: Channel) -> str:
        manager = self._acme.manager
        return " ".join(manager.purposes[OFFERS].wording(manager.organisation, channel, "en").text.split())

    def _replay(self, answered: Form) -> int:
        """
        Send an old form again, check that it changes nothing, and return the status of the response.
        """
        with self._unchanged():
            page = self._browser.press(answered)
            check(page.status >= 400, f"an answered question was answered again: {page.status}")
        return page.status
