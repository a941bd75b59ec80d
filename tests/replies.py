"""
Requests to stop, as people and providers write them.
"""

from __future__ import annotations

from collections.abc import Iterator


def lines(text: str) -> list[str]:
    return [line for line in text.splitlines() if line]


# What providers act on. Twilio: https://www.twilio.com/docs/messaging/tutorials/advanced-opt-out. AWS:
# https://docs.aws.amazon.com/sms-voice/latest/userguide/keywords-required.html. The FCC counts the first seven, and
# "opt out", as clear by themselves: 47 CFR 64.1200(a)(10). All read 2026-11-23.
PUBLISHED_STOPS = ["STOP", "QUIT", "END", "REVOKE", "CANCEL", "UNSUBSCRIBE", "OPTOUT", "STOPALL", "ARRET", "OPT-OUT",
                   "REMOVE", "TD", "OPT OUT"]  # fmt: skip
PUBLISHED_STARTS = ["START", "UNSTOP"]
PUBLISHED_HELPS = ["HELP", "INFO"]

# May stand first in a message that goes on.
STOP_WORDS = [word for word in PUBLISHED_STOPS if word != "TD"]

STOPS = lines(
    """
stop
Stop.
STOP!
stop!!!!
Stop?
"STOP"
“Stop”
‘stop’
'stop'
*STOP*
_stop_
(stop)
>STOP<
...stop...
STOP STOP STOP
stopstop stop
Stop stop stop!!
Stop please
please stop
Pls stop
plz stop
stop pls
stop plz x
please STOP
Please can you stop
Stop thank you
STOP, thanks
Stop. Thank you
Stop it
stop this
Stop this now
Stop now please
STOP ALL
stop all texts
STOP1
STOP 2
stop 60070
STOP to 60070
text STOP to 60070
s t o p
S T O P
S.T.O.P
s-t-o-p
S.T.O.P. please
s t o p texting me
st op
sto p
s top
stoppp
STOOOOP
stooopppp pls
sstop
stpo
sotp
tsop
stpo texting me
st0p
5top
stp
stip
stio
atop
Stip please
stoptexting
stopit
stoppls
stopnow
STOPALL
stop-all
ＳＴＯＰ
𝐒𝐓𝐎𝐏
🅂🅃🄾🄿
Ⓢⓣⓞⓟ
ŠTOP
stóp
🛑
🛑🛑🛑
please 🛑
stop 🙏
🙏 stop 🙏
stop😡
STOP 🤬🤬
😡stop😡
✋stop
stop texting me
stop texting
Stop texting this number
please stop texting me
pls stop texting me
plz stop txting me
stop messaging me
Stop msging me
STOP sending me texts
stop sending these
stop sending me this rubbish
please stop sending me messages thank you
Can you please stop sending me these
could you stop with the texts please
can u stop
would you kindly stop
I want you to stop
I want this to stop
I'd like you to stop texting
I would like to stop receiving these messages
How do I stop these?
how do i stop getting these texts
How can I make this stop?
when will this stop
why won't you stop
why dont you stop texting me
you don't stop
you do not stop
u do not stop
that does not stop
those never stop
these never stop
your messages will not stop
you still won't stop
it still did not stop
we still won't stop
the stop link/button failed
The stop word
your stop code
what is the stop code
the stop option
Is the stop message free
the stop text
the stop request I sent
the stop reply I sent
a stop now
a stop please
I can't stop it
I can't stop them
I can't stop u
I can't stop coming home to your texts
cant stop texts
please don't cancel it just stop
Never opt me out, stop
don't take it, or stop
don't block it stop
please never unsub stop
this does not stop
I'd like you to not stop by, just stop
you won't stop texting me will you
U never stop
these texts wont stop
your messages don't stop
it does not stop
they never stop
I asked you to stop
I already said STOP
I said stop!!!
I told you to stop last week
I've sent STOP three times
I sent stop yesterday and you still text
I can't stop these texts
cant stop getting these
I can't stop receiving your messages
can't stop you texting me
you need to stop
You must stop
put a stop to this
Put a stop to these texts
the stop link does not work
The STOP button is broken
a STOP text does nothing
stop or I report you to the ICO
Stop contacting me or I'll complain
stop spamming
stop harassing me
Stop bothering me
stop wasting my time
Stop ffs
for gods sake stop
Omg stop
ok stop
OK, stop.
No stop
no, stop
NO STOP
no thanks stop
No thank you, please stop
yes stop
yes but stop
Yes, stop
yes please stop
Yes. STOP
Y stop
1 stop
1 and stop
help stop
start stop
not interested, stop
Not interested. Stop texting
who is this? stop
Who's this? Stop.
Hi, please stop
Hello stop texting me please
Hi Acme, can you stop these texts? Thanks, Ada
Dear Acme, please stop.
STOP by order of my husband
stop by the shop tomorrow
Stop press
Stop in the name of love
please stop at once
I want this to stop at once
I want to stop in future
I want to stop in the future
I want to stop at once
Can we stop at any time?
I can't stop unsubscribe me
dont, stop
Don't! Stop!
no dont. stop
Please don't... stop
don't ✋ stop
I love your shop but stop the texts
Great offers but stop please
Thanks for the offer. Stop.
Count me in! We have got to STOP this
I got off at the bus stop. Now stop texting me
I can't stop laughing, now stop
don't stop me going, just stop texting
is STOP free?
What happens if I reply STOP?
unstop stop
STOPIO
want these stopped
I want these texts stopped
Please get these messages stopped
can these be stopped
unsubscribe
Unsubscribe.
UNSUBSCRIBE ME
unsubscribe please
please unsubscribe
Pls unsubscribe me
Unsubscribe me please!
unsubscribed
unsubscribing
I want to unsubscribe
I'd like to unsubscribe
how do i unsubscribe
How do I unsubscribe from this?
why can't I unsubscribe
I unsubscribed weeks ago
un subscribe
un-subscribe
u n s u b s c r i b e
unsub
UNSUB
Unsub me
unsubs
un sub
unsuscribe
unsubcribe
unsubscibe
unsubsribe
unscribe
unsubscrib
UNSUBSCRBE
optout
opt out
Opt out.
Opt-out
OPT OUT PLEASE
opt me out
Please opt me out
opting out
I'm opting out
I opted out
I have opted out of this
i want to opt out
How do I opt out?
opt us out
otp out
opt-outs
end
END.
End please
please end
end this
End it now
end these messages
please end your texts
cancel
Cancel.
CANCEL
cancel please
please cancel
cancel this
Cancel this please
cancel it
cancel all
cancel my subscription
cancel texts
I want to cancel
i would like to cancel
Can you cancel these messages please
pls cancel these texts
yes cancel
No, cancel
ok cancel
cancel my order
quit
Quit it
QUIT!
please quit
quit texting me
Would you please quit sending me these
quit bothering me
I want to quit
revoke
Revoke.
revoke consent
I revoke my consent
revoke my permission
I withdraw consent
i withdraw my consent
Withdraw permission please
I am withdrawing my consent to texts
cancel my consent
remove
Remove.
remove please
Please remove
remove me
Remove me.
please remove me
Remove me please!
pls remove me from your list
Remove me from this list
remove us
remove my number
Please remove my number from your system
remove my name
remove my details
please remove this number
remove from list
remove from your list please
remove from all lists
Can I be removed
I want to be removed
I asked to be removed
we'd like to be removed
I'd like my number removed from your database
delete
delete me
delete my number
Please delete my number
delete my details
delete my data
Erase my details
Delete my account please
take me off
Take me off.
take me off your list
Take me off this list please
pls take me off ur list
Take my number off
take my number off your list
take my name off your list
take us off your mailing list
please take me off of this
can I be taken off
can i please be taken off the list
get me off this list
how do I get off this list
I want off your list
off your list please
get me out of this
cross me off your list
strike me from your records
lose my number
Lose my number!
Forget my number
no more
No more.
No more!!
no more please
no more thanks
please no more
no more texts
No more texts please
no more messages
no more of these messages
No more of your texts
no more marketing
no more bloody texts
Right, no more spam
no texts
No texts please
no marketing
no spam
no calls
no messages thank you
don't text me
Don't text me again
dont text me
dont txt me
do not text me
Do not text this number
don't text
Do Not Text
donot text me
dnt text me
Don't ever text me
don't ever text me again
please don't text me
pls dont text me no more
Please do not text me again
I said don't text me
don't message me
Don't message me again
dont msg me
do not message
don't contact me
do not contact me
DO NOT CONTACT ME AGAIN
Do not contact this number
don't contact
please don't contact me
I asked you not to contact me
told you not to text me
not to be contacted
I wish not to be contacted
don't call me
do not call me again
don't call
don't ring me
don't phone me again
do not email me
don't write to me
don't send me anything
Don't send me any more
don't send any more texts
Do not send messages
dont send me texts
don't send these
don't bother me
dont spam me
do not disturb
never text me
Never contact me again
never text me again
no longer contact me
I don't want these
I don't want these.
i dont want these texts
I don't want texts
I do not want any more texts
I don't want any messages
I dont want your messages
I don't want to receive these
I don't want to receive any more messages
I do not wish to receive these messages
i no longer wish to receive texts
I no longer want your marketing
don't want this
Don't want these thanks
I dont want this anymore
We don't want any texts from you
I never wanted these texts
I don't want to be contacted
I do not wish to be contacted
I don't wish to be texted
i dont want to hear from you
I don't want anything from you
I don't like these texts
I don't need your texts
I never signed up for this
I didn't sign up
i did not sign up to this
never subscribed
I didn't subscribe to this
never opted in
I did not opt in
I never consented
I did not consent to this
I do not consent
i don't consent
I never asked for this
I didn't ask for these messages
I never agreed to this
i never gave you permission
I didn't give consent
didnt give you my consent
I object
I object to this
I hereby object to direct marketing
I strongly object
I want to object to direct marketing
cease
cease and desist
Cease and desist!
I demand you cease and desist
please cease texting
cease all contact
discontinue
please discontinue
Please discontinue these messages
terminate
halt
block
block me
please block my number
blocked
Blocked!
I'm blocking you
I have blocked this number
you have been blocked. I blocked you
leave me alone
Leave me alone!!
please leave me alone
leave us alone
leave me be
Leave me out of this
go away
Go away!
get lost
shut up
get stuffed
jog on
fuck off
F off
f*** off
F**k off
eff off
piss off
bugger off
sod off
naff off
fuck you
wrong number
Wrong number.
wrong number mate
WRONG NUMBER!!
You have the wrong number
sorry wrong number
Sorry, you've got the wrong number
I think you have the wrong number
this is the wrong number
wrong num
Wrong no.
wrong person
you have the wrong person
I believe you have the wrong person
Wrong guy
wrong recipient
Sent from my iPhone. Stop
arret
Arrêt
ARRÊTEZ
stopio
Stopio os gwelwch yn dda
stopiwch
Stopiwch!
stopia
stopio plis
Dwi eisiau stopio
dad-danysgrifio
Dad-danysgrifio
dad danysgrifio
daddanysgrifio
Dad-danysgrifiwch fi
Hoffwn ddad-danysgrifio
datdanysgrifio
optio allan
Optio allan os gwelwch yn dda
Hoffwn optio allan
optiwch fi allan
dim mwy
Dim mwy!
dim rhagor
dim mwy diolch
Dim mwy o negeseuon
dim rhagor o negeseuon os gwelwch yn dda
dim negeseuon
dim mwy o decstiau, dim mwy o hyn
dim rhagor o hyn
peidiwch
Peidiwch!
Peidiwch â chysylltu
peidiwch a chysylltu
Peidiwch â chysylltu â mi eto
peidiwch ag anfon negeseuon
Peidiwch â thecstio
peidiwch byth â ffonio
Plis peidiwch ag anfon mwy
paid â thecstio fi
Paid ag anfon dim mwy
Dw i ddim eisiau negeseuon
dwi ddim isio tecsts
Dydw i ddim eisiau derbyn negeseuon
dwi'm yn hapus, ddim eisiau mwy o negeseuon
tynnwch fi oddi ar y rhestr
Tynnwch fy rhif oddi ar eich rhestr
tynnwch fy enw
oddi ar y rhestr os gwelwch yn dda
Dilëwch fy rhif
dilewch fy manylion
canslo
Canslwch hyn. canslo
gorffen
diwedd
rhif anghywir
Rhif anghywir sori
gadewch lonydd i mi
Gadewch lonydd!
gad lonydd i fi
gadewch i fi fod
td
unsubscription
unsubscription request
DND
dnc please
spam
This is spam
this is junk mail
✋
🚫
⛔!!
🙅‍♀️
✋🏽 🛑
forget me
please forget me
Object
You are blocked
ur blocked
Loose my number
STAHP
I want out
Dileu
Atal
Paid
dileu plis
Désabonner
Désabonnez-moi s'il vous plaît
Désinscription
Je ne veux plus recevoir vos mails
Ne m'envoyez plus de messages
Merci de me retirer de votre liste
ne me contactez plus svp
Arrêtez
Plus de SMS merci
Laissez-moi tranquille
Bitte keine E-Mails mehr
Bitte schreiben Sie mir nicht mehr
Bitte nicht mehr schreiben
Abmelden
Ich möchte keine weiteren Nachrichten erhalten
Nehmen Sie mich aus dem Verteiler
Hören Sie auf
Löschen Sie meine Daten
Lassen Sie mich in Ruhe
Darme de baja
BAJA
No me envíen más mensajes
No quiero recibir más correos
Dejen de escribirme
Quiero darme de baja
no mas sms
Cancelen mi suscripción
Proszę mnie wypisać
Nie chcę więcej wiadomości
nie wysylajcie mi wiecej smsow
Proszę nie dzwonić
Wypiszcie mnie z listy
Rezygnuję
usuń mnie z listy
Cofam zgodę
band karo
msg band kar do
mat bhejo
mujhe message mat karo
nahi chahiye
بند کرو
پیغام مت بھیجو
مجھے نہیں چاہیے
براہ کرم بند کریں
ਬੰਦ ਕਰੋ
ਮੈਸੇਜ ਨਾ ਭੇਜੋ
ਸੁਨੇਹੇ ਬੰਦ ਕਰੋ ਜੀ
ਨਹੀਂ ਚਾਹੀਦਾ
Nu mai vreau mesaje
Non voglio più ricevere messaggi
Hello, stop. Merci!
"""
)

NOUNS = (
    "text/texts/txt/txts/texting/message/messages/messaging/msg/msgs/mesage/mesages/sms/email/emails/e-mail/e-mails/mail/"
    "mails/mailing/mailings/call/calls/calling/spam/marketing/junk/ad/ads/advert/adverts/advertising/offers/promo/promos/"
    "promotion/promotions/newsletter/newsletters/notification/notifications/alert/alerts/communication/communications/"
    "correspondence/subscription/subscriptions/contact"
)
KINDS = (
    "all/any/my/your/ur/the/these/those/this/that/such/further/future/more/other/of/from/me/us/to/be/being/get/getting/"
    "have/keep/receive/receiving/hear/hearing/sent/sending/marketing/promotional/direct/text/stupid/bloody/fucking"
)
FILLERS = (
    "please/pls/plz/plse/thanks/thank_you/thank_u/thx/ta/cheers/sorry/just/now/asap/immediately/at_once/ok/okay/yes/no/it/"
    "this/that/these/those/them/all/everything/me/and/ever/forever/again/anymore/any_more/want_to/wish_to/need_to/"
    "i_want_to/we_want_to/i_would_like_to/we_would_like_to/i'd_like_to/can_you/could_you/would_you/will_you/can_u/can_i/"
    "plis/diolch/os_gwelwch_yn_dda/nawr/rwan"
)
MINE = (
    "me/us/my_number/my_name/my_details/my_data/my_email/my_e-mail/my_phone/my_mobile/my_contact/my_info/my_account/"
    "this_number/this_phone/this_mobile/this_email/the_number"
)
LISTS = "list/lists/database/system/records/mailing_list"


def each(*phrases: str) -> Iterator[str]:
    """
    Yield each phrase with each of its words in turn, where a word is one of several with a slash between them.
    """
    for phrase in phrases:
        slots = [slot.split("/") for slot in phrase.split(" ")]
        first = [words[0] for words in slots]
        for place, words in enumerate(slots):
            for word in words:
                yield " ".join([*first[:place], word, *first[place + 1 :]]).replace("_", " ").strip()


STOPS += each(
    "do_not/dont/dnt/donot/never/not_to/no_longer/do_not_ever/do_not_please/dont_you/dont_u "
    "text/txt/texting/message/messaging/msg/sms/contact/contacting/bother/spam/disturb/pester/harass me",
    "dont call/ring/phone/email/e-mail/mail/write/send/write_to me/us/any/these/those/this/them/more/anything/again",
    "dont_send/never_mail " + NOUNS,
    "please_dont call./ring./phone./email./mail./write. ok",
    "I_wish/I_want/I_ask not_to/not_want_to/not_wish_to be contacted/texted/messaged/called/emailed/marketed/bothered",
    "I do_not/don't/no_longer/never/did_not/didn't/do_not_really/do_not_actually want/wanted/wish/wanna/need/like "
    + KINDS + " " + NOUNS,
    "I do_not want_to_be/like_being contacted/texted/messaged/bothered/called/emailed",
    "I dont want_to_be contacted/texted/messaged/bothered/called/emailed",
    "I do_not/dont/no_longer want/wish/want_to_have/want_to_get/want_to_receive this/these/those/them "
    "please/thanks/anymore/any_more/thanks._Bye",
    "give_me no_more " + KINDS + " " + NOUNS,
    "no " + KINDS + " " + NOUNS,
    "I did_not/didnt/never sign_up/signed_up/subscribe/subscribed/opt_in/opted_in for_this",
    "I never/did_not/didnt/do_not/dont/have_not/havent consent/consented to_it",
    "I never/did_not/didnt ask_for/asked_for/agree_to/agreed_to/request/requested this/these/them/any_of_it/your_ad",
    "I never asked_for " + NOUNS,
    "I never/did_not/didnt give/gave you/u my/any consent/permission",
    "I never gave consent",
    "I hereby withdraw/revoke/remove/cancel my/all consent/permission",
    "I am withdrawing " + KINDS + " consent",
    "i/i_hereby/i_strongly/i_do object",
    "the_right_to object_to_direct/object_to marketing",
    "I_must_ask_you_to cease/discontinue/terminate/quit/end/cancel/halt/desist/block " + KINDS + " " + NOUNS,
    "I_must_ask_you_to cease sending/contacting/emailing/bothering/spamming/harassing/pestering us",
    "you_must cease_and_desist here",
    "I want/need/like/get the texts/messages/damn_texts stopped",
    "to be stopped",
    "can_you take/get/strike/cross " + MINE + " off/out_of_it",
    "can_you strike us from_your_books",
    "I_want off/off_of this/that/your/ur/the/all/any big_old/big/_ " + LISTS,
    "Ada_says remove/delete/erase/unlist " + MINE,
    "can_it_be remove/removed from_the_big_old/from_your/from_our/from " + LISTS,
    "I_want to be removed/taken_off/deleted today",
    "may i/we be removed",
    "just lose/forget my/this number/details ok",
    "I block/blocked/am_blocking me/you/u/this_number/your_number/ur_number/my_number today",
    "just leave me/us alone/be/out ok",
    "oh fuck/f/fck/fk/eff/piss/bugger/sod/naff/bog off you",
    "oh fuck you/u man",
    "got_the wrong number/num/nmbr/numbr/no/person/guy/recipient mate",
    "yes,_please end/cancel/quit/revoke/remove/delete/cease/desist/discontinue/terminate/halt/block/blocked/no_more/"
    "go_away/get_lost/shut_up/get_stuffed/jog_on/peidiwch/canslo/canslwch/gorffen/gorffennwch/diwedd/dim_mwy/dim_rhagor/"
    "dim_negeseuon/dim_tecst/dim_tecsts/dim_tecstiau",
    FILLERS + " block " + FILLERS,
    "stopall/stopit/stopnow/stopplease/stoppls/stopplz/stopthanks/stopme/stopthis/stopthat/stopthese/stoptext/stoptexts/"
    "stoptexting/stoptxt/stoptxts/stopmessage/stopmessages/stopmessaging/stopmsg/stopmsgs/stopsms/stopspam ok",
    "oh stop/stop1/stop123456/sstop/sttop/stoop/stopp/sotp/stpo/tsop/st0p/5top/unsubscribe/unsubscrbe/un_subscribe/"
    "unsubscibe/unsubsribe/unsub/unsubs/un_sub/opt_out/otp_out/opting_out/opted_out/opt_me_out/opt_us_out/optout/"
    "opt_outs/arret/arretez/stopio/stopia/stopiwch/dad_danysgrifio/daddanysgrifio/ddad_danysgrifio/"
    "dat_danysgrifio/optio_allan/optiwch_allan/optia_allan/optio_fi_allan/optio_ni_allan then",
    "please/pls/plz/plse/plis/kindly/just/sorry/hi/hello/hey/hiya/helo/. "
    "end/cancel/quit/revoke/remove/delete/cease/desist/discontinue/terminate/halt/canslo/canslwch/gorffen/gorffennwch/"
    "diwedd it_all_today",
    "stop/stp/sto/stpp/stip/stio/stoo/stol/stopo/srop/syop/sgop/dtop/atop/ztop/xtop/td/un_subsc_ribe/sto_pall/opt_o_ut "
    "please/many_thanks/thank_u/plse/thx",
    # Welsh
    "plis, peidiwch/peidio/paid/peidiwch_byth a/ag anfon/danfon/hala/gyrru/cysylltu/chysylltu/gysylltu/tecstio/"
    "thecstio/negeseuo/ffonio/fonio/poeni/phoeni/e-bostio/ebostio/trafferthu fi",
    "peidiwch anfon",
    "yna dim mwy/rhagor/mwy_o negeseuon/negesau/tecst/tecsts/tecstiau/destunau/hyn/e-byst/ebyst/sbam i_mi",
    "dwi_ddim eisiau/isio/moyn/am cael/derbyn/mwy/rhagor/o/y/yr/eich/dy/unrhyw "
    "negeseuon/negesau/tecst/tecsts/tecstiau/hyn/rhain/e-byst/ebyst/clywed/chi",
    "plis tynnwch/tynna/tynnu/dilewch/dilea/dileu fi/ni/fy_enw/fy_rhif/fy_manylion/fy_e-bost/fy_ebost",
    "ewch_a_fi oddi_ar y/eich/ych/dy/_ rhestr",
    "plis gadewch/gad lonydd/fi_fod/ni_fod/i_fi_fod/fi_lonydd/fi_mewn_heddwch",
    "mae_hwn_yn rhif/person anghywir/rong",
)  # fmt: skip

STOPS += [
    "e n d",
    "e.n.d",
    "e-n-d",
    "e_n_d",
    "e\tn\td",
    "e   n   d",
    "stip! please",
    "Liked “Reply YES or STOP” but please stop",
    "Reacted 🛑 to “May we text you?”",
    "🛑 to “May we text you?”",
    "S\u20ddT\u20ddO\u20ddP\u20dd",
    "plea\x00se rem\x00ove me",
    "don\u2018t text me",
    "stop\n",
    "\n\nstop",
    "  stop  ",
    "\tstop",
    "stop\r\n\r\nSent from my iPhone",
    "Stop\n-- \nAda Lovelace\n1 High Street",
    "Not me\nStop",
    "No\nStop",
    "don't\nstop",
    "bus\nstop",
    "please do not\ncontact me",
    "take me off\r\nyour list",
    "Dear Acme\n\nPlease remove me from your\nlist.\n\nAda",
    "s\u200bt\u200bo\u200bp",
    "\ufeffSTOP",
    "st\u00adop",
    "STOP\ufe0f",
    "\u202astop\u202c",
    "stop\u00a0please",
    "\x00s\x00t\x00o\x00p",
    "stop\ud83d",
    "\ud83dstop",
    "don\u2019t text me",
    "don`t text me",
    "don\u00b4t text me",
    "DON\u02bcT TEXT ME",
    "ＤＯＮ＇Ｔ　ＴＥＸＴ　ＭＥ",
]
