"""Bulk work on audiences, asked of every bucket."""

import msgspec


class Build(msgspec.Struct, omit_defaults=True):
    """Evaluate every profile of the bucket that comes after user `after` for this version of the audience."""

    audience: int
    version: int
    after: str | None = None


class Forget(msgspec.Struct):
    """The audience is deleted: nobody of the bucket was ever in it."""

    audience: int


decode_forget = msgspec.json.Decoder(Forget).decode
decode_build = msgspec.json.Decoder(Build).decode
