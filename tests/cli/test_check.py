"""
Asking the gate from the command line.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, get_args

import attrs
import click
import pytest
from cli.listed import LISTED, LISTED_UNDATED
from cli.process import run
from click.testing import CliRunner, Result
from world import EMAIL, PHONE, World

from optly import Act, Channel, Wording
from optly.cli._commands import optly
from optly.cli.check import answer, command
from optly.cli.check.facts import fact_options, gather, in_words
from optly.contacts.parties import Subscriber
from optly.record.events import Defect
from optly.rules import Call, ClientRelationship, Decision, Duty, Facts, MessageKind, Reason, RefusalCost, Solicited

CALL = ("--shows-number", "--gives-name", "--no-claims-management", "--no-pensions")


def check(runner: CliRunner, *arguments: str, channel: str = "email", given: str | None = None) -> Result:
    return runner.invoke(optly, ["check", *arguments, "--channel", channel, "--purpose", "offers"], input=given)


def told(result: Result) -> str:
    """
    Return what was said with its lines joined.
    """
    return " ".join(result.stdout.split())


def found(result: Result) -> dict[str, Any]:
    values: dict[str, Any] = json.loads(result.stdout)
    return values


# ---- the answer


def test_a_consent_is_told_with_its_date_and_what_it_proves(runner: CliRunner, host: World) -> None:
    """
    Yes first, and then everything it rests on; exit code 0.
    """
    host.agreed(host.add())
    result = check(runner, EMAIL)

    assert (result.exit_code, result.stderr) == (0, "")
    assert told(result).startswith("✓ yes This email may be sent. • why The person agreed to emails about offers")
    assert "Said yes, on 24 November 2026, 12:00 UTC (event " in told(result)
    assert "the person's own act, through a link sent to this address or number" in told(result)
    assert "law PECR, regulation 22(2)" in told(result)
    assert "edition PECR 5 February 2026, read 23 November 2026" in told(result)
    assert "still to do Say on whose behalf it is sent." in told(result)
    assert "“Offers and discounts on our products”, as marketing, on 24 November 2026, 12:00 UTC." in told(result)
    assert "subscriber Individual: protected as an individual." in told(result)
    assert "fines For a breach on that day, up to £17.5 million" in told(result)


def test_a_contact_is_named_by_id_and_one_of_their_lines_by_number(runner: CliRunner, host: World) -> None:
    """
    Then the permissions of that contact alone count; of an address, the address is the line.
    """
    ada = host.add()
    host.agreed(ada)
    assert 0 == check(runner, ada.id.upper()).exit_code
    host.manager.add_line(ada, email="ada@work.example.com")
    answers = {line: check(runner, ada.id, "--line", line) for line in ("1", "3", "4", "nine")}
    assert [0, 1, 2, 2] == [answer.exit_code for answer in answers.values()]
    assert "line" in answers["4"].stderr
    assert 3 == found(check(runner, ada.id, "--line", "3", "--json"))["line"]
    for ambiguous in (check(runner, ada.id), check(runner, EMAIL, "--line", "1"), check(runner, "0" * 32)):
        assert 2 == ambiguous.exit_code
        assert EMAIL not in ambiguous.output


def test_a_message_may_have_several_purposes(runner: CliRunner, host: World) -> None:
    """
    All have to be allowed; the first that is not is told.
    """
    host.agreed(host.add())
    result = check(runner, EMAIL, "--purpose", "news")

    assert result.exit_code == 1
    assert "Nobody has recorded a yes from this person to emails about news" in told(result)
    assert "” and “" in told(result)


def test_a_stop_is_told_with_its_date_and_what_lifts_it(runner: CliRunner, host: World) -> None:
    """
    No first; exit code 1; and what would change it.
    """
    ada = host.add()
    host.agreed(ada)
    host.later(timedelta(days=3))
    host.manager.record_objection(ada)
    result = check(runner, EMAIL)

    assert result.exit_code == 1
    assert told(result).startswith("✗ no This email may not be sent. • why The person objected to marketing")
    assert "based on Objected to marketing, on 27 November 2026, 12:00 UTC (event " in told(result)
    assert "would change it Only the person can lift it" in told(result)
    assert "also UK GDPR, article 21(3)" in told(result)


def test_a_late_record_is_told_with_both_dates(runner: CliRunner, host: World) -> None:
    """
    When it happened, when it was put on record, and until when it counts.
    """
    host.manager.record_consent(
        host.add(),
        channels=[Channel.EMAIL],
        purposes=["offers"],
        wording=Wording(text="May Acme Ltd send you offers by email?"),
        act=Act.TICKED_BOX,
        how="paper form",
        at=datetime(2026, 11, 1, 8, 5, tzinfo=UTC),
    )

    assert "Said yes, on 1 November 2026, 08:05 UTC, recorded on 24 November 2026, 12:00 UTC" in told(
        check(runner, EMAIL)
    )


@pytest.mark.parametrize(
    ("text", "language", "accept", "said"),
    [
        ("Darf Acme Ltd Ihnen Angebote per E-Mail schicken?", "de", None, "in a language that was not judged"),
        ("May we email you offers?", "en", "see the heading", "that the organisation accepts although"),
    ],
)
def test_words_that_need_a_second_look_are_told(
    runner: CliRunner, host: World, text: str, language: str, accept: str | None, said: str
) -> None:
    """
    The permission stands, with what is to be known of the words behind it.
    """
    host.manager.record_consent(
        host.add(),
        channels=[Channel.EMAIL],
        purposes=["offers"],
        wording=Wording(text=text, language=language),
        act=Act.TICKED_BOX,
        how="paper form",
        at=host.clock(),
        accept=accept,
    )
    result = check(runner, EMAIL)
    assert result.exit_code == 0
    assert said in told(result)


def test_an_earlier_instant_is_decided_by_the_law_and_the_record_of_then(runner: CliRunner, host: World) -> None:
    """
    What was not on record then does not help, and the fines are those of that day.
    """
    host.agreed(host.add())
    result = check(runner, EMAIL, "--at", "2020-01-01T01:00:00+01:00")

    assert result.exit_code == 1
    assert "as marketing, on 1 January 2020, 00:00 UTC." in told(result)
    assert "edition PECR 9 January 2019, read 23 November 2026" in told(result)
    assert "fines For a breach on that day, up to £500,000." in told(result)


def test_registers_are_told_with_what_they_said_and_when(runner: CliRunner, host: World) -> None:
    """
    Each with the date of its copy; the number may be written in several words.
    """
    free = check(runner, "0161", "496", "0002", *CALL, channel="live_call")
    listed = check(runner, LISTED.value, *CALL, channel="live_call")
    undated = check(runner, LISTED_UNDATED.value, *CALL, channel="live_call")

    assert [0, 1, 1] == [free.exit_code, listed.exit_code, undated.exit_code]
    assert told(free).startswith("✓ yes This call may be made.")
    assert "CTPS: not listed, in the copy of 21 November 2026; checked on 24 November 2026, 12:00 UTC." in told(free)
    assert "TPS: listed since 5 January 2024, in the copy of 20 November 2026;" in told(listed)
    assert "TPS: listed, date unknown, in the copy of 20 November 2026;" in told(undated)


def test_a_register_that_cannot_be_asked_is_told(runner: CliRunner, host: World) -> None:
    """
    The refusal names it, and why it cannot be asked stands beside the answer.
    """
    result = check(runner, "0161 496 0002", *CALL, "--at", "2027-03-01T12:00:00Z", channel="live_call")

    assert result.exit_code == 1
    assert "not shown a recent enough copy of the TPS" in told(result)


def test_a_fact_that_is_missing_is_told_with_its_option(runner: CliRunner, host: World) -> None:
    """
    The option that would tell it, and what it means.
    """
    result = check(runner, "0161 496 0002", *CALL[1:], channel="live_call")

    assert result.exit_code == 1
    assert "not shown --shows-number: The calling number is shown" in told(result)


def test_a_call_that_may_be_about_claims_or_pensions_is_told_so(runner: CliRunner, host: World) -> None:
    """
    Where it was not told, a refusal may be of a law that is not meant, and says what to tell.
    """
    unsaid = "--no-claims-management and --no-pensions. Add them if they are true"

    assert unsaid in told(check(runner, "0161 496 0002", *CALL[:2], channel="live_call"))
    assert "if they are true" not in told(check(runner, LISTED.value, *CALL, channel="live_call"))
    assert "if they are true" not in told(check(runner, "nobody@example.com"))


def test_a_company_is_told_for_one(runner: CliRunner, host: World) -> None:
    """
    And somebody of whom nobody said is taken for an individual.
    """
    host.add(subscriber=Subscriber.COMPANY)

    assert "subscriber Company: a corporate subscriber." in told(check(runner, EMAIL))
    assert "subscriber Not known, so treated as an individual." in told(check(runner, "nobody@example.com"))


def test_post_is_outside_the_regulations(runner: CliRunner, host: World) -> None:
    """
    A letter is told as one, and its law is not dressed up as a regulation.
    """
    result = check(runner, "1 High Street, Leeds", channel="post")

    assert told(result).startswith("✓ yes This letter may be sent.")
    assert "law outside PECR" in told(result)


def test_no_colour_where_nobody_looks(host: World, runner: CliRunner) -> None:
    """
    Piped, the answer is plain text.
    """
    assert "\x1b" not in check(runner, EMAIL).output


# ---- for programs

KEYS = {
    "allowed": bool,
    "reason": str,
    "explanation": str,
    "would_change_it": str,
    "regulation": str,
    "also": list,
    "edition": str,
    "fines": str,
    "channel": str,
    "purpose": str,
    "also_for": list,
    "title": str,
    "kind": str,
    "subscriber": str,
    "at": str,
    "contact": str | None,
    "line": int | None,
    "evidence": list,
    "listings": list,
    "failed": list,
    "valid_until": str | None,
    "duties": list,
    "through": str | None,
}


@pytest.mark.parametrize("address", [EMAIL, "nobody@example.com"])
def test_json_has_the_documented_shape(runner: CliRunner, host: World, address: str) -> None:
    """
    The same names each time, each of its kind, and everything that a decision says among them.
    """
    host.agreed(host.add())
    values = found(check(runner, address, "--json"))

    assert KEYS.keys() == values.keys()
    assert [name for name, kind in KEYS.items() if not isinstance(values[name], get_args(kind) or kind)] == []
    assert {field.name for field in attrs.fields(Decision)} <= values.keys()


def test_json_says_what_the_gate_says(runner: CliRunner, host: World) -> None:
    """
    With the events it rests on and the answers of the registers.
    """
    ada = host.add()
    host.agreed(ada)
    decision = host.manager.check(EMAIL, Channel.EMAIL, "offers")
    values = found(check(runner, EMAIL, "--json"))

    assert (True, "consented", "22(2)", ["23"], decision.edition) == (
        values["allowed"], values["reason"], values["regulation"], values["also"], values["edition"],
    )  # fmt: skip
    assert (values["contact"], values["at"]) == (ada.id, "2026-11-24T12:00:00+00:00")
    assert values["evidence"] == [
        {
            "event": decision.evidence[0],
            "what": "Said yes",
            "grade": "A",
            "occurred_at": "2026-11-24T12:00:00+00:00",
            "recorded_at": "2026-11-24T12:00:00+00:00",
        }
    ]


def test_json_has_what_registers_said(runner: CliRunner, host: World) -> None:
    """
    A listing without a date is listed all the same.
    """
    results = [check(runner, number.value, *CALL, "--json", channel="live_call") for number in (LISTED, LISTED_UNDATED)]

    assert [("tps", True, "2024-01-05", "2026-11-20"), ("tps", True, None, "2026-11-20")] == [
        (listing["register"], listing["listed"], listing["listed_on"], listing["as_of"])
        for listing in (found(result)["listings"][0] for result in results)
    ]
    assert found(results[0])["listings"][1]["listed"] is False


# ---- facts


@click.command()
@fact_options
def facts(**told: Any) -> None:
    """
    Shows what was gathered.
    """
    click.echo(repr(gather(told)))


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], Facts()),
        (["--no-pensions"], Facts(call=Call(pensions=False))),
        (["--shows-number", "--no-recorded"], Facts(call=Call(shows_number=True, recorded=False))),
        (["--contact-requested", "--no-connected"], Facts(call=Call(contact_requested=True, connected=False))),
        (["--no-client-avoids-ban"], Facts(call=Call(client=ClientRelationship(avoids_ban=False)))),
        (
            ["--authorised", "--client-calls-envisaged"],
            Facts(call=Call(authorised=True, client=ClientRelationship(calls_envisaged=True))),
        ),
        (["--promotional", "--no-first-contact"], Facts(promotional=True, first_contact=False)),
        (["--refusal-cost", "more", "--instigator", "bravo"], Facts(refusal_cost=RefusalCost.MORE, instigator="bravo")),
        (
            ["--solicited-at", "2026-11-24T09:00:00Z"],
            Facts(solicited=Solicited(how="as given to optly check", at=datetime(2026, 11, 24, 9, tzinfo=UTC))),
        ),
    ],
)
def test_only_what_is_told_is_a_fact(runner: CliRunner, arguments: Sequence[str], expected: Facts) -> None:
    """
    Everything else is as if the application had not said it.
    """
    assert f"{expected!r}\n" == runner.invoke(facts, arguments).output


def test_every_fact_of_a_call_can_be_told() -> None:
    """
    A fact that is added to a call gets an option.
    """
    names = {parameter.name for parameter in command.params}
    clients = {f"client_{fact.name}" for fact in attrs.fields(ClientRelationship)}

    assert (clients | {fact.name for fact in attrs.fields(Call)}) - names == {"client"}


def test_a_service_message_is_one_unless_it_promotes(runner: CliRunner, host: World) -> None:
    """
    The kind and the facts reach the gate.
    """
    told_of_it = ((), ("--no-promotional",), ("--promotional",))
    assert [1, 0, 1] == [check(runner, EMAIL, "--kind", "service", *facts).exit_code for facts in told_of_it]


def test_a_call_with_a_recording_needs_consent(runner: CliRunner, host: World) -> None:
    """
    Whatever its channel is called.
    """
    result = check(runner, "0161 496 0002", *CALL, "--recorded", "--json", channel="live_call")

    assert found(result)["regulation"] == "19(1)"


# ---- words


def test_everything_has_words() -> None:
    """
    Whatever is added to the channels, the kinds and the duties has to be told in words.
    """
    assert (set(Channel), set(MessageKind), set(Duty)) == (
        set(answer._MAY), set(answer._KINDS), set(answer._DUTIES),
    )  # fmt: skip


def test_what_stands_against_it_names_the_option_to_give() -> None:
    """
    The one that helps, which for a dodge of the ban is the denial.
    """
    assert in_words("call.client.avoids_ban").startswith("--no-client-avoids-ban: ")
    assert in_words("gives_stop_address").startswith("--gives-stop-address: ")
    assert in_words("purpose_held") == "purpose held"


def test_a_defect_is_told_as_what_is_wrong(runner: CliRunner, host: World) -> None:
    """
    And not as something that was not shown.
    """
    decision = attrs.evolve(
        host.manager.check(EMAIL, Channel.EMAIL, "offers"), reason=Reason.CONSENT_UNSOUND, failed=(Defect.BUNDLED,)
    )
    details = answer.Answer(decision=decision, purposes=["Offers"], left_open=(), evidence={})._details()

    assert ("flaw", "bundled") in list(details)


# ---- wrong usage


@pytest.mark.parametrize(
    "arguments",
    [
        ["ada@example", "--channel", "email", "--purpose", "offers"],
        ["not ada", "--channel", "email", "--purpose", "offers"],
        ["ada@example.com", "--channel", "sms", "--purpose", "offers"],
        ["ada@example.com", "--channel", "pigeon", "--purpose", "offers"],
        ["ada@example.com", "--channel", "email", "--purpose", "nothing"],
        ["ada@example.com", "--channel", "email"],
        ["ada@example.com", "--purpose", "offers"],
        ["ada@example.com", "bob@example.com", "--channel", "email", "--purpose", "offers"],
        ["ada@example.com", "--channel", "email", "--purpose", "offers", "--kind", "spam"],
        ["ada@example.com", "--channel", "email", "--purpose", "offers", "--at", "2026-11-24"],
        ["ada@example.com", "--channel", "email", "--purpose", "offers", "--at", "2026-11-24T12:00:00"],
        ["ada@example.com", "--channel", "email", "--purpose", "offers", "--at", "0001-01-01T00:00:00+10:00"],
        ["ada@example.com", "--channel", "email", "--purpose", "offers", "--at", "yesterday"],
        ["ada@example.com", "--channel", "email", "--purpose", "offers", "--nonsense"],
        ["--channel", "email", "--purpose", "offers"],
    ],
)
def test_wrong_usage_is_exit_code_2_and_repeats_no_address(
    runner: CliRunner, host: World, caplog: pytest.LogCaptureFixture, arguments: list[str]
) -> None:
    """
    What is wrong is told, on standard error, without the address.
    """
    result = runner.invoke(optly, ["check", *arguments])

    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr
    assert "ada" not in result.stderr + caplog.text
    assert "bob" not in result.stderr


@pytest.mark.parametrize("given", [f"{EMAIL}\n", f"  {EMAIL}"])
def test_an_address_can_be_given_where_nobody_sees_it(runner: CliRunner, host: World, given: str) -> None:
    """
    Through standard input, where no list of processes and no history shows it.
    """
    host.agreed(host.add())

    assert check(runner, "-", given=given).exit_code == 0


def test_nothing_at_all_is_no_address(runner: CliRunner, host: World) -> None:
    """
    An empty standard input is wrong usage and no refusal.
    """
    assert check(runner, "-", given="").exit_code == 2


def test_the_answer_repeats_no_address(runner: CliRunner, host: World) -> None:
    """
    Whoever shows an answer around shows nobody's address.
    """
    host.agreed(host.add())
    number = check(runner, PHONE, channel="sms")

    assert EMAIL not in check(runner, EMAIL).output + check(runner, EMAIL, "--json").output
    assert PHONE not in number.output


def test_asking_changes_nothing(runner: CliRunner, host: World) -> None:
    """
    The record is as it was.
    """
    ada = host.add()
    before = host.manager.history(ada)
    check(runner, EMAIL)
    check(runner, PHONE, *CALL, channel="live_call")

    assert before == host.manager.history(ada)


def test_help_says_that_it_is_no_legal_advice() -> None:
    """
    And lists the facts in sections of their own.
    """
    result = run("check", "--help")
    said = " ".join(result.stdout.split())

    assert (result.returncode, result.stderr) == (0, "")
    assert "No answer is legal advice." in said
    assert "Facts of a call or a fax (left out: counts against you): --shows-number" in said
