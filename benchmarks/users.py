"""The users of a benchmark: numbered, and the same in every process."""

import random
import uuid

import msgspec

BODY_BYTES = 300


def user_ids(seed: int, count: int) -> list[uuid.UUID]:
    """Random user ids (uuid4), always the same ones for a seed."""
    source = random.Random(seed)
    return [uuid.UUID(int=source.getrandbits(128), version=4) for _ in range(count)]


def platform_user_id(seed: int, number: int) -> str:
    """The id of the `number`-th user of a seed at the platform."""
    return f"p{seed}-{number:07d}"


def body(amount: float) -> bytes:
    """300 bytes of data as a shop sends them."""
    data = {
        "amount": amount,
        "items": 3,
        "currency": "EUR",
        "category": "shoes/running",
        "basket": {"coupon": "none", "lines": [{"sku": "A-1001", "n": 2}, {"sku": "B-2002", "n": 1}]},
        "page": "",
    }
    room = BODY_BYTES - len(msgspec.json.encode(data))
    data["page"] = ("/checkout/thank-you?step=4&from=cart&" * 10)[:room]
    return msgspec.json.encode(data)
