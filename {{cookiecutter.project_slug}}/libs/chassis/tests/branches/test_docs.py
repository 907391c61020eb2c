"""The code in docs/branches.md is the code that the tests run."""

import re
from pathlib import Path

HERE = Path(__file__).parent
DOCS = next(folder / "docs" for folder in HERE.parents if (folder / "docs/branches.md").is_file())


def test_each_block_of_code_in_the_page_is_in_the_example() -> None:
    example = "\n".join((HERE / name).read_text() for name in ("claims.py", "api.py"))
    blocks = re.findall(r"```python\n(.*?)```", (DOCS / "branches.md").read_text(), re.S)
    assert blocks
    for block in blocks:
        assert block in example, f"docs/branches.md: this is not the code of the example:\n{block}"
