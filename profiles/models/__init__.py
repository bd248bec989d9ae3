"""What we know of a user, and where it is collected."""

from profiles.models.catalogue import Attribute, AttributeSighting, DataSeen
from profiles.models.pixels import Pixel, PixelIntegration
from profiles.models.users import Erased, HotId, Identity, KnownUsers, OptOut, Profile, ProfileMerge

__all__ = [
    "Attribute",
    "AttributeSighting",
    "DataSeen",
    "Erased",
    "HotId",
    "Identity",
    "KnownUsers",
    "OptOut",
    "Pixel",
    "PixelIntegration",
    "Profile",
    "ProfileMerge",
]
