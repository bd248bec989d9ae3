"""The pages of log-ins: django-allauth's, as far as the console uses them. They stand before Django's own."""

from allauth.account import views
from allauth.socialaccount import views as social
from django.urls import include, path, re_path
from django.views.generic import RedirectView

from console.joining import join
from console.password_reset import ForgottenPassword
from console.sessions import LogOutEverywhere
from console.single_sign_on.views import sso_callback, sso_login

urlpatterns = [
    path("login/", views.login, name="account_login"),
    path("logout/", views.logout, name="account_logout"),
    path("password_change/", RedirectView.as_view(pattern_name="account_change_password")),
    path("invitations/<str:token>/", join, name="invitation"),
    path("account/inactive/", views.account_inactive, name="account_inactive"),
    path("account/signup/", views.signup, name="account_signup"),
    path("account/reauthenticate/", views.reauthenticate, name="account_reauthenticate"),
    path("account/password/change/", views.password_change, name="account_change_password"),
    path("account/password/reset/", ForgottenPassword.as_view(), name="account_reset_password"),
    path("account/password/reset/done/", views.password_reset_done, name="account_reset_password_done"),
    re_path(
        r"^account/password/reset/key/(?P<uidb36>[0-9A-Za-z]+)-(?P<key>.+)/$",
        views.password_reset_from_key,
        name="account_reset_password_from_key",
    ),
    path(
        "account/password/reset/key/done/",
        views.password_reset_from_key_done,
        name="account_reset_password_from_key_done",
    ),
    path("account/password/set/", views.password_set, name="account_set_password"),
    path("account/log-out-everywhere/", LogOutEverywhere.as_view(), name="account_log_out_everywhere"),
    path("account/2fa/", include("allauth.mfa.urls")),
    path("account/sso/login/", sso_login, name="sso_login"),
    path("account/sso/callback/", sso_callback, name="sso_callback"),
    path("account/sso/cancelled/", social.login_cancelled, name="socialaccount_login_cancelled"),
    path("account/sso/error/", social.login_error, name="socialaccount_login_error"),
    path("account/sso/signup/", social.signup, name="socialaccount_signup"),
    path("account/sso/connections/", social.connections, name="socialaccount_connections"),
]
