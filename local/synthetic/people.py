"""Makes synthetic people one by one. Who number n is depends on the customer, the pixels, the seed and the day only."""

from bisect import bisect
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from hashlib import blake2b
from random import Random
from typing import NamedTuple

from core import buckets
from local.synthetic.personas import (
    CATEGORIES,
    DAY_SECONDS,
    DEVICES,
    HABITS,
    PERSONA_SHARES,
    PERSONAS,
    PLACE_SHARES,
    PLACES,
    STREETS,
    Persona,
    habits,
)
from profiles.models import Attribute

BLOCK = 8_192  # people who are drawn together
EPOCH = date(1970, 1, 1)
LONGEST_AGO = 1_500  # days since somebody signed up

ATTRIBUTES = {
    "Gender": Attribute.Type.STRING,
    "Age": Attribute.Type.INTEGER,
    "Country": Attribute.Type.STRING,
    "City": Attribute.Type.STRING,
    "Address.Street": Attribute.Type.STRING,
    "Address.Zip": Attribute.Type.STRING,
    "Address.City": Attribute.Type.STRING,
    "Orders": Attribute.Type.INTEGER,
    "LifetimeValue": Attribute.Type.NUMBER,
    "Categories": Attribute.Type.STRING,
    "Newsletter": Attribute.Type.BOOLEAN,
    "SignupTime": Attribute.Type.TIME,
    "LastOrderTime": Attribute.Type.TIME,
}
"""What a person has, beside the customer's own user id. Moments are unix seconds."""

_TOP = sorted({path.partition(".")[0] for path in ATTRIBUTES})
_DIMENSIONS = ("_geo_c", "_geo_t", "_devt", "_os", "cpid", "curr")


@dataclass(frozen=True, slots=True)
class PopulationSettings:
    """Where the people are put. `user_key`: the attribute that holds the customer's own user id; `pixels`: those that
    see them; `day`: the last day on which anybody did anything."""

    customer: int
    seed: int
    user_key: str
    pixels: Sequence[int]
    day: date

    @property
    def key(self) -> bytes:
        """Of all that is told apart by customer and seed."""
        return f"{self.customer}/{self.seed}".encode()


class Person(NamedTuple):
    """A profile as its table holds it: JSON as text, moments as text in UTC."""

    number: int
    bucket: int
    user_id: str
    own_id: str
    attributes: str
    dimensions: str
    times: str
    activity: str
    created_at: str
    updated_at: str


def user_id(key: bytes, number: int, bucket: int) -> str:
    """Ours: random to look at, and in the bucket of the customer's own id, as if that had been met first."""
    text = blake2b(b"%d" % number, digest_size=14, key=key).hexdigest()
    return f"{text[:8]}-{text[8:12]}-4{text[12:15]}-a{text[15:18]}-{text[18:28]}{bucket:02x}"


def people(setting: PopulationSettings, block: int) -> Iterator[Person]:
    """The people of a block, from number `block` × `BLOCK` on."""
    maker = _Maker(setting, Random(f"{setting.seed}/{block}"))
    for number in range(block * BLOCK, (block + 1) * BLOCK):
        yield maker.person(number)


class _Maker:
    def __init__(self, setting: PopulationSettings, draw: Random) -> None:
        self._setting = setting
        self._random = draw.random
        self._gauss = draw.gauss
        self._exponential = draw.expovariate
        self._today = (setting.day - EPOCH).days
        self._days = [f"{setting.day - timedelta(days=ago)} " for ago in range(LONGEST_AGO + 1)]
        self._key = setting.key
        self._times = [_times(setting, ordered=False), _times(setting, ordered=True)]
        self._habits = habits(setting.seed, self._today)

    def person(self, number: int) -> Person:
        random = self._random
        own_id = f"S{self._setting.seed}-{number:08d}"
        bucket = buckets.of_value(own_id)
        kind = bisect(PERSONA_SHARES, random())
        persona = PERSONAS[kind]
        activity, last = self._activity(kind)
        second = int(random() * DAY_SECONDS)
        ago = self._today - last
        orders = int(self._exponential(1 / persona.orders))
        signed_up = ago + int(random() * random() * (LONGEST_AGO - ago))
        moment = last * DAY_SECONDS + second
        return Person(
            number,
            bucket,
            user_id(self._key, number, bucket),
            own_id,
            *self._known(persona, own_id, orders, signed_up, ago, second),
            self._times[orders > 0].replace("@", f"{moment}000"),
            activity,
            self._text(signed_up, second // 2),
            self._text(ago, second),
        )

    def _known(
        self, persona: Persona, own_id: str, orders: int, signed_up: int, ago: int, second: int
    ) -> tuple[str, str]:
        """Attributes and dimensions. `signed_up`, `ago`: days since the first and the last that was heard."""
        random = self._random
        place = PLACES[bisect(PLACE_SHARES, random())]
        age = min(92, max(16, round(self._gauss(*persona.age))))
        gender = "f" if random() < persona.women else "m"
        value = str(round(orders * persona.basket * (0.5 + random()), 2)).removesuffix(".0")
        postal_code = place.region * 1000 + int(random() * 1000)
        street = f"{STREETS[int(random() * len(STREETS))]} {1 + int(random() * 140)}"
        likes = '","'.join({CATEGORIES[bisect(persona.likes, random())]: None for _ in range(3)})
        letters = "true" if random() < persona.newsletter else "false"
        first = (self._today - signed_up) * DAY_SECONDS + second // 2
        ordered = f',"LastOrderTime":{(self._today - ago) * DAY_SECONDS + second}' if orders else ""
        device, system = DEVICES[bisect(persona.devices, random())]
        attributes = (
            f'{{"{self._setting.user_key}":"{own_id}","Gender":"{gender}","Age":{age},"Country":"{place.country}",'
            f'"City":"{place.city}","Address":{{"Street":"{street}","Zip":"{postal_code}","City":"{place.city}"}},'
            f'"Orders":{orders},"LifetimeValue":{value},"Categories":["{likes}"],"Newsletter":{letters},'
            f'"SignupTime":{first}{ordered}}}'
        )
        dimensions = (
            f'{{"_geo_c":"{place.code}","_geo_t":"{place.city}","_devt":{device},"_os":"{system}",'
            f'"cpid":"{100 + int(random() * 12)}","curr":"{place.currency}"}}'
        )
        return attributes, dimensions

    def _activity(self, persona: int) -> tuple[str, int]:
        """What each pixel has counted, and the last day on which one did. Not everybody meets every pixel."""
        told = []
        last = 0
        for order, pixel in enumerate(self._setting.pixels):
            if order and self._random() < 0.5:
                continue
            day, seen = self._habits[persona][int(self._random() * HABITS)]
            last = max(last, day)
            told.append(f'"{pixel}":{seen}')
        return "{" + ",".join(told) + "}", last

    def _text(self, ago: int, second: int) -> str:
        return f"{self._days[ago]}{second // 3600:02d}:{second // 60 % 60:02d}:{second % 60:02d}+00"


def _times(setting: PopulationSettings, *, ordered: bool) -> str:
    """When everything was set: `@` stands for the moment."""
    names = [name for name in (setting.user_key, *_TOP) if ordered or name != "LastOrderTime"]
    marks = [*(f"a:{name}" for name in names), *(f"d:{name}" for name in _DIMENSIONS)]
    return "{" + ",".join(f'"{mark}":@' for mark in marks) + "}"
