"""
Scenarios of our own, in the form of the shared ones: every provision of the rule sheet, and both sides of each limit.

Each line tells what is different from a fair message or call, the answer, and the provision.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

AT = "2026-11-23T10:00:00Z"
NUMBER, MAILBOX = "+447700900001", "pat@example.org"
PHONES = ("sms", "mms", "voicemail", "whatsapp", "rcs", "live_call", "automated_call", "fax")
LINES = dict.fromkeys(PHONES, NUMBER) | {
    "email": MAILBOX,
    "social_dm": "dm:pat",
    "in_app": "app:pat",
    "push": "device:pat",
    "post": "post:1 High Street",
}
MAIL = ("email", "sms", "mms", "voicemail", "whatsapp", "rcs", "social_dm", "in_app", "push")
INDIVIDUALS = (
    "individual",
    "sole_trader",
    "partnership_ewni",
    "limited_partnership_ewni",
    "unincorporated_association",
    "charitable_trust",
    "government",
    "unknown",
)
CORPORATES = ("company", "llp", "partnership_scotland", "public_body", "incorporated_body", "corporation_sole")
# The right to object is that of a natural person.
POLICY = "policy: honour opt-out"
YES, NO = "allowed", "refused"

_FAIR_CALL = {
    "cli_presented": True,
    "name_given": True,
    "contact_requested": False,
    "contact_given": True,
    "contact_is_address_or_free_number": True,
    "recorded_matter": False,
    "claims_management": False,
    "pension": False,
    "caller_authorised_or_trustee": False,
    "existing_client": False,
    "reasonably_envisaged": False,
    "optout_at_collection": None,
    "optout_each_contact": None,
    "connected": True,
}
_FAIR_CONTENT = {
    "promotional": True,
    "identity_shown": True,
    "optout_address": True,
    "optout_cost": "free",
    "delivered": True,
}


def consent(channel: str, **changes: Any) -> dict[str, Any]:
    return {
        "channel": channel,
        "sender": "acme",
        "at": "2026-01-10T09:00:00Z",
        "line": LINES[channel],
        "collected_by": "acme",
        "act": "ticked_unticked_box",
        "named_sender": True,
        "channel_named": True,
        "conditional": False,
        "bundled": False,
        "purposes": ["offers"],
        "by_line_holder": True,
        "evidence": {"who": True, "when": True, "how": True, "wording": True},
        "withdrawn_at": None,
        "expires_at": None,
        **changes,
    }


def objection(channel: str, at: str = "2026-09-01T09:00:00Z", **changes: Any) -> dict[str, Any]:
    line = LINES.get(channel)
    return {"channel": channel, "sender": "acme", "at": at, "line": line, "via": "direct", **changes}


def soft(**changes: Any) -> dict[str, Any]:
    return {
        "details_collected_by": "acme",
        "collected_at": "2026-01-10",
        "context": "sale",
        "own_products": True,
        "similar_products": True,
        "optout_at_collection": True,
        "refused_at_collection": False,
        "optout_each_message": True,
        "optout_free": True,
        **changes,
    }


def charity(**changes: Any) -> dict[str, Any]:
    return {
        "is_charity": True,
        "jurisdiction": "england_wales",
        "on_scottish_register": None,
        "details_collected_by": "acme",
        "collected_at": "2026-03-01",
        "context": "support",
        "purpose_held_at_collection": True,
        "sole_purpose": True,
        "optout_at_collection": True,
        "refused_at_collection": False,
        "optout_each_message": True,
        "optout_free": True,
        **changes,
    }


def case(
    channel: str,
    expected: str,
    regulation: str,
    *,
    subscriber: str = "individual",
    kind: str = "marketing",
    consents: tuple[dict[str, Any], ...] = (),
    objections: tuple[dict[str, Any], ...] = (),
    registers: Mapping[str, Any] | None = None,
    checked: bool = True,
    content: Mapping[str, Any] | None = None,
    call: Mapping[str, Any] | None = None,
    **facts: Any,
) -> dict[str, Any]:
    """
    Return a scenario that differs from a fair message in what is given.
    """
    listed = {"tps_listed_on": None, "ctps_listed_on": None, "fax_ps_listed_on": None, "removed_on": None}
    spoken = channel in ("live_call", "automated_call", "fax")
    return {
        "channel": channel,
        "subscriber": subscriber,
        "message_kind": kind,
        "purpose": "offers",
        "expected": expected,
        "regulation": regulation,
        "facts": {
            "at": AT,
            "sender": "acme",
            "instigator": None,
            "to": LINES[channel],
            "consents": list(consents),
            "objections": list(objections),
            "registers": {**listed, **(registers or {})} if checked else None,
            "soft_opt_in": None,
            "charity_soft_opt_in": None,
            "call": {**_FAIR_CALL, "recorded_matter": channel == "automated_call", **(call or {})} if spoken else None,
            "content": None if spoken else {**_FAIR_CONTENT, **(content or {})},
            **facts,
        },
    }


def _needs_consent(channel: str, prohibition: str, exception: str, **common: Any) -> Iterator[dict[str, Any]]:
    """
    Tell what holds wherever a consent is needed: each thing it must be, and that nothing takes its place.
    """

    def with_(given: dict[str, Any], expected: str = NO, regulation: str = exception, **facts: Any) -> dict[str, Any]:
        return case(channel, expected, regulation, consents=(given,), **{**common, **facts})

    line = "old@example.org" if LINES[channel] == MAILBOX else "other"
    another = "sms" if channel != "sms" else "mms"
    yield case(channel, NO, prohibition, **common)
    for act in ("ticked_unticked_box", "chose_yes", "verbal_yes"):
        yield with_(consent(channel, act=act), YES)
    for poor in (
        "pre_ticked",
        "silence",
        "opt_out_box_left_unticked",
        "order_submitted",
        "account_registration",
        "privacy_policy_only",
        None,
    ):
        yield with_(consent(channel, act=poor))
    faults: list[dict[str, Any]] = [
        {"conditional": True},
        {"conditional": None},
        {"bundled": True},
        {"bundled": None},
        {"channel_named": False},
        {"channel_named": None},
        {"named_sender": False},
        {"named_sender": None},
        {"by_line_holder": False},
        {"by_line_holder": None},
        {"purposes": ["news"]},
        {"purposes": []},
        {"sender": "acme-group"},
        {"line": line},
        {"line": None},
        {"evidence": None},
        {"age_at_consent": 12},
        {"age_at_consent": 12, "parental_authorisation": False},
        {"partners_in_list": 361, "choice_per_partner": False},
        {"partners_in_list": 361, "choice_per_partner": None},
    ]
    for fault in faults:
        yield with_(consent(channel, **fault))
    for part in ("who", "when", "how", "wording"):
        evidence = {"who": True, "when": True, "how": True, "wording": True, part: False}
        yield with_(consent(channel, evidence=evidence), NO, f"{exception}; UK GDPR 7(1)")
    yield with_(consent(another))
    for harmless in (
        {"age_at_consent": 13},
        {"age_at_consent": 12, "parental_authorisation": True},
        {"partners_in_list": 361, "choice_per_partner": True},
        {"expires_at": AT},
    ):
        yield with_(consent(channel, **harmless), YES)
    yield with_(consent(channel, expires_at="2026-11-23T09:59:59.999999Z"))
    # Before the message, and at its very instant; not a microsecond later.
    yield with_(consent(channel, at=AT), YES)
    yield with_(consent(channel, at="2026-11-23T10:00:00.000001Z"))
    # Somebody else collected it: six months for a first contact.
    for at, expected in (("2026-05-23T10:00:00Z", YES), ("2026-05-23T09:59:59.999999Z", NO)):
        yield with_(consent(channel, at=at, collected_by="partner"), expected, first_contact=True)
        yield with_(consent(channel, at=at, collected_by="partner"), expected)
        yield with_(consent(channel, at=at, collected_by="partner"), YES, first_contact=False)
        yield with_(consent(channel, at=at), YES, first_contact=True)
    yield with_(consent(channel, at="2026-01-10T09:00:00Z", collected_by=None))
    # Withdrawn, or objected to; at the same instant the stop wins, and a later yes of the person's own lifts it.
    yield with_(consent(channel, withdrawn_at="2026-01-10T09:00:00Z"))
    yield with_(consent(channel, withdrawn_at="2026-01-10T09:00:00.000001Z"))
    yield with_(consent(channel, withdrawn_at="2026-11-23T10:00:00.000001Z"), YES)
    for at, expected in (
        ("2026-01-10T08:59:59.999999Z", YES),
        ("2026-01-10T09:00:00Z", NO),
        ("2026-11-23T10:00:00Z", NO),
        ("2026-11-23T10:00:00.000001Z", YES),
    ):
        for scope in (channel, "all"):
            yield with_(consent(channel), expected, "UK GDPR 21(3)" if expected == NO else exception,
                        objections=(objection(scope, at),))  # fmt: skip
    for harmless_objection in (
        objection(channel, sender="other-ltd"),
        objection(another),
        objection(channel, line=line),
    ):
        yield with_(consent(channel), YES, objections=(harmless_objection,))
    yield with_(consent(channel), NO, "UK GDPR 21(3)", objections=(objection(channel, line=None),))
    # What somebody else says of the person lifts nothing.
    yield with_(
        consent(channel, at="2026-10-01T09:00:00Z", collected_by="partner"),
        NO,
        "UK GDPR 21(3)",
        objections=(objection(channel),),
    )


def _mail() -> Iterator[dict[str, Any]]:
    for channel in MAIL:
        for subscriber in INDIVIDUALS:
            yield case(channel, NO, "22(2)", subscriber=subscriber)
            yield case(channel, YES, "22(2)", subscriber=subscriber, consents=(consent(channel),))
        for subscriber in CORPORATES:
            yield case(channel, YES, "22(1)", subscriber=subscriber)
            yield case(channel, NO, POLICY, subscriber=subscriber, objections=(objection(channel),))
            yield case(channel, NO, "23(a)", subscriber=subscriber, content={"identity_shown": False})
            yield case(channel, NO, "23(b)", subscriber=subscriber, content={"optout_address": False})
        yield case(channel, NO, "22(2)", kind="consent_request")
        yield case(channel, NO, "23(b)", kind="solicited", content={"optout_address": None})
        yield case(channel, YES, "22(3)", soft_opt_in=soft())
        yield case(channel, YES, "22(3A)", charity_soft_opt_in=charity())
    given = (consent("email"),)
    for content, provision in (
        ({"identity_shown": False}, "23(a)"),
        ({"identity_shown": None}, "23(a)"),
        ({"optout_address": False}, "23(b)"),
        ({"optout_address": None}, "23(b)"),
        ({"optout_cost": "premium_rate"}, "23(b)"),
        ({"optout_cost": None}, "23(b)"),
    ):
        yield case("email", NO, provision, consents=given, content=content)
        yield case("email", NO, provision, kind="solicited", content=content)
    yield case("email", YES, "22(2)", consents=given, content={"optout_cost": "standard_rate"})
    # A message that reached nobody counts from 5 February 2026, and what was stopped was stopped before.
    lost = {"delivered": False}
    yield case("email", NO, "22(2)", content=lost, at="2026-02-05T00:00:00Z")
    yield case("email", YES, "2(1)", content=lost, at="2026-02-04T23:59:59.999999Z")
    yield case("email", NO, "22(2)", content=lost, at="2026-02-04T12:00:00Z",
               objections=(objection("email", "2026-01-01T00:00:00Z"),))  # fmt: skip
    yield case("email", NO, "22(2)", at="2026-02-04T12:00:00Z")
    # Another's instigation.
    ours: dict[str, Any] = {"sender": "agency", "instigator": "acme"}
    yield case("email", YES, "22(2)", consents=given, **ours)
    yield case("email", NO, "22(2)", consents=(consent("email", sender="agency", collected_by="agency"),), **ours)
    yield case("email", NO, "22(2)", consents=given, objections=(objection("email", sender="agency"),), **ours)
    yield case("email", NO, "22(2)", consents=(consent("email", sender="agency"),), **ours)
    alone = consent("email", sender="agency", collected_by="agency")
    yield case("email", YES, "22(2)", consents=(alone,), sender="agency")
    yield case("email", NO, "UK GDPR 21(3)", consents=given, objections=(objection("email"),), **ours)
    yield case("email", YES, "22(2)", consents=given, objections=(objection("email", sender="other-ltd"),), **ours)
    # A request for consent that the person asked for.
    asked: dict[str, Any] = {"kind": "consent_request", "submitted_by_person_at": "2026-11-23T09:59:00Z"}
    yield case("email", YES, "22(1)", attempt=1, **asked)
    yield case("email", NO, "22(2)", attempt=2, **asked)
    yield case("email", NO, "22(2)", objections=(objection("email"),), **asked)
    # The clock that timed their wish may be ahead, and no further.
    ahead, too_far = "2026-11-23T10:05:00Z", "2026-11-23T10:05:00.000001Z"
    yield case("email", YES, "22(1)", attempt=1, kind="consent_request", submitted_by_person_at=ahead)
    yield case("email", NO, "22(2)", attempt=1, kind="consent_request", submitted_by_person_at=too_far)
    yield case("email", YES, "22(1)", kind="consent_request", subscriber="company")
    # Kinds of message.
    yield case("email", YES, "not direct marketing", kind="service", content={"promotional": False})
    yield case("email", YES, "not direct marketing", kind="service", content={"promotional": False},
               objections=(objection("all"),))  # fmt: skip
    yield case("email", NO, "22(2)", kind="service", content={"promotional": True})
    yield case("email", NO, "22(2)", kind="service", content={"promotional": None})
    yield case("email", NO, "22(2)", requested_at="2026-11-22T09:00:00Z")
    for at, expected in (("2026-11-22T08:59:59Z", YES), ("2026-11-22T09:00:00Z", NO), ("2026-11-22T09:00:01Z", NO)):
        yield case("email", expected, "22(1)" if expected == YES else "UK GDPR 21(3)", kind="solicited",
                   requested_at="2026-11-22T09:00:00Z", objections=(objection("email", at),))  # fmt: skip
    yield case("email", YES, "22(1)", kind="solicited", requested_at=ahead)
    yield case("email", NO, "22(2)", kind="solicited", requested_at=too_far)
    yield case("email", NO, "UK GDPR 21(3)", kind="solicited", requested_at=ahead,
               objections=(objection("email", "2026-11-23T10:00:00Z"),))  # fmt: skip
    forgotten = objection("email", via="suppression_list_after_erasure")
    yield case("email", NO, "UK GDPR 21(3)", objections=(forgotten,))
    yield case("email", NO, POLICY, subscriber="company", objections=(forgotten,))


def _soft_opt_ins() -> Iterator[dict[str, Any]]:
    lacking: list[tuple[dict[str, Any], str]] = [
        ({"details_collected_by": "acme-group"}, "22(3)(a)"),
        ({"details_collected_by": None}, "22(3)(a)"),
        ({"context": "browsing"}, "22(3)(a)"),
        ({"context": "donation"}, "22(3)(a)"),
        ({"context": None}, "22(3)(a)"),
        ({"own_products": False}, "22(3)(b)"),
        ({"own_products": None}, "22(3)(b)"),
        ({"similar_products": False}, "22(3)(b)"),
        ({"similar_products": None}, "22(3)(b)"),
        ({"optout_at_collection": False}, "22(3)(c)"),
        ({"optout_at_collection": None}, "22(3)(c)"),
        ({"refused_at_collection": True}, "22(3)(c)"),
        ({"refused_at_collection": None}, "22(3)(c)"),
        ({"optout_each_message": False}, "22(3)(c)"),
        ({"optout_each_message": None}, "22(3)(c)"),
        ({"optout_free": False}, "22(3)(c)"),
        ({"optout_free": None}, "22(3)(c)"),
        ({"collected_at": None}, "22(3)"),
        ({"collected_at": "2026-11-23T10:00:00.000001Z"}, "22(2)"),
    ]
    for changes, provision in lacking:
        yield case("email", NO, provision, soft_opt_in=soft(**changes))
    yield case("email", YES, "22(3)", soft_opt_in=soft(context="negotiation"))
    yield case("email", YES, "22(3)", soft_opt_in=soft(collected_at=AT))
    yield case("email", YES, "22(3)", soft_opt_in=soft(), content={"optout_cost": "standard_rate"})
    yield case("email", NO, "22(3)(c)", soft_opt_in=soft(), content={"optout_cost": "premium_rate"})
    yield case("email", NO, "22(3)(c)", soft_opt_in=soft(),
               consents=(consent("email", withdrawn_at="2026-06-01T00:00:00Z"),))  # fmt: skip
    yield case("email", YES, "22(2)", soft_opt_in=soft(refused_at_collection=True),
               consents=(consent("email", at="2026-02-01T00:00:00Z"),))  # fmt: skip
    yield case("email", YES, "22(3)", soft_opt_in=soft(), objections=(objection("sms"),))
    yield case("live_call", NO, "21(1)(b)", soft_opt_in=soft(), registers={"tps_listed_on": "2025-01-01"})
    yield case("automated_call", NO, "19(1)", soft_opt_in=soft())
    yield case("fax", NO, "20(1)(a)", soft_opt_in=soft())
    for changes, provision in (
        ({"is_charity": False}, "22(5)"),
        ({"is_charity": None}, "22(5)"),
        ({"jurisdiction": "scotland"}, "22(5)"),
        ({"jurisdiction": "scotland", "on_scottish_register": False}, "22(5)"),
        ({"jurisdiction": None}, "22(5)"),
        ({"sole_purpose": False}, "22(3A)(a)"),
        ({"sole_purpose": None}, "22(3A)(a)"),
        ({"details_collected_by": "platform"}, "22(3A)(b)"),
        ({"details_collected_by": None}, "22(3A)(b)"),
        ({"context": "transaction"}, "22(3A)(b)"),
        ({"context": None}, "22(3A)(b)"),
        ({"purpose_held_at_collection": False}, "22(3A)(b)"),
        ({"purpose_held_at_collection": None}, "22(3A)(b)"),
        ({"optout_at_collection": False}, "22(3A)(c)"),
        ({"optout_at_collection": None}, "22(3A)(c)"),
        ({"refused_at_collection": True}, "22(3A)(c)"),
        ({"refused_at_collection": None}, "22(3A)(c)"),
        ({"optout_each_message": False}, "22(3A)(c)"),
        ({"optout_free": False}, "22(3A)(c)"),
        ({"collected_at": "2026-02-04"}, "22(3A)"),
        ({"collected_at": "2026-02-04T23:59:59.999999Z"}, "22(3A)"),
        ({"collected_at": None}, "22(3A)"),
    ):
        yield case("email", NO, provision, charity_soft_opt_in=charity(**changes))
    enough: list[dict[str, Any]] = [
        {"context": "interest"},
        {"collected_at": "2026-02-05T00:00:00Z"},
        {"jurisdiction": "northern_ireland"},
        {"jurisdiction": "scotland", "on_scottish_register": True},
        {"on_scottish_register": False},
    ]
    for changes in enough:
        yield case("email", YES, "22(3A)", charity_soft_opt_in=charity(**changes))
    for at, expected in (("2026-02-05T00:00:00Z", YES), ("2026-02-04T23:59:59.999999Z", NO)):
        yield case("email", expected, "22(3A)", at=at, charity_soft_opt_in=charity(collected_at=at))
    yield case("email", NO, "22(3A)", at="2026-02-04T12:00:00Z", charity_soft_opt_in=charity(collected_at="2026-02-04"))
    yield case("email", NO, "22(3A)(c)", charity_soft_opt_in=charity(),
               objections=(objection("all", via="fundraising_preference_service"),))  # fmt: skip
    yield case("email", YES, "22(3A)", charity_soft_opt_in=charity(), soft_opt_in=soft(context="donation"))
    yield case("live_call", NO, "21(1)(b)", charity_soft_opt_in=charity(), registers={"tps_listed_on": "2025-01-01"})


def _calls() -> Iterator[dict[str, Any]]:
    on = {"tps_listed_on": "2025-01-01"}
    for subscriber in (*INDIVIDUALS, *CORPORATES):
        yield case("live_call", YES, "21(1)", subscriber=subscriber)
        yield case("live_call", NO, "21(1)(a)", subscriber=subscriber, objections=(objection("live_call"),))
        for file in ("tps", "ctps"):
            for listed_on, expected, provision in (
                ("2026-10-25", NO, "21(1)(b)"),
                ("2026-10-26", NO, "21(1)(b)"),
                ("2026-10-27", YES, "21(3)"),
                ("2026-11-23", YES, "21(3)"),
                ("2026-11-24", YES, "21(1)"),
            ):
                yield case("live_call", expected, provision, subscriber=subscriber,
                           registers={f"{file}_listed_on": listed_on})  # fmt: skip
        yield case("automated_call", NO, "19(1)", subscriber=subscriber)
        yield case("automated_call", YES, "19(2)", subscriber=subscriber, consents=(consent("automated_call"),),
                   registers=on)  # fmt: skip
        yield case("live_call", NO, "21A(1)", subscriber=subscriber, call={"claims_management": True})
        yield case("live_call", NO, "21(1)(a)", subscriber=subscriber, objections=(objection("all"),))
    # Days are those of the United Kingdom: in June the day begins at 23:00 UTC.
    for at, expected in (("2026-06-28T22:59:59Z", YES), ("2026-06-28T23:00:00Z", NO)):
        yield case("live_call", expected, "21(3)" if expected == YES else "21(1)(b)", at=at,
                   registers={"tps_listed_on": "2026-06-01"})  # fmt: skip
    for listed_on, expected in (("2027-02-03", NO), ("2027-02-02", NO), ("2027-02-04", YES)):
        yield case("live_call", expected, "21(3)" if expected == YES else "21(1)(b)", at="2027-03-03T10:00:00Z",
                   registers={"tps_listed_on": listed_on})  # fmt: skip
    for removed_on, expected in (("2026-11-22", YES), ("2026-11-23", NO)):
        yield case("live_call", expected, "21(1)(b)", registers={**on, "removed_on": removed_on})
    yield case("live_call", NO, "21(1)(b)", checked=False)
    yield case("live_call", NO, "21(1)(b)", registers={"ctps_listed_on": "not available"})
    yield case("live_call", YES, "21(4)", checked=False, consents=(consent("live_call"),))
    yield case("live_call", NO, "21(5)", registers=on,
               consents=(consent("live_call", withdrawn_at="2026-06-01T00:00:00Z"),))  # fmt: skip
    yield case("live_call", NO, "21(1)(a)", registers=on, consents=(consent("live_call"),),
               objections=(objection("live_call"),))  # fmt: skip
    yield case("live_call", NO, "21(1)(a)", sender="centre", instigator="acme",
               objections=(objection("live_call", sender="centre"),))  # fmt: skip
    yield case("live_call", YES, "21(1)(a)", objections=(objection("live_call", line="other"),))
    yield case("live_call", YES, "21(1)", kind="solicited", registers=on, checked=False)
    yield case("live_call", YES, "21(1)", kind="solicited", objections=(objection("live_call"),),
               requested_at="2026-11-22T09:00:00Z")  # fmt: skip
    yield case("live_call", NO, "21(1)(b)", kind="consent_request", registers=on)
    yield case("live_call", YES, "not direct marketing", kind="service", registers=on, objections=(objection("all"),))
    # An attempt counts from 5 February 2026.
    missed = {"connected": False}
    yield case("live_call", NO, "21(1)(b)", registers=on, call=missed, at="2026-02-05T00:00:00Z")
    yield case("live_call", YES, "2(1)", registers=on, call=missed, at="2026-02-04T23:59:59Z")
    yield case("live_call", NO, "21(1)(b)", registers=on, call={"connected": None}, at="2026-02-04T23:59:59Z")
    yield case("live_call", NO, "21(1)(a)", call=missed, at="2026-02-04T23:59:59Z",
               objections=(objection("live_call", "2026-01-01T00:00:00Z"),))  # fmt: skip
    yield case("automated_call", YES, "2(1)", call=missed, at="2026-02-04T23:59:59Z")
    # What the caller has to show and say.
    for kind in ("marketing", "solicited"):
        for call, provision in (
            ({"cli_presented": False}, "21(A1)"),
            ({"cli_presented": None}, "21(A1)"),
            ({"name_given": False}, "24(1)(b)"),
            ({"name_given": None}, "24(1)(b)"),
            ({"contact_requested": True, "contact_given": False}, "24(1)(b)"),
            ({"contact_requested": None, "contact_given": None}, "24(1)(b)"),
            ({"contact_requested": True, "contact_is_address_or_free_number": False}, "24(1)(b)"),
            ({"contact_requested": True, "contact_is_address_or_free_number": None}, "24(1)(b)"),
        ):
            yield case("live_call", NO, provision, kind=kind, call=call)
    yield case("live_call", YES, "21(1)", call={"contact_requested": True})
    yield case("live_call", YES, "24(1)(b)", call={"contact_is_address_or_free_number": False})
    for call, provision in (
        ({"cli_presented": False}, "19(2)(b)"),
        ({"cli_presented": None}, "19(2)(b)"),
        ({"name_given": False}, "24(1)(a)"),
        ({"contact_given": False}, "24(1)(a)"),
        ({"contact_is_address_or_free_number": False}, "24(1)(a)"),
    ):
        yield case("automated_call", NO, provision, call=call, consents=(consent("automated_call"),))
    # Recorded matter is automated whoever plays it, and a dialler that feeds people is not.
    played, dialled = {"recorded_matter": True}, {"recorded_matter": False}
    yield case("live_call", NO, "19(1)", call=played)
    yield case("live_call", NO, "19(2)(a)", call=played, consents=(consent("live_call"),))
    yield case("live_call", YES, "19(2)", call=played, consents=(consent("automated_call"),))
    yield case("live_call", NO, "UK GDPR 21(3)", call=played, consents=(consent("automated_call"),),
               objections=(objection("automated_call"),))  # fmt: skip
    yield case("automated_call", YES, "21(1)", call=dialled)
    yield case("automated_call", NO, "21(1)(b)", call=dialled, registers=on)
    yield case("automated_call", NO, "21(1)(a)", call=dialled, objections=(objection("live_call"),))
    yield case("automated_call", NO, "19(1)", kind="solicited", requested_at="2026-11-22T09:00:00Z")


def _special_calls() -> Iterator[dict[str, Any]]:
    on = {"tps_listed_on": "2025-01-01"}
    claims, given = {"claims_management": True}, (consent("live_call"),)
    yield case("live_call", YES, "21A(2)", call=claims, registers=on, consents=given)
    yield case("live_call", YES, "21A(2)", call=claims, checked=False, consents=given)
    yield case("live_call", NO, "21(A1)", call={**claims, "cli_presented": False}, consents=given)
    yield case("live_call", NO, "24(1)(b)", call={**claims, "name_given": False}, consents=given)
    yield case("live_call", NO, "21A(1)", call={"claims_management": None})
    yield case("live_call", NO, "21A(2)", call=claims, consents=(consent("automated_call"),))
    yield case("live_call", YES, "21A(1)", call=claims, kind="solicited")
    pension = {"pension": True, "caller_authorised_or_trustee": True}
    client = {
        **pension,
        "existing_client": True,
        "reasonably_envisaged": True,
        "optout_at_collection": True,
        "optout_each_contact": True,
    }
    for subscriber in INDIVIDUALS:
        yield case("live_call", NO, "21B(1)", subscriber=subscriber, call=pension)
        yield case("live_call", YES, "21B(2)", subscriber=subscriber, call=pension, consents=given)
        yield case("live_call", YES, "21B(3)", subscriber=subscriber, call=client)
    for subscriber in CORPORATES:
        yield case("live_call", YES, "21(1)", subscriber=subscriber, call={"pension": True})
        yield case("live_call", NO, "21(1)(b)", subscriber=subscriber, call=client, registers=on)
    yield case("live_call", YES, "21B(3)", call=client, registers=on)
    yield case("live_call", NO, "21(1)(b)", subscriber="unknown", call=client, registers=on)
    for authorised in (False, None):
        no = {"caller_authorised_or_trustee": authorised}
        yield case("live_call", NO, "21B(1)", call={**pension, **no})
        yield case("live_call", NO, "21B(2)(a)", call={**pension, **no}, consents=given)
        yield case("live_call", NO, "21B(3)(a)", call={**client, **no})
    for changes, provision in (
        ({"existing_client": False}, "21B(1)"),
        ({"existing_client": None}, "21B(1)"),
        ({"reasonably_envisaged": False}, "21B(3)(b)"),
        ({"reasonably_envisaged": None}, "21B(3)(b)"),
        ({"optout_at_collection": False}, "21B(3)(c)"),
        ({"optout_at_collection": None}, "21B(3)(c)"),
        ({"optout_each_contact": False}, "21B(3)(c)"),
        ({"optout_each_contact": None}, "21B(3)(c)"),
    ):
        yield case("live_call", NO, provision, call={**client, **changes})
    yield case("live_call", NO, "21B(5)(c)", call=client, relationship_set_up_to_avoid_ban=True)
    yield case("live_call", NO, "21(A1)", call={**client, "cli_presented": False})
    yield case("live_call", NO, "UK GDPR 21(3)", call=client, objections=(objection("all"),))
    yield case("live_call", NO, "UK GDPR 7(3)", call=client,
               consents=(consent("live_call", withdrawn_at="2026-06-01T00:00:00Z"),))  # fmt: skip
    yield case("live_call", NO, "21B(1)", call={**pension, "pension": None})
    yield case("live_call", YES, "21B(1)", call=pension, kind="solicited")
    yield case("live_call", NO, "21A(1)", call={**client, **claims})
    theirs = consent("live_call", sender="agency", collected_by="agency")
    yield case("live_call", NO, "21B(1)", call={**claims, **pension}, consents=(theirs,), instigator="agency")
    # Consent to a pension call is given to the caller, not to who is behind it.
    yield case("live_call", NO, "21B(2)(b)", call=pension, consents=given, sender="agency", instigator="acme")
    yield case("live_call", NO, "21B(2)(b)", call=pension, sender="agency", instigator="acme",
               consents=(consent("live_call", sender="agency", collected_by="acme"),))  # fmt: skip
    # Reg 21B is in force from 9 January 2019.
    yield case("live_call", NO, "21B(1)", call=pension, at="2019-01-09T00:00:00Z")
    yield case("live_call", YES, "21(1)", call=pension, at="2019-01-08T23:59:59.999999Z")


def _faxes() -> Iterator[dict[str, Any]]:
    on = {"fax_ps_listed_on": "2025-01-01"}
    for subscriber in INDIVIDUALS:
        yield case("fax", NO, "20(1)(a)", subscriber=subscriber)
        yield case("fax", YES, "20(2)", subscriber=subscriber, consents=(consent("fax"),))
    for subscriber in CORPORATES:
        common: dict[str, Any] = {"subscriber": subscriber}
        yield case("fax", YES, "20(1)", **common)
        yield case("fax", NO, "20(1)(b)", objections=(objection("fax"),), **common)
        for listed_on, expected, provision in (("2026-10-26", NO, "20(1)(c)"), ("2026-10-27", YES, "20(4)")):
            yield case("fax", expected, provision, registers={"fax_ps_listed_on": listed_on}, **common)
        yield case("fax", YES, "20(5)", registers=on, consents=(consent("fax"),), **common)
        yield case("fax", NO, "20(6)", registers=on,
                   consents=(consent("fax", withdrawn_at="2026-06-01T00:00:00Z"),), **common)  # fmt: skip
        yield case("fax", NO, "20(1)(c)", checked=False, **common)
        yield case("fax", YES, "20(5)", checked=False, consents=(consent("fax"),), **common)
        yield case("fax", YES, "20(1)", registers={"tps_listed_on": "2025-01-01"}, **common)
        for call in (
            {"name_given": False},
            {"contact_given": False},
            {"contact_is_address_or_free_number": False},
        ):
            yield case("fax", NO, "24(1)(a)", call=call, **common)
        yield case("fax", YES, "20(1)", call={"cli_presented": False}, **common)
    yield case("fax", YES, "20(5)", registers=on, consents=(consent("fax"),))
    yield case("fax", YES, "20(1)", kind="solicited")
    yield case("fax", NO, "20(1)(b)", subscriber="company", kind="solicited", requested_at="2026-08-01T00:00:00Z",
               objections=(objection("fax"),))  # fmt: skip


def _posts() -> Iterator[dict[str, Any]]:
    for subscriber in (*INDIVIDUALS, *CORPORATES):
        yield case("post", YES, "outside PECR", subscriber=subscriber)
        for scope in ("post", "all"):
            right = POLICY if subscriber in CORPORATES else "UK GDPR 21(3)"
            yield case("post", NO, right, subscriber=subscriber, objections=(objection(scope),))
        yield case("post", YES, "outside PECR", subscriber=subscriber, objections=(objection("email"),))
    yield case("post", YES, "outside PECR", kind="consent_request")
    yield case("post", YES, "outside PECR", content={"identity_shown": None, "optout_address": None})


def boundaries() -> list[dict[str, Any]]:
    """
    Return all of them, named by their place.
    """
    cases = [
        *_needs_consent("email", "22(2)", "22(2)"),
        *_needs_consent("sms", "22(2)", "22(2)"),
        *_needs_consent("automated_call", "19(1)", "19(2)(a)"),
        *_needs_consent("fax", "20(1)(a)", "20(2)"),
        *_needs_consent("live_call", "21A(1)", "21A(2)", call={"claims_management": True}),
        *_needs_consent("live_call", "21B(1)", "21B(2)", call={"pension": True, "caller_authorised_or_trustee": True}),
        *_mail(),
        *_soft_opt_ins(),
        *_calls(),
        *_special_calls(),
        *_faxes(),
        *_posts(),
    ]
    return [{"id": f"own-{number}", "why": "", **case} for number, case in enumerate(cases)]
