"""
The demo without a person: every step is taken over real SMTP and real HTTP, and looked at.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Final

import attrs

from optly.cli._terminal import Terminal
from optly.contacts.addresses import Channel
from optly.demo import browser
from optly.demo.acme import ADA_EMAIL, ADA_PHONE, OFFERS, Acme
from optly.demo.browser import Form, Page
from optly.demo.mail import Letter
from optly.errors import NotPermittedError
from optly.evidence import verify
from optly.record.events import Actor, ConsentGiven, ConsentRefused
from optly.record.ledger import Checkpoint

_SECONDS: Final = 10


class StepFailedError(Exception):
    """
    A step of the demo was not seen to be true.

    Attributes:
        step: Its name.
    """

    def __init__(self, message: str, *, step: str) -> None:
        super().__init__(message)
        self.step = step


class UnseenError(Exception):
    """
    Something that has to be so is not.
    """


def see(so: object, otherwise: str) -> None:
    """
    Make sure of something.

    Raises:
        UnseenError: It is not so.
    """
    if not so:
        raise UnseenError(otherwise)


class Steps:
    """
    Counts the steps, and tells each when it was seen to be true.
    """

    def __init__(self, terminal: Terminal) -> None:
        self._terminal = terminal
        self.taken = 0

    @contextmanager
    def step(self, name: str) -> Iterator[Callable[[str], None]]:
        """
        Take a step, which tells what was seen or fails under its name.
        """
        told: list[str] = []
        try:
            yield told.append
        except Exception as error:
            why = str(error) if isinstance(error, UnseenError) else f"{type(error).__name__}: {error}"
            raise StepFailedError(why, step=name) from error
        self.taken += 1
        self._terminal.good(name, " ".join(told))


@attrs.frozen
class Answered:
    """
    The form Ada sent, and what would have been on it if she had said yes to everything.
    """

    form: Form
    all_yes: Mapping[str, str]


def play(acme: Acme, terminal: Terminal, *, keep: bool) -> int:
    """
    Take every step and return how many there were.

    Args:
        keep: Whether to write the evidence beside the database.

    Raises:
        StepFailedError: A step was not seen to be true. Those after it were not taken.
    """
    steps = Steps(terminal)
    link = _ask(acme, steps)
    answered = _answer(acme, steps, link)
    _look(acme, steps)
    _write_and_stop(acme, steps, answered)
    checkpoint = _prove(acme, steps, keep=keep)
    _erase(acme, steps, checkpoint)
    return steps.taken


# ---- the steps


def _ask(acme: Acme, steps: Steps) -> str:
    """
    Return the link in the email.
    """
    with steps.step("not asked cold") as tell:
        before = acme.fingerprint()
        try:
            acme.manager.request_consent(acme.ada, via=Channel.EMAIL, channels=[Channel.EMAIL], purposes=[OFFERS])
        except NotPermittedError as error:
            tell(f"Without a reason to ask, even the question is refused ({error.decision.regulation}).")
        else:
            see(False, "a question was asked that nobody had asked for")
        _unchanged(acme, before)
    with steps.step("asked") as tell:
        acme.ask()
        see(not acme.inbox.letters, "the question went out before anybody delivered it")
        tell("Ada filled in the form on the website, so Acme asks her: may we write by email, and by text message?")
    with steps.step("delivered") as tell:
        letter, reply = _deliver(acme, 1)
        see(ADA_EMAIL in letter.recipient, "the email is not addressed to Ada")
        links = [link for link in browser.read(letter.html).links if link.startswith(acme.manager.pages.link(""))]
        see(len(links) == 1 and links[0] in letter.text, "the email does not hold one link to the question")
        tell(f"“{letter.subject}”. The mail server said: {reply}")
    return links[0]


def _answer(acme: Acme, steps: Steps, link: str) -> Answered:
    with steps.step("opened") as tell:
        before = acme.fingerprint()
        for page in (browser.head(link), browser.get(link)):
            see(page.status == 200, f"the link answers {page.status}")
            _unchanged(acme, before)
        form = _form_with_questions(page)
        see(not any(field.checked for field in form.fields), "an answer is filled in already")
        see(not acme.gate(Channel.EMAIL), "the gate opened without an answer")
        tell("HEAD and GET showed the page and changed not one row. Nothing is ticked. Opening is not answering.")
    with steps.step("answered") as tell:
        by_email, by_text = (_question(acme, channel) for channel in (Channel.EMAIL, Channel.SMS))
        known = len(acme.history())
        page = browser.send(form, form.fill_in({by_email: "Yes", by_text: "No"}))
        see(page.status == 200, f"the form was answered with {page.status}")
        said = [event for event in acme.history()[known:] if event.actor is Actor.PERSON]
        given = [choice.channel for event in said if isinstance(event, ConsentGiven) for choice in event.choices]
        refused = [choice.channel for event in said if isinstance(event, ConsentRefused) for choice in event.choices]
        see((given, refused) == ([Channel.EMAIL], [Channel.SMS]), "the answers on record are not the ones given")
        _, reply = _deliver(acme, 2)
        tell(f"Ada said yes to email and no to text messages. A confirmation went out: {reply}")
    with steps.step("email allowed") as tell:
        decision = acme.gate(Channel.EMAIL)
        see(decision, f"the gate refused: {decision.reason}")
        tell(f"{decision.explanation} ({decision.regulation})")
    with steps.step("text refused") as tell:
        tell(_refused(acme, Channel.SMS))
    answered = Answered(form, form.fill_in({by_email: "Yes", by_text: "Yes"}))
    with steps.step("replayed") as tell:
        status = _replay(acme, answered)
        see(not acme.gate(Channel.SMS), "the gate opened")
        tell(f"The same link, now with two yeses: {status}, and not one row changed. A question is answered once.")
    return answered


def _look(acme: Acme, steps: Steps) -> None:
    """
    Go from the link in the confirmation to what is held, by a one-time code.
    """
    with steps.step("code sent") as tell:
        receipt = browser.read(acme.inbox.letters[-1].html)
        (link,) = (link for link in receipt.links if link.startswith(acme.manager.pages.link("")))
        page = browser.get(link)
        see(page.status == 200, f"the link answers {page.status}")
        see(ADA_EMAIL not in page.text, "the page shows Ada's address to whoever has the link")
        asks = browser.get(f"{link}/code")
        form = _form_to(asks, f"{link}/code")
        sent = browser.send(form, form.fill_in({}))
        letter, reply = _deliver(acme, 3)
        digits = re.findall(r"\b[0-9]{6}\b", letter.text)
        see(sent.cookie and len(set(digits)) == 1, "no code came")
        tell(f"The link to her MyOptly page shows her choices and no address. For more, a code goes to her: {reply}")
    with steps.step("details shown") as tell:
        enters = browser.get(sent.location, sent.cookie)
        form = _form_to(enters, enters.url)
        raised = browser.send(form, {**form.fill_in({}), "digits": digits[0]}, sent.cookie)
        details = browser.get(raised.location, raised.cookie)
        see(ADA_EMAIL in details.text, "the code does not open her details")
        history = browser.get(details.url.replace("/details", "/history"), raised.cookie)
        see(_question(acme, Channel.EMAIL) in history.words, "her history does not hold the question she was asked")
        tell("With the six digits she sees what is held, and her history in the words that she was shown.")


def _write_and_stop(acme: Acme, steps: Steps, answered: Answered) -> None:
    with steps.step("offer delivered") as tell:
        acme.offer(Channel.EMAIL)
        letter, reply = _deliver(acme, 4)
        stop = letter.one_click or ""
        see(stop.startswith(acme.manager.pages.stop("")), "the offer has no button for stopping it")
        tell(f"“{letter.subject}”. The mail server said: {reply}")
    with steps.step("stopped") as tell:
        page = browser.one_click(stop)
        see(page.status == 200, f"the stop was answered with {page.status}")
        tell("The mail program's own Unsubscribe button: one POST, no page, no login (RFC 8058).")
    with steps.step("email refused") as tell:
        tell(_refused(acme, Channel.EMAIL))
    with steps.step("notice delivered") as tell:
        letter, reply = _deliver(acme, 5)
        tell(f"“{letter.subject}”, with a link in case it was a mistake: {reply}")
    with steps.step("stop undone") as tell:
        (link,) = (link for link in browser.read(letter.html).links if link.startswith(acme.manager.pages.link("")))
        form = _form_to(browser.get(link), f"{link}/undo")
        see(not acme.gate(Channel.EMAIL), "opening the link undid the stop")
        browser.send(form, form.fill_in({}))
        see(acme.gate(Channel.EMAIL), "the gate stayed shut")
        see(not acme.gate(Channel.SMS), "more is allowed than Ada had agreed to")
        tell("It was a mistake. One press on the page behind that link, and what she had agreed to counts again.")
    with steps.step("all stopped") as tell:
        mine = acme.manager.link(acme.ada)
        form = _form_to(browser.get(mine), f"{mine}/stop")
        browser.send(form, form.fill_in({}))
        see(not acme.gate(Channel.EMAIL), "the gate stayed open")
        letter, reply = _deliver(acme, 6)
        tell(f"Then she means it: “Stop everything” on her MyOptly page, one press. She is told again: {reply}")
    with steps.step("offer refused") as tell:
        try:
            acme.offer(Channel.EMAIL)
        except NotPermittedError:
            pass
        else:
            see(False, "an offer was queued after the stop")
        see(not acme.deliver() and len(acme.inbox.letters) == 6, "an email went out after the stop")
        tell("Acme tries to send another offer. Nothing is queued and nothing goes out.")
    with steps.step("replayed again") as tell:
        status = _replay(acme, answered)
        see(not acme.gate(Channel.EMAIL), "an old link lifted the stop")
        tell(f"The old link with its two yeses: {status}. Only a new answer of Ada's own lifts her stop.")


def _prove(acme: Acme, steps: Steps, *, keep: bool) -> Checkpoint:
    """
    Return the head of the log as it stands now.
    """
    with steps.step("evidence verified") as tell:
        pack = acme.manager.evidence(acme.ada)
        checkpoint = acme.manager.seal()
        assert checkpoint is not None
        text = pack.to_json()
        found = verify(text, public_keys=acme.manager.public_keys, checkpoint=checkpoint.note)
        see(found, f"the evidence does not verify: {'; '.join(map(str, found.problems))}")
        see(found.events == len(acme.history()), "the evidence is not all there is")
        tell(f"{found.events} events, verified from the JSON alone: the chain, the signature and the place in the log.")
        if keep:
            tell(f"Written to {acme.keep(pack)}.")
    with steps.step("tampering found") as tell:
        forged = json.loads(text)
        forged["events"] = [row for row in forged["events"] if "objection-raised" not in row["payload"]]
        see(len(forged["events"]) < found.events, "there is no stop in the evidence")
        problems = verify(json.dumps(forged), public_keys=acme.manager.public_keys).problems
        see(problems, "evidence without the stop verifies")
        tell(f"The same evidence without the stop is found out: {', '.join(sorted({p.finding for p in problems}))}.")
    return checkpoint


def _erase(acme: Acme, steps: Steps, checkpoint: Checkpoint) -> None:
    with steps.step("erased") as tell:
        see(acme.holds(ADA_EMAIL) and acme.holds(ADA_PHONE), "Ada's addresses were not in the database")
        acme.manager.erase(acme.ada)
        see(not acme.holds(ADA_EMAIL) and not acme.holds(ADA_PHONE), "an address is still in the files of the database")
        tell("Ada's email address and number are in no file of the database any more.")
    with steps.step("still refused") as tell:
        again = acme.manager.add_contact(name="Ada", email=ADA_EMAIL, phone=ADA_PHONE)
        see(again != acme.ada, "the contact that was erased came back")
        decisions = [
            acme.manager.check(address, channel, OFFERS)
            for address, channel in ((ADA_EMAIL, Channel.EMAIL), (ADA_PHONE, Channel.SMS))
        ]
        see(not any(decisions), "the gate forgot the stop")
        tell(f"The same addresses are put on record again. {decisions[0].explanation}")
    with steps.step("ledger verified") as tell:
        found = acme.manager.verify(checkpoint=checkpoint.note)
        see(found, f"the ledger does not verify: {'; '.join(map(str, found.problems))}")
        tell(f"{found.events} events, {found.erased} personal values erased, and the log only grew.")


# ---- what they do and look at


def _deliver(acme: Acme, number: int) -> tuple[Letter, str]:
    """
    Hand over what is due, wait until the letter of this number has come in, and return it with the server's reply.
    """
    replies = acme.deliver()
    see(len(replies) == 1, f"the mail server took {len(replies)} messages instead of one")
    letter = acme.inbox.wait_for(number, _SECONDS)
    if letter is None:
        raise UnseenError(f"the email is said to be delivered and did not come in {_SECONDS} seconds")
    return letter, replies[0]


def _unchanged(acme: Acme, before: str) -> None:
    see(acme.fingerprint() == before, "something in the database changed")


def _refused(acme: Acme, channel: Channel) -> str:
    decision = acme.gate(channel)
    see(not decision, "the gate allows it")
    return f"{decision.explanation} ({decision.regulation})"


def _question(acme: Acme, channel: Channel) -> str:
    wording = acme.manager.purposes[OFFERS].wording(acme.manager.organisation, channel, "en")
    return " ".join(wording.text.split())


def _form_with_questions(page: Page) -> Form:
    forms = [form for form in page.forms if any(field.question for field in form.fields)]
    see(len(forms) == 1, f"there are {len(forms)} forms with questions on the page")
    return forms[0]


def _form_to(page: Page, action: str) -> Form:
    forms = [form for form in page.forms if form.action == action]
    see(len(forms) == 1, f"there are {len(forms)} forms of that kind on the page")
    return forms[0]


def _replay(acme: Acme, answered: Answered) -> int:
    """
    Send an old form again, make sure that nothing came of it, and return the status of the response.
    """
    before = acme.fingerprint()
    page = browser.send(answered.form, answered.all_yes)
    see(page.status >= 400, f"an answered question was taken again: {page.status}")
    _unchanged(acme, before)
    return page.status
