"""catalog-info.yaml: the workspace in Backstage, a system that has a component for each member."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from string import Template

from workspace import yamlfile
from workspace.derived.file import Derived, above, plain
from workspace.errors import StackError
from workspace.members import Member

FILE = "catalog-info.yaml"
MARKER = "# `workspace derive` writes what follows, from dapr.yaml and the owner above."

#: Its name begins with that of the system: names are one namespace for all of Backstage.
COMPONENT = Template("""\
---
apiVersion: backstage.io/v1alpha1
kind: Component
metadata:
  name: "$system-$app_id"
  title: $title
spec:
  type: service
  lifecycle: production
  owner: $owner
  system: "$system"
""")


def derive(root: Path, members: Sequence[Member]) -> Iterator[Derived]:
    """Nothing for a workspace that does without the file."""
    path = root / FILE
    if not path.exists():
        return
    theirs = above(path, MARKER, "kind: Component")
    try:
        (known,) = yamlfile.documents(path, theirs)
        system, owner = str(known["metadata"]["name"]), str(known["spec"]["owner"])
    except (ValueError, LookupError, TypeError) as error:
        raise StackError(
            f"{path} has no metadata.name and spec.owner above its marker. Add them there."
        ) from error
    components = [
        COMPONENT.substitute(
            system=system, owner=plain(owner), app_id=member.app_id, title=plain(member.app_id)
        )
        for member in members
    ]
    yield Derived(path, f"{theirs}{MARKER}\n{''.join(components)}", "what stands above the marker")
