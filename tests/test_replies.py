"""
A stop is read widely and a yes narrowly.
"""

from __future__ import annotations

import json
import re
import unicodedata

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from mails import INPUTS, needs_inputs, reported
from replies import PUBLISHED_HELPS, PUBLISHED_STARTS, PUBLISHED_STOPS, STOP_WORDS, STOPS, each, lines
from thorough import examples

from optly.messages.replies import LIMIT, MOST_OPTIONS, Asks, Other, Picks, Reply, Says, Starts, Stops, read_reply

YES, NO = Says(yes=True), Says(yes=False)


OTHERS = lines(
    """
don't stop
Don't stop!
dont stop
please don't stop
pls dont stop
Please do not stop
do not stop sending me offers
don't ever stop
never stop
We will not stop
I won't stop shopping with you
I would not stop for that
I did not stop
no need to stop
I can't stop laughing
cant stop laughing 😂
I can’t stop smiling
I couldn't stop laughing
cannot stop thinking about it
Sorry can't stop now
bus stop
Meet me at the bus stop
I'm at the tram stop
I had the wrong bus stop number
is it near the train stop
non stop fun
One stop shop
full stop
pit stop
It is the last stop
which is the next stop
there is a stop outside
Where is the stop?
I'll stop by
I'll stop by tomorrow
I will stop by the shop tomorrow
Can I stop by?
could we stop in later
we stop at Leeds
I might stop off on the way
I'm going to stop by later
we'll stop at the shop
I am trying to stop smoking
has it stopped
I stopped by earlier
my watch stopped
stopping by later
nonstop
stopwatch
doorstop
the end
The End.
we go away on Monday
I always get lost
it is 20 p off
I bought the wrong phone
I haven't signed up yet
can you get me one from Leeds
I would like to know why it stopped
that's the end of it
in the end I bought it
does the sale end today
When does the offer end?
weekend
week end
this weekend
I'll cancel lunch
can I change, not cancel, my order
why did you cancel it
did you cancel my order?
I quit my job
do I need to remove the cover
can you remove the blue one from my basket
please don't remove me
Don't remove me from your list
don't take me off your list
do not unsubscribe me
please don't cancel my subscription
never delete my number
how do I block the drain
td bank
block paving quotes
paid â stopio
I text him
I don't text much
I never text
they never call
we do not message much
don't ring the bell
Don't ring the doorbell please
I don't want to miss it
I dont want the blue one
don't want that size
I need more texts
more texts please
there are no more left
I got the wrong size
the wrong number of plates
I have the wrong date
I didn't ask for the blue one
I have paid
paid a bill
dim problem
dim mwy na deg
peidiwch â stopio
wrth y stop bws
hello
Hi
thanks
thank you
Thanks!
please
ok
OK
okay
Ok thanks
k
sure
fine
cool
great
lol
maybe
later
👍
👍👍
❤️
🙂
👎
🖕
hmm
what
what do you mean
when
who
No problem
no worries
no idea
not yet
not now
No I mean yes
yes but
yes but not by text
yes and no
yes no
no yes
Yes or no?
yes/no
y/n
Y or N
yes?
Yes??
y?
no?
1?
start?
yes if it is free
yes I think so
Yes but only email
yes I have a question
Is that a yes
I said yes
yes 1
yes to 1
yes to all
I would say yes
yes mate
yesterday
yes 👎
Yes 🙄
yes ❌
1 👎
reply yes
YES or STEP
say yes
ye
yh
do
oes
iawn
efallai
nine
none
nothing
never mind
no 2
no. 2
No 1
0
21
99
100
2026
1999
12345678
07911123456
07911 123456
+447911123456
+1
-1
01
£1
£20
10%
1.5
1.2
1/2
1:2
1-3
3pm
1pm
10am
1st
½
1 or 2
both
all
one
option
option 21
option A
1 and 21
1 and
and 1
1, 2, 3 and 40
1 is best
number
size 12
12 please ring me
start my order
START 1
let's start
unstoppable
help me choose
help with my order
info on sizes
can you help
who are these from
where are you
I am in London
Deceased
He passed away
this isn't Dave
how did you get my number
reported
new phone
Loved it
Liked the blue one
Merci beaucoup, à bientôt
Danke, bis morgen
Keine Ahnung, was ist das?
Ich bin nicht mehr in Leeds
auf keinen Fall, ich komme
Gracias, nos vemos
no me digas
No quiero llegar tarde
Dziękuję, do zobaczenia
Nie wiem
nie ma sprawy
Je ne veux pas venir lundi
plus de choix svp
shukriya
mat on the floor
the band karaoke
my band plays tonight
بہت شکریہ
ਧੰਨਵਾਦ
Diolch
I've paid
Paid in full yesterday
please object if you disagree
Do you have spam in stock?
don't forget me
High five ✋
"""
)

OTHERS += each(
    "yes 👎/🖕/❌/✖/🚫/⛔/🙅/🙅‍♀️/🙄",
    "$1/€1/£1/1%/1-3/1–3/1—3/−1/1.5/1:2/1+/@1/1@/=1/<1/>1/~1/1\\2/1|2/1?",
    "please do_not/dont/does_not/doesnt/never/will_not/wont/would_not/wouldnt/did_not/didnt/no_need_to/never_ever stop",
    "I cannot/can_not/can't/could_not/couldn't/methu stop now/laughing/going",
    "dwi'n methu stopio chwerthin",
    "at_the bus/tram/train/tube/coach/metro/truck/pit/rest/full/non/one/next/last/first/short stop",
    "I_missed a/the/each/every stop",
    "wrth y stop bws/bysiau",
    "plis, peidiwch/peidio/paid a/ag/_ stopio",
    "when I/we/I_will/we_can/I_could/I_may/I_might/I_shall/I_should/I_would/I_want_to/I_need_to/I_have_to/I_had_to/"
    "I'll/we'll/going_to/gonna stop by/in/off/over/round/outside/near/at today",
    "my_wife will_not_let_me stop laughing/crying/smiling/smoking/drinking/dancing/singing/raining/snowing/dreaming",
    "please do_not/dont/never remove/delete/take/unsub/unsubscribe/opt/cancel/block me out_of_this",
    "I/we/they do_not/never text/contact/spam/message them",
    "I/we/they never call/email again",
)

OTHERS += [
    "",
    " ",
    "\n\n",
    "\u200b",
    "...",
    "!",
    ".",
    "''",
    "\x00",
    "\ud800",
    # A phone's reaction repeats our own words.
    "Liked “Acme: reply YES or STOP”",
    'Liked "Acme: reply YES or STOP"',
    "Loved “Acme Ltd: may we text you offers?\nReply YES or STOP”",
    "Disliked “Reply STOP to end”",
    "Laughed at “Reply STOP to end”",
    "Emphasized “Reply STOP to end”",
    "Emphasised “Reply STOP to end”",
    "Questioned “Reply STOP to end”",
    "Removed a like from “Reply STOP to end”",
    "Liked “Reply STOP to end” \n",
    "Removed a question mark from “Reply STOP to end”",
    "Removed an exclamation from “Reply STOP to end”",
    "Removed 👍 from “Acme: 10% off. Reply STOP to opt out”",
    "Liked “Acme says “hello”. Reply STOP to opt out”",
    "Reacted with a sticker to “Acme: 10% off. Reply STOP to opt out”",
    "Reacted 😅 to “Reply STOP to end”",
    "\u200a\u200b👍\u200b to “\u200aReply STOP to end\u200a”\u200b",
]

YESES = lines(
    """
yes
Yes
YES
YES!
yes.
Yes!!!
"Yes"
yes 🙂
👍 yes
yes :)
yess
yesss
yes please
Yes please!
Yes, please
please yes
yes pls
yes plz
yes thanks
Yes thank you
Yes, thank you!
yes ta
Yes cheers
yes please thanks
y
Y
Y.
y please
yep
Yeah
yea
yup
I agree
yes I agree
I consent
Yes I consent
yes i do
ＹＥＳ
𝐘𝐞𝐬
ie
Ie
ie plis
Ie os gwelwch yn dda
ie diolch
ydw
Cewch
Caiff
hoffwn
Dw i'n cytuno
dwi'n cytuno
rwy'n cytuno
Rydw i'n cytuno
yes thx
yes plse
yes many thanks
yes thank u
"""
)

NOS = lines(
    """
no
No
NO!
no.
nooo
n
N
nope
nah
No thanks
no thank you
No, thank you.
No thanks!
no ta
no please
No 👎
no 🙂
no sorry
Sorry no
No way
no I don't
No I do not
I don't agree
not for me
Not interested
not interested thanks
I'm not interested
I am not interested
no not interested
No, I'm not interested, thank you
No thanks. Not interested
no longer interested
I'm no longer interested
na
Na
dim diolch
Dim diolch!
na dim diolch
na diolch
na hoffwn
I do not agree
Na chewch
na chaiff
nac ydw
nag ydw
"""
)

PICKS: list[tuple[str, tuple[int, ...]]] = [
    ("1", (1,)),
    (" 1 ", (1,)),
    ("2.", (2,)),
    ("2)", (2,)),
    ("(2)", (2,)),
    ("'2'", (2,)),
    ("3!", (3,)),
    ("10", (10,)),
    ("19", (19,)),
    ("20", (20,)),
    ("1 please", (1,)),
    ("2 pls", (2,)),
    ("2, thanks", (2,)),
    ("option 2", (2,)),
    ("Option 2.", (2,)),
    ("option 2 please", (2,)),
    ("please, option 2", (2,)),
    ("OPTION2", (2,)),
    ("options 1 and 3", (1, 3)),
    ("option 1 and option 3", (1, 3)),
    ("number 2", (2,)),
    ("choice 2", (2,)),
    ("#2", (2,)),
    ("# 2", (2,)),
    ("numbers 1 and 2", (1, 2)),
    ("choices 1, 2", (1, 2)),
    ("number2", (2,)),
    ("1 ac 8", (1, 8)),
    ("opsiwn 2", (2,)),
    ("rhif 2", (2,)),
    ("1 and 3", (1, 3)),
    ("3 and 1", (3, 1)),
    ("1,2", (1, 2)),
    ("1, 2", (1, 2)),
    ("1 , 2", (1, 2)),
    ("1, 2 and 3", (1, 2, 3)),
    ("1, 2, and 3", (1, 2, 3)),
    ("1 & 2", (1, 2)),
    ("1&2", (1, 2)),
    ("1 + 2", (1, 2)),
    ("1+2", (1, 2)),
    ("1; 2", (1, 2)),
    ("1 2", (1, 2)),
    ("1. 2.", (1, 2)),
    ("1\n2\n", (1, 2)),
    ("1 a 2", (1, 2)),
    ("1 n 2", (1, 2)),
    ("1 plus 2", (1, 2)),
    ("1 1", (1,)),
    ("2, 1 and 2", (2, 1)),
    ("1️⃣", (1,)),
    ("1️⃣ and 2️⃣", (1, 2)),
    ("①", (1,)),
    ("１", (1,)),
    ("2 👍", (2,)),
    ("2 👍🏽", (2,)),
    ("2 🙂.", (2,)),
    ("2 🙂,", (2,)),
    ("“2”", (2,)),
    ('"2"', (2,)),
    ("[2]", (2,)),
]

STARTING = lines(
    """
start
Start.
START!
start please
please start
start 🙂
start again
restart
UNSTOP
unstop
Unstop please
un-stop
un stop
resume
subscribe
resubscribe
resub
ailddechrau
opt in
OPTIN
opt-in please
dechrau
"""
)

ASKING = lines(
    """
help
HELP
Help!
help?
help me
help please
help 🙏
info
INFO.
info?
aide
cymorth
?
??
???
❓
?!
? 🙂
“?”
who is this
Who is this?
who's this
Who are you?
Hi who is this?
Hello, who are you?
Sorry, who is this?
what is this?
whats this
Pwy sy 'na?
"""
)


def table() -> list[tuple[str, Reply]]:
    return [
        *((text, Stops()) for text in [*STOPS, *PUBLISHED_STOPS]),
        *((text, Other()) for text in OTHERS),
        *((text, YES) for text in YESES),
        *((text, NO) for text in NOS),
        *((text, Picks(numbers)) for text, numbers in PICKS),
        *((text, Starts()) for text in [*STARTING, *PUBLISHED_STARTS]),
        *((text, Asks()) for text in [*ASKING, *PUBLISHED_HELPS]),
    ]


def test_a_message_says_what_a_person_would_say_it_says(subtests: pytest.Subtests) -> None:
    """
    Every phrase of the tables is read as it stands there.
    """
    for text, expected in table():
        with subtests.test(ascii(text)):
            assert expected == read_reply(text)


@needs_inputs
@pytest.mark.parametrize("name", reported("t"))
def test_words_that_were_reported_are_read(name: str) -> None:
    """
    As those who reported them meant them.
    """
    told = json.loads((INPUTS / name).read_text())
    assert told == [[text, type(read_reply(text)).__name__] for text, _ in told]


# ---- properties

anything = st.text(st.characters(categories=None), max_size=200)
tables = st.sampled_from(table())
# What a person adds without meaning anything by it. A question mark is not among it.
ornament = st.text('!."()…“” \n🙂👍🎉🙏', max_size=5)
# A clause of its own that asks for a stop, whatever stands before it.
asks_to_stop = st.sampled_from(["stop", "STOP please", "unsubscribe me", "opt out", "do not contact me", "remove me",
                                "take me off your list", "leave me alone", "wrong number", "no more texts",
                                "peidiwch â chysylltu"])  # fmt: skip


@given(anything)
@example("\ud800\udfff")
@example("“" * 300)
def test_any_text_can_be_read(text: str) -> None:
    """
    Nothing is raised, whatever a text holds, and the same text is always read in the same way.
    """
    assert read_reply(text) == read_reply(text)


@given(st.sampled_from(STOP_WORDS), st.sampled_from([" ", ". ", ", ", "\n", "! ", " - ", " 🙂 "]), anything)
def test_a_message_that_begins_with_a_stop_word_is_a_stop(word: str, gap: str, rest: str) -> None:
    """
    Whatever follows the word.
    """
    assert Stops() == read_reply(f"{word}{gap}{rest}")
    assert Stops() == read_reply(f"please {word.lower()}{gap}{rest}")


@settings(max_examples=examples(500))
@given(tables, ornament, ornament)
def test_ornament_changes_nothing(row: tuple[str, Reply], before: str, after: str) -> None:
    """
    Case, punctuation, emoji and white space around a message do not change what it says.
    """
    text, expected = row
    if unicodedata.normalize("NFKC", text).strip() and not re.search('[“"]', text):
        assert expected == read_reply(f"{before} {text} {after}")
        assert expected == read_reply(text.upper())
        assert expected == read_reply(text.title() if "'" not in text else text.swapcase())


@given(anything, asks_to_stop, anything)
def test_a_stop_in_a_sentence_of_its_own_wins(before: str, stop: str, after: str) -> None:
    """
    Nothing that is said beside a stop makes anything else of it, a yes least of all.
    """
    assert Stops() == read_reply(f"yes. {before} yes. {stop}. yes {after}")
    assert Stops() == read_reply(f"{before}\nyes\n\n{stop}\n\n1 {after}")
    assert Stops() == read_reply(f"START. {before}! {stop}! HELP {after}")


gaps = st.text(" ._-\n\t\u2003", min_size=1, max_size=3)


@given(st.sampled_from(["", "Hello, "]), st.sampled_from(["stop", "optout", "ŝtop"]), st.data())
def test_a_word_that_is_spelt_out_is_read(before: str, word: str, data: st.DataObject) -> None:
    """
    Whatever is between its letters: up to three spaces, full stops or lines.
    """
    spelt = word[0] + "".join(data.draw(gaps) + letter for letter in word[1:])
    assert Stops() == read_reply(f"{before}{spelt} and no more of it")


@given(
    st.lists(
        st.sampled_from(
            ["yes", "y", "please", "thanks", "but", "no", "not", "ok", "if", "maybe", "1", "by", "email", "what"]
        ),
        max_size=4,
    )
)
def test_only_a_yes_and_nothing_else_is_a_yes(words: list[str]) -> None:
    """
    Courtesy may stand beside it, and no other word.
    """
    said = [word for word in words if word not in ("please", "thanks")]
    assert (said in (["yes"], ["y"])) == (read_reply(" ".join(words)) == YES)
    assert read_reply("? ".join([*words, ""])) != YES


@given(
    st.lists(st.integers(1, MOST_OPTIONS), min_size=1, max_size=8), st.sampled_from([", ", ",", " and ", " & ", " "])
)
def test_numbers_are_read_as_they_are_listed(numbers: list[int], between: str) -> None:
    """
    Each once, in the order of the message.
    """
    assert Picks(tuple(dict.fromkeys(numbers))) == read_reply(between.join(map(str, numbers)))


@given(st.integers(MOST_OPTIONS + 1, 10**15))
def test_a_number_that_is_too_high_is_no_option(number: int) -> None:
    """
    A phone number, a year or an amount picks nothing.
    """
    assert Other() == read_reply(str(number))
    assert Other() == read_reply(f"1 and {number}")


# ---- long texts


def test_a_stop_at_the_beginning_counts_however_long_the_rest() -> None:
    """
    Of a text of a million characters the beginning is read, white space before it left out.
    """
    assert Stops() == read_reply("STOP " + "x" * 1_000_000)
    assert Stops() == read_reply("\n" * 1_000_000 + "STOP")


def test_of_a_text_that_is_cut_only_a_stop_is_believed() -> None:
    """
    A yes that goes on behind the limit is not the whole message.
    """
    assert YES == read_reply("yes" + " " * (LIMIT - 3))
    assert Other() == read_reply("yes" + " " * (LIMIT - 3) + "?")
    assert Stops() == read_reply("a" * (LIMIT - 5) + " stop")
    assert Other() == read_reply("a" * (LIMIT - 4) + " stop")
    assert Other() == read_reply("Liked “" + "a" * LIMIT + "”")
