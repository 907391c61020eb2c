"""A workspace has the license that was chosen, in the name of its author, and no other."""

import re
from pathlib import Path

import pytest

from tests.template.rendering import cookiecutter

# What each license says that no other one of them does.
SAYS = {
    "MIT": "MIT License",
    "Apache-2.0": "Apache License\n",
    "BSD-3-Clause": "BSD 3-Clause License",
    "LicenseRef-Proprietary": "All rights reserved",
}


def license_of(template: Path, output: Path, **answers: str) -> str:
    """The text of the only file that is one."""
    rendering = cookiecutter(template, output, **answers)
    assert rendering.code == 0, rendering.stdout + rendering.stderr
    (found,) = output.glob("*/*LICENSE*")
    assert found.name == "LICENSE"
    return found.read_text()


@pytest.mark.parametrize("license", SAYS)
def test_the_license_is_the_chosen_one_and_names_the_author(
    template: Path, output: Path, license: str
) -> None:
    text = license_of(template, output, license=license, author="Zoë D'Arc & Co.")
    assert [name for name, words in SAYS.items() if words in text] == [license]
    assert re.search(r"Copyright.* \d{4},? Zoë D'Arc & Co\.", text)


def test_the_year_of_the_license_can_be_given(template: Path, output: Path) -> None:
    assert "Copyright (c) 1999 Ada" in license_of(template, output, author="Ada", __year="1999")
