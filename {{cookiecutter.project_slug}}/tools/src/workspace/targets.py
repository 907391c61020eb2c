"""workspace compose, stack and kube: the same services elsewhere, see docs/deploy.md."""

from typing import Annotated

import typer

from workspace import cluster, swarm, theirs
from workspace import compose as containers
from workspace.daprfile import DaprFile

compose = typer.Typer(help="Docker Compose: everything in containers on this machine.")
stack = typer.Typer(help="Docker Swarm: the same with replicas and rolling updates.")
kube = typer.Typer(help="Kubernetes: an overlay of deploy/kubernetes, to the cluster of kubectl.")

Overlay = Annotated[
    str,
    typer.Option(
        envvar="OVERLAY",
        help="A folder of deploy/kubernetes/overlays.",
        autocompletion=cluster.overlays,
    ),
]


@compose.command("build")
def compose_build() -> None:
    """Build the image of each service, and that of its sidecar."""
    containers.build(DaprFile())


@compose.command("up")
def compose_up() -> None:
    """Build, start, and return when everything is ready."""
    containers.up(DaprFile())


@compose.command("replace")
def compose_replace(
    service: Annotated[str, typer.Argument(help="A service of deploy/compose.")],
) -> None:
    """Build, and give one service new containers of its new image."""
    containers.replace(DaprFile(), service)


@compose.command("down")
def compose_down() -> None:
    """Stop and remove the containers; volumes stay."""
    containers.down(DaprFile())


@stack.command("up")
def stack_up() -> None:
    """Build, deploy, and return when everything is ready; say so if an update was taken back."""
    file = DaprFile()
    containers.build(file)
    swarm.up(file)


@stack.command("down")
def stack_down() -> None:
    """Remove the stack; volumes stay."""
    swarm.down(DaprFile())


@stack.command("config")
def stack_config() -> None:
    """Print the stack file."""
    print(swarm.config(DaprFile()))


@kube.command("up")
def kube_up(overlay: Overlay = "local") -> None:
    """Send the overlay, and return when every service is ready."""
    cluster.up(overlay)


@kube.command("down")
def kube_down(
    overlay: Overlay = "local",
    confirm: Annotated[str, typer.Option(help="The name of the namespace.")] = "",
) -> None:
    """Delete the namespace and all in it, data included."""
    cluster.down(overlay, confirm)


@kube.command("config")
def kube_config(overlay: Overlay = "local") -> None:
    """Print what `workspace kube up` sends."""
    print(cluster.config(overlay), end="")


@kube.command("check")
def kube_check() -> bool:
    """Check that every overlay runs what dapr.yaml runs; needs kubectl, and no cluster."""
    return theirs.passes("tests/deploy")
