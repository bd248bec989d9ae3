"""Makes what synthetic people need: customer, pixels and attributes. What is there already is left alone."""

from dataclasses import dataclass

from django.db import transaction

from core.models import Customer
from integrations.models import Platform
from local.synthetic.people import ATTRIBUTES
from profiles.models import Attribute, Pixel
from profiles.paths import join_path

USER_KEY = "UserId"
PIXELS = ("Web shop", "App", "Magazine")
MOST_PIXELS = 3


class UnsuitableCustomerError(ValueError):
    """What is there already cannot hold the people; the message says why."""


@dataclass(frozen=True, slots=True)
class SyntheticCustomer:
    """`pixels`: those that see the people, the first of them nearly all; `platforms`: on which some are known."""

    customer: int
    user_key: str
    pixels: list[int]
    platforms: list[int]


def seed_customer(m: int) -> SyntheticCustomer:
    """The customer, its oldest pixels (three new ones where it has none), and what people have as enabled attributes.

    Raises `UnsuitableCustomerError`.
    """
    with transaction.atomic():
        customer, _ = Customer.objects.get_or_create(m=m, defaults={"name": f"Synthetic customer {m}"})
        pixels = list(customer.pixels.order_by("id")[:MOST_PIXELS])
        pixels = pixels or [Pixel.objects.create(customer=customer, name=n, user_key=USER_KEY) for n in PIXELS]
        user_key = next((pixel.user_key for pixel in pixels if pixel.user_key), USER_KEY)
        _check_user_key(user_key)
        _enable(customer, join_path(user_key.split(".")))
    platforms = Platform.objects.filter(customer=customer, enabled=True).order_by("pl")
    return SyntheticCustomer(m, user_key, [pixel.pk for pixel in pixels], [platform.pk for platform in platforms])


def _check_user_key(user_key: str) -> None:
    tops = {path.partition(".")[0] for path in ATTRIBUTES}
    if user_key in tops or any(sign in user_key for sign in '."\\'):
        raise UnsuitableCustomerError(
            f"the pixel's user key, {user_key}, cannot be a synthetic person's: use another customer"
        )


def _enable(customer: Customer, user_key: str) -> None:
    wanted = {user_key: Attribute.Type.STRING, **ATTRIBUTES}
    found = {row.path: row for row in Attribute.objects.filter(customer=customer, path__in=wanted)}
    for path, type_ in wanted.items():
        row = found.get(path)
        if row is None:
            Attribute.objects.create(customer=customer, path=path, type=type_, enabled=True)
        elif row.enabled and row.type not in {type_, Attribute.Type.MIXED}:
            raise UnsuitableCustomerError(
                f"attribute {path} is a {row.type} here, and a synthetic person's is a {type_}"
            )
