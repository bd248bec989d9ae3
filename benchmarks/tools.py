"""wrk and nginx: from the PATH, or installed where that is possible."""

import os
import shutil
import subprocess

PACKAGES = {"wrk": "wrk", "nginx": "nginx-light"}
INSTALL_SECONDS = 300
# Debian starts a service that it installs; at this run level it does not
ENVIRONMENT = {"DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}


def find(name: str) -> str | None:
    """The program's path; Debian keeps servers where not every PATH looks."""
    return shutil.which(name, path=os.environ.get("PATH", os.defpath) + ":/usr/sbin:/usr/local/sbin")


def install_missing() -> list[str]:
    """Install what is missing if this is root on a system with apt; answers what is missing still."""
    absent = missing()
    if absent and os.geteuid() == 0 and shutil.which("apt-get"):
        packages = [PACKAGES[name] for name in absent]
        if not _apt("install", "-y", "--no-install-recommends", *packages):
            _apt("update")
            _apt("install", "-y", "--no-install-recommends", *packages)
        absent = missing()
    return absent


def missing() -> list[str]:
    return [name for name in PACKAGES if find(name) is None]


def _apt(*arguments: str) -> bool:
    try:
        done = subprocess.run(
            ["apt-get", "-qq", *arguments],
            env=os.environ | ENVIRONMENT,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=INSTALL_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0
