"""The way out: one SMTP server (RFC 5321), and what became of each message.

What decides is the moment. Before the message is begun nothing can have been taken over; once it is, a lost
connection leaves that unknown (RFC 5321 section 4.2.5), and only the server's answer settles it.
"""

from __future__ import annotations

import re
import smtplib
import socket
import ssl
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from urllib.parse import urlsplit

from reconciler.cleaning import one_line
from reconciler.mail.addresses import wire_address, without_addresses

_LONGEST_TEXT = 300
_LONGEST_PROXY_ANSWER = 8_192
_GO_AHEAD = 354
_CLOSING = 421
_SIGN_IN_FIRST = 530
_TOO_LARGE = 552


class Outcome(StrEnum):
    """What became of a message, as far as can be known."""

    SENT = "sent"  # the server has taken it over
    DEFERRED = "deferred"  # it has not, and may later
    REFUSED = "refused"  # it has not, and will not: 5xx for this recipient or this message
    UNKNOWN = "unknown"  # lost after the message was begun: it may have taken it over


@dataclass(frozen=True, slots=True)
class Delivery:
    """An outcome, the server's code (0 where it gave none) and its words without addresses."""

    outcome: Outcome
    code: int
    text: str


class Encryption(StrEnum):
    """How the way to the server is encrypted."""

    STARTTLS = "starttls"
    IMPLICIT = "implicit"
    NONE = "none"


@dataclass(frozen=True)
class Server:
    """Where mail is handed over. ``hello`` is the name we greet with; ``timeout`` in seconds for one answer;
    ``proxy`` an http:// address whose CONNECT leads there; ``ca_file`` replaces the usual authorities."""

    host: str
    port: int
    encryption: Encryption
    hello: str
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    proxy: str | None = None
    ca_file: str | None = None
    timeout: float = 60.0


class _Answered(Exception):
    """The server said no. ``about_this``: to this recipient or message, not to us."""

    def __init__(self, code: int, words: bytes | str, *, about_this: bool = False) -> None:
        text = words.decode("utf-8", "replace") if isinstance(words, bytes) else words
        super().__init__(text)
        self.code = code
        self.text = text
        self.about_this = about_this

    def delivery(self) -> Delivery:
        refused = self.about_this and 500 <= self.code < 600
        return Delivery(Outcome.REFUSED if refused else Outcome.DEFERRED, self.code, _told(self.text))


_LOST = (OSError, smtplib.SMTPException)
"""What a connection dies of: smtplib's own errors of this kind, sockets', TLS's and time-outs."""


class Smtp:
    """An SMTP server. The connection is kept from one message to the next; one thread at a time."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._wire: _Wire | None = None

    def send(self, sender: str, recipient: str, message: bytes) -> Delivery:
        """Hand one message over. Raises nothing: whatever happens is an outcome."""
        address = wire_address(recipient)
        if address is None:
            return Delivery(Outcome.REFUSED, 0, "this is no address that mail can be sent to")
        try:
            self._open_envelope(sender, address, len(message))
        except _Answered as answered:
            self._after(answered.code)
            return answered.delivery()
        except _LOST as lost:
            self._drop()
            return Delivery(Outcome.DEFERRED, 0, _why(lost))
        return self._hand_over(message)

    def try_out(self) -> str | None:
        """Connect and sign in, and nothing more; what is wrong, if anything is."""
        try:
            self._connected()
        except _Answered as answered:
            return _told(f"{answered.code} {answered.text}" if answered.code else answered.text)
        except _LOST as lost:
            return _why(lost)
        finally:
            self.close()
        return None

    def close(self) -> None:
        """Hang up, if connected."""
        wire, self._wire = self._wire, None
        if wire is not None:
            try:
                wire.quit()
            except _LOST:
                wire.close()

    # One message ---------------------------------------------------------------------------------

    def _open_envelope(self, sender: str, recipient: str, size: int) -> None:
        """Everything before the message. A kept connection that has died meanwhile is replaced, once."""
        kept = self._wire is not None
        try:
            _envelope(self._connected(), sender, recipient, size)
        except (_Answered, *_LOST) as problem:
            if not kept or (isinstance(problem, _Answered) and problem.code != _CLOSING):
                raise
            self._drop()
            _envelope(self._connected(), sender, recipient, size)

    def _hand_over(self, message: bytes) -> Delivery:
        wire = self._connected()
        try:
            wire.send(_dotted(message))
            code, words = wire.getreply()
        except _LOST as lost:
            self._drop()
            return Delivery(Outcome.UNKNOWN, 0, _why(lost))
        self._after(code)
        if 200 <= code < 300:
            return Delivery(Outcome.SENT, code, _told(words.decode("utf-8", "replace")))
        if not 400 <= code < 600:
            self._drop()
            return Delivery(Outcome.UNKNOWN, 0, "the server's answer to the message was none of SMTP")
        return _Answered(code, words, about_this=True).delivery()

    def _after(self, code: int) -> None:
        """After an answer other than success the envelope is given up, or the server hangs up."""
        if self._wire is None or 200 <= code < 300:
            return
        try:
            if code == _CLOSING or self._wire.rset()[0] != 250:
                self._drop()
        except _LOST:
            self._drop()

    # The connection ------------------------------------------------------------------------------

    def _connected(self) -> _Wire:
        if self._wire is None:
            self._wire = _connect(self._server)
        return self._wire

    def _drop(self) -> None:
        wire, self._wire = self._wire, None
        if wire is not None:
            wire.close()


def _connect(server: Server) -> _Wire:
    context = ssl.create_default_context(cafile=server.ca_file)
    wire = _Wire(server, context)
    try:
        _expect(wire.connect(server.host, server.port), 220)
        _expect(wire.ehlo(), 250)
        if server.encryption is Encryption.STARTTLS:
            if not wire.has_extn("starttls"):
                raise _Answered(0, "the server does not offer STARTTLS")
            _expect(wire.starttls(context=context), 220)
            _expect(wire.ehlo(), 250)
        _sign_in(wire, server)
    except BaseException:
        wire.close()
        raise
    return wire


def _sign_in(wire: _Wire, server: Server) -> None:
    if server.user is None or server.password is None:
        return
    try:
        wire.login(server.user, server.password)
    except smtplib.SMTPResponseException as refused:
        raise _Answered(refused.smtp_code, refused.smtp_error) from None
    except UnicodeEncodeError:
        raise _Answered(
            0, "the user or password has characters that this server's ways cannot carry"
        ) from None


def _envelope(wire: _Wire, sender: str, recipient: str, size: int) -> None:
    options: Sequence[str] = [f"size={size}"] if wire.has_extn("size") else []
    if not recipient.isascii():
        if not wire.has_extn("smtputf8"):
            raise _Answered(553, "the server takes no addresses with such characters", about_this=True)
        options = [*options, "SMTPUTF8"]
        wire.command_encoding = "utf-8"
    code, words = wire.mail(sender, options)
    if code != 250:
        raise _Answered(code, words, about_this=code == _TOO_LARGE)
    code, words = wire.rcpt(recipient)
    if code not in (250, 251):
        raise _Answered(code, words, about_this=code != _SIGN_IN_FIRST)
    code, words = wire.docmd("DATA")
    if code != _GO_AHEAD:
        raise _Answered(code, words, about_this=True)


def _expect(answer: tuple[int, bytes], code: int) -> None:
    if answer[0] != code:
        raise _Answered(*answer)


def _dotted(message: bytes) -> bytes:
    """The message as it goes over the wire: RFC 5321 section 4.5.2."""
    body = re.sub(rb"(?m)^\.", b"..", message)
    return body + (b".\r\n" if body.endswith(b"\r\n") else b"\r\n.\r\n")


def _why(lost: Exception) -> str:
    if isinstance(lost, TimeoutError) or isinstance(lost.__context__, TimeoutError):
        return "the server did not answer in time"
    if isinstance(lost, smtplib.SMTPServerDisconnected):
        return "the server hung up"
    if isinstance(lost, ssl.SSLCertVerificationError):
        return _told(f"the server's certificate is not trusted: {lost.verify_message}")
    if isinstance(lost, socket.gaierror):
        return "the server's name is not known"
    return _told(f"the connection failed: {lost}")


def _told(text: str) -> str:
    return without_addresses(one_line(text))[:_LONGEST_TEXT]


class _Wire(smtplib.SMTP):
    """smtplib's connection, through a proxy and with TLS from its beginning where that is wanted."""

    def __init__(self, server: Server, context: ssl.SSLContext) -> None:
        self._server = server
        self._context = context
        super().__init__(local_hostname=server.hello, timeout=server.timeout)
        self._host = server.host  # what the certificate must be for

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        raw = (
            _tunnel(self._server, timeout)
            if self._server.proxy
            else socket.create_connection((host, port), timeout)
        )
        if self._server.encryption is Encryption.IMPLICIT:
            return self._context.wrap_socket(raw, server_hostname=host)
        return raw


def _tunnel(server: Server, timeout: float) -> socket.socket:
    """A way through a proxy (RFC 9110 section 9.3.6). Its answer is read to its end and no further: what
    follows is the server's."""
    proxy = urlsplit(server.proxy or "")
    raw = socket.create_connection((proxy.hostname or "", proxy.port or 0), timeout)
    try:
        there = f"{server.host}:{server.port}"
        raw.sendall(f"CONNECT {there} HTTP/1.1\r\nHost: {there}\r\n\r\n".encode())
        answer = b""
        while not answer.endswith(b"\r\n\r\n"):
            byte = raw.recv(1)
            if not byte or len(answer) > _LONGEST_PROXY_ANSWER:
                raise OSError("the proxy's answer makes no sense")
            answer += byte
        if not re.match(rb"HTTP/1\.[01] 2\d\d", answer):
            raise OSError(f"the proxy said {answer.splitlines()[0][:80].decode('latin-1')}")
    except BaseException:
        raw.close()
        raise
    return raw
