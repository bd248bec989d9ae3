"""Wants that arrive in the bucket of their platform id."""

from activation.messages import Want, decode_want
from pipeline.absorb.loader import Needs
from pipeline.absorb.rows import Row
from pipeline.absorb.unit_of_work import Work

__all__ = ["decode_want"]


def needs_want(want: Want, needs: Needs) -> None:
    """Settled with all of the batch's wants: it looks up what it needs for all at once."""


def absorb_want(work: Work, row: Row, want: Want) -> None:
    work.pass_want(want)
