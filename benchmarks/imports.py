"""A CSV file of profiles: imported until every row is in the inbox, beside a bare COPY of the same file."""

import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import psycopg

from benchmarks.absorb import NO_PLATFORM, AbsorbCost, Database, drain, measured, profiled
from benchmarks.bounds import Bound, Options, Result, Table
from benchmarks.figures import shown
from benchmarks.home import services
from benchmarks.shop import CUSTOMER, open_shop, settle_down
from core.environment import PROJECT_ROOT

ROWS, QUICK = 1_000_000, 50_000
ABSORBED, QUICK_ABSORBED = 200_000, 10_000
ROUNDS = 3  # of each, in turn; the best counts: other work on the machine only ever takes away
LEAST, LEAST_MAPPED, MOST_MB = 0.2, 0.15, 500
CHUNK = 1024 * 1024
SEED = 7
FIRST_DAY = date(2015, 1, 1)
HEADER = "UserId,currency,category,page,amount,items,Newsletter,Address.City,Address.Zip,SignupTime\n"
MAPPED_HEADER = "Kundennr;Waehrung;Kategorie;Seite;Betrag;Anzahl;Newsletter;Ort;PLZ;Anmeldung\n"
MAPPING: list[dict[str, str | None]] = [
    {"from": "Kundennr", "to": "user"},
    {"from": "Waehrung", "to": "attribute.currency"},
    {"from": "Kategorie", "to": "attribute.category"},
    {"from": "Seite", "to": None},
    {"from": "Betrag", "to": "attribute.amount", "type": "number"},
    {"from": "Anzahl", "to": "attribute.items", "type": "integer"},
    {"from": "Ort", "to": "attribute.Address.City"},
    {"from": "PLZ", "to": "attribute.Address.Zip"},
    {"from": "Anmeldung", "to": "attribute.SignupTime", "type": "time"},
    {"value": "shop", "to": "attribute.Source"},
]
MAPPED = ("--delimiter", ";", "--decimal", ",", "--dates", "DD.MM.YYYY", "--mapping", json.dumps(MAPPING))
COPIED = "CREATE TABLE bench_copy (a text, b text, c text, d text, e text, f text, g text, h text, i text, j text)"
CITIES = ("Berlin", "München", "Paris", "Lyon", "London", "Leeds", "Roma", "Malmö")
CATEGORIES = ("shoes/running", "shoes/walking", "garden/tools", "books", "music/cd")


@dataclass(slots=True)
class ImportFigures:
    """Seconds of the best rounds, the most memory of the importing process, and what absorbing cost."""

    copy: float
    accepted: float
    mapped_copy: float
    mapped: float
    peak_mb: float
    absorbed: AbsorbCost


def run(options: Options) -> Result:
    rows, sample = (QUICK, QUICK_ABSORBED) if options.quick else (ROWS, ABSORBED)
    with services() as found, psycopg.connect(found.database_url, autocommit=True) as database:
        bench = _ImportBench(database, found.database_url)
        measured_ = bench.measure(rows, sample, profile=options.profile)
    return _result(measured_, rows, sample)


class _Rounds(NamedTuple):
    """Seconds of the best COPY and of the best import, and the most memory in MB."""

    copy: float
    accepted: float
    mb: float


class _ImportBench:
    def __init__(self, database: Database, database_url: str) -> None:
        from profiles.models import Pixel

        self._database = database
        self._url = database_url
        shop = open_shop(NO_PLATFORM)
        self._pixel = Pixel.objects.create(customer_id=CUSTOMER, name="imports", user_key="UserId")
        self._folder = Path(os.environ["DMPHUB_HOME"])
        self._shop = shop
        database.execute(COPIED)

    def measure(self, rows: int, sample: int, *, profile: bool) -> ImportFigures:
        from pipeline.absorb.absorber import Absorber

        absorber = Absorber(lambda _: None)
        drain(absorber.absorb)
        plain = self._rounds(_written(self._folder / "profiles.csv", rows), rows, ",", ())
        mapped = self._rounds(_written_to_map(self._folder / "mapped.csv", rows), rows, ";", MAPPED)
        self._import(_written(self._folder / "sample.csv", sample), sample)
        settle_down(self._url)
        with measured(self._database) as cost:
            profiled(lambda: drain(absorber.absorb)) if profile else drain(absorber.absorb)
        absorber.close()
        self._verify(sample)
        return ImportFigures(plain.copy, plain.accepted, mapped.copy, mapped.accepted, max(plain.mb, mapped.mb), cost)

    def _rounds(self, file: Path, rows: int, delimiter: str, options: Sequence[str]) -> "_Rounds":
        found = []
        for _ in range(ROUNDS):
            copied = self._copy(file, delimiter)
            found.append(_Rounds(copied, *self._import(file, rows, options)))
            self._database.execute("TRUNCATE inbox")
        return _Rounds(min(one.copy for one in found), min(one.accepted for one in found), max(one.mb for one in found))

    def _copy(self, file: Path, delimiter: str) -> float:
        """Seconds of the bare COPY, committed."""
        self._database.execute("TRUNCATE bench_copy")
        self._database.execute("CHECKPOINT")
        began = time.perf_counter()
        statement = f"COPY bench_copy FROM STDIN (FORMAT csv, HEADER, DELIMITER '{delimiter}')"
        with file.open("rb") as source, self._database.cursor().copy(statement) as copy:
            while chunk := source.read(CHUNK):
                copy.write(chunk)
        return time.perf_counter() - began

    def _import(self, file: Path, rows: int, options: Sequence[str] = ()) -> tuple[float, float]:
        """Seconds from the import's making until its last row is committed, and the process's most memory in MB."""
        from pipeline.models import Import

        self._database.execute("CHECKPOINT")
        command = ["manage.py", "import_profiles", str(file), "--pixel", str(self._pixel.pk), "--at-once", *options]
        process = subprocess.Popen(
            [sys.executable, *command],
            cwd=PROJECT_ROOT,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        row = Import.objects.latest("pk")
        if process.returncode or row.stored != rows or row.finished_at is None:
            raise RuntimeError(f"{row.stored} of {rows} rows are stored: {row.error}")
        finished: datetime = row.finished_at
        return (finished - row.created_at).total_seconds(), usage.ru_maxrss / 1024

    def _verify(self, count: int) -> None:
        """Figures of wrong work are worth nothing."""
        query = "SELECT (SELECT count(*) FROM inbox), (SELECT count(*) FROM bad_row), (SELECT count(*) FROM profile)"
        found = self._database.execute(query).fetchone()
        if found != (0, 0, count):
            raise RuntimeError(f"inbox, bad rows, profiles are {found}, not (0, 0, {count})")


def _written(path: Path, rows: int) -> Path:
    """About 100 bytes a row; none names the same user."""
    chance = random.Random(SEED)
    with path.open("w", encoding="utf-8") as file:
        file.write(HEADER)
        for number in range(rows):
            file.write(
                f"C-{number:09d},EUR,{chance.choice(CATEGORIES)},/checkout/thank-you?step=4,"
                f"{chance.random() * 300:.2f},{number % 7},{'true' if number % 3 else 'false'},"
                f"{chance.choice(CITIES)},{number % 100000:05d},"
                f"{1_600_000_000 + number * 37}\n"
            )
    return path


def _written_to_map(path: Path, rows: int) -> Path:
    """The same in the spelling of another country, and with names of its own."""
    chance = random.Random(SEED)
    days = [(FIRST_DAY + timedelta(days=number)).strftime("%d.%m.%Y") for number in range(4_000)]
    with path.open("w", encoding="utf-8") as file:
        file.write(MAPPED_HEADER)
        for number in range(rows):
            amount = f"{chance.random() * 300:.2f}".replace(".", ",")
            file.write(
                f"C-{number:09d};EUR;{chance.choice(CATEGORIES)};/checkout/thank-you?step=4;{amount};{number % 7};"
                f"{'true' if number % 3 else 'false'};{chance.choice(CITIES)};{number % 100000:05d};"
                f"{days[number % len(days)]}\n"
            )
    return path


def _result(found: ImportFigures, rows: int, sample: int) -> Result:
    ratio = found.copy / found.accepted
    bounds = [
        Bound("import of CSV into the inbox ÷ bare COPY", ratio, "at least", LEAST),
        Bound("the same with mapping and conversion", found.mapped_copy / found.mapped, "at least", LEAST_MAPPED),
        Bound("most memory of the importing process", found.peak_mb, "at most", MOST_MB, "MB"),
    ]
    notes = [
        "COPY: the file as it is into a table of text without a key; import: parsed, checked, one inbox row a user",
        f"the best of {ROUNDS} rounds in turn; nobody absorbs meanwhile, and the import does not give way (--at-once)",
        "absorbed: new users, one absorber, ten rules asked; in a hub at work an import goes as fast as that",
        f"absorbed per core: {shown(sample / found.absorbed.cpu)} a second of CPU time",
    ]
    figures = {
        "rows": rows,
        "copy_seconds": found.copy,
        "accepted_seconds": found.accepted,
        "mapped_copy_seconds": found.mapped_copy,
        "mapped_seconds": found.mapped,
        "peak_mb": found.peak_mb,
        "absorbed_rows": sample,
        "absorbed_seconds": found.absorbed.seconds,
        "absorbed_cpu": found.absorbed.cpu,
    }
    return Result("imports", [_table(found, rows, sample)], bounds, notes, figures)


def _table(found: ImportFigures, rows: int, sample: int) -> Table:
    absorbed = sample / found.absorbed.seconds
    peak, ratio = shown(found.peak_mb), found.copy / found.accepted
    mapped = found.mapped_copy / found.mapped
    cells = [
        ["bare COPY of the file", shown(rows), shown(rows / found.copy), "1", ""],
        ["import: until committed in the inbox", shown(rows), shown(rows / found.accepted), shown(ratio), peak],
        ["the same, mapped and converted", shown(rows), shown(rows / found.mapped), shown(mapped), ""],
        [
            "absorbed: until in profiles, audiences",
            shown(sample),
            shown(absorbed),
            shown(absorbed * found.copy / rows),
            "",
        ],
    ]
    return Table("imports", ["", "rows", "rows/s", "÷ COPY", "MB"], cells)
