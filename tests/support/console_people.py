"""People who use the console, and browsers in which they are logged in."""

from django.contrib.auth.models import User
from django.test import Client

from core.models import Customer, TeamMember


def person(role: str, *customers: Customer, name: str = "somebody") -> User:
    """Make a person with this role for the customers, or for all where none is named."""
    user = User.objects.create(username=name, is_staff=True)
    for customer in customers or (None,):
        TeamMember.objects.create(user=user, role=role, customer=customer)
    return user


def browser_of(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client
