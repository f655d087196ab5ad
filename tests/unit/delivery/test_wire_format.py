"""What goes over the wire ends only where we say (rules W1-W3 of SMTP: line ends, dot-stuffing)."""

from hypothesis import given
from hypothesis import strategies as st

from massmail_plugin.delivery.transports.smtp import wire_format


def _receive(data: bytes) -> bytes:
    """Read a message as a server does: until a line that is a lone dot."""
    lines = []
    for line in data.split(b"\r\n"):
        if line == b".":
            break
        lines.append(line[1:] if line.startswith(b".") else line)
    else:
        raise AssertionError("the message has no end")
    return b"\r\n".join(lines)


@given(st.lists(st.sampled_from([b".", b"..", b".x", b"x", b"\r", b"\n", b"\r\n", b"a.b"]), max_size=30))
def test_any_body_arrives_whole_and_ends_nowhere_else(parts):
    message = b"".join(parts)
    data = wire_format(message)
    assert data[-2:] == b"\r\n"
    assert b"\r" not in data.replace(b"\r\n", b"")
    assert b"\n" not in data.replace(b"\r\n", b"")
    normal = message.replace(b"\r\n", b"\n").replace(b"\r", b"\n").replace(b"\n", b"\r\n")
    assert _receive(data + b".\r\n") == normal.removesuffix(b"\r\n")


def test_a_smuggled_end_of_data_is_made_harmless():
    assert b"\r\n.\r\n" not in wire_format(b"a\n.\nMAIL FROM:<x@y.example>\r\n")
    assert b"\r\n.\r\n" not in wire_format(b"a\r.\rb")
