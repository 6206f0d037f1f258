"""What anybody is told to install, by whatever tool, is ours to name: this folder, or something we depend on.

A name that is free, or a stranger's, is one from which somebody else's program would be run.
"""

import ast
import io
import re
import tokenize
import tomllib
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import pytest

from services import DISTRIBUTION

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
READ = {".md", ".py", ".sql", ".toml", ".yml", ".yaml", ".json", ".html", ".sh", ".txt", ".cfg"}
READ_BY_NAME = {"Makefile", "Dockerfile", "run"}
NOT_OURS = {".git", ".venv", ".rapport", "__pycache__", "node_modules"}
IMAGES = {"python", "postgres", "valkey/valkey"}  # official ones, that the image and compose are made of

PYTHON_TOOLS = (
    r"(?:pip3?|pip download|uv pip|python3? -m pip) (?:install|download)|uv add|uv tool (?:install|run)|uvx"
    r"|uv run --with|pipx (?:install|run|inject)|poetry add|pdm add|conda install"
)
OTHER_REGISTRIES = (
    r"npm (?:install|i|exec|add)|npx|pnpm (?:add|dlx)|yarn (?:add|dlx)|bunx?|gem install|cargo install|go install"
)
IMAGE_TOOLS = r"(?:docker|podman|nerdctl) (?:image )?(?:pull|run)|(?<![\w-])image:"
VALUED = {
    "-r",
    "--requirement",
    "-c",
    "--constraint",
    "--python",
    "--index-url",
    "-i",
    "--extra",
    "--group",
    "-t",
    "-p",
    "-v",
}


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def dependencies() -> set[str]:
    project = PROJECT["project"]
    groups = [*project["optional-dependencies"].values(), *PROJECT["dependency-groups"].values()]
    wanted = [
        *project["dependencies"],
        *PROJECT["build-system"]["requires"],
        *(one for group in groups for one in group),
    ]
    return {normal(re.split(r"[^\w.-]", one)[0]) for one in wanted} | {"pip", "uv"}


def words_after(tools: str, text: str) -> Iterator[str]:
    """What each of these tools is given on its line, without options."""
    text = text.replace("\\\n", " ")
    for found in re.finditer(rf"(?<![\w.-])(?:{tools})(?=\s|$)([^\n`;|&<>#]*)", text, flags=re.MULTILINE):
        words = iter(found[1].split())
        for word in words:
            if word in VALUED:
                next(words, None)
            elif not word.startswith(("-", "$", "{")):
                yield word.lstrip("'\"(").rstrip("'\".,:)\\")


def strangers(text: str) -> list[str]:
    """The names in these instructions that are neither this folder nor something we depend on."""
    packages = [word for word in words_after(PYTHON_TOOLS, text) if word and not word.startswith((".", "/"))]
    bad = [word for word in packages if normal(re.split(r"[^\w.-]", word)[0]) not in dependencies()]
    bad += [word for word in words_after(OTHER_REGISTRIES, text) if word]
    images = [
        next(iter(found.split()), "") for found in re.findall(rf"(?:{IMAGE_TOOLS})\s+([^\n`]*)", text, re.MULTILINE)
    ]
    return bad + [
        one for one in images if one.partition(":")[0] not in IMAGES and not one.startswith(("-", "localhost/"))
    ]


def told(file: Path) -> Iterator[str]:
    """All text of a file; of Python its strings, put together as they will be, its lists of words and its comments."""
    source = file.read_text(errors="replace")
    if file.suffix != ".py":
        yield re.sub(r"^FROM ", "docker pull ", source, flags=re.MULTILINE) if file.name == "Dockerfile" else source
        return
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Constant(value=str(text)):
                yield text
            case ast.JoinedStr(values=parts):
                yield "".join(str(part.value) if isinstance(part, ast.Constant) else "{}" for part in parts)
            case ast.List(elts=parts) | ast.Tuple(elts=parts):
                yield " ".join(str(part.value) for part in parts if isinstance(part, ast.Constant))
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield token.string


def files() -> list[Path]:
    found = [one for one in ROOT.rglob("*") if one.is_file() and not NOT_OURS & set(one.relative_to(ROOT).parts)]
    return [one for one in found if (one.suffix in READ or one.name in READ_BY_NAME) and one != Path(__file__)]


def test_nobody_is_told_to_install_a_strangers_package_or_image():
    found = {(str(file.relative_to(ROOT)), name) for file in files() for text in told(file) for name in strangers(text)}
    assert found == set()


def test_that_reads_every_kind_of_file_that_tells_people_something():
    seen = {str(file.relative_to(ROOT)) for file in files()}
    assert seen >= {
        "README.md", "CHANGELOG.md", "Makefile", "Dockerfile", "docker-compose.yml", "pyproject.toml",
        "docs/operations.md", "docs/evaluation.md", "infra/tracing.py", "services/cli.py", "infra/sql/event_log.sql",
    }  # fmt: skip


@pytest.mark.parametrize(
    "text",
    [
        "pip install rapport",
        "pip install 'rapport[evaluate]'",
        "is missing: pip install 'rapport[tracing]'.",
        "`python -m pip install --user rapport==1.0`",
        "pip3 install -r requirements.lock rapport",
        "uv pip install rapport-tools",
        "uv add rapport",
        "uv tool install rapport-relationships",
        "uvx rapport up",
        "pipx run rapport",
        "pip install litestar \\\n  rapport",
        "npx rapport",
        "npm install rapport-client",
        "docker pull rapport",
        "docker run rapport/rapport:latest",
        "  image: rapport\n",
    ],
)
def test_it_finds_what_it_is_for(text: str, tmp_path: Path):
    assert strangers(text)
    middle = len(text) // 2
    (tmp_path / "told.py").write_text(f"raise ValueError({text[:middle]!r}\n    {text[middle:]!r})\n")
    assert any(strangers(said) for said in told(tmp_path / "told.py")), "also where a string is written in two"


def test_it_finds_the_image_another_is_made_of(tmp_path: Path):
    (tmp_path / "Dockerfile").write_text("FROM python:3.13-slim AS build\nRUN true\n\nFROM rapport:1\n")
    assert [name for text in told(tmp_path / "Dockerfile") for name in strangers(text)] == ["rapport:1"]


@pytest.mark.parametrize("words", ["pip install rapport", "uv tool install rapport", "docker pull rapport"])
def test_it_finds_commands_that_are_lists_of_words_and_comments(words: str, tmp_path: Path):
    for source in (f"run({words.split()!r})", f"x = 1  # {words}", f"run(f'{words} {{version}}')"):
        (tmp_path / "told.py").write_text(source)
        assert any(strangers(said) for said in told(tmp_path / "told.py")), source


@pytest.mark.parametrize(
    "text",
    [
        "pip install .",
        "pip install -e '.[evaluate]'",
        "uv pip install --python .venv/bin/python --no-deps -e .",
        "pip install --require-hashes -r requirements.lock",
        "pip install litestar>=2 'scikit-learn'",
        "image: postgres:18\nimage: localhost/rapport  # built here",
        "`pip install` is what `make setup` does",
    ],
)
def test_it_lets_pass_what_is_ours(text: str):
    assert strangers(text) == []


def test_the_distribution_has_a_name_of_its_own_and_the_command_its_old_one():
    """`rapport` is another project on PyPI: nothing of ours is to be looked for there by that name."""
    assert PROJECT["project"]["name"] == DISTRIBUTION != "rapport"
    assert version(DISTRIBUTION) == PROJECT["project"]["version"]
    assert PROJECT["project"]["scripts"] == {"rapport": "services.cli:main"}


def test_what_make_setup_installs_has_the_packages_of_every_extra():
    pins = set(re.findall(r"^([\w.-]+)==", (ROOT / "requirements.lock").read_text(), flags=re.MULTILINE))
    extras = PROJECT["project"]["optional-dependencies"]
    wanted = {normal(re.split(r"[^\w.-]", one)[0]) for extra in extras.values() for one in extra}
    assert wanted
    assert wanted <= {normal(one) for one in pins}
