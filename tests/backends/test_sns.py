"""
What Amazon says of a message counts, what anybody else says does not, and a stop is never made of something less.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import attrs
import pytest
from backends.aws import (
    CONTACT,
    MESSAGE,
    NOW,
    REGION,
    TOPIC,
    Amazon,
    Answering,
    Heard,
    Moto,
    Played,
    Rerouted,
    hearing,
    moto_server,
    posted,
    record,
    site,
    stamp,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from moto.ses.feedback import BOUNCE, COMMON_MAIL, COMPLAINT, DELIVERY
from thorough import examples

from optly.backends.ses import SESBackend
from optly.contacts.addresses import Channel
from optly.messages import DeliveryEvent, DeliveryStatus
from optly.protocols import Webhook

AMAZON = Amazon()
SECRET = "a-shared-secret-of-eventbridge"
US = timedelta(microseconds=1)
BOUNCED = record(
    "Bounce",
    bounce={
        "bounceType": "Permanent",
        "bounceSubType": "General",
        "bouncedRecipients": [
            {
                "emailAddress": "ada@example.com",
                "action": "failed",
                "status": "5.1.1",
                "diagnosticCode": "smtp; 550 5.1.1 no such user",
            }
        ],
        "timestamp": "2026-11-23T11:00:02.500Z",
        "feedbackId": "0109018b-feed",
        "reportingMTA": "dns; mta.example.com",
    },
)


@attrs.frozen
class Ears:
    """
    A backend, and the host of Amazon's as the tests play it.
    """

    backend: SESBackend
    transport: Played

    def hear(self, data: object, now: datetime = NOW, **headers: str) -> Webhook:
        """
        Let it have *data*.
        """
        return self.backend.webhook(posted(data, **headers), now=now)


@pytest.fixture
def ears() -> Iterator[Ears]:
    """
    A backend that listens to one topic and to EventBridge.
    """
    transport = Played(AMAZON.shows)
    with hearing(transport, secrets=[SECRET]) as backend:
        yield Ears(backend, transport)


@pytest.fixture(scope="module")
def kept() -> Iterator[Ears]:
    """
    The same for a whole module, for properties.
    """
    transport = Played(AMAZON.shows)
    with hearing(transport, secrets=[SECRET]) as backend:
        yield Ears(backend, transport)


def told(heard: Webhook) -> tuple[int, int]:
    """
    Return what the sender is told, and how many events there are.
    """
    return heard.response.status.value, len(heard.events)


def delivered(heard: Webhook) -> tuple[DeliveryStatus, str]:
    """
    Return what is told of which message.
    """
    (event,) = heard.events
    assert isinstance(event, DeliveryEvent)
    return event.status, event.message


# ---- who is believed


@pytest.mark.parametrize("version", ["1", "2"])
@pytest.mark.parametrize("parts", [{}, {"Subject": "Amazon SES Email Event Notification"}])
def test_what_amazon_signed_is_believed(version: str, parts: dict[str, str], ears: Ears) -> None:
    """
    With SHA-1 or SHA-256, with and without a subject, in whatever script.
    """
    envelope = AMAZON.notification({**BOUNCED, "grüße": "ŵ"}, SignatureVersion=version, **parts)
    heard = ears.hear(envelope)
    assert (
        DeliveryEvent(
            id="Bounce/0/2026-11-23T11:00:02.500Z/0109018b-feed",
            backend="ses",
            channel=Channel.EMAIL,
            status=DeliveryStatus.BOUNCED,
            contact=CONTACT,
            message=MESSAGE,
            to="ada@example.com",
            at=datetime(2026, 11, 23, 11, 0, 2, 500_000, tzinfo=UTC),
            code="Permanent/General",
            status_code="5.1.1",
            detail="smtp; 550 5.1.1 no such user",
        ),
    ) == heard.events
    assert heard.response.status == 200


def test_the_certificate_is_fetched_once(ears: Ears) -> None:
    """
    However much comes.
    """
    for number in range(5):
        assert told(ears.hear(AMAZON.notification(BOUNCED, MessageId=str(number)))) == (200, 1)
    assert [AMAZON.certificate_url] == ears.transport.asked


@pytest.mark.parametrize("field", sorted(AMAZON.notification(BOUNCED, Subject="S")))
def test_whatever_is_altered_is_refused(field: str, ears: Ears) -> None:
    """
    Any field, be it by a letter.
    """
    envelope = AMAZON.notification(BOUNCED, Subject="S")
    value = envelope[field]
    changed = {
        "Message": value.replace("General", "general"),
        "Signature": ("B" if value[0] == "A" else "A") + value[1:],
        "SignatureVersion": "1",
        "Timestamp": stamp(NOW + timedelta(seconds=1)),
    }.get(field, value + "A")
    assert changed != value
    status, events = told(ears.hear({**envelope, field: changed}))
    assert status in {400, 403}
    assert events == 0


@pytest.mark.parametrize("field", sorted(AMAZON.confirmation()))
def test_no_altered_confirmation_is_confirmed(field: str, ears: Ears) -> None:
    """
    Neither is one with a part missing.
    """
    envelope = AMAZON.confirmation()
    for changed in ({**envelope, field: envelope[field] + "A"}, {k: v for k, v in envelope.items() if k != field}):
        status, _ = told(ears.hear(changed))
        assert status in {400, 403}
    assert [url for url in ears.transport.asked if "Confirm" in url] == []


def test_a_subject_can_neither_be_added_nor_taken_away(ears: Ears) -> None:
    """
    It is signed if it is there.
    """
    with_one, without = AMAZON.notification(BOUNCED, Subject="S"), AMAZON.notification(BOUNCED)
    del with_one["Subject"]
    assert told(ears.hear(with_one)) == (403, 0)
    assert told(ears.hear({**without, "Subject": "S"})) == (403, 0)
    assert told(ears.hear({**without, "Subject": None})) == (200, 1)


def test_no_two_envelopes_are_signed_by_the_same_bytes(ears: Ears) -> None:
    """
    A part of one that is read as another would be: the message of a genuine one, moved behind a line break.
    """
    envelope = AMAZON.notification("harmless\nMessageId\nfirst\nSubject\nS")
    moved = {**envelope, "Message": "harmless", "MessageId": "first\nSubject\nS\nMessageId\n" + envelope["MessageId"]}
    assert told(ears.hear(envelope)) == (200, 0)
    assert told(ears.hear(moved)) == (400, 0)


def test_a_key_that_is_not_amazons_signs_nothing(ears: Ears) -> None:
    """
    Though the certificate that is named is Amazon's own.
    """
    forged = Amazon(number=1).notification(BOUNCED, SigningCertURL=AMAZON.certificate_url)
    assert told(ears.hear(forged)) == (403, 0)


@pytest.mark.parametrize("signature", ["", "AAAA", "A" * 344, "!", "é", None, 7, []])
def test_a_signature_that_is_none_is_refused(signature: object, ears: Ears) -> None:
    """
    Empty, short, of zeros, or no signature at all.
    """
    status, events = told(ears.hear({**AMAZON.notification(BOUNCED), "Signature": signature}))
    assert status in {400, 403}
    assert events == 0


@pytest.mark.parametrize("version", ["0", "3", "", "2 "])
def test_an_algorithm_nobody_knows_is_refused(version: str, ears: Ears) -> None:
    """
    Whatever was signed with it.
    """
    assert told(ears.hear(AMAZON.notification(BOUNCED, SignatureVersion=version))) == (403, 0)


def test_what_is_not_signed_is_refused(ears: Ears) -> None:
    """
    Such as raw delivery, which leaves the envelope out.
    """
    assert told(ears.hear(BOUNCED)) == (403, 0)


FOREIGN = "arn:aws:sns:eu-west-2:999999999999:mail"


def test_somebody_elses_topic_is_not_heard(ears: Ears) -> None:
    """
    Though Amazon signs what is said there. Nothing is fetched for it, not even a certificate.
    """
    assert told(ears.hear(AMAZON.notification(BOUNCED, TopicArn=FOREIGN))) == (403, 0)
    assert told(ears.hear(AMAZON.confirmation(TopicArn=FOREIGN))) == (403, 0)
    assert ears.transport.asked == []


@pytest.mark.parametrize("topics", [[], [FOREIGN], [f"{TOPIC}s"]])
def test_without_the_topic_nothing_is_heard(topics: list[str]) -> None:
    """
    A backend that was given none takes none.
    """
    transport = Played(AMAZON.shows)
    with hearing(transport, topics=topics) as backend:
        heard = backend.webhook(posted(AMAZON.notification(BOUNCED)), now=NOW)
    assert told(heard) == (403, 0)
    assert transport.asked == []


FILE = f"SimpleNotificationService-{0:032x}.pem"
LOOK_ALIKES = [
    f"http://sns.{REGION}.amazonaws.com/{FILE}",
    f"HTTPS://sns.{REGION}.amazonaws.com/{FILE}",
    f"https://sns.us-east-1.amazonaws.com/{FILE}",
    f"https://sns.{REGION}.amazonaws.com.cn/{FILE}",
    f"https://s3.amazonaws.com/{FILE}",
    f"https://sns.s3-{REGION}.amazonaws.com/{FILE}",
    f"https://sns.s3.amazonaws.com/{FILE}",
    f"https://sns.{REGION}.s3.amazonaws.com/{FILE}",
    f"https://sns.{REGION}.amazonaws.com.evil.example.com/{FILE}",
    f"https://sns.{REGION}.amazonaws.com@evil.example.com/{FILE}",
    f"https://sns.{REGION}.amazonaws.com:443@evil.example.com/{FILE}",
    f"https://sns.{REGION}.amazonaws.com\\@evil.example.com/{FILE}",
    f"https://sns.{REGION}.amazonaws.com%2f@evil.example.com/{FILE}",
    f"https://evil.example.com/sns.{REGION}.amazonaws.com/{FILE}",
    f"https://evil.example.com#sns.{REGION}.amazonaws.com/{FILE}",
    f"https://me@sns.{REGION}.amazonaws.com/{FILE}",
    f"https://sns.{REGION}.amazonaws.com:443/{FILE}",
    f"https://sns.{REGION}.amazonaws.com./{FILE}",
    f"https://sns.{REGION}.amazonaws.com//{FILE}",
    f"https://sns.{REGION}.amazonaws.com/x/../{FILE}",
    f"https://sns.{REGION}.amazonaws.com/{FILE}?x",
    f"https://sns.{REGION}.amazonaws.com/{FILE}?",
    f"https://sns.{REGION}.amazonaws.com/{FILE}#x",
    f"https://sns.{REGION}.amazonaws.com/{FILE}\n",
    f" https://sns.{REGION}.amazonaws.com/{FILE}",
    f"https://sns.{REGION}.amazonaws.com/{FILE}.exe",
    f"https://sns.{REGION}.amazonaws.com/{FILE.replace('0', 'F')}",
    f"https://sns.{REGION}.amazonaws.com/{FILE.replace('000', '')}",
    f"https://sns.{REGION}.amazonaws.com/",
    f"https://ѕns.{REGION}.amazonaws.com/{FILE}",
    "",
]


@pytest.mark.parametrize("url", LOOK_ALIKES)
def test_a_certificate_lies_at_amazons_own_host_alone(url: str, ears: Ears) -> None:
    """
    In the region of the topic, and nothing is fetched from anywhere else.
    """
    assert told(ears.hear(AMAZON.notification(BOUNCED, SigningCertURL=url))) == (403, 0)
    assert ears.transport.asked == []


ELSEWHERE = [url for url in LOOK_ALIKES if not url.startswith(f"https://sns.{REGION}.amazonaws.com/")]


@pytest.mark.parametrize("url", [*ELSEWHERE, *(f"https://sns.{REGION}.amazonaws.com/{p}{FILE}" for p in ("/", "x"))])
@pytest.mark.parametrize("end", ["", "#x", "\\x", " x", "\n"])
def test_a_confirmation_goes_to_amazons_own_host_alone(url: str, end: str, ears: Ears) -> None:
    """
    Even if it were signed.
    """
    url = url.replace(FILE, f"?Action=ConfirmSubscription&TopicArn={TOPIC}&Token=2336{end}")
    status, _ = told(ears.hear(AMAZON.confirmation(SubscribeURL=url)))
    assert status in {400, 403}
    assert {*ears.transport.asked} <= {AMAZON.certificate_url}


@pytest.mark.parametrize("end", ["#x", "\\@evil.example.com", " x", "\n", "é"])
def test_a_confirmation_is_nothing_that_could_be_read_in_two_ways(end: str, ears: Ears) -> None:
    """
    Though it begins as it should.
    """
    url = AMAZON.confirmation()["SubscribeURL"] + end
    status, _ = told(ears.hear(AMAZON.confirmation(SubscribeURL=url)))
    assert status in {400, 403}
    assert {*ears.transport.asked} <= {AMAZON.certificate_url}


@pytest.mark.parametrize(
    "query",
    [
        f"Action=Unsubscribe&TopicArn={TOPIC}",
        f"Action=ConfirmSubscription&TopicArn={FOREIGN}",
        f"Action=ConfirmSubscription&Action=DeleteTopic&TopicArn={TOPIC}",
        f"Action=ConfirmSubscription&TopicArn={FOREIGN}&TopicArn={TOPIC}",
        "Action=ConfirmSubscription",
        "",
    ],
)
def test_a_confirmation_confirms_that_topic_and_does_nothing_else(query: str, ears: Ears) -> None:
    """
    Whatever else could be asked of Amazon is not.
    """
    url = f"https://sns.{REGION}.amazonaws.com/?{query}"
    assert told(ears.hear(AMAZON.confirmation(SubscribeURL=url))) == (403, 0)
    assert [AMAZON.certificate_url] == ears.transport.asked


def test_a_subscription_to_our_topic_is_confirmed(ears: Ears) -> None:
    """
    By asking for what SNS says is to be asked for.
    """
    envelope = AMAZON.confirmation()
    assert told(ears.hear(envelope)) == (200, 0)
    assert [AMAZON.certificate_url, envelope["SubscribeURL"]] == ears.transport.asked
    assert f"sns.{REGION}.amazonaws.com" == ears.transport.heard[-1].headers["host"]


def test_the_end_of_a_subscription_is_not_undone(ears: Ears, caplog: pytest.LogCaptureFixture) -> None:
    """
    Somebody may have meant it. It is said in the log.
    """
    assert told(ears.hear(AMAZON.confirmation("UnsubscribeConfirmation"))) == (200, 0)
    assert [AMAZON.certificate_url] == ears.transport.asked
    assert ["an SNS topic no longer sends delivery events"] == [record.message for record in caplog.records]


# ---- when


@pytest.mark.parametrize(
    ("age", "status"),
    [
        (timedelta(hours=1), 200),
        (timedelta(hours=1) + US, 403),
        (-timedelta(minutes=5), 200),
        (-timedelta(minutes=5) - US, 403),
        (timedelta(days=365_000), 403),
    ],
)
def test_what_is_too_old_or_to_come_is_refused(age: timedelta, status: int, ears: Ears) -> None:
    """
    After an hour, which is as long as SNS tries, and more than five minutes ahead of our clock.
    """
    envelope = AMAZON.notification(BOUNCED, Timestamp=stamp(NOW - age))
    assert status == ears.hear(envelope).response.status
    assert status == ears.hear(AMAZON.confirmation(Timestamp=stamp(NOW - age))).response.status


@pytest.mark.parametrize("text", ["", "yesterday", "2026-11-23T12:00:00", "2026-11-23", 0, None])
def test_a_time_that_is_none_is_refused(text: object, ears: Ears) -> None:
    """
    Or one that could be anywhere in the world.
    """
    assert told(ears.hear({**AMAZON.notification(BOUNCED), "Timestamp": text})) == (400, 0)


@pytest.mark.parametrize("text", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00"])
def test_a_time_at_the_end_of_time_is_refused(text: str, ears: Ears) -> None:
    """
    And breaks nothing.
    """
    assert told(ears.hear(AMAZON.notification(BOUNCED, Timestamp=text))) == (403, 0)


@pytest.mark.parametrize(
    ("amazon", "now", "status"),
    [
        (Amazon(valid_until=NOW), NOW, 200),
        (Amazon(valid_until=NOW), NOW + US, 403),
        (Amazon(valid_from=NOW + timedelta(minutes=5)), NOW, 200),
        (Amazon(valid_from=NOW + timedelta(minutes=5)), NOW - US, 403),
    ],
)
def test_a_certificate_has_its_time(amazon: Amazon, now: datetime, status: int) -> None:
    """
    One whose key may have been stolen since is of no use. A clock may be five minutes late.
    """
    with hearing(Played(amazon.shows)) as backend:
        for _ in range(2):
            assert status == backend.webhook(posted(amazon.notification(BOUNCED)), now=now).response.status


@pytest.mark.parametrize("data", [BOUNCED, record("Delivery", delivery={"recipients": ["ada@example.com"]})])
def test_a_repeat_has_the_same_names(data: dict[str, Any], ears: Ears) -> None:
    """
    Replayed as it was, delivered again in another envelope, or by another way.
    """
    envelope = AMAZON.notification(data)
    bridge = {"id": "b1", "detail-type": "Email Bounced", "source": "aws.ses", "detail": data}
    ways = [
        ears.hear(envelope),
        ears.hear(envelope, now=NOW + timedelta(minutes=30)),
        ears.hear(AMAZON.notification(data, MessageId="another", Timestamp=stamp(NOW + timedelta(seconds=1)))),
        ears.hear(bridge, x_api_key=SECRET),
    ]
    assert len(ways[0].events) == 1
    assert [ways[0].events] * 4 == [way.events for way in ways]


# ---- fetching


@pytest.mark.server
@pytest.mark.parametrize(
    ("answer", "status"),
    [
        ((404, {}, b""), 403),
        ((302, {"location": f"https://sns.{REGION}.amazonaws.com/{FILE}"}, b""), 403),
        ((200, {}, b"<html>"), 403),
        ((200, {}, b""), 403),
        ((200, {}, b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"), 403),
        ((500, {}, b""), 503),
        ((503, {}, b""), 503),
        ((200, {"content-length": "9999"}, b"-----BEGIN"), 503),
    ],
)
def test_without_the_certificate_nothing_is_believed(answer: tuple[int, dict[str, str], bytes], status: int) -> None:
    """
    If Amazon cannot give it now, SNS is to come again, which it does after a 5xx alone.
    """
    with site(lambda heard: answer) as host, hearing(Rerouted(host.url)) as backend:
        if "content-length" in answer[1]:
            backend._subscriber._caller._timeout = 0.3
        heard = backend.webhook(posted(AMAZON.notification(BOUNCED)), now=NOW)
        assert told(heard) == (status, 0)
        assert len(host.heard) == 1


def test_a_certificate_that_was_not_to_be_had_is_asked_for_again() -> None:
    """
    A failure is not remembered.
    """
    answers: list[Answering] = [lambda _: (503, {}, b""), AMAZON.shows]
    with hearing(Played(lambda heard: answers.pop(0)(heard))) as backend:
        request = posted(AMAZON.notification(BOUNCED))
        assert [(503, 0), (200, 1)] == [told(backend.webhook(request, now=NOW)) for _ in range(2)]


@pytest.mark.server
def test_amazon_out_of_reach_is_no_forgery() -> None:
    """
    Nobody listens where the certificate should be.
    """
    with site(AMAZON.shows) as host:
        pass
    with hearing(Rerouted(host.url)) as backend:
        assert told(backend.webhook(posted(AMAZON.notification(BOUNCED)), now=NOW)) == (503, 0)


@pytest.mark.parametrize(("status", "expected"), [(500, 503), (400, 403), (302, 403)])
def test_a_confirmation_that_failed_is_not_said_to_be_one(status: int, expected: int) -> None:
    """
    SNS is to try again if that can help.
    """

    def answer(heard: Heard) -> tuple[int, dict[str, str], bytes]:
        return (status, {}, b"") if "Confirm" in heard.path else AMAZON.shows(heard)

    with hearing(Played(answer)) as backend:
        assert told(backend.webhook(posted(AMAZON.confirmation()), now=NOW)) == (expected, 0)


def test_the_certificates_that_are_kept_are_few() -> None:
    """
    However many are named.
    """
    host = Played(lambda _: (200, {}, AMAZON.certificate()))
    with hearing(host) as backend:
        for number in range(40):
            url = f"https://sns.{REGION}.amazonaws.com/SimpleNotificationService-{number:032x}.pem"
            request = posted(AMAZON.notification(BOUNCED, SigningCertURL=url))
            assert (200, 1) == told(backend.webhook(request, now=NOW))
        assert len(host.heard) == 40
        assert len(backend._subscriber._keys) <= 16


# ---- what is not taken


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"hello", 400),
        (b"[]", 400),
        (b"null", 400),
        (b'"text"', 400),
        (b"[" * 200_000, 400),
        (b'{"a":' * 50_000, 400),
        (b"\xff\xfe\x00", 400),
        (b"{}", 403),
        (json.dumps(AMAZON.notification(BOUNCED)).encode()[:-1], 400),
        (json.dumps(AMAZON.notification(BOUNCED)).encode()[:200], 400),
        (b" " * (256 * 1024 + 1), 413),
    ],
    ids=lambda value: repr(value)[:20],
)
def test_what_cannot_be_read_is_refused(body: bytes, status: int, ears: Ears) -> None:
    """
    Empty, torn, too deep or too long.
    """
    assert told(ears.hear(body)) == (status, 0)
    assert ears.transport.asked == []


def test_the_longest_body_is_taken(ears: Ears) -> None:
    """
    And one byte more is not.
    """
    body = json.dumps(AMAZON.notification(BOUNCED)).encode()
    assert told(ears.hear(body.ljust(256 * 1024))) == (200, 1)
    assert told(ears.hear(body.ljust(256 * 1024 + 1))) == (413, 0)


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "OPTIONS"])
def test_only_what_is_posted_is_heard(method: str, ears: Ears) -> None:
    """
    Whatever else comes with it.
    """
    heard = ears.backend.webhook(attrs.evolve(posted(AMAZON.notification(BOUNCED)), method=method), now=NOW)
    assert told(heard) == (405, 0)
    assert ("allow", "POST") in heard.response.headers


@pytest.mark.parametrize("kind", ["Publish", "", None, 7, [], {}])
def test_a_kind_of_envelope_nobody_knows_is_refused(kind: object, ears: Ears) -> None:
    """
    And breaks nothing.
    """
    assert told(ears.hear({**AMAZON.notification(BOUNCED), "Type": kind})) == (400, 0)


@pytest.mark.parametrize("field", ["Message", "MessageId", "TopicArn", "SigningCertURL", "SignatureVersion", "Subject"])
@pytest.mark.parametrize("value", [7, [], {}, True, "\ud800"])
def test_a_part_that_is_no_text_is_refused(field: str, value: object, ears: Ears) -> None:
    """
    Such as the message of a broken simulator, which is an object.
    """
    status, events = told(ears.hear({**AMAZON.notification(BOUNCED, Subject="S"), field: value}))
    assert status in {400, 403}
    assert events == 0


def test_a_refusal_is_logged_once_and_without_content(ears: Ears, caplog: pytest.LogCaptureFixture) -> None:
    """
    Whose topic it was, what it said and whom it named are not in the log.
    """
    caplog.set_level(logging.DEBUG)
    ears.hear(AMAZON.notification(BOUNCED, TopicArn=FOREIGN))
    (entry,) = [entry for entry in caplog.records if entry.name == "optly"]
    assert ("a webhook was refused", logging.WARNING) == (entry.message, entry.levelno)
    assert {"backend": "ses", "status": 403, "reason": "topic"} == {
        name: vars(entry)[name] for name in ("backend", "status", "reason")
    }


def test_nothing_of_an_event_is_in_a_repr_or_a_log(ears: Ears, caplog: pytest.LogCaptureFixture) -> None:
    """
    Neither the address nor what was said of it.
    """
    caplog.set_level(logging.DEBUG)
    heard = ears.hear(AMAZON.notification(BOUNCED))
    assert len(heard.events) == 1
    shown = repr([heard, vars(ears.backend), [vars(entry) for entry in caplog.records]])
    for hidden in ("ada@example.com", "no such user", SECRET):
        assert hidden not in shown


# ---- EventBridge


def bridged(detail: object = BOUNCED, **parts: object) -> dict[str, object]:
    return {
        "version": "0",
        "id": "17793124-05d4-b198-2fde-7ededc63b103",
        "detail-type": "Email Bounced",
        "source": "aws.ses",
        "account": "123456789012",
        "time": "2026-11-23T11:00:03Z",
        "region": REGION,
        "resources": [],
        "detail": detail,
        **parts,
    }


@pytest.mark.parametrize("headers", [{"x_api_key": SECRET}, {"authorization": f"Bearer {SECRET}"}])
def test_eventbridge_shows_a_secret(headers: dict[str, str], ears: Ears) -> None:
    """
    In either of two headers.
    """
    heard = ears.hear(bridged(), NOW, **headers)
    assert told(heard) == (200, 1)
    assert (DeliveryStatus.BOUNCED, MESSAGE) == delivered(heard)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"x_api_key": ""},
        {"x_api_key": SECRET[:-1]},
        {"x_api_key": SECRET + "x"},
        {"x_api_key": SECRET.upper()},
        {"x_api_key": "é" * 30},
        {"x_api_key": "\ud800"},
        {"authorization": f"Basic {SECRET}"},
        {"authorization": "Bearer"},
        {"cookie": SECRET},
    ],
    ids=ascii,
)
def test_whoever_does_not_know_the_secret_is_not_heard(headers: dict[str, str], ears: Ears) -> None:
    """
    However near it is.
    """
    assert told(ears.hear(bridged(), NOW, **headers)) == (403, 0)


def test_a_secret_can_be_exchanged() -> None:
    """
    For a while both will do. Without any, nobody is heard.
    """
    for secrets, statuses in [([SECRET, "x" * 16], [200, 200]), (["x" * 16], [403, 200]), ([], [403, 403])]:
        with hearing(Played(AMAZON.shows), secrets=secrets) as backend:
            requests = [posted(bridged(), x_api_key=shown) for shown in (SECRET, "x" * 16)]
            assert statuses == [backend.webhook(request, now=NOW).response.status for request in requests]


@pytest.mark.parametrize(
    "event", [bridged(source="aws.s3"), bridged(detail=None), bridged(detail=[]), bridged(detail={})]
)
def test_what_eventbridge_says_of_other_things_is_nothing(event: object, ears: Ears) -> None:
    """
    It is not refused either.
    """
    assert told(ears.hear(event, x_api_key=SECRET)) == (200, 0)


# ---- what it means


def meant(ears: Ears, data: object) -> list[DeliveryStatus]:
    heard = ears.hear(AMAZON.notification(data))
    assert heard.response.status == 200
    return [event.status for event in heard.events if isinstance(event, DeliveryEvent)]


def bounce(kind: str, sub: str, **recipient: str) -> dict[str, Any]:
    recipients = [{"emailAddress": "ada@example.com", **recipient}]
    return record(
        "Bounce",
        bounce={"bounceType": kind, "bounceSubType": sub, "bouncedRecipients": recipients, "feedbackId": "f"},
    )


@pytest.mark.parametrize(
    ("kind", "sub", "recipient", "expected"),
    [
        ("Permanent", "General", {"status": "5.1.1"}, DeliveryStatus.BOUNCED),
        ("Permanent", "General", {}, DeliveryStatus.BOUNCED),
        ("Permanent", "NoEmail", {}, DeliveryStatus.BOUNCED),
        ("Permanent", "SomethingNew", {"status": "5.1.10"}, DeliveryStatus.BOUNCED),
        ("Permanent", "General", {"status": "5.7.1"}, DeliveryStatus.FAILED),
        ("Permanent", "General", {"status": "5.2.2"}, DeliveryStatus.FAILED),
        ("Permanent", "General", {"status": "5.2.1"}, DeliveryStatus.BOUNCED),
        ("Permanent", "General", {"status": "4.4.7"}, DeliveryStatus.FAILED),
        ("Permanent", "General", {"status": "4.0.0", "action": "delayed"}, DeliveryStatus.DELAYED),
        ("Permanent", "Suppressed", {"status": "5.1.1"}, DeliveryStatus.FAILED),
        ("Permanent", "OnAccountSuppressionList", {"status": "5.1.1"}, DeliveryStatus.FAILED),
        ("Permanent", "UnsubscribedRecipient", {}, DeliveryStatus.OPTED_OUT),
        ("Permanent", "General", {"status": "5.3.0", "diagnosticCode": "550 spam content"}, DeliveryStatus.FAILED),
        ("Permanent", "General", {"status": "5.3.4", "diagnosticCode": "552 message size"}, DeliveryStatus.FAILED),
        ("Permanent", "General", {"status": "5.1.1", "diagnosticCode": "550 5.7.26 DMARC"}, DeliveryStatus.FAILED),
        ("Permanent", "NoEmail", {"status": "5.1.1", "diagnosticCode": "550 over quota"}, DeliveryStatus.FAILED),
        ("Transient", "General", {}, DeliveryStatus.SENT),
        ("Transient", "General", {"status": "4.0.0"}, DeliveryStatus.SENT),
        ("Transient", "General", {"status": "5.1.1"}, DeliveryStatus.FAILED),
        ("Transient", "General", {"action": "failed"}, DeliveryStatus.FAILED),
        ("Transient", "MailboxFull", {"status": "5.2.2"}, DeliveryStatus.FAILED),
        ("Transient", "MessageTooLarge", {}, DeliveryStatus.FAILED),
        ("Transient", "ContentRejected", {}, DeliveryStatus.FAILED),
        ("Transient", "AttachmentRejected", {}, DeliveryStatus.FAILED),
        ("Transient", "CustomTimeoutExceeded", {}, DeliveryStatus.FAILED),
        ("Transient", "SomethingNew", {"status": "5.1.1"}, DeliveryStatus.FAILED),
        ("Undetermined", "Undetermined", {"status": "5.1.1"}, DeliveryStatus.FAILED),
        ("SomethingNew", "General", {"status": "5.1.1"}, DeliveryStatus.FAILED),
        ("", "", {}, DeliveryStatus.FAILED),
    ],
)
def test_a_bounce_is_one_only_if_the_address_is_dead(
    kind: str, sub: str, recipient: dict[str, str], expected: DeliveryStatus, ears: Ears
) -> None:
    """
    What passes, what is policy, and what Amazon did not try says nothing lasting about it.
    """
    assert [expected] == meant(ears, bounce(kind, sub, **recipient))


@given(
    sub=st.text() | st.sampled_from(["General", "MailboxFull"]), status=st.from_regex(r"\A[245]\.\d{1,3}\.\d{1,3}\Z")
)
@settings(max_examples=examples(100), suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_passes_never_suppresses(sub: str, status: str, kept: Ears) -> None:
    """
    Whatever else a transient bounce says.
    """
    (found,) = meant(kept, bounce("Transient", sub, status=status))
    assert found in {DeliveryStatus.SENT, DeliveryStatus.DELAYED, DeliveryStatus.FAILED}


def complaint(**parts: object) -> dict[str, Any]:
    return record("Complaint", complaint={"complainedRecipients": [{"emailAddress": "ada@example.com"}], **parts})


def preferences(everything: bool, *left: str) -> dict[str, Any]:
    statuses = [{"topicName": name, "subscriptionStatus": "OptOut"} for name in left]
    entered = [{"topicName": "news", "subscriptionStatus": "OptIn"}]
    return {"unsubscribeAll": everything, "topicSubscriptionStatus": statuses + entered}


def subscription(new: object, old: object) -> dict[str, Any]:
    return record("Subscription", subscription={"newTopicPreferences": new, "oldTopicPreferences": old})


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (complaint(complaintFeedbackType="abuse"), [DeliveryStatus.COMPLAINED]),
        (complaint(complaintSubType=None), [DeliveryStatus.COMPLAINED]),
        (complaint(), [DeliveryStatus.COMPLAINED]),
        (complaint(complaintSubType="OnAccountSuppressionList"), [DeliveryStatus.FAILED]),
        (complaint(complaintFeedbackType="not-spam"), []),
        (record("Delivery", delivery={"recipients": ["ada@example.com"]}), [DeliveryStatus.DELIVERED]),
        (record("Send", send={}), [DeliveryStatus.SENT]),
        (record("Reject", reject={"reason": "Bad content"}), [DeliveryStatus.FAILED]),
        (record("Rendering Failure", failure={"errorMessage": "no x"}), [DeliveryStatus.FAILED]),
        (
            record("DeliveryDelay", deliveryDelay={"delayedRecipients": [{"emailAddress": "ada@example.com"}]}),
            [DeliveryStatus.DELAYED],
        ),
        (record("Open", open={"ipAddress": "192.0.2.1"}), []),
        (record("Click", click={"link": "https://acme.example.com/"}), []),
        (record("SomethingNew"), []),
        (subscription(preferences(True), preferences(False)), [DeliveryStatus.OPTED_OUT]),
        (subscription(preferences(True, "offers"), preferences(False, "offers")), [DeliveryStatus.OPTED_OUT]),
        (subscription(preferences(False, "offers"), preferences(False)), [DeliveryStatus.OPTED_OUT]),
        (subscription(preferences(False, "offers"), None), [DeliveryStatus.OPTED_OUT]),
        (subscription(preferences(False, "offers"), preferences(False, "offers")), []),
        (subscription(preferences(False), preferences(True)), []),
        (subscription(preferences(False), preferences(False, "offers")), []),
        (subscription(None, None), []),
        ({"notificationType": "AmazonSnsSubscriptionSucceeded", "message": "You have…"}, []),
        ("Successfully validated SNS topic for Amazon SES event publishing.", []),
    ],
)
def test_each_kind_of_record_is_read(data: object, expected: list[DeliveryStatus], ears: Ears) -> None:
    """
    A person who comes back to SES's own list has granted nothing, and who opens what is not noted.
    """
    assert expected == meant(ears, data)


def test_a_record_tells_all_it_knows(ears: Ears) -> None:
    """
    The provider's code, the enhanced status code, and its words.
    """
    records = [
        record("Delivery", delivery={"recipients": ["ada@example.com"], "smtpResponse": "250 2.6.0 Message received"}),
        record("Delivery", delivery={"recipients": ["ada@example.com"], "smtpResponse": "250 ok"}),
        record("Reject", reject={"reason": "Bad content"}),
        record("Rendering Failure", failure={"errorMessage": "no x", "templateName": "T"}),
        record(
            "DeliveryDelay",
            deliveryDelay={
                "delayType": "TransientCommunicationFailure",
                "delayedRecipients": [
                    {"emailAddress": "ada@example.com", "status": "4.4.1", "diagnosticCode": "smtp; 421 4.4.1 no"}
                ],
            },
        ),
        complaint(complaintFeedbackType="abuse"),
    ]
    events = [event for data in records for event in ears.hear(AMAZON.notification(data)).events]
    assert [(event.code, event.status_code, event.detail) for event in events if isinstance(event, DeliveryEvent)] == [
        ("", "2.6.0", "250 2.6.0 Message received"),
        ("", "", "250 ok"),
        ("", "", "Bad content"),
        ("", "", "no x"),
        ("TransientCommunicationFailure", "4.4.1", "smtp; 421 4.4.1 no"),
        ("abuse", "", ""),
    ]


def test_every_recipient_has_an_event_of_their_own(ears: Ears) -> None:
    """
    With a name of its own, the same on a repeat.
    """
    data = json.loads(json.dumps(BOUNCED))
    data["bounce"]["bouncedRecipients"] = [{"emailAddress": f"ada{n}@example.com"} for n in range(3)]
    first, second = (ears.hear(AMAZON.notification(data, MessageId=name)).events for name in ("a", "b"))
    assert [f"ada{n}@example.com" for n in range(3)] == [
        event.to for event in first if isinstance(event, DeliveryEvent)
    ]
    assert len({event.id for event in first}) == 3
    assert [event.id for event in first] == [event.id for event in second]


def test_two_events_of_one_message_have_two_names(ears: Ears) -> None:
    """
    A second delay is not a repeat of the first.
    """
    delays = [
        record("DeliveryDelay", deliveryDelay={"timestamp": f"2026-11-23T11:0{n}:00Z", "delayedRecipients": []})
        for n in range(2)
    ]
    found = {event.id for data in [*delays, record("Send")] for event in ears.hear(AMAZON.notification(data)).events}
    assert len(found) == 3


def test_what_no_store_takes_is_taken_out(ears: Ears) -> None:
    """
    Control characters and halves of characters, of which a mail server far away may have said any.
    """
    odd = {"emailAddress": "a\0@example.com", "diagnosticCode": "smtp; 550 \0\x1b[2J \ud800 no"}
    data = record("Bounce", bounce={"bounceType": "\0", "feedbackId": "\ud800", "bouncedRecipients": [odd]})
    (event,) = ears.hear(AMAZON.notification(data)).events
    assert isinstance(event, DeliveryEvent)
    for text in (event.id, event.to, event.code, event.detail):
        assert "\ufffd" in text
        assert text.isprintable()
        assert text.encode()


def test_two_messages_at_one_time_have_two_names(ears: Ears) -> None:
    """
    By what SES calls them, or else by what SNS or EventBridge calls the event.
    """
    one, two, nameless = (record("Delivery", delivery={"recipients": ["ada@example.com"]}) for _ in range(3))
    two["mail"]["messageId"] = "0109018b-1111"
    del nameless["mail"]["messageId"]
    heard = [
        *(ears.hear(AMAZON.notification(data)) for data in (one, two)),
        *(ears.hear(AMAZON.notification(nameless, MessageId=name)) for name in ("a", "b")),
        *(ears.hear(bridged(nameless, id=name), x_api_key=SECRET) for name in ("c", "d")),
    ]
    assert len({event.id for webhook in heard for event in webhook.events}) == 6


@pytest.mark.parametrize("name", ["eventType", "notificationType"])
def test_feedback_on_an_identity_is_read_as_well(name: str, ears: Ears) -> None:
    """
    It comes without tags, and names contact and message in the headers, if Amazon was told to repeat them.
    """
    parts = {"complaint": {"complainedRecipients": [{"emailAddress": "ada@example.com"}], "feedbackId": "f"}}
    (event,) = ears.hear(AMAZON.notification(record("Complaint", name=name, tags=False, **parts))).events
    assert isinstance(event, DeliveryEvent)
    assert (DeliveryStatus.COMPLAINED, CONTACT, MESSAGE) == (event.status, event.contact, event.message)


@pytest.mark.parametrize("record_of", [(BOUNCE, "Bounce"), (COMPLAINT, "Complaint"), (DELIVERY, "Delivery")])
def test_amazons_own_examples_are_read(record_of: tuple[dict[str, Any], str], ears: Ears) -> None:
    """
    As moto has them from Amazon's documentation. They are of mail that is not ours, so only the address is known.
    """
    about, kind = record_of
    heard = ears.hear(AMAZON.notification({**COMMON_MAIL, "notificationType": kind, kind.lower(): about})).events
    expected = {
        "Bounce": [
            (DeliveryStatus.BOUNCED, "recipient1@example.com", "5.0.0", "2012-05-25T14:59:38.605000+00:00"),
            (DeliveryStatus.DELAYED, "recipient2@example.com", "4.0.0", "2012-05-25T14:59:38.605000+00:00"),
        ],
        "Complaint": [(DeliveryStatus.COMPLAINED, "recipient1@example.com", "", "2012-05-25T14:59:38.623000+00:00")],
        "Delivery": [
            (DeliveryStatus.DELIVERED, "success@simulator.amazonses.com", "", "2014-05-28T22:41:01.184000+00:00")
        ],
    }
    found = [e for e in heard if isinstance(e, DeliveryEvent)]
    assert expected[kind] == [(e.status, e.to, e.status_code, e.at.isoformat()) for e in found]
    assert {("", "")} == {(e.contact, e.message) for e in found}


@pytest.mark.parametrize(
    ("timestamps", "expected"),
    [
        (("2026-11-23T10:00:00.123Z", "2026-11-23T09:00:00Z"), datetime(2026, 11, 23, 10, 0, 0, 123_000, tzinfo=UTC)),
        (("2026-11-23T10:00:00+02:00", "2026-11-23T09:00:00Z"), datetime(2026, 11, 23, 8, tzinfo=UTC)),
        ((None, "2026-11-23T09:00:00Z"), datetime(2026, 11, 23, 9, tzinfo=UTC)),
        ((None, None), NOW),
        ((None, "yesterday"), NOW),
        (("0001-01-01T00:00:00+14:00", None), NOW),
    ],
)
def test_it_happened_when_amazon_says(
    timestamps: tuple[str | None, str | None], expected: datetime, ears: Ears
) -> None:
    """
    To the record, to the mail it is about, or else to the envelope.
    """
    data = record(
        "Bounce", bounce={"timestamp": timestamps[0], "bouncedRecipients": [{"emailAddress": "a@example.com"}]}
    )
    data["mail"]["timestamp"] = timestamps[1]
    (event,) = ears.hear(AMAZON.notification(data)).events
    assert expected == event.at


@pytest.mark.parametrize("contact", ["", "ada@example.com", "C0FFEE00" * 4, "c0ffee00" * 5, None, 7, ["x"]])
def test_an_id_that_is_none_of_ours_is_left_out(contact: object, ears: Ears) -> None:
    """
    Whoever may send with the account may write any tag.
    """
    data = json.loads(json.dumps(BOUNCED))
    data["mail"]["tags"] = {"optly-contact": [contact], "optly-message": contact}
    data["mail"]["headers"] = [
        {"name": "X-Optly-Contact", "value": contact},
        {"name": "Message-ID", "value": contact},
        7,
    ]
    (event,) = ears.hear(AMAZON.notification(data)).events
    assert isinstance(event, DeliveryEvent)
    assert ("", "", "ada@example.com") == (event.contact, event.message, event.to)


# ---- properties


def _json() -> st.SearchStrategy[object]:
    leaves = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
    leaves |= st.sampled_from(["\0\ud800", "Bounce", "Permanent", "General", "OptOut", "2026-11-23T11:00:00Z", CONTACT])
    names = st.sampled_from(sorted({*BOUNCED, *BOUNCED["mail"], *BOUNCED["bounce"], "emailAddress", "tags", "status"}))
    return st.recursive(
        leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names | st.text(), inner, max_size=4)
    )


anything = settings(max_examples=examples(300), suppress_health_check=list(HealthCheck))


@given(body=st.binary(max_size=400) | _json().map(lambda value: json.dumps(value).encode()))
@anything
def test_no_body_breaks_it(body: bytes, kept: Ears) -> None:
    """
    Nor does any of them mean anything.
    """
    status, events = told(kept.hear(body))
    assert status in {400, 403}
    assert events == 0


@pytest.mark.slow
@given(changes=st.dictionaries(st.sampled_from(sorted(AMAZON.notification(BOUNCED, Subject="S"))), _json(), min_size=1))
@anything
def test_no_altered_envelope_is_believed(changes: dict[str, object], kept: Ears) -> None:
    """
    Whatever stands in place of its parts.
    """
    envelope = AMAZON.notification(BOUNCED, Subject="S")
    if {**envelope, **changes} != envelope:
        status, events = told(kept.hear({**envelope, **changes}))
        assert status in {400, 403}
        assert events == 0


KINDS = ["Bounce", "Complaint", "Delivery", "Send", "Reject", "DeliveryDelay", "Subscription"]


@given(kind=st.sampled_from(KINDS), mail=_json(), about=_json(), recipients=st.lists(_json(), max_size=3))
@anything
def test_whatever_amazon_says_is_read(
    kind: str, mail: object, about: object, recipients: list[object], kept: Ears
) -> None:
    """
    Without an error, and into events that can be kept.
    """
    name = {"DeliveryDelay": "deliveryDelay"}.get(kind, kind.lower())
    lists = dict.fromkeys(["bouncedRecipients", "complainedRecipients", "delayedRecipients", "recipients"], recipients)
    particulars = {**about, **lists} if isinstance(about, dict) else about
    heard = kept.hear(AMAZON.notification({"eventType": kind, "mail": mail, name: particulars}))
    assert heard.response.status == 200
    ids = [event.id for event in heard.events]
    assert len(set(ids)) == len(ids)
    assert all(0 < len(name) <= 200 for name in ids)
    assert all(event.to or event.contact for event in heard.events if isinstance(event, DeliveryEvent))
    texts = [value for event in heard.events for value in attrs.asdict(event).values() if isinstance(value, str)]
    assert not any("\0" in text or "\ud800" <= char <= "\udfff" for text in texts for char in text)


# ---- moto's server


@pytest.fixture(scope="module")
def moto(needs_server: None) -> Iterator[Moto]:
    """
    A server that signs what it delivers.
    """
    with moto_server() as server:
        yield server


@pytest.fixture
def by_moto(moto: Moto) -> Iterator[SESBackend]:
    """
    A backend that finds Amazon at moto's, which gives out certificates to whoever seems to sign for SNS.
    """
    moto.post("/moto-api/reset")
    name = f"AWS4-HMAC-SHA256 Credential=x/20261123/{REGION}/sns/aws4_request, SignedHeaders=host, Signature=x"
    with hearing(Rerouted(moto.url, authorization=name)) as backend:
        yield backend


def test_what_moto_signs_is_believed(moto: Moto, by_moto: SESBackend) -> None:
    """
    With a certificate of its own making. What was altered on the way is not.
    """
    sns = moto.client("sns")
    with site(lambda _: (200, {}, b"")) as subscriber:
        topic = sns.create_topic(Name="mail")["TopicArn"]
        assert topic == TOPIC
        sns.subscribe(TopicArn=topic, Protocol="http", Endpoint=subscriber.url)
        for subject in ({}, {"Subject": "S"}):
            sns.publish(TopicArn=topic, Message=json.dumps({**BOUNCED, "grüße": "ŵ\n"}), **subject)
        plain, titled = (json.loads(heard.body) for heard in subscriber.heard)
    now = datetime.now(UTC)
    heard = by_moto.webhook(posted(plain), now=now)
    assert told(heard) == (200, 1)
    assert (DeliveryStatus.BOUNCED, MESSAGE) == delivered(heard)
    for field in ("Message", "MessageId", "Timestamp", "Signature"):
        forged = {**plain, field: plain[field].replace(plain[field][5], "9" if plain[field][5] != "9" else "8")}
        status, events = told(by_moto.webhook(posted(forged), now=now))
        assert (status in {400, 403}, events) == (True, 0)
    # moto leaves the subject out of what it signs, so that what it says with one counts for altered.
    assert told(by_moto.webhook(posted(titled), now=now)) == (403, 0)
    del titled["Subject"]
    assert told(by_moto.webhook(posted(titled), now=now)) == (200, 1)
