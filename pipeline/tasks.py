"""Celery's side of the stages: thin tasks that carry ids, never work."""

from celery import shared_task

from core.wakeups import ABSORB, DELIVER
from pipeline.absorb import stage
from pipeline.deliver import run


@shared_task(name=ABSORB, ignore_result=True)
def absorb(slot: int = 0) -> None:
    stage.drain(slot)


@shared_task(name=DELIVER, ignore_result=True)
def deliver(platform: int, lane: int) -> None:
    run(platform, lane)
