"""What is taken from outside is one version, and what a hash can be had for has one."""

import re
from collections.abc import Iterator
from pathlib import Path

from workspace.daprfile import ROOT

DEPLOY = ROOT / "deploy"
#: In a Compose file, in a manifest, as the default of a variable or of a build argument.
IMAGE = re.compile(r"(?:image: |_IMAGE:-|^ARG \w+_IMAGE=\"?)([a-z][\w./-]*:[\w.-]+)", re.MULTILINE)
#: PostgreSQL has two numbers. Python has the two of the answer: its patches are fixes only.
EXACT = re.compile(r"[\w./-]+:\d+\.\d+\.\d+[\w.-]*|postgres:\d+\.\d+[\w.-]*|python:\d+\.\d+-slim")


def images() -> Iterator[tuple[Path, str]]:
    for file in sorted(DEPLOY.rglob("*")):
        if file.suffix in (".yaml", ".yml") or file.name == "Dockerfile":
            for image in IMAGE.findall(file.read_text()):
                yield file, image


def test_every_image_is_of_one_version() -> None:
    found = list(images())
    assert len(found) > 10
    for file, image in found:
        assert EXACT.fullmatch(image), f"{image} in {file}"


def test_a_tag_that_moves_is_found() -> None:
    for image in ("valkey/valkey:9-alpine", "rabbitmq:4.2", "haproxy:latest"):
        assert not EXACT.fullmatch(image)


def test_uv_of_the_images_is_one_version_with_its_hashes() -> None:
    text = (DEPLOY / "uv.txt").read_text()
    assert re.search(r"^uv==\d+\.\d+\.\d+ ", text, re.MULTILINE)
    assert text.count("--hash=sha256:") > 1
    assert "--require-hashes" in (DEPLOY / "Dockerfile").read_text()
