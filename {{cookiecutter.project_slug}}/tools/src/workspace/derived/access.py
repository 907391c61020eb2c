"""Who may invoke whom: only a member that gives commands by service invocation, and only those."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from string import Template

from workspace import yamlfile
from workspace.derived.file import Derived, above
from workspace.errors import StackError
from workspace.members import Member

FILE = "components/access-control.yaml"
MARKER = "    # `workspace derive` writes what follows, from the code of the services of dapr.yaml."

POLICY = Template("""\
      - appId: $app_id
        defaultAction: deny
        trustDomain: $trust_domain
        namespace: default
        operations:
          - name: /commands/**
            httpVerb: [POST]
            action: allow
""")

# Where nobody may: an overlay of Kubernetes fills in a namespace, and fails without an entry.
NOBODY = Template("""\
      - appId: nobody
        defaultAction: deny
        trustDomain: $trust_domain
        namespace: default
""")


def derive(root: Path, members: Sequence[Member]) -> Iterator[Derived]:
    """Nothing for a workspace that does without the file."""
    path = root / FILE
    if not path.exists():
        return
    theirs = above(path, MARKER, "policies:")
    try:
        (known,) = yamlfile.documents(path, theirs)
        trust_domain = known["spec"]["accessControl"].get("trustDomain", "public")
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise StackError(f"{path} has no spec.accessControl with fields. Add it there.") from error
    policies = [
        POLICY.substitute(app_id=member.app_id, trust_domain=trust_domain)
        for member in members
        if member.invokes
    ] or [NOBODY.substitute(trust_domain=trust_domain)]
    below = "".join(["    policies:\n", *policies])
    yield Derived(path, f"{theirs}{MARKER}\n{below}", "the code, or what stands above the marker,")
