"""What we know of a user, and where it is collected."""

from profiles.models.catalogue import Attribute, AttributeStatistics, DataStatistics, NobodyCount
from profiles.models.pixels import Pixel, PixelActivity, PixelIntegration
from profiles.models.users import (
    CustomerExcess,
    ErasedId,
    ForgottenId,
    Identity,
    KnownUsers,
    OptOut,
    Profile,
    ProfileExcess,
    ProfileMerge,
    SharedId,
    WaitingLink,
    WatchedId,
)

__all__ = [
    "Attribute",
    "AttributeStatistics",
    "CustomerExcess",
    "DataStatistics",
    "ErasedId",
    "ForgottenId",
    "Identity",
    "KnownUsers",
    "NobodyCount",
    "OptOut",
    "Pixel",
    "PixelActivity",
    "PixelIntegration",
    "Profile",
    "ProfileExcess",
    "ProfileMerge",
    "SharedId",
    "WaitingLink",
    "WatchedId",
]
