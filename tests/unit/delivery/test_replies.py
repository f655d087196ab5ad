"""The table of replies, row by row; the words are of the kinds that real servers answer with."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from massmail_plugin.delivery.transports.base import Verdict
from massmail_plugin.delivery.transports.replies import Phase, meaning

CONNECT, EHLO, AUTH, MAIL, RCPT, DATA, DOT = Phase
BEFORE_THE_RECIPIENT = (CONNECT, EHLO, AUTH, MAIL)
ABOUT_THE_RECIPIENT = (RCPT, DATA, DOT)

TEMPORARY, SLOW_DOWN, POLICY = Verdict.TEMPORARY, Verdict.SLOW_DOWN, Verdict.POLICY
RECIPIENT, ACCOUNT, TOO_BIG = Verdict.RECIPIENT, Verdict.ACCOUNT, Verdict.TOO_BIG
UNREACHABLE, DOUBT = Verdict.UNREACHABLE, Verdict.DOUBT

#: F39-F44: plain refusals.
PLAIN = [
    *[(phase, "421 Service not available", UNREACHABLE) for phase in BEFORE_THE_RECIPIENT],
    *[(phase, "450 Busy", UNREACHABLE) for phase in BEFORE_THE_RECIPIENT],
    (CONNECT, "554 No SMTP service here", UNREACHABLE),
    (EHLO, "550 Go away", UNREACHABLE),
    (EHLO, "504 5.5.2 Helo command rejected: need fully-qualified hostname", UNREACHABLE),
    (AUTH, "535 5.7.8 Username and Password not accepted", ACCOUNT),
    (AUTH, "534 5.7.9 Application-specific password required", ACCOUNT),
    (AUTH, "530 5.7.0 Must issue a STARTTLS command first", ACCOUNT),
    (AUTH, "454 4.7.0 Temporary authentication failure", UNREACHABLE),
    (AUTH, "432 4.7.12 A password transition is needed", ACCOUNT),
    (MAIL, "451 4.3.2 System not accepting network messages", UNREACHABLE),
    (MAIL, "452 4.3.1 Insufficient system storage", UNREACHABLE),
    (MAIL, "550 5.1.8 Sender not known", ACCOUNT),
    (MAIL, "553 5.7.1 Sender address rejected: not owned by user", ACCOUNT),
    (MAIL, "550 5.1.1 No such user", ACCOUNT),
    *[(phase, "451 4.3.0 Try again later", TEMPORARY) for phase in ABOUT_THE_RECIPIENT],
    *[(phase, "421 4.3.2 Shutting down", TEMPORARY) for phase in ABOUT_THE_RECIPIENT],
    *[(phase, "450 no code", TEMPORARY) for phase in ABOUT_THE_RECIPIENT],
    *[(phase, "554 5.6.0 Content not wanted", RECIPIENT) for phase in ABOUT_THE_RECIPIENT],
    *[(phase, "550 no code", RECIPIENT) for phase in ABOUT_THE_RECIPIENT],
    (RCPT, "501 Syntax error in the address", RECIPIENT),
    (RCPT, "503 5.5.1 Bad sequence of commands", TEMPORARY),
    (DATA, "502 5.5.2 Command not recognized", TEMPORARY),
    (RCPT, "250 4.7.28 Taken", TEMPORARY),
    (DATA, "250 Taken", TEMPORARY),
    (DOT, "354 Go ahead", DOUBT),
]
#: F52: greylisting is no throttling.
GREYLISTED = [
    (RCPT, "451 4.7.1 Greylisting in action, please come back later", TEMPORARY),
    (RCPT, "450 4.2.0 <x@y.example>: Recipient address rejected: Greylisted", TEMPORARY),
    (RCPT, "451 4.7.1 Please try again later", TEMPORARY),
    (DOT, "451 4.7.1 Graylisted, too many new senders", TEMPORARY),
    (RCPT, "450 4.7.1 Client host rejected: postgrey limit reached", TEMPORARY),
]
#: F53: the server wants fewer mails, whoever the recipient.
THROTTLED = [
    *[(phase, "421 4.7.28 Gmail has detected an unusual rate of mail", SLOW_DOWN) for phase in Phase],
    *[(phase, "421-4.7.0 Try again later, closing connection.", SLOW_DOWN) for phase in Phase],
    *[(phase, "452 4.7.28 rate limited", SLOW_DOWN) for phase in (MAIL, RCPT, DATA, DOT)],
    (CONNECT, "421 4.3.2 Too many concurrent SMTP connections", SLOW_DOWN),
    (AUTH, "454 4.7.0 Too many login attempts, please try again later", SLOW_DOWN),
    (MAIL, "454 Throttling failure: Maximum sending rate exceeded.", SLOW_DOWN),
    (MAIL, "432 4.3.2 Concurrent connections limit exceeded", SLOW_DOWN),
    (RCPT, "452 4.5.3 Too many recipients", SLOW_DOWN),
    (RCPT, "451 4.7.500 Server busy. Please try again later", SLOW_DOWN),
    (DOT, "451 4.7.650 The mail server has been temporarily rate limited", SLOW_DOWN),
    (DOT, "421 4.7.0 [TSS04] Messages temporarily deferred due to unexpected volume", SLOW_DOWN),
    (DOT, "454 Throttling failure: Daily message quota exceeded.", SLOW_DOWN),
    (DOT, "550 5.4.5 Daily user sending limit exceeded", SLOW_DOWN),
    (DOT, "550-5.4.5 Daily SMTP relay limit exceeded for customer", SLOW_DOWN),
    (RCPT, "550 5.1.90 Your message can't be sent because you've reached your daily limit", SLOW_DOWN),
    (RCPT, "550 Domain x.example has exceeded the max emails per hour (125/100) allowed.", SLOW_DOWN),
    (DOT, "554 5.2.0 STOREDRV.Submission.Exception:SubmissionQuotaExceededException", SLOW_DOWN),
    (RCPT, "421 4.7.0 mx.example Error: too many errors", TEMPORARY),
]
#: The mailbox's own trouble is nobody else's.
MAILBOX_TROUBLE = [
    (RCPT, "452 4.2.2 The email account that you tried to reach is over quota", TEMPORARY),
    (RCPT, "450 4.2.1 The user you are trying to contact is receiving mail too quickly", TEMPORARY),
    (RCPT, "452 Mailbox quota exceeded", TEMPORARY),
    (RCPT, "552 5.2.2 Mailbox full", RECIPIENT),
    (DOT, "552 Requested mail action aborted: exceeded storage allocation", RECIPIENT),
    (RCPT, "550 5.2.1 The email account that you tried to reach is disabled", RECIPIENT),
    (DOT, "550 5.2.3 Message length exceeds the limit of this mailbox", RECIPIENT),
    (DOT, "552 Message rejected: mailbox size exceeded", RECIPIENT),
]
#: F54: too big for everybody.
TOO_LARGE = [
    (MAIL, "552 Message size exceeds fixed maximum message size", TOO_BIG),
    (MAIL, "552 5.3.4 Message size exceeds fixed limit", TOO_BIG),
    (MAIL, "552 No", TOO_BIG),
    (RCPT, "552 5.3.4 Message too big for system", TOO_BIG),
    (DOT, "552 5.3.4 Error: message file too big", TOO_BIG),
    (DOT, "552 message too large", TOO_BIG),
    (DOT, "523 the message size exceeds the limit", TOO_BIG),
    (DOT, "554 5.0.0 Your message exceeds the maximum size of 10 MB", TOO_BIG),
    (DOT, "550 5.2.3 RESOLVER.RST.SendSizeLimit.Org; message too large for this organization", TOO_BIG),
]
#: Rules A8 and W19: ours to mend, or one recipient's wish; never their fault.
OURS = [
    (RCPT, "550 5.7.1 Relaying denied", POLICY),
    (RCPT, "550 5.7.129 RESOLVER.RST.RestrictedToRecipientsPermission", POLICY),
    (DOT, "550-5.7.26 This mail is unauthenticated", POLICY),
    (DOT, "550 5.7.515 Access denied, sending domain does not meet the level", POLICY),
    (DOT, "421-4.7.26 This mail has been rate limited because it is unauthenticated.", POLICY),
    (DOT, "421 4.7.32 Your email has been rate limited: DMARC", POLICY),
    (RCPT, "550 5.1.8 <us@x.example>: Sender address rejected: Domain not found", POLICY),
    (RCPT, "553 5.1.7 Bad sender address syntax", POLICY),
    (RCPT, "530 Authentication required", POLICY),
    (RCPT, "550 relay access denied", POLICY),
    (DOT, "554 Message blocked, see https://www.spamhaus.org/", POLICY),
    (DOT, "550 5.4.6 Unusual sending activity detected. Please try after sometime.", POLICY),
    (DOT, "554 Message rejected: Sending suspended for this account.", POLICY),
]
#: A second copy under the same idempotency key: nobody knows what became of the first.
SECOND_COPY = [(DOT, "554 This idempotency key was used with another message", DOUBT)]


@pytest.mark.parametrize(
    ("phase", "reply", "verdict"),
    [
        *PLAIN,
        *GREYLISTED,
        *THROTTLED,
        *MAILBOX_TROUBLE,
        *TOO_LARGE,
        *OURS,
        *SECOND_COPY,
    ],
    ids=str,
)
def test_reply(phase, reply, verdict):
    code, words = int(reply[:3]), reply[4:].encode()
    outcome = meaning(phase, code, words)
    assert outcome.verdict is verdict
    assert not outcome.no_such_mailbox
    assert outcome.reply == f"{code} {words.decode()}"


@pytest.mark.parametrize("phase", ABOUT_THE_RECIPIENT)
@pytest.mark.parametrize(
    "reply",
    [
        "550 5.1.1 <x@y.example>: Recipient address rejected: User unknown",
        "550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found",
        "550 5.1.2 Host or domain name not found",
        "550 5.4.4 Unable to route",
        "501 5.1.3 Bad recipient address syntax",
        "550 No such user here",
        "551 User unknown",
        "553 sorry, no mailbox here by that name",
        "550-5.1.1 The email account\n5.1.1 that you tried to reach does not exist",
        "550 #5.1.1 Mailbox not found",
    ],
)
def test_a_mailbox_that_does_not_exist_is_told_apart(phase, reply):
    outcome = meaning(phase, int(reply[:3]), reply[4:].encode())
    assert outcome.verdict is RECIPIENT
    assert outcome.no_such_mailbox


def test_the_code_wins_over_the_words():
    assert meaning(RCPT, 550, b"5.7.1 no such user").verdict is POLICY
    assert meaning(RCPT, 451, b"5.1.1 user unknown, or not").verdict is TEMPORARY
    assert not meaning(RCPT, 550, b"No such user, blocked for spam").no_such_mailbox


@pytest.mark.parametrize("words", [b"refused for 10.5.7.1", b"refused by 5.7.1.22", b"Exim 5.7.1.2 refuses"])
def test_an_ip_address_or_a_version_is_no_code(words):
    assert meaning(RCPT, 550, words).verdict is RECIPIENT


_CODES = st.one_of(st.integers(200, 599), st.just(-1))
_WORDS = st.one_of(
    st.binary(max_size=300),
    st.sampled_from([rule[1][4:].encode() for rule in [*PLAIN, *THROTTLED, *TOO_LARGE, *OURS]]),
)


@given(st.sampled_from(list(Phase)), _CODES, _WORDS)
def test_any_reply_has_a_meaning_and_only_a_yes_to_the_dot_is_a_yes(phase, code, words):
    outcome = meaning(phase, code, words)
    assert (outcome.verdict is Verdict.ACCEPTED) == (phase is DOT and 200 <= code < 300)
    if phase is not DOT:
        assert outcome.verdict is not DOUBT, "Nothing was sent yet."
    if not 400 <= code < 600:
        assert outcome.verdict in (Verdict.ACCEPTED, DOUBT, TEMPORARY, UNREACHABLE)
    if 400 <= code < 500:
        assert outcome.verdict is not RECIPIENT
    if phase in BEFORE_THE_RECIPIENT:
        assert outcome.verdict not in (RECIPIENT, TEMPORARY), "Nobody's attempt is used."


@pytest.mark.parametrize("phase", list(Phase))
def test_endless_words_are_read_in_no_time_and_cut(phase):
    for word in (b"exceeded ", b"message ", b"daily ", b"a" * 10, b"limit "):
        assert len(meaning(phase, 550, word * 100_000).reply) <= 1000
