"""What is sent over one connection to the edge, in parts: slowly, cut off, many requests at once, framed wrongly.

`ConversationDrawer` draws conversations by chance; the same number of the same seed is the same conversation.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from tests.support.odd_requests import EdgeTargets, OddRequest, RequestDrawer

TLS_HELLO = bytes.fromhex("16030100c8010000c40303") + bytes(190)
NO_HTTP = (
    *(TLS_HELLO, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(30), b"GET /dp\r\n\r\n", b"\x00" * 5_000, b"\r\n" * 5_000),
    *(
        b"GET  /dp HTTP/1.1\r\n\r\n",
        b"GET /dp HTTP/3.9\r\n\r\n",
        b"GET /dp HTTP/1.1\n\n",
        b"SSH-2.0-x\r\n",
        b"\x05\x01\x00",
    ),
    *(
        b"GET /dp HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"GET /dp HTTP/1.1\r\n\r\n",
        b"*3\r\n$3\r\nSET\r\n",
        b"\xff" * 200_000,
    ),
    *(
        b"GET /dp HTTP/1.1\r\nHost: a\r\n b: c\r\n\r\n",
        b"GET /dp HTTP/1.1\r\nHost : a\r\n\r\n",
        b"GET /\x01 HTTP/1.1\r\n\r\n",
    ),
)
WRONG_LENGTHS = (
    *(b"-1", b"+5", b"5,5", b"5, 6", b"0x5", b"5 5", b"1e3", b"", b"9" * 19, b"999999999999999999", b"\xb2", b"5\0"),
)
WRONG_CHUNKS = (
    *(
        b"zz\r\n",
        b"-1\r\n\r\n",
        b"5\r\nabc\r\n0\r\n\r\n",
        b"3\r\nabcde\r\n0\r\n\r\n",
        b"ffffffff\r\nabc",
        b"123456789\r\n",
    ),
    *(
        b"3;" + b"x" * 5_000 + b"\r\nabc\r\n0\r\n\r\n",
        b"3\nabc\n0\n\n",
        b"0\r\n" + b"x: y\r\n" * 5_000 + b"\r\n",
        b"0\r\nx\r\n\r\n",
    ),
    *(
        b"3\r\n{}\r\n\r\n0\r\n\r\n",
        b"2\r\n{}\r\n0\r\n\r\n",
        b" 2\r\n{}\r\n0\r\n\r\n",
        b"2 ;a=b\r\n{}\r\n0\r\nx: y\r\n\r\n",
        b"\r\n0\r\n\r\n",
    ),
)


class Ending(Enum):
    """What the client does when it has sent all."""

    SHUT = "sends no more, and reads until the edge closes"
    RESET = "ends the connection at once, with a reset"
    LEAVE = "closes, and has read nothing"
    STAY = "waits until the edge closes"


@dataclass(frozen=True, slots=True)
class Conversation:
    """`parts`: each with the seconds of waiting before it. `answers`: exactly so many must come; None: any number."""

    kind: str
    parts: tuple[tuple[float, bytes], ...]
    ending: Ending = Ending.SHUT
    answers: int | None = None

    @property
    def sent(self) -> bytes:
        return b"".join(part for _, part in self.parts)


class ConversationDrawer:
    """`pause`: the longest wait between two parts. `patient`: with some that only the edge's own deadlines end."""

    def __init__(self, targets: EdgeTargets, *, pause: float, patient: bool) -> None:
        self._targets, self._pause, self._patient = targets, pause, patient

    def draw(self, seed: int, number: int) -> Conversation:
        chance = random.Random(f"{seed}/{number}")
        return _Draw(self._targets, chance, self._pause, self._patient).conversation()


class _Draw:
    def __init__(self, targets: EdgeTargets, chance: random.Random, pause: float, patient: bool) -> None:
        self._chance, self._pause, self._patient = chance, pause, patient
        self._requests = RequestDrawer(targets, chance)

    def conversation(self) -> Conversation:
        kinds: dict[Callable[[], Conversation], int] = {
            self._whole: 30,
            self._pipelined: 8,
            self._slow: 8,
            self._truncated: 12,
            self._altered: 14,
            self._huge_head: 5,
            self._wrong_length: 8,
            self._wrong_chunks: 8,
            self._no_http: 5,
            self._abandoned: 2 if self._patient else 0,
        }
        return self._chance.choices(list(kinds), list(kinds.values()))[0]()

    def _whole(self) -> Conversation:
        sent = b"".join(self._requests.request().wire for _ in range(self._chance.choice((1, 1, 1, 2, 5))))
        return Conversation("whole", ((0.0, sent),), self._ending())

    def _pipelined(self) -> Conversation:
        several = [self._requests.plain().wire for _ in range(self._chance.randrange(2, 60))]
        return Conversation("pipelined", self._cut(b"".join(several), 3), answers=len(several))

    def _slow(self) -> Conversation:
        sent = self._requests.plain().wire if self._chance.random() < 0.3 else self._requests.request().wire
        return Conversation("slow", self._cut(sent[:3_000], 12, self._pause), self._ending())

    def _truncated(self) -> Conversation:
        sent = self._requests.request().wire
        return Conversation("truncated", ((0.0, sent[: self._chance.randrange(len(sent))]),), self._ending())

    def _altered(self) -> Conversation:
        sent = bytearray(self._requests.request().wire)
        for _ in range(self._chance.choice((1, 2, 5, 20))):
            place = self._chance.randrange(len(sent) + 1)
            match self._chance.randrange(3):
                case 0:
                    sent[place : place + 1] = self._chance.randbytes(1)
                case 1:
                    sent[place:place] = self._chance.choice(
                        (b"\r\n", b"\0", b"\n", b"%", b" ", self._chance.randbytes(4))
                    )
                case _:
                    del sent[place : place + self._chance.randrange(1, 30)]
        return Conversation("altered", ((0.0, bytes(sent)),), self._ending())

    def _huge_head(self) -> Conversation:
        request = self._requests.request()
        more = self._chance.choice(
            (
                b"\r\n".join(b"X-%d: y" % number for number in range(self._chance.choice((90, 101, 5_000)))),
                b"X: " + b"a" * self._chance.choice((60_000, 130_000, 1_000_000)),
                b"Cookie: " + b"dmpuid=x; " * 10_000,
                b"a" * 200_000,
            )
        )
        line = OddRequest("GET", b"/dp?" + b"a=b&" * self._chance.choice((16_000, 17_000, 60_000)))
        sent = line.wire if self._chance.random() < 0.3 else request.head(more)
        return Conversation("huge head", self._cut(sent, 4), self._ending())

    def _wrong_length(self) -> Conversation:
        request = self._posted()
        length = len(request.body)
        lengths = (b"%d" % (length + 7), b"%d" % max(0, length - 3), *WRONG_LENGTHS)
        more = [b"Content-Length: " + self._chance.choice(lengths)]
        if self._chance.random() < 0.3:
            more.append(
                self._chance.choice((b"Content-Length: 3", b"Transfer-Encoding: chunked", b"Transfer-Encoding: gzip"))
            )
        return Conversation("wrong length", ((0.0, request.head(*more) + request.body),), self._ending())

    def _wrong_chunks(self) -> Conversation:
        encoding = self._chance.choice(
            (b"chunked", b"chunked", b"Chunked", b"gzip, chunked", b"chunked, chunked", b"\x0bchunked")
        )
        body = self._chance.choice(WRONG_CHUNKS)
        head = self._posted().head(b"Transfer-Encoding: " + encoding)
        return Conversation("wrong chunks", self._cut(head + body, 3), self._ending())

    def _no_http(self) -> Conversation:
        sent = self._chance.choice(NO_HTTP) if self._chance.random() < 0.7 else self._chance.randbytes(2_000)
        return Conversation("no HTTP", ((0.0, sent),), self._ending())

    def _abandoned(self) -> Conversation:
        """Ends in the middle of a head, of a body, or after an answer; the client stays."""
        request = self._posted()
        sent = request.head(b"Content-Length: %d" % (len(request.body) + 1)) + request.body
        place = self._chance.choice((5, len(sent) - len(request.body) - 2, len(sent)))
        whole = self._requests.plain().wire
        return Conversation("abandoned", ((0.0, self._chance.choice((b"", whole, sent[:place]))),), Ending.STAY)

    def _posted(self) -> OddRequest:
        """With a body."""
        request = self._requests.request()
        return OddRequest("POST", request.target, request.fields, request.body or self._requests.document())

    def _ending(self) -> Ending:
        return self._chance.choices((Ending.SHUT, Ending.RESET, Ending.LEAVE), (8, 1, 1))[0]

    def _cut(self, sent: bytes, most: int, pause: float = 0.0) -> tuple[tuple[float, bytes], ...]:
        places = sorted(self._chance.randrange(len(sent) + 1) for _ in range(self._chance.randrange(most)))
        ends = [0, *places, len(sent)]
        waits = [self._chance.uniform(0.0, pause) if pause else 0.0 for _ in ends]
        return tuple((wait, sent[start:end]) for wait, start, end in zip(waits, ends, ends[1:], strict=False))
