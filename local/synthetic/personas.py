"""Kinds of customers, places to live and ways of coming: what makes synthetic people alike.

Without it there would be nothing to find in them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate
from random import Random
from typing import NamedTuple

CATEGORIES = (
    "books",
    "music",
    "garden",
    "toys",
    "sports",
    "shoes",
    "fashion",
    "beauty",
    "electronics",
    "games",
    "wine",
)
DEVICES = ((1, "Windows"), (1, "macOS"), (2, "iPadOS"), (3, "iOS"), (3, "Android"))


class Place(NamedTuple):
    """`region` is the first part of its postal codes; `country` in two letters, `code` in three."""

    country: str
    code: str
    city: str
    region: int
    currency: str
    weight: int


PLACES = (
    Place("DE", "DEU", "Berlin", 10, "EUR", 14),
    Place("DE", "DEU", "Hamburg", 20, "EUR", 9),
    Place("DE", "DEU", "München", 80, "EUR", 8),
    Place("DE", "DEU", "Köln", 50, "EUR", 6),
    Place("FR", "FRA", "Paris", 75, "EUR", 11),
    Place("FR", "FRA", "Lyon", 69, "EUR", 4),
    Place("GB", "GBR", "London", 12, "GBP", 12),
    Place("GB", "GBR", "Leeds", 31, "GBP", 3),
    Place("IT", "ITA", "Milano", 20, "EUR", 6),
    Place("IT", "ITA", "Roma", 11, "EUR", 6),
    Place("ES", "ESP", "Madrid", 28, "EUR", 7),
    Place("AT", "AUT", "Wien", 11, "EUR", 4),
    Place("CH", "CHE", "Zürich", 80, "CHF", 3),
    Place("NL", "NLD", "Amsterdam", 10, "EUR", 4),
    Place("SE", "SWE", "Malmö", 21, "SEK", 3),
)
STREETS = ("Main Street", "Station Road", "Church Lane", "Park Avenue", "Mill Lane", "Garden Row", "High Street")


def shares(weights: Iterable[float]) -> list[float]:
    """Where in [0, 1) the share of each ends: the place of a random number in it is a fair choice."""
    ends = list(accumulate(weights))
    return [end / ends[-1] for end in ends[:-1]]


@dataclass(frozen=True, slots=True)
class Persona:
    """A kind of customer. `age`: mean and spread; `women`: their share; `orders`: their mean; `basket`: the mean
    amount of one; `days`: how many days each pixel sees it; `likes`, `devices`: as `shares`."""

    age: tuple[float, float]
    women: float
    orders: float
    basket: float
    days: int
    newsletter: float
    likes: Sequence[float]
    devices: Sequence[float]


def _likes(**favourites: int) -> list[float]:
    return shares(favourites.get(category, 1) for category in CATEGORIES)


PERSONAS = (
    Persona((24, 4), 0.45, 2.5, 38, 9, 0.22, _likes(games=18, gadgets=12, music=9), shares((3, 2, 1, 6, 9))),
    Persona((36, 6), 0.72, 6.0, 62, 7, 0.55, _likes(toys=20, fashion=9, shoes=7), shares((3, 2, 4, 8, 6))),
    Persona((58, 9), 0.55, 4.0, 54, 4, 0.48, _likes(garden=18, books=14, wine=8), shares((12, 3, 5, 2, 3))),
    Persona((31, 6), 0.40, 5.0, 84, 6, 0.31, _likes(sports=20, shoes=12, gadgets=5), shares((2, 3, 1, 8, 6))),
    Persona((45, 8), 0.50, 11.0, 148, 5, 0.60, _likes(wine=14, fashion=10, beauty=10), shares((4, 9, 4, 8, 1))),
    Persona((41, 15), 0.52, 0.7, 29, 2, 0.12, _likes(), shares((6, 2, 2, 5, 8))),
)
PERSONA_SHARES = shares((17, 18, 15, 14, 6, 30))
PLACE_SHARES = shares(place.weight for place in PLACES)


HABITS = 4_096  # of each persona; a person has one a pixel
DAY_SECONDS = 86_400
LOOKED_BACK = 178  # days

# the last day, and what the pixel has counted: JSON as `Profile.activity` holds it
Habit = tuple[int, str]


@lru_cache(maxsize=2)
def habits(seed: int, today: int) -> list[list[Habit]]:
    """Of each persona. `today`: days since 1970."""
    draw = Random(f"habits {seed}")
    return [[_habit(draw, persona.days, today) for _ in range(HABITS)] for persona in PERSONAS]


def _habit(draw: Random, mean_days: int, today: int) -> Habit:
    last = today - min(170, int(draw.expovariate(1 / 25)))
    days = [last]
    for _ in range(int(draw.random() * 2 * mean_days)):
        day = days[-1] - draw.randint(1, 10)
        if day <= today - LOOKED_BACK:
            break
        days.append(day)
    counts = [draw.randint(1, 4) for _ in days]
    told = ",".join(f'"{day}":{count}' for day, count in zip(days, counts, strict=True))
    # before breakfast and after supper: within their days whatever the order
    first, end = days[-1] * DAY_SECONDS + 21_600, last * DAY_SECONDS + 72_000
    return last, f'{{"first":{first}000,"last":{end}000,"total":{sum(counts)},"days":{{{told}}}}}'
