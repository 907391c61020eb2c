"""The files that every service has, whatever its kind."""

from collections.abc import Mapping
from string import Template

PYPROJECT = """\
[project]
name = "$name"
version = "0.1.0"
requires-python = ">=3.11"
dependencies = ["chassis", "contracts"]

[tool.uv.sources]
chassis = $member
contracts = $member

[build-system]
requires = ["uv_build>=0.9,<1"]
build-backend = "uv_build"
"""

SETTINGS = '''\
"""Settings of $name."""

from chassis import ServiceSettings


class $Settings(ServiceSettings):
    app_id: str = "$name"


settings = $Settings()
'''

MAIN = '''\
"""$Title, composed: uvicorn --factory $package.main:app"""

from fastapi import FastAPI

from chassis import Ports, Service
from $package.settings import settings
$imports

def compose(ports: Ports | None = None) -> Service:
    service = Service(settings, title="$Title", ports=ports)
$composes
    return service


def app() -> FastAPI:
    return compose().app
'''

TEST_MAIN = """\
from $package.main import compose
from testkit import memory_ports


def test_it_is_composed() -> None:
    assert compose(memory_ports()).settings.app_id == "$name"
"""


def names(name: str, package: str) -> dict[str, str]:
    """What a service is called, by the names that stand for it in a template."""
    title = name.replace("-", " ").capitalize()
    return {
        "name": name,
        "package": package,
        "Title": title,
        "Settings": f"{title.title().replace(' ', '')}Settings",
    }


def files(name: str, package: str, about: str, main: Mapping[str, str]) -> dict[str, str]:
    """By path, below the folder of the service."""
    known = {**names(name, package), "member": "{ workspace = true }", **main}
    title = known["Title"]
    return {
        path: Template(text).substitute(known)
        for path, text in {
            "pyproject.toml": PYPROJECT,
            f"src/{package}/__init__.py": f'"""{title}: {about}"""\n',
            f"src/{package}/py.typed": "",
            f"src/{package}/settings.py": SETTINGS,
            f"src/{package}/main.py": MAIN,
            "tests/test_main.py": TEST_MAIN,
        }.items()
    }
