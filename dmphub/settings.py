"""Django's settings: everything that varies comes from `core.environment`."""

from datetime import timedelta
from socket import gethostname
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from django.templatetags.static import static

from console.headers import content_security_policy
from console.single_sign_on.configuration import providers
from core import environment
from local import embedded

ENVIRONMENT = environment.read()
SERVICES = embedded.addresses(ENVIRONMENT)

SECRET_KEYS: list[str] = list(ENVIRONMENT.secret_keys)
METRICS_TOKEN: str = ENVIRONMENT.metrics_token
SECRET_KEY, *SECRET_KEY_FALLBACKS = ENVIRONMENT.derived_secrets("django")
DEBUG = ENVIRONMENT.debug
CONSOLE = ENVIRONMENT.console
# the console's own address, and those by which this machine reaches it
ALLOWED_HOSTS = ["localhost", "127.0.0.1", "[::1]", CONSOLE.hostname or gethostname()]
EDGE_URL = ENVIRONMENT.edge_url
TRUSTED_PROXIES = ENVIRONMENT.trusted_proxies
EGRESS_PROXY = ENVIRONMENT.egress_proxy
KEEP_AUDIT_DAYS = ENVIRONMENT.keep_audit_days
UNPACKED_BYTES = ENVIRONMENT.unpacked_bytes
ALLOW_PRIVATE_TARGETS = ENVIRONMENT.allow_private_targets
CUSTOMER_LIMITS = ENVIRONMENT.customer_limits
DOOR_STATEMENT_SECONDS = ENVIRONMENT.door_statement_seconds
# where platforms that take files in a folder get them: nothing is ever written elsewhere
FILES_ROOT = ENVIRONMENT.home / "files"

INSTALLED_APPS = [
    "unfold",
    "dmphub.apps.AdminConfig",
    "django.contrib.humanize",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.postgres",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.socialaccount",
    "axes",
    "django_filters",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "drf_standardized_errors",
    "core",
    "integrations",
    "usersync",
    "profiles",
    "audiences",
    "lookalikes",
    "activation",
    "pipeline",
    "api",
    "console",
    "console.single_sign_on",
    "dmphub",
]

MIDDLEWARE = [
    "console.health.ProbesMiddleware",
    "console.headers.BrowserRulesMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "dmphub.doors.DoorMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "console.sessions.SessionLimitsMiddleware",
    "console.access.AccessMiddleware",
    "core.audit.door.AuditDoor",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "console.gate.GateMiddleware",
    "axes.middleware.AxesMiddleware",
    "console.recorded.RecordedMiddleware",
    "api.throttling.RateLimitMiddleware",
]

ROOT_URLCONF = "dmphub.urls"
WSGI_APPLICATION = "dmphub.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [environment.CODE_ROOT / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "console.accounts.frame",
            ]
        },
    }
]


def database(url: str) -> dict[str, Any]:
    """Django's view of a `postgresql://` URL; a socket folder may stand in `?host=`."""
    parts = urlsplit(url)
    options = dict(parse_qsl(parts.query))
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": unquote(parts.path.lstrip("/")),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": options.pop("host", unquote(parts.hostname or "")),
        "PORT": str(parts.port or options.pop("port", "")),
        "CONN_MAX_AGE": 60,
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": options,
    }


DATABASES = {"default": database(SERVICES.database_url)}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
REDIS_URL = SERVICES.redis_url

LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_TZ = True
USE_I18N = False
FORMAT_MODULE_PATH = ["dmphub.formats"]

STATIC_URL = "static/"
STATIC_ROOT = ENVIRONMENT.home / "static"

# Log-ins: see console/accounts.py and docs/security.md. axes counts wrong passwords, by name, from all addresses.
AUTHENTICATION_BACKENDS = ["axes.backends.AxesStandaloneBackend", "console.permissions.TeamBackend"]
_VALIDATION = "django.contrib.auth.password_validation"
AUTH_PASSWORD_VALIDATORS: list[dict[str, Any]] = [
    {"NAME": f"{_VALIDATION}.UserAttributeSimilarityValidator"},
    {"NAME": f"{_VALIDATION}.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": f"{_VALIDATION}.CommonPasswordValidator"},
    {"NAME": f"{_VALIDATION}.NumericPasswordValidator"},
]
LOGIN_URL, LOGIN_REDIRECT_URL = "account_login", "/"
SESSION_COOKIE_AGE = ACCOUNT_SESSION_COOKIE_AGE = CONSOLE.idle_hours * 3600
ACCOUNT_SESSION_REMEMBER = True
ACCOUNT_ADAPTER = "console.accounts.AccountAdapter"
ACCOUNT_FORMS = {"login": "console.accounts.LogInForm", "reset_password": "console.password_reset.ResetForm"}
ACCOUNT_LOGIN_METHODS = {"username"}
ACCOUNT_SIGNUP_FIELDS = ["username*", "password1*", "password2*"]
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_LOGOUT_REDIRECT_URL = "account_login"
# beyond what axes allows: codes of second factors, of one person; reset links, for an address, whether known or not
ACCOUNT_RATE_LIMITS = {"login": None, "login_failed": "15/10m/key", "reset_password": "30/10m/ip,5/10m/key"}
ACCOUNT_EMAIL_UNKNOWN_ACCOUNTS = False
PASSWORD_RESET_TIMEOUT = 24 * 3600
CACHES = {"default": {"BACKEND": "core.shared_cache.SharedCache"}}  # tries are counted for all processes together
MFA_ADAPTER = "console.accounts.SecondFactorAdapter"
MFA_FORMS = {"activate_totp": "console.second_factor.AddAppForm"}
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_PASSKEY_LOGIN_ENABLED = True
MFA_TOTP_ISSUER = "dmphub"
MFA_ALLOW_UNVERIFIED_EMAIL = True
MFA_WEBAUTHN_ALLOW_INSECURE_ORIGIN = not CONSOLE.has_tls
if CONSOLE.mail:
    EMAIL_HOST, EMAIL_PORT, EMAIL_TIMEOUT = CONSOLE.mail.host, CONSOLE.mail.port, 10
    EMAIL_HOST_USER, EMAIL_HOST_PASSWORD = CONSOLE.mail.username, CONSOLE.mail.password
    EMAIL_USE_SSL, EMAIL_USE_TLS = CONSOLE.mail.implicit_tls, not CONSOLE.mail.implicit_tls
    DEFAULT_FROM_EMAIL = CONSOLE.mail.sender
SOCIALACCOUNT_PROVIDERS = providers(CONSOLE.single_sign_on)
SOCIALACCOUNT_ADAPTER = "console.single_sign_on.views.SingleSignOnPeople"
SOCIALACCOUNT_AUTO_SIGNUP = True
ACCOUNT_UNIQUE_EMAIL = False
AXES_FAILURE_LIMIT = 10
AXES_COOLOFF_TIME = timedelta(minutes=10)
AXES_LOCKOUT_PARAMETERS = ["username"]
AXES_LOCKOUT_CALLABLE = "console.sessions.locked_out"
AXES_RESET_ON_SUCCESS = True
AXES_DISABLE_ACCESS_LOG = True
AXES_ENABLE_ADMIN = False
AXES_VERBOSE = False
CSRF_TRUSTED_ORIGINS: list[str] = [CONSOLE.url] if CONSOLE.url else []
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"  # a provider of single sign-on sends people back by a link
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = CONSOLE.has_tls
X_FRAME_OPTIONS = "DENY"
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
CONTENT_SECURITY_POLICY = content_security_policy(*([CONSOLE.single_sign_on.origin] if CONSOLE.single_sign_on else []))
if CONSOLE.has_tls:  # a proxy with TLS stands before the console
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    SECURE_HSTS_SECONDS = 31_536_000
SILENCED_SYSTEM_CHECKS = [
    "security.W005",  # names beneath the console's may be the edge, which serves plain HTTP as well
    "security.W008",  # the proxy redirects; `console.headers` does where the proxy says that it has not
    "axes.W006",  # wrong passwords are counted by name alone, from whatever address: nothing a client sends counts
    "security.W021",  # a list of browsers cannot be left again, so that is not for a program to decide
]

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["api.access.ApiKeyAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["api.access.RolePermission"],
    "DEFAULT_PAGINATION_CLASS": "api.pagination.KeysetPagination",
    "PAGE_SIZE": 100,
    "DEFAULT_FILTER_BACKENDS": ["django_filters.rest_framework.DjangoFilterBackend"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["api.strict.StrictJSONParser"],
    "DEFAULT_SCHEMA_CLASS": "api.schema.ApiSchema",
    "EXCEPTION_HANDLER": "api.errors.answer_in_json",
}

SPECTACULAR_SETTINGS = {
    "TITLE": "dmphub",
    "DESCRIPTION": "Drive the audience-activation hub: collect, match, decide, activate.",
    "VERSION": "1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "SWAGGER_UI_SETTINGS": {"persistAuthorization": True, "docExpansion": "none"},
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    "SERVE_AUTHENTICATION": [],
    "SCHEMA_PATH_PREFIX": "/api/v1/",
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "api.schema.add_errors",
    ],
    "ENUM_NAME_OVERRIDES": {
        "AttributeType": "profiles.models.Attribute.Type",
        "ApiKeyStatus": ["valid", "expired", "revoked"],
        "AudienceStatus": "audiences.models.Audience.Status",
        "ActivationStatus": "activation.models.Activation.Status",
        "BatchStatus": "activation.models.Batch.Status",
        "ImportStatus": "pipeline.models.Import.Status",
    },
}

UNFOLD = {
    "SITE_TITLE": "dmphub",
    "SITE_HEADER": "dmphub",
    "SITE_SUBHEADER": "Collect · match · decide · activate",
    "SITE_SYMBOL": "hub",
    "SITE_URL": None,
    "SHOW_VIEW_ON_SITE": False,
    "SHOW_BACK_BUTTON": True,
    "BORDER_RADIUS": "6px",
    "STYLES": [lambda _: static("dmphub/console.css")],
    "GLOBAL_CALLBACK": "console.access.switcher",
    "ACCOUNT": {"navigation": "console.navigation.account"},
    "DASHBOARD_CALLBACK": "console.overview.dashboard",
    "SIDEBAR": {"show_search": False, "navigation": "console.navigation.navigation"},
}

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {"no_ids": {"()": "core.logs.WithoutPersonalIds"}},
    "formatters": {
        "plain": {"()": "core.logs.Formatter", "format": "%(asctime)s %(levelname)s %(name)s: %(message)s"},
    },
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "plain", "filters": ["no_ids"]}},
    "root": {"handlers": ["console"], "level": "INFO"},
    # "axes" tells of every log-in
    # these know the addresses of requests, whatever handler writes what they say
    "loggers": {"axes": {"level": "WARNING"}}
    | {
        name: {"filters": ["no_ids"]}
        for name in ("django.request", "django.security.csrf", "django.security.DisallowedHost", "django.server")
    },
}
