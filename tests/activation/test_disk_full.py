"""No room for the files of a round: nothing is lost, and the next round with room sends everything once."""

import resource
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from activation.models import Delivery
from tests.activation.test_files import file_platform, folder, texts, write
from tests.support.delivery_stage import DeliveryStage
from tests.support.platform_trouble import forget_waits

__all__ = ["folder"]

PEOPLE = 300
ROOM = 4_096  # bytes a file may have


@contextmanager
def no_room() -> Iterator[None]:
    """Files of this process cannot grow, as on a disk that is full."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (ROOM, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_disk_that_is_full__while_files_are_written__loses_nobody(
    stage: DeliveryStage, folder: Path, settings: Any
) -> None:
    ads = file_platform(stage, operation_column=True, removal="operation")
    activation = stage.activation(stage.audience(), ads)
    names = {f"somebody-with-a-long-name-{number}" for number in range(PEOPLE)}
    for name in names:
        stage.user(name, ads)
    stage.shop.absorb()

    with no_room(), suppress(OSError):
        write(ads)
    assert not folder.exists() or not list(folder.iterdir())
    assert Delivery.objects.filter(acknowledged=True).count() == 0

    forget_waits()
    write(ads)

    [lines] = texts(folder).values()
    assert sorted(lines) == sorted(f"{name}\tadd" for name in names)
    assert Delivery.objects.filter(acknowledged=True, due_at=None, attempts=0).count() == PEOPLE
    activation.refresh_from_db()
    assert (activation.status, activation.last_error) == ("live", "")
