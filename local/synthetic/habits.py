"""How often people come: ways of coming on some days of the last half-year, drawn once and then shared."""

from functools import lru_cache
from random import Random

from local.synthetic.personas import PERSONAS

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
