"""A workspace in which Node takes the place of shipping, and listens to how orders end."""

import re
import shutil
import subprocess
from pathlib import Path

HERE = Path(__file__).parent
NOTICES = """\
  - appID: notices
    appDirPath: .
    appPort: 8005
    daprHTTPPort: 3505
    daprGRPCPort: 3605
    metricsPort: 9105
    command: [node, services/notices/main.js]
"""


def with_node(workspace: Path) -> Path:
    """Changed as docs/members.md says, set up and derived."""
    for service in ("shipping", "notices"):
        folder = workspace / "services" / service
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(HERE / "member", folder)
        shutil.copytree(HERE / service, folder, dirs_exist_ok=True)
    shutil.copytree(HERE / "live", workspace / "tests" / "node")
    _change_run_file(workspace / "dapr.yaml")
    _change_project(workspace / "pyproject.toml")
    for command in (["make", "setup"], ["make", "derive"]):
        subprocess.run(command, cwd=workspace, check=True)
    return workspace


def _change_run_file(file: Path) -> None:
    content = file.read_text()
    before = re.compile(r"\[[^\]]* shipping\.main:app [^\]]*\]")
    assert before.search(content)
    file.write_text(before.sub("[node, services/shipping/main.js]", content) + NOTICES)


def _change_project(file: Path) -> None:
    """Shipping is no package any more, and uv looks for one in each folder of services."""
    content = file.read_text()
    content = content.replace("shipping = { workspace = true }\n", "")
    content = re.sub(r',\s+"(services\.)?shipping(\.tests)?"', "", content)
    content = content.replace(" | shipping", "")
    members = '"services/*", "tools"]\n'
    assert members in content
    exclude = 'exclude = ["services/shipping", "services/notices"]\n'
    file.write_text(content.replace(members, members + exclude))
