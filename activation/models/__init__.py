"""Tables of activation: what each platform should hold, what it confirmed, and how far sending is."""

from activation.models.activations import Activation, ActivationCount, Backfill, SegmentNumber, Withdrawal
from activation.models.deliveries import Batch, DeadLetter, Delivery, Lane, LetterReplay, ReplayedBucket, UploadedFile
from activation.models.platforms import Health, HostKey, Spending

__all__ = [
    "Activation",
    "ActivationCount",
    "Backfill",
    "Batch",
    "DeadLetter",
    "Delivery",
    "Health",
    "HostKey",
    "Lane",
    "LetterReplay",
    "ReplayedBucket",
    "SegmentNumber",
    "Spending",
    "UploadedFile",
    "Withdrawal",
]
