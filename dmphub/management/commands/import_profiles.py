"""`manage.py import_profiles FILE --pixel ID [--format …] [--dry-run] [--errors FILE]`"""

import json
import shutil
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from core import garbage
from pipeline.backlog import Backpressure, NoBackpressure
from pipeline.imports import files, services
from pipeline.imports.errors import ImportStoppedError, UnreadableFileError
from pipeline.imports.formats import format_of
from pipeline.imports.options import ImportOptions, OptionsError, read_options
from pipeline.imports.run import run
from pipeline.models import Import
from profiles.models import Pixel

OPTIONS = {
    "encoding": "of the text, such as cp1252",
    "delimiter": "what separates the columns of CSV",
    "decimal": "the sign before decimals, a point or a comma",
    "thousands": "the sign between thousands",
    "dates": "how times are written, such as DD.MM.YYYY",
    "empty": "words that mean no value, with commas between them",
    "cells": "json for a CSV file that the hub exported",
    "mapping": "what becomes of columns, as JSON",
}


class Command(BaseCommand):
    help = (
        "Import profiles from a CSV, NDJSON or Parquet file, gz or not, into the inbox: attributes of users whom each "
        "row names by uuid, the pixel's user key, pl and euid, or a device's id (docs/imports.md). After an "
        "interruption, whatever its cause, the same command goes on where it was; nothing is stored twice."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path, metavar="FILE")
        parser.add_argument(
            "--pixel",
            type=int,
            required=True,
            metavar="ID",
            help="whose customer the users belong to, and whose user key names them",
        )
        parser.add_argument("--format", choices=Import.Format.values, help="where the file's name does not say it")
        for name, said in OPTIONS.items():
            parser.add_argument(f"--{name}", default="", help=said)
        parser.add_argument("--dry-run", action="store_true", help="store nothing, say what would change")
        parser.add_argument("--at-once", action="store_true", help="do not give way: events stand behind the file")
        parser.add_argument("--errors", type=Path, metavar="FILE", help="write what is wrong with rows there (NDJSON)")

    def handle(
        self,
        *,
        file: Path,
        pixel: int,
        dry_run: bool,
        at_once: bool,
        errors: Path | None,
        **options: Any,
    ) -> None:
        garbage.collect_rarely()
        reading = _options({name: options[name] for name in OPTIONS if options[name]})
        row = _import(file, pixel, options["format"], reading, dry_run=dry_run)
        if row.position:
            self.stderr.write(f"going on after row {row.position:,}")
        try:
            _run(row, NoBackpressure() if at_once else Backpressure(as_long_as_absorbed=True))
        except ImportStoppedError:
            raise CommandError("it was cancelled, or another process is at it") from None
        except KeyboardInterrupt:
            raise CommandError("stopped; the same command goes on from here", returncode=130) from None
        if errors is not None:
            shutil.copyfile(files.errors_file(row.pk), errors)
        self._tell(row)

    def _tell(self, row: Import) -> None:
        if row.status == Import.Status.FAILED:
            raise CommandError(f"after {row.position:,} rows, of which {row.stored:,} are stored: {row.error}")
        if row.report is not None:
            shown = {**row.report, "sample": files.read_sample(row.pk)}
            self.stdout.write(json.dumps(shown, indent=2, ensure_ascii=False))
            return
        self.stdout.write(f"{row.stored:,} rows stored, {row.errors:,} refused")
        if row.errors:
            self.stdout.write(f"what is wrong with them: {files.errors_file(row.pk)}")


def _options(given: dict[str, str]) -> ImportOptions:
    try:
        return read_options(given)
    except OptionsError as error:
        raise CommandError(str(error)) from None


def _import(file: Path, pixel: int, format_: str | None, options: ImportOptions, *, dry_run: bool) -> Import:
    found = Pixel.objects.filter(pk=pixel).first()
    if found is None:
        raise CommandError(f"There is no pixel {pixel}")
    if not file.is_file():
        raise CommandError(f"There is no file {file}")
    try:
        return services.import_of(file, found, format_ or format_of(file.name), options, dry_run=dry_run)
    except UnreadableFileError as error:
        raise CommandError(f"{error}; or say it by --format") from None
    except OSError as error:
        raise CommandError(f"{file} cannot be read: {error.strerror}") from None


def _run(row: Import, backpressure: Backpressure) -> None:
    shown = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        DownloadColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*shown, console=Console(stderr=True)) as bar:
        task = bar.add_task("looking" if row.dry_run else "importing", total=row.size, completed=row.read)
        run(row, backpressure, lambda read: bar.update(task, completed=read))
        bar.update(task, completed=row.size)
