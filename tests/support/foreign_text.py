"""Every function that reads foreign text, in one table, and texts that are nasty to read.

A module that has patterns (`core.patterns`) must stand here: `tests/core/test_patterns.py` sees to it.
"""

import io
import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import msgspec

from activation.delivery.refusals import PlatformRefusal
from activation.stores import file_rows
from audiences.rules import fields, operands, splits, values
from audiences.rules.errors import Location, RuleFault
from core import clock, json_values, limits, logs, paging, user_ids
from core.consent_mode import ConsentMode
from core.errors import InputError
from core.ids import macros, nobody, spelling
from core.models import Inbox
from core.origins import BadOriginError, Origins, clean_origin
from core.query import QueryString
from core.values import dates as date_formats
from core.values import moments, numbers, spelled
from core.values.spelled import STRICT, reader
from edge import body as edge_body
from edge import cookies, unattended
from edge.chunks import ChunkReader
from edge.endpoints import uid
from edge.request_head import BadRequestError, RequestHead
from integrations import egress_proxy, header_names, sync_templates, templates, validation
from integrations.answers import expressions, meaning
from integrations.connectors.base import Member, Operation, Segment
from integrations.connectors.http.connector import HttpConnector
from integrations.connectors.mapp_cep import connector as mapp_cep
from integrations.connectors.mediamath_event import attributes
from integrations.connectors.mediamath_s2s import audience_file, processing_log
from integrations.connectors.mediamath_s2s import settings as s2s_settings
from integrations.errors import IntegrationError, RefusedError
from integrations.http import Response
from pipeline import cells
from pipeline.exports import columns
from pipeline.exports import services as exports
from pipeline.imports import csv_file, decoding, mapping, options, quick_columns, reading, readings, rows
from pipeline.imports.destination import Destination
from profiles import conversion, match_lines, paths
from profiles.events import data, dimensions, ids, times
from profiles.personal import check_digits, patterns, protection
from profiles.personal.protection import Policy, Protection
from usersync import authentication, consent, links, sync_cookie
from usersync.bits import Bits

KIB = 1024
BODY = 256 * KIB
"""As much as an event may carry."""

HIDING = Protection(Policy.HASH, UUID(int=1))
USER = UUID("00000000-0000-4000-8000-000000000042")
SEGMENT = Segment(1, 1, 1, "x", {}, 1, 1)
NOW = 1_700_000_000

Read = Callable[[str], object]


@dataclass(frozen=True, slots=True)
class Reader:
    """A function that reads a text. `longest`: characters that a door lets through to it, or a few more.

    `refusals`: what it may raise; everything else fails the test.
    """

    module: str
    read: Read
    longest: int = BODY
    refusals: tuple[type[Exception], ...] = (ValueError, InputError, IntegrationError)


def _location() -> Location:
    return Location("", list[RuleFault]())


class _Everything:
    """A schema in which everything is there."""

    def attribute_type(self, _path: str, /) -> Any:
        return "string"

    def has_pixel(self, _pixel: int, /) -> bool:
        return True

    has_audience = has_platform = has_pixel

    def time_zone(self) -> str:
        return "UTC"


def _json(text: str) -> bytes:
    return msgspec.json.encode({"a": text, "b": text.split(" ")[:1000]})


def _event(text: str) -> object:
    raw = _json(text)
    return HIDING.data(raw, data.parse_data(raw, 32))


def _named(text: str) -> object:
    found = {text[:1000]: 1, "phone": text, "x": {"mail": text}}
    return HIDING.data(msgspec.json.encode(found), found)


def _raw_json(text: str) -> object:
    return data.parse_data(text.encode(), 32)


def _row(text: str) -> object:
    to = Destination(customer=1, pixel=1, user_key=("UserId",), at=NOW * 1000, protection=HIDING)
    return rows.RowReader(to).of_object({"UserId": "x", "at": text, text: text, "A": text})


def _file(kind: Any, text: str, encoding: str = "") -> object:
    bytes_: Any = io.BytesIO(text.encode())
    return sum(len(batch.rows) for batch in kind(decoding.as_utf8(io.BufferedReader(bytes_), encoding)).batches())


def _column(text: str) -> object:
    reading_ = readings.Reading("A", ["A"], "number", reader("number", STRICT), is_typed=True)
    return quick_columns.column_of(reading_, STRICT)([text, *text.split("4")])


def _mapping(text: str) -> object:
    constant = {"value": text, "to": "user"}
    return mapping.mapped_of([{"from": text[:300], "to": "attribute." + text[:300]}, constant])


def _option(name: str, text: str) -> object:
    try:
        return options.read_options({name: text})
    except options.OptionsError as error:
        return error.faults


def _answer(text: str) -> object:
    entry = {"file": text, "status": text, "errors": [{"line": 1, "text": text}]}
    return processing_log.read(Response(200, {}, msgspec.json.encode([entry, text])))


def _request(text: str) -> object:
    call = {"method": "POST", "url": "https://x.example/{{attribute.a}}", "headers": {"X": "{{attribute.a}}"}}
    settings = {"add": {**call, "body": {"a": "x{{attribute.a}}"}}, "strategy": "no_batch", "removal": "none"}
    connector = HttpConnector(settings, {})
    return connector.push(Operation.ADD, [Member(SEGMENT, "x", USER, {"a": text})], NOW)


def _mapped(text: str) -> object:
    kinds = [("v1", "numeric"), ("x", "string"), ("mt_ip", "string"), ("mt_excl", "string"), ("y", "integer")]
    rules = [attributes.Rule(from_="a", to=to, type=kind) for to, kind in kinds]
    return attributes.mapped(rules, {"a": text})


def _refusal(text: str) -> object:
    row: Any = type("Row", (), {"platform_user_id": text[:200]})()
    return PlatformRefusal.of(RefusedError(f"HTTP 400: {text}"), names_user=True, row=row)


def _consent(text: str) -> object:
    judge = consent.ConsentJudge(7)
    found = [judge.permits(ConsentMode.WHEN_PRESENT, {name: text}, gpc=False) for name in consent.CONSENT_PARAMETERS]
    return found, consent.carried(text.encode())


def _log(text: str) -> object:
    record = logging.LogRecord("x", logging.INFO, "x", 1, "%s", (text,), None)
    return logs.WithoutPersonalIds().filter(record), logs.Formatter().format(record)


def _match_line(text: str) -> object:
    line = {"platform": 1, "platform_user_id": text, "user": text, "dc": text}
    return match_lines.MatchLines({1: 1}, {1: HIDING}, limits.RequestLimits()).read(
        msgspec.json.encode(line), clock.now()
    )


def _conversions(text: str) -> object:
    for kind in conversion.CONVERTERS:
        try:
            conversion.convert(text, kind)
        except conversion.UnconvertibleError:
            continue
    return None


def _event_time(text: str) -> object:
    times.event_time({"bdt": text, "btzo": text}, NOW * 1000)
    times.event_time({"bdt": "9999-12-31T23:59", "btzo": "840"}, NOW * 1000)
    return times.event_time({"at": text}, NOW * 1000)


def _spelled(text: str) -> object:
    """The text by every type, in a spelling of its own."""
    spelling = spelled.Spelling(decimal=",", thousands=".", dates="DD.MM.YYYY", any_digits=True)
    for kind in ("number", "integer", "boolean", "time"):
        for one in (spelled.STRICT, spelling):
            try:
                spelled.read(text, kind, one)
            except ValueError:
                continue
    return None


LIMITS = limits.RequestLimits()


ORIGINS = Origins(["https://*.x.y"])


def _origin(text: str) -> None:
    with suppress(BadOriginError):
        clean_origin("https://" + text)


READERS: dict[str, Reader] = {
    "an event": Reader("profiles.personal.protection", _event),
    "names of attributes": Reader("profiles.personal.patterns", _named),
    "a single text": Reader("profiles.personal.protection", HIDING.text),
    "an id": Reader("profiles.personal.protection", HIDING.id),
    "a platform's id": Reader("profiles.personal.protection", protection.check_platform_id),
    "a mail address": Reader("profiles.personal.patterns", patterns.holds_mail),
    "a card's number": Reader("profiles.personal.check_digits", check_digits.is_card, 50),
    "raw JSON": Reader("profiles.events.data", _raw_json),
    "ids of a request": Reader(
        "profiles.events.ids",
        lambda text: ids.IdReader(LIMITS, HIDING).parameters({"pl": "1", "euid": text, "devid_g": text}, []),
    ),
    "dimensions": Reader(
        "profiles.events.dimensions",
        lambda text: dimensions.dimensions_in(dict.fromkeys(dimensions.DIMENSIONS, text), LIMITS.dimension_bytes),
        4 * KIB,
    ),
    "times": Reader("profiles.events.times", _event_time),
    "a path": Reader("profiles.paths", paths.split_path),
    "a name": Reader("profiles.paths", paths.check_name),
    "a match": Reader("profiles.match_lines", _match_line, 8 * KIB),
    "a number": Reader("core.values.numbers", numbers.read_number),
    "a float of JSON": Reader("core.values.numbers", lambda text: numbers.read_float(f"1{'0' * len(text)}.5")),
    "a time": Reader("core.values.moments", moments.read_moment),
    "a date": Reader("core.values.dates", date_formats.date_format("DD.MM.YYYY").read),
    "a spelled value": Reader("core.values.spelled", _spelled),
    "values to convert": Reader("profiles.conversion", _conversions),
    "an id to keep": Reader("core.limits", lambda text: limits.is_sound_id(text, BODY)),
    "our own id": Reader("core.user_ids", user_ids.parse),
    "a record of a log": Reader("core.logs", _log),
    "JSON from the database": Reader(
        "core.json_values", lambda text: json_values.text_size(json_values.loads(_json(text)))
    ),
    "a cursor": Reader("core.paging", lambda text: paging._position(text, Inbox, ("bucket", "id")), 8 * KIB),
    "a query": Reader("core.query", lambda text: QueryString(text.encode()), 16 * KIB),
    "the head of a request": Reader(
        "edge.request_head", lambda text: RequestHead(text.encode()), 16 * KIB, (BadRequestError, ValueError)
    ),
    "chunks": Reader("edge.chunks", lambda text: ChunkReader().feed(text.encode()), BODY, (BadRequestError,)),
    "numbers of a sync": Reader(
        "edge.endpoints.uid", lambda text: uid._ttl(QueryString(b"ttl=" + text.encode())), 16 * KIB
    ),
    "our cookie": Reader("edge.cookies", lambda text: cookies.read(b"dmpuid=;" + text.encode())),
    "packed data": Reader("edge.body", lambda text: edge_body.gunzip(text.encode(), LIMITS)),
    "the answer of a proxy": Reader("integrations.egress_proxy", lambda text: egress_proxy._STATUS(text.encode())),
    "a macro": Reader("core.ids.macros", macros.is_macro),
    "the spelling of an id": Reader("core.ids.spelling", lambda text: spelling.one_spelling("device:", text)),
    "an id of nobody": Reader("core.ids.nobody", lambda text: nobody.why_nobody("user", text)),
    "a sync template": Reader(
        "integrations.sync_templates", lambda text: sync_templates.find_errors("https://x.example/?" + text, "token")
    ),
    "a secret": Reader("integrations.validation", validation.check_sync_secret, BODY, (Exception,)),
    "a header's name": Reader("integrations.header_names", header_names.fault_of),
    "a request's template": Reader("integrations.templates", templates.split),
    "an answer's words": Reader(
        "integrations.answers.meaning", lambda text: meaning.meaning_of(Response(409, {}, text.encode()))
    ),
    "a refused creation": Reader("integrations.answers.meaning", lambda text: meaning.says_it_exists(409, text)),
    "an expression": Reader("integrations.answers.expressions", expressions.check, 2 * KIB),
    "a value in a request": Reader("integrations.connectors.http.calls", _request),
    "an attribute of an event": Reader("integrations.connectors.mediamath_event.attributes", _mapped),
    "a processing log": Reader("integrations.connectors.mediamath_s2s.processing_log", _answer),
    "a user's id in a file": Reader("integrations.connectors.mediamath_s2s.audience_file", audience_file.is_user_id),
    "a segment's id": Reader(
        "integrations.connectors.mediamath_s2s.settings", lambda text: s2s_settings.segment_fault(text, hashed=True)
    ),
    "an audience's name": Reader(
        "integrations.connectors.mapp_cep.connector",
        lambda text: mapp_cep.group_name(Segment(1, 1, 1, text, {}, 1, 1), clock.now()),
        2 * KIB,
    ),
    "a refusal": Reader("activation.delivery.refusals", _refusal),
    "ids of a file": Reader("activation.stores.file_rows", file_rows._STRANGE.search),
    "a duration": Reader("audiences.rules.values", values.parse_duration),
    "a moment": Reader("audiences.rules.values", values.parse_timestamp),
    "a value of a rule": Reader(
        "audiences.rules.operands", lambda text: operands.read_scalar(text, operands.STRING, _location())
    ),
    "a split": Reader("audiences.rules.splits", splits.is_name),
    "a field": Reader(
        "audiences.rules.fields",
        lambda text: [
            fields.read_field(family + text, _Everything(), _location())
            for family in ("attribute.", "dimension.", "pixel.", "split.")
        ],
    ),
    "a dimension to export": Reader("pipeline.exports.columns", columns.is_dimension),
    "a name of an export": Reader("pipeline.exports.services", exports.is_name),
    "a cell": Reader("pipeline.cells", lambda text: cells.value_of(text, "mixed")),
    "a row of a file": Reader("pipeline.imports.rows", _row),
    "a file of CSV": Reader(
        "pipeline.imports.csv_file", lambda text: _file(csv_file.CsvFile, "a,b\n" + text), 512 * KIB
    ),
    "a header of CSV": Reader("pipeline.imports.csv_header", lambda text: _file(csv_file.CsvFile, text), 512 * KIB),
    "a file in another encoding": Reader(
        "pipeline.imports.decoding", lambda text: _file(csv_file.CsvFile, "a,b\n" + text, "cp1252"), 512 * KIB
    ),
    "a column of CSV": Reader("pipeline.imports.quick_columns", _column, 512 * KIB),
    "an option of an import": Reader("pipeline.imports.options", lambda text: _option("empty", text)),
    "an encoding": Reader("pipeline.imports.decoding", decoding.encoding_of),
    "a mapping": Reader("pipeline.imports.mapping", _mapping),
    "a file of NDJSON": Reader("pipeline.imports.reading", lambda text: _file(reading.NdjsonFile, text), 512 * KIB),
    "a sync cookie": Reader("usersync.sync_cookie", lambda text: sync_cookie.read(b"dmpsync=1" + text.encode(), NOW)),
    "a user agent": Reader(
        "edge.unattended", lambda text: unattended.is_unattended({b"user-agent": text.encode("utf-8", "replace")})
    ),
    "an origin of a list": Reader("core.origins", _origin),
    "an origin of a request": Reader("core.origins", lambda text: ORIGINS.names(b"https://" + text.encode() + b".x.y")),
    "a link's target": Reader("usersync.links", lambda text: links.clean_target("https://" + text)),
    "bits": Reader("usersync.bits", Bits),
    "a signature": Reader(
        "usersync.authentication",
        lambda text: authentication.check_signature("GET", "/uid", QueryString(b"ts=" + text.encode()), ["a"], NOW),
        16 * KIB,
    ),
    "consent": Reader("usersync.consent", _consent),
}

UNITS = {
    "letters": "a",
    "digits": "1",
    "blanks": " ",
    "braces": "{",
    "pairs of braces": "{{ ",
    "percent": "%",
    "at": "@",
    "mails": "a@b.",
    "labels": "a.b-",
    "hyphens": "-a",
    "escapes": "\\.",
    "backslashes": "\\",
    "groups": "444 4",
    "cards": "4444 ",
    "accounts": "DE00 ",
    "lines": "\n",
    "quotes": '"a",',
    "files": "a.log.gz",
    "chunks": "1\r\na\r\n",
    "fields": "\r\na:b",
    "parameters": "&a=%4",
    "lists": "[",
    "marks": "\u0301\u0327",
    "wide": "\uff20\uff11",
    "ligatures": "\ufdfa",
}
"""What nasty texts are made of: each is repeated, with an ending that fits nothing."""


def nasty(unit: str, length: int) -> str:
    """Returns a text of about so many characters."""
    return unit * max(1, length // len(unit)) + "\x01"
