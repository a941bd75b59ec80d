"""
The Privacy and Electronic Communications (EC Directive) Regulations 2003 (S.I. 2003/2426).

One function a regulation, and one each for post and for the right to object. A fact that is missing is taken against
the sender; a subscriber of unknown kind is treated as an individual. None of this is legal advice.

See :mod:`optly.rules._grounds` for which stops, consents and listings count. A stop counts as soon as it is on
record, even if the clock that timed it ran ahead, because the sender knew of it; a consent or a soft opt-in
counts only from when it was given. A decision about the past is made on the standing as it was on record then.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from functools import partial
from typing import Final, TypeAlias, TypeVar

import attrs

from optly import typed
from optly.contacts import Channel, Subscriber
from optly.record.events import Engagement
from optly.record.standing import Standing, StandingCharitySoftOptIn, StandingSoftOptIn
from optly.rules._grounds import (
    Screening,
    allow,
    consent_to,
    first,
    is_solicited,
    refuse,
    refuse_stopped,
    refuse_unconsented,
    right_of,
    screen,
    set_aside_old,
    stop_of,
    without_spent_wish,
)
from optly.rules.alike import Likeness, likeness
from optly.rules.communication import Charity, Communication, MessageKind, RefusalCost
from optly.rules.decision import RIGHT_TO_OBJECT, Decision, Duty, Reason
from optly.rules.editions import CHARITIES_SINCE, LATEST, OLDEST, edition_at

EDITION: Final = LATEST.name

# Reg 2(1): a message that is stored in the network or in the terminal until it is collected. Push by inference.
ELECTRONIC_MAIL: Final = frozenset(
    {
        Channel.EMAIL,
        Channel.SMS,
        Channel.MMS,
        Channel.VOICEMAIL,
        Channel.WHATSAPP,
        Channel.RCS,
        Channel.SOCIAL_DM,
        Channel.IN_APP,
        Channel.PUSH,
    }
)

_MAIL_DUTIES: Final = (Duty.SHOW_IDENTITY, Duty.GIVE_STOP_ADDRESS)
_SOFT_DUTIES: Final = (*_MAIL_DUTIES, Duty.OFFER_FREE_REFUSAL)
_LIVE_DUTIES: Final = (Duty.SHOW_NUMBER, Duty.GIVE_NAME, Duty.GIVE_CONTACT_IF_ASKED)
_AUTOMATED_DUTIES: Final = (Duty.SHOW_NUMBER, Duty.GIVE_NAME, Duty.GIVE_CONTACT)
_FAX_DUTIES: Final = (Duty.GIVE_NAME, Duty.GIVE_CONTACT)
_POST_DUTIES: Final = (Duty.HAVE_LAWFUL_BASIS, Duty.TELL_OF_RIGHT_TO_OBJECT)

_AFFORDABLE: Final = (RefusalCost.FREE, RefusalCost.COST_OF_SENDING)


_allow_mail: Final = partial(allow, duties=_MAIL_DUTIES)
_allow_call: Final = partial(allow, duties=_LIVE_DUTIES)
_allow_fax: Final = partial(allow, duties=_FAX_DUTIES)

# What a call has to show and to say, beside the regulation that allows it.
_ON_CALLS: Final = ("21(A1)", "24(1)(b)")


# ---- calls


def automated_calls(communication: Communication, standing: Standing) -> Decision:
    """
    Decide a call that plays recorded matter, also where an agent plays it.

    Every subscriber, companies included, has to have told this caller beforehand that they consent to automated calls
    on that line (19(2)(a)), and the number has to be shown (19(2)(b)). There is no exception for calls that were asked
    for, and the registers do not matter.

    Not covered: whether speech made by a machine is recorded matter; it is taken to be, and the caller has to say so
    with `Call.recorded`. The line that is lent (19(3)).

    Source: PECR reg 19, https://www.legislation.gov.uk/uksi/2003/2426/regulation/19 (read 2026-11-23).
    """
    stop = stop_of(communication, standing, Channel.AUTOMATED_CALL)
    if stop is not None:
        return refuse_stopped(communication, standing, stop, "19(2)(a)", "19(1)")
    consent = consent_to(Channel.AUTOMATED_CALL, communication, standing, communication.responsible)
    if consent is None:
        return refuse_unconsented(communication, standing, Channel.AUTOMATED_CALL, "19(1)", "19(2)(a)")
    if not communication.call.shows_number:
        return refuse(
            communication, standing, Reason.NUMBER_WITHHELD, "19(2)(b)", "19(1)", failed=("call.shows_number",)
        )
    ground = allow(
        communication, standing, Reason.CONSENTED, "19(2)", "24(1)(a)", consent=consent, duties=_AUTOMATED_DUTIES
    )
    return first(ground, information(communication, standing, live=False))


def fax(communication: Communication, standing: Standing) -> Decision:
    """
    Decide a fax.

    An individual has to have consented (20(1)(a), 20(2)). Anyone else may be sent an unsolicited fax unless they
    objected (20(1)(b)) or the number has been on the fax register for 28 days or more (20(1)(c), 20(4)) and they have
    not told this sender that they do not object (20(5)), or withdrew that (20(6)).

    Not covered: whether the register of reg 25 is still run; a register that cannot be asked refuses. The line that is
    lent (20(3)).

    Source: PECR reg 20, https://www.legislation.gov.uk/uksi/2003/2426/regulation/20 (read 2026-11-23).
    """
    ground = _fax_ground(communication, standing)
    return first(ground, information(communication, standing, live=False)) if ground else ground


def _fax_ground(communication: Communication, standing: Standing) -> Decision:
    corporate = communication.line is not None and standing.subscriber_of(communication.line).corporate
    stop = stop_of(communication, standing)
    if is_solicited(communication, stop):
        return _allow_fax(communication, standing, Reason.SOLICITED, "20(1)", "24(1)(a)")
    screening, registers = screen(communication, "fps")
    listed = screening is Screening.LISTED
    if stop is not None:
        if not corporate:
            return refuse_stopped(communication, standing, stop, "20(2)", "20(1)(a)")
        if listed and not stop.objection:
            return refuse_stopped(communication, standing, stop, "20(6)", "20(1)(c)", "20(5)")
        return refuse_stopped(communication, standing, stop, "20(1)(b)")
    if corporate and screening is Screening.CLEAR:
        return _allow_fax(communication, standing, Reason.CORPORATE_SUBSCRIBER, "20(1)", "24(1)(a)")
    consent = consent_to(Channel.FAX, communication, standing, communication.responsible)
    if consent is not None:
        provisions = ("20(2)", "20(5)") if screening is Screening.CLEAR else ("20(5)", "20(2)")
        return _allow_fax(communication, standing, Reason.CONSENTED, *provisions, "24(1)(a)", consent=consent)
    if not corporate:
        return refuse_unconsented(communication, standing, Channel.FAX, "20(1)(a)", "20(2)")
    if listed:
        return refuse_unconsented(communication, standing, Channel.FAX, "20(1)(c)", "20(5)", reason=Reason.LISTED)
    if screening is Screening.NOT_CHECKED:
        return refuse(communication, standing, Reason.REGISTER_NOT_CHECKED, "20(1)(c)", failed=registers)
    return _allow_fax(communication, standing, Reason.NEWLY_LISTED, "20(4)", "20(1)(c)", "24(1)(a)")


def calls(communication: Communication, standing: Standing) -> Decision:
    """
    Decide a call by a person: its ground, the caller's number, and what the caller has to say.

    A call for the marketing of claims management or of pensions has a regulation of its own in place of reg 21(1)
    (21(6)). Where it is not known whether it is one, it has to pass each regulation that may apply.
    """
    ground = _call_ground(communication, standing)
    if not ground:
        return ground
    return first(ground, caller_identity(communication, standing), information(communication, standing, live=True))


def _call_ground(communication: Communication, standing: Standing) -> Decision:
    if is_solicited(communication, stop_of(communication, standing, Channel.LIVE_CALL)):
        return _allow_call(
            communication, standing, Reason.SOLICITED, "21(1)", *_unsolicited_only(communication), *_ON_CALLS
        )
    call, subscriber = communication.call, standing.subscriber_of(communication.line)
    individual = edition_at(communication.at).pension_calls and not subscriber.corporate
    grounds, ordinary = [], live_calls(communication, standing)
    if call.claims_management is not False:
        claims = claims_calls(communication, standing)
        if ordinary and not claims and call.claims_management is None:
            return _wanting(claims, "call.claims_management")
        grounds.append(claims)
    if call.pensions is not False and individual:
        pensions = pension_calls(communication, standing)
        if ordinary and not pensions and call.pensions is None:
            return _wanting(pensions, "call.pensions")
        grounds.append(pensions)
    # Reg 21(6) takes claims calls out of 21(1) too, but a person who agreed to those has overridden the register too.
    if not (call.pensions and individual and subscriber is not Subscriber.UNKNOWN):
        grounds.append(ordinary)
    ground = next((ground for ground in grounds if not ground), grounds[0])
    return typed.evolve(ground, also=(*ground.also, "21B(1)")) if call.pensions and not individual else ground


def _unsolicited_only(communication: Communication) -> tuple[str, ...]:
    """
    Return the further regulations on unsolicited calls that do not apply because the person asked for this one.
    """
    call = communication.call
    claims = ("21A(1)",) if call.claims_management is not False else ()
    return (*claims, "21B(1)") if call.pensions is not False else claims


def live_calls(communication: Communication, standing: Standing) -> Decision:
    """
    Decide an unsolicited live marketing call.

    No consent is needed, but the call is refused where the subscriber told this caller not to call (21(1)(a)) or the
    number has been on the register for 28 days or more (21(1)(b), 21(3)) and the subscriber has not told this caller
    that they do not object to calls on that line (21(4)), or withdrew that (21(5)). Companies are protected in the same
    way. Both files of the register are asked, because the kind of subscriber may be wrong.

    Not covered: claims management (see `claims_calls`), pensions (see `pension_calls`), and the line that is lent
    (21(2)).

    Source: PECR reg 21, https://www.legislation.gov.uk/uksi/2003/2426/regulation/21 (read 2026-11-23).
    """
    stop = stop_of(communication, standing, Channel.LIVE_CALL)
    screening, registers = screen(communication, "tps", "ctps")
    attempt = ("2(1)",) if communication.call.connected is False else ()
    if stop is not None:
        if screening is Screening.LISTED and not stop.objection:
            return refuse_stopped(communication, standing, stop, "21(5)", "21(1)(b)", "21(4)", "21(1)(a)", *attempt)
        return refuse_stopped(communication, standing, stop, "21(1)(a)", *attempt)
    if screening is Screening.CLEAR:
        return _allow_call(communication, standing, Reason.NO_OBJECTION, "21(1)", *_ON_CALLS)
    if screening is Screening.NEWLY_LISTED:
        return _allow_call(communication, standing, Reason.NEWLY_LISTED, "21(3)", "21(1)(b)", *_ON_CALLS)
    consent = consent_to(Channel.LIVE_CALL, communication, standing, communication.responsible)
    if consent is not None:
        return _allow_call(communication, standing, Reason.CONSENTED, "21(4)", "21(1)(b)", *_ON_CALLS, consent=consent)
    if screening is Screening.NOT_CHECKED:
        return refuse(communication, standing, Reason.REGISTER_NOT_CHECKED, "21(1)(b)", *attempt, failed=registers)
    return refuse_unconsented(
        communication, standing, Channel.LIVE_CALL, "21(1)(b)", "21(4)", *attempt, reason=Reason.LISTED
    )


def claims_calls(communication: Communication, standing: Standing) -> Decision:
    """
    Decide an unsolicited live call that markets claims management services.

    Every subscriber, companies included, has to have told this caller beforehand that they consent to such calls on
    that line. The register does not matter.

    Not covered: which services these are (21A(4) and (5)); the application says. The line that is lent (21A(3)).

    Source: PECR reg 21A, https://www.legislation.gov.uk/uksi/2003/2426/regulation/21A (read 2026-11-23).
    """
    stop = stop_of(communication, standing, Channel.LIVE_CALL)
    if stop is not None:
        return refuse_stopped(communication, standing, stop, "21A(2)", "21A(1)")
    consent = consent_to(Channel.LIVE_CALL, communication, standing, communication.responsible)
    if consent is None:
        return refuse_unconsented(communication, standing, Channel.LIVE_CALL, "21A(1)", "21A(2)")
    return _allow_call(communication, standing, Reason.CONSENTED, "21A(2)", *_ON_CALLS, consent=consent)


def pension_calls(communication: Communication, standing: Standing) -> Decision:
    """
    Decide an unsolicited live call to an individual that markets anything about pension schemes.

    The caller has to be authorised, or a scheme's trustee or manager, whatever the person agreed to (21B(2)(a),
    21B(3)(a)). Then the person has to have consented to calls by this caller on that line, and not only to those of
    someone at whose instigation it calls (21B(2)(b)), or to be a client of the caller's in the way of 21B(3) and
    21B(5)(c), which allows no calls for anyone else. If there is an instigator, the consent has to name that one too.

    Not covered: calls to a corporate subscriber, which reg 21 decides; whether a caller is authorised (21B(5)(a)); the
    line that is lent (21B(4)).

    Source: PECR reg 21B, https://www.legislation.gov.uk/uksi/2018/1396/made (read 2026-11-23).
    """
    stop = stop_of(communication, standing, Channel.LIVE_CALL)
    if stop is not None:
        return refuse_stopped(communication, standing, stop, RIGHT_TO_OBJECT, "21B(2)", "21B(3)(c)", "21B(1)")
    call = communication.call
    consent = consent_to(Channel.LIVE_CALL, communication, standing, communication.sender, communication.responsible)
    if not call.authorised:
        nearest = "21B(2)(a)" if consent is not None else "21B(1)" if call.client is None else "21B(3)(a)"
        provisions = (nearest, "21B(1)", "21B(2)(a)", "21B(3)(a)", "21B(5)(a)")
        failed = ("call.authorised",)
        return refuse(communication, standing, Reason.CALLER_NOT_AUTHORISED, *provisions, failed=failed)
    if consent is not None:
        return _allow_call(communication, standing, Reason.CONSENTED, "21B(2)", *_ON_CALLS, consent=consent)
    client = call.client
    if client is None:
        needing, by = ("21B(1)", "21B(2)(b)", "21B(3)(b)"), {"sender": communication.sender}
        return refuse_unconsented(communication, standing, Channel.LIVE_CALL, *needing, by=by)
    conditions = (
        ("21B(3)(b)", "instigator", communication.responsible == communication.sender),
        ("21B(5)(c)", "call.client.avoids_ban", client.avoids_ban is False),
        ("21B(3)(b)", "call.client.calls_envisaged", client.calls_envisaged),
        ("21B(3)(c)", "call.client.refusal_at_collection", client.refusal_at_collection),
        ("21B(3)(c)", "call.client.refusal_each_time", client.refusal_each_time),
    )
    incomplete = _incomplete(communication, standing, conditions, "21B(1)", Reason.NOT_A_CLIENT)
    return first(_allow_call(communication, standing, Reason.EXISTING_CLIENT, "21B(3)", *_ON_CALLS), incomplete)


def caller_identity(communication: Communication, standing: Standing) -> Decision | None:
    """
    Refuse a live call that hides the calling number and shows no other on which the caller can be reached.

    Holds for calls that were asked for too, and for claims and pensions.

    Not covered: whether the number shown is answered.

    Source: PECR reg 21(A1), https://www.legislation.gov.uk/uksi/2003/2426/regulation/21 (read 2026-11-23).
    """
    if communication.call.shows_number:
        return None
    return refuse(communication, standing, Reason.NUMBER_WITHHELD, "21(A1)", failed=("call.shows_number",))


def information(communication: Communication, standing: Standing, *, live: bool) -> Decision | None:
    """
    Refuse a call or a fax that does not say who makes it, or how to reach them by post or free of charge.

    In a live call the name is always due, and the contact only if it is asked for (24(1)(b)); in an automated call or a
    fax both are (24(1)(a)). Pension calls are treated alike, though the regulation does not name them.

    Not covered: what is a good name; a trading name that nobody can find is none.

    Source: PECR reg 24, https://www.legislation.gov.uk/uksi/2003/2426/regulation/24 (read 2026-11-23).
    """
    call, provision = communication.call, "24(1)(b)" if live else "24(1)(a)"
    if not call.gives_name:
        return refuse(communication, standing, Reason.NAME_WITHHELD, provision, "24(2)(a)", failed=("call.gives_name",))
    if live and call.contact_requested is False:
        return None
    if call.gives_contact and call.contact_is_free:
        return None
    failed = "call.contact_is_free" if call.gives_contact else "call.gives_contact"
    return refuse(communication, standing, Reason.CONTACT_WITHHELD, provision, "24(2)(b)", failed=(failed,))


# ---- electronic mail


def electronic_mail(communication: Communication, standing: Standing) -> Decision:
    """
    Decide a message by electronic mail.

    A corporate subscriber is not protected by the rule (22(1)), though the people there can object. An individual
    has to have consented (22(2)), or to have been a customer in the way of 22(3), or in touch with a charity in that of
    22(3A). Asking for consent is marketing. What the person asked for is not unsolicited (22(1)).

    Not covered: the line that is lent (22(4)), and reading whether a message was opened (reg 6).

    Source: PECR reg 22, https://www.legislation.gov.uk/uksi/2003/2426/regulation/22 (read 2026-11-23).
    """
    ground = _mail_ground(communication, standing)
    if ground:
        return first(ground, identity_and_stop_address(communication, standing))
    # Whatever the ground, a message that hides its sender or cannot be stopped breaches reg 23 as well.
    lacking = _known_to_lack(communication)
    return typed.evolve(ground, also=(*ground.also, *lacking)) if lacking else ground


def _known_to_lack(communication: Communication) -> tuple[str, ...]:
    identity = ("23(a)",) if communication.shows_identity is False else ()
    unstoppable = communication.gives_stop_address is False or communication.refusal_cost is RefusalCost.MORE
    return (*identity, "23(b)") if unstoppable else identity


def _mail_ground(communication: Communication, standing: Standing) -> Decision:
    stop = stop_of(communication, standing)
    if is_solicited(communication, stop):
        return _allow_mail(communication, standing, Reason.SOLICITED, "22(1); 23")
    corporate = communication.line is not None and standing.subscriber_of(communication.line).corporate
    if stop is not None and corporate:
        return refuse_stopped(communication, standing, stop, RIGHT_TO_OBJECT)
    if stop is not None:
        soft = ["22(3)(c)"] if _about(communication, standing.soft_opt_ins) else []
        soft += ["22(3A)(c)"] if _about(communication, standing.charity_soft_opt_ins) else []
        return refuse_stopped(communication, standing, stop, *soft, "22(2)")
    if corporate:
        return _allow_mail(communication, standing, Reason.CORPORATE_SUBSCRIBER, "22(1)", "2(1)", "23")
    consent = consent_to(communication.channel, communication, standing, communication.responsible)
    if consent is not None:
        return _allow_mail(communication, standing, Reason.CONSENTED, "22(2)", "23", consent=consent)
    if standing.soft_opt_ins or standing.charity_soft_opt_ins:
        softly = (soft_opt_in(communication, standing), charity_soft_opt_in(communication, standing))
        ground = _best(ground for ground in softly if ground is not None)
        if ground is not None:
            return ground
    return refuse_unconsented(communication, standing, communication.channel, "22(2)", "22(2)", "2(1)")


_SoftOptIn = TypeVar("_SoftOptIn", StandingSoftOptIn, StandingCharitySoftOptIn)
# A provision, the name of a fact it needs, and whether that is there.
_Condition: TypeAlias = tuple[str, str, bool | None]


def _about(communication: Communication, recorded: Iterable[_SoftOptIn]) -> list[_SoftOptIn]:
    return [
        known
        for known in recorded
        if known.channel is communication.channel and known.line == communication.line and known.at <= communication.at
    ]


def _incomplete(
    communication: Communication,
    standing: Standing,
    conditions: Iterable[_Condition],
    rule: str,
    reason: Reason,
    evidence: tuple[int, ...] = (),
) -> Decision | None:
    """
    Refuse if a condition of an exception to *rule* is not met, and name all that are not.
    """
    unmet = [(provision, fact) for provision, fact, met in conditions if not met]
    if not unmet:
        return None
    provisions = [provision for provision, _ in unmet]
    return refuse(
        communication, standing, reason, *provisions, rule, evidence=evidence, failed=tuple(fact for _, fact in unmet)
    )


def _best(decisions: Iterable[Decision]) -> Decision | None:
    """
    Return the permission among *decisions*, or else the refusal that wants least of what the sender can have.
    """
    return min(decisions, key=lambda decision: ("charity" in decision.failed, len(decision.failed)), default=None)


def _refusal_in_message(provision: str, communication: Communication) -> tuple[_Condition, ...]:
    return (
        (provision, "offers_refusal", communication.offers_refusal),
        (provision, "refusal_cost", communication.refusal_cost in _AFFORDABLE),
        (provision, "gives_stop_address", communication.gives_stop_address),
    )


def soft_opt_in(communication: Communication, standing: Standing) -> Decision | None:
    """
    Decide by the soft opt-in for customers, if details collected in a sale are on record for the line.

    The sender itself has to have obtained the details in a sale or in negotiations for one (22(3)(a)); the message has
    to be about its own similar products and services (22(3)(b)); a simple, free way to refuse has to have been offered
    when the details were first collected and in every message, and not taken (22(3)(c)). There is no limit of time. A
    stop rules it out; what lifts a stop is consent, which comes first, and when that ends the stop stands again.

    Not covered: what is similar, which the application says by listing purposes.

    Source: PECR reg 22(3), https://www.legislation.gov.uk/uksi/2003/2426/regulation/22 (read 2026-11-23).
    """
    return _best(_by_sale(communication, standing, known) for known in _about(communication, standing.soft_opt_ins))


def _by_sale(communication: Communication, standing: Standing, known: StandingSoftOptIn) -> Decision:
    conditions = (
        ("22(3)(a)", "obtained_by", known.obtained_by == communication.responsible),
        ("22(3)(a)", "in_sale", known.in_sale),
        ("22(3)(b)", "similar_purposes", communication.purpose in known.similar_purposes),
        ("22(3)(c)", "refusal_offered", known.refusal_offered),
        ("22(3)(c)", "refused", known.refused is False),
        *_refusal_in_message("22(3)(c)", communication),
        ("22(3)", "dated", known.dated),
    )
    return _softly(communication, standing, known.seq, Reason.SOFT_OPT_IN, "22(3)", conditions)


def _softly(
    communication: Communication,
    standing: Standing,
    seq: int,
    reason: Reason,
    regulation: str,
    conditions: Iterable[_Condition],
) -> Decision:
    ground = _allow_mail(communication, standing, reason, regulation, "23", evidence=(seq,), duties=_SOFT_DUTIES)
    incomplete = _incomplete(communication, standing, conditions, "22(2)", Reason.SOFT_OPT_IN_INCOMPLETE, (seq,))
    return first(ground, incomplete)


def charity_soft_opt_in(communication: Communication, standing: Standing) -> Decision | None:
    """
    Decide by the soft opt-in for charities, if details that one collected are on record for the line.

    The sender has to be a charity (22(5)); furthering its purposes has to be the sole purpose of the message
    (22(3A)(a)); it has to have obtained the details itself from someone who showed interest in purposes it had then,
    or who offered or gave support (22(3A)(b)); a simple, free way to refuse has to have been offered then and in every
    message, and not taken (22(3A)(c)). Open from 5 February 2026, and for details collected from that day on: before,
    nobody offered a refusal for this.

    Not covered: whether a purchase in a charity's shop, or a gift through a fundraising platform, is support.

    Source: PECR reg 22(3A) and (5), by the Data (Use and Access) Act 2025 s. 114,
    https://www.legislation.gov.uk/ukpga/2025/18/section/114 (read 2026-11-23); the ICO's guidance of 28 April 2026, as
    reported in https://www.withersworldwide.com/en-gb/insight/read/ico-updates-guidance-on-the-charitable-purposes-soft-opt-in-for-direct-marketing.
    """
    return _best(
        _by_charity(communication, standing, known) for known in _about(communication, standing.charity_soft_opt_ins)
    )


def _by_charity(communication: Communication, standing: Standing, known: StandingCharitySoftOptIn) -> Decision:
    charity = communication.charity
    if charity is None or not charity.qualifies:
        # To anyone else, such as a community interest company, the exception is not open, whatever else is there.
        reason, evidence = Reason.SOFT_OPT_IN_INCOMPLETE, (known.seq,)
        return refuse(communication, standing, reason, "22(5)", "22(2)", evidence=evidence, failed=("charity",))
    conditions = (
        ("22(3A)", "collected_at", known.dated and known.at >= CHARITIES_SINCE),
        ("22(3A)(a)", "charitable_only", communication.charitable_only),
        ("22(3A)(b)", "obtained_by", known.obtained_by == communication.responsible),
        ("22(3A)(b)", "engagement", known.engagement in (Engagement.INTEREST, Engagement.SUPPORT)),
        ("22(3A)(b)", "purpose_held", known.purpose_held),
        ("22(3A)(c)", "refusal_offered", known.refusal_offered),
        ("22(3A)(c)", "refused", known.refused is False),
        *_refusal_in_message("22(3A)(c)", communication),
    )
    ground = _softly(communication, standing, known.seq, Reason.CHARITY_SOFT_OPT_IN, "22(3A)", conditions)
    if not ground:
        return ground
    # Whether a charity that is in no register is one is for the definition to say.
    return ground if charity.registered else typed.evolve(ground, also=("22(5)", *ground.also))


def identity_and_stop_address(communication: Communication, standing: Standing) -> Decision | None:
    """
    Refuse a message that hides whom it is sent for, or gives no address at which it costs no more than a message to
    have it stopped.

    Holds for every subscriber, and for messages that were asked for too.

    Not covered: how prices and offers have to be marked (23(c) and (d)), and whether the address is read.

    Source: PECR reg 23(a) and (b), https://www.legislation.gov.uk/uksi/2003/2426/regulation/23 (read 2026-11-23).
    """
    if not communication.shows_identity:
        return refuse(communication, standing, Reason.IDENTITY_CONCEALED, "23(a)", failed=("shows_identity",))
    if not communication.gives_stop_address:
        return refuse(communication, standing, Reason.NO_STOP_ADDRESS, "23(b)", failed=("gives_stop_address",))
    if communication.refusal_cost not in _AFFORDABLE:
        return refuse(communication, standing, Reason.NO_STOP_ADDRESS, "23(b)", failed=("refusal_cost",))
    return None


# ---- post


def post(communication: Communication, standing: Standing) -> Decision:
    """
    Decide a letter: outside the regulations, so that no consent is needed, but never to a person who objected, unless
    they have asked for it since.

    Not covered: whether there is a lawful basis under the UK GDPR; the Mailing Preference Service, which is no law.

    Source: ICO, https://ico.org.uk/for-organisations/data-protection-advice-for-small-organisations/frequently-asked-questions/marketing-and-consent/
    (read 2026-11-23).
    """
    if is_solicited(communication, stop_of(communication, standing)):
        return allow(communication, standing, Reason.SOLICITED, "outside PECR", duties=_POST_DUTIES)
    ground = allow(communication, standing, Reason.OUTSIDE_PECR, "outside PECR", duties=_POST_DUTIES)
    return first(ground, right_to_object(communication, standing))


def right_to_object(communication: Communication, standing: Standing) -> Decision | None:
    """
    Refuse what the person objected to, directly or through the Fundraising Preference Service. The right is absolute.

    Each regulation above refuses it too, and then names itself first.

    Not covered: profiling that is not a message.

    Source: UK GDPR Art 21(2) and (3), https://www.legislation.gov.uk/eur/2016/679/article/21 (as reported 2026-11-23).
    """
    stop = stop_of(communication, standing)
    return None if stop is None else refuse_stopped(communication, standing, stop, RIGHT_TO_OBJECT)


# ---- the whole


def _calls_by_nature(communication: Communication, standing: Standing) -> Decision:
    """
    Decide a call by what it is: recorded matter is automated and live speech is not, whatever the channel is called.
    One of which it is not known whether a machine speaks has to pass both.
    """
    recorded = communication.call.recorded
    if recorded == "as_the_channel_says":
        recorded = communication.channel is Channel.AUTOMATED_CALL
    if recorded is None:
        live, automated = calls(communication, standing), automated_calls(communication, standing)
        if not live or automated:
            return automated if live else live
        return _wanting(automated, "call.recorded")
    return automated_calls(communication, standing) if recorded else calls(communication, standing)


def _wanting(decision: Decision, fact: str) -> Decision:
    """
    Return a refusal that names a further fact that was missing or spoke against it.
    """
    return typed.evolve(decision, failed=(*decision.failed, fact))


_BY_CHANNEL: Final[Mapping[Channel, Callable[[Communication, Standing], Decision]]] = {
    **dict.fromkeys(ELECTRONIC_MAIL, electronic_mail),
    Channel.LIVE_CALL: _calls_by_nature,
    Channel.AUTOMATED_CALL: _calls_by_nature,
    Channel.FAX: fax,
    Channel.POST: post,
}
_BEFORE_2026: Final = {
    **dict.fromkeys(ELECTRONIC_MAIL, "22(2)"),
    Channel.LIVE_CALL: "21(1)",
    Channel.AUTOMATED_CALL: "19(1)",
    Channel.FAX: "20(1)",
}


def _keys(value: Iterable[str]) -> frozenset[str]:
    return frozenset(value)


@attrs.frozen(kw_only=True)
class UKPECR:
    """
    The law of the United Kingdom on marketing by electronic mail, telephone, fax and post.

    Attributes:
        first_contact_months: How old a consent that someone else collected may be when it is first relied on. The ICO
            advised six months until 2018 and in its draft code of 2020; whether it still does was not verified.
        dormant_months: How long a consent counts without being renewed or used: since it was given, or since the latest
            marketing on record for that channel, purpose and line. None for no limit. The regulations say "for the
            time being" and give no number, and the ICO says that consent is likely to degrade. Three years is a
            cautious choice of ours. It also sets aside what dates from before the UK GDPR and was neither renewed
            nor used since.
        solicited_within: How long after the person asked for a message it still answers their wish. No law gives a
            number; thirty days is a cautious choice of ours.
        charity: That the sender is a charity, where the message does not say it.
        charitable_purposes: Keys of the purposes whose messages do nothing but further those of the charity.
    """

    first_contact_months: int = 6
    dormant_months: int | None = 36
    solicited_within: timedelta = timedelta(days=30)
    charity: Charity | None = None
    charitable_purposes: frozenset[str] = attrs.field(default=frozenset(), converter=_keys)

    @property
    def edition(self) -> str:
        return EDITION

    def likeness(self, communication: Communication) -> Likeness | None:
        """
        Return what finds out which standings `assess` answers alike, whoever the message goes to; None if none is.
        """
        return likeness(
            communication, first_contact_months=self.first_contact_months, dormant_months=self.dormant_months
        )

    def assess(self, communication: Communication, standing: Standing) -> Decision:
        """
        Decide, in the order: kind of message, what the person stopped, registers, the ground for sending, its evidence,
        the duties of the message itself.
        """
        if standing.erased_at is not None:
            return refuse(communication, standing, Reason.ERASED, right_of(communication, standing))
        if (reason := _not_marketing(communication)) is not None:
            return allow(communication, standing, reason, "not direct marketing")
        if communication.at < OLDEST.since:
            return refuse(communication, standing, Reason.NOT_COVERED, "not covered", failed=("at",))
        if (ineffective := _nothing_conveyed(communication, standing)) is not None:
            return ineffective
        if standing.consents:
            standing = set_aside_old(communication, standing, self.first_contact_months, self.dormant_months)
        if standing.charity_soft_opt_ins and communication.charity is None and self.charity is not None:
            communication = typed.evolve(
                communication,
                charity=self.charity,
                charitable_only=communication.purpose in self.charitable_purposes,
            )
        asked = without_spent_wish(communication, standing, self.solicited_within)
        decision = _BY_CHANNEL[communication.channel](asked, standing)
        if decision or (fact := _claimed_in_vain(communication, asked, self.solicited_within)) is None:
            return decision
        return _wanting(decision, fact)


_PROMOTES_NOTHING: Final[Mapping[MessageKind, Reason]] = {
    MessageKind.SERVICE: Reason.SERVICE,
    MessageKind.RESEARCH: Reason.MARKET_RESEARCH,
}


def _not_marketing(communication: Communication) -> Reason | None:
    """
    Return why a message is not direct marketing, or None if it is.

    Not covered: whether a message is needed for the task that a public authority names.

    Source: PECR reg 2(1); the ICO's guidance on direct marketing and the public sector of August 2021, as reported in
    https://www.dwfgroup.com, and on market research, as in https://tpsonline.org.uk/faq (as reported 2026-11-23).
    """
    kind = communication.kind
    needed = communication.public_authority and communication.public_task.strip()
    if needed and kind in (MessageKind.SERVICE, MessageKind.MARKETING):
        return Reason.PUBLIC_TASK
    if communication.promotional is not False:
        return None
    return _PROMOTES_NOTHING.get(kind)


def _claimed_in_vain(communication: Communication, asked: Communication, within: timedelta) -> str | None:
    """
    Return the fact for want of which a message is treated as marketing like any other; None if there is none.

    Args:
        asked: The message without a wish that was granted before or is too old.
    """
    if communication.kind in (MessageKind.SERVICE, MessageKind.RESEARCH):
        return "public_authority" if communication.public_task.strip() else "promotional"
    if communication.kind is not MessageKind.SOLICITED or asked.solicited is not None:
        return None
    if communication.solicited is None:
        return "solicited"
    return "solicited.at" if communication.at - communication.solicited.at > within else "attempt"


def _nothing_conveyed(communication: Communication, standing: Standing) -> Decision | None:
    """
    Allow what reached nobody before an attempt counted, unless the person had stopped it.

    Source: PECR reg 2(1) and (1A), by the Data (Use and Access) Act 2025 s. 110,
    https://www.legislation.gov.uk/ukpga/2025/18/section/110 (read 2026-11-23).
    """
    if edition_at(communication.at).attempts_count:
        return None
    mail = communication.channel in ELECTRONIC_MAIL
    conveyed = communication.delivered if mail else communication.call.connected
    if conveyed is not False or stop_of(communication, standing) is not None:
        return None
    provision = _BEFORE_2026.get(communication.channel)
    return None if provision is None else allow(communication, standing, Reason.NOTHING_CONVEYED, "2(1)", provision)
