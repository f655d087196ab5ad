"""Whatever bytes a server sends, the driver does not raise, and calls nothing sent that the server has not taken."""

import re
import socket

from hypothesis import example, given, settings
from hypothesis import strategies as st

from massmail_plugin.delivery.transports.base import Verdict
from massmail_plugin.delivery.transports.smtp import SmtpTransport
from tests.integration.transports.conftest import Fence, PlainMail, an_unsaved_account
from tests.scripted_server import Line, ScriptedServer, greet

_USUAL = (b"250 2.1.0 OK\r\n", b"250 2.1.5 OK\r\n", b"354 Go ahead\r\n", b"250 2.0.0 Taken\r\n")
_PIECES = st.sampled_from(
    [
        b"250",
        b"354",
        b"550",
        b"421",
        b"-",
        b" ",
        b"\r\n",
        b"\n",
        b"\r",
        b"\x00",
        b"\xff",
        b".",
        b"2",
        b"x" * 3000,
    ]
)
_ANY = st.one_of(
    st.binary(max_size=60),
    st.lists(_PIECES, max_size=12).map(b"".join),
    st.sampled_from(
        [b"250-a\r\n250 b\r\n", b"550 no\r\n", b"451 later\r\n", b"250 OK\r\n250 OK\r\n", b"354 \r\n"]
    ),
)
_YES = re.compile(rb"(?m)^2\d\d(?:[ -]|\r?$)")


@st.composite
def _answers(draw):
    """Four answers, of which one at least is anything; after it the server says no more."""
    usual = draw(st.integers(0, 3))
    return [*_USUAL[:usual], draw(_ANY)]


@settings(max_examples=150, deadline=None)
@example([b"250 2.1.0 OK\r\n", b"250 2.1.5 OK\r\n", b"354 Go ahead\r\n", b"200\r\r\n"], "PIPELINING")
@given(_answers(), st.sampled_from(["PIPELINING", "SIZE"]))
def test_nothing_is_called_sent_that_the_server_has_not_taken(answers, keyword):
    after_the_dot = []

    def play(line: Line) -> None:
        greet(line, keyword)
        waiting = list(answers)
        for _command in range(3):
            line.hear()
            if not _say(line, waiting):
                break
        if line.hear_body():
            after_the_dot.append(waiting[0] if waiting else b"")
            _say(line, waiting)

    fence = Fence()
    with ScriptedServer(play) as server:
        transport = SmtpTransport(an_unsaved_account(server))
        outcome = transport.deliver(PlainMail(), fence)
        transport.close()
    if outcome.verdict is Verdict.ACCEPTED:
        assert after_the_dot
        assert _YES.search(after_the_dot[0])
    if outcome.verdict is Verdict.DOUBT:
        assert fence.asked == 1
    if not fence.asked:
        assert not after_the_dot


def _say(line: Line, waiting: list[bytes]) -> bool:
    """Send the next answer; after the last one, nothing more will come. Returns whether there is more to say."""
    if waiting:
        line.send(waiting.pop(0))
    if not waiting:
        line.connection.shutdown(socket.SHUT_WR)
    return bool(waiting)
