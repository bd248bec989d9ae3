"""Commands about an audience that are sent to every bucket; absorb carries them out under the bucket's lock."""

import msgspec


class BuildAudience(msgspec.Struct, omit_defaults=True):
    """Evaluate this version of the audience for every profile of the bucket that comes after the user `after`."""

    audience: int
    version: int
    after: str | None = None


class ForgetAudience(msgspec.Struct):
    """The audience is deleted: delete its memberships and counts in the bucket."""

    audience: int
