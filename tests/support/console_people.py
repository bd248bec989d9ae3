"""People who use the console, and browsers in which they are logged in."""

import time

from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import TOTP, format_hotp_value, hotp_value
from allauth.mfa.utils import is_mfa_enabled
from django.conf import settings
from django.contrib.auth import SESSION_KEY
from django.contrib.auth.models import User
from django.test import Client

from core.models import Customer, TeamMember

SECRET = "JBSWY3DPEHPK3PXP"


def person(role: str, *customers: Customer, name: str = "somebody") -> User:
    """Make a person with this role for the customers, or for all where none is named."""
    user = User.objects.create(username=name, is_staff=True)
    for customer in customers or (None,):
        TeamMember.objects.create(user=user, role=role, customer=customer)
    return user


def give_factor(user: User) -> None:
    """If this hub demands second factors, let the person have one."""
    if settings.CONSOLE.second_factor and not is_mfa_enabled(user):
        TOTP.activate(user, SECRET)


def browser_of(user: User) -> Client:
    give_factor(user)
    client = Client()
    client.force_login(user)
    return client


def code_of(secret: str) -> str:
    """What the authenticator app shows now."""
    return str(format_hotp_value(hotp_value(secret, int(time.time()) // 30)))


def enrolled(client: Client) -> str:
    """Add an authenticator app, as its owner does. Returns its secret."""
    page = client.get("/account/2fa/totp/activate/")
    secret: str = page.context["form"].secret
    assert client.post("/account/2fa/totp/activate/", {"code": code_of(secret)}).status_code == 302
    return secret


def satisfy_demand(client: Client) -> None:
    """After a log-in to a hub that demands second factors: add one, or show the one there is. Else do nothing."""
    if not settings.CONSOLE.second_factor:
        return
    user = client.session.get(SESSION_KEY)
    if user is None and client.get("/account/2fa/authenticate/").status_code == 200:
        codes = Authenticator.objects.get(type=Authenticator.Type.RECOVERY_CODES).wrap().get_unused_codes()
        client.post("/account/2fa/authenticate/", {"code": codes[0]})
    elif user is not None and not is_mfa_enabled(User.objects.get(pk=user)):
        enrolled(client)
