import pytest
from django.contrib import admin
from django.contrib.auth.models import User
from django.test import Client

from tests.support.console_people import browser_of

admin.autodiscover()  # as `dmphub.urls` does: some tests look at all the pages there are


@pytest.fixture
def boss(db: None) -> User:
    return User.objects.create(username="boss", is_staff=True, is_superuser=True)


@pytest.fixture
def console(boss: User) -> Client:
    """A browser that is logged in."""
    return browser_of(boss)
