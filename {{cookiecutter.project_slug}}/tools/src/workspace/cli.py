"""The one command line of the workspace; `make` has a short name for each of its commands."""

import sys
from random import randrange
from typing import Annotated

import typer
from rich.console import Console

from workspace import (
    apps,
    example,
    memberrun,
    processes,
    profiles,
    runtime,
    targets,
    theirs,
    tokens,
    trimming,
    unfinished,
    untried,
)
from workspace import stack as local
from workspace import streams as jetstream
from workspace.commands import Commands
from workspace.daprfile import ROOT, DaprFile
from workspace.deadletters import cli as deadletters
from workspace.errors import StackError, UnknownName

RUN, PROVE, DEPLOY = "Run", "Prove", "Deploy"

Seed = Annotated[
    int | None, typer.Option(envvar="SEED", help="The same choices again; without it, others.")
]

console = Console(stderr=True, highlight=False)

app = typer.Typer(
    cls=Commands,
    help="Run, prove and deploy this workspace.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
app.add_typer(deadletters.app, name="dead-letters", rich_help_panel=RUN)
app.add_typer(unfinished.app, name="processes", rich_help_panel=RUN)
app.add_typer(targets.compose, name="compose", no_args_is_help=True, rich_help_panel=DEPLOY)
app.add_typer(targets.stack, name="stack", no_args_is_help=True, rich_help_panel=DEPLOY)
app.add_typer(targets.kube, name="kube", no_args_is_help=True, rich_help_panel=DEPLOY)


@app.command(rich_help_panel=RUN)
def up() -> None:
    """Start broker, Dapr and all services, and return when they are ready."""
    version = untried.version(runtime.find())
    if version:
        console.print(f"daprd {version}: newer than any that this was tried on; tried first, once")
    local.up()
    if version and DaprFile().apps:
        try:
            _try_out()
        except BaseException:
            local.down()
            raise
        untried.remember(version)


def _try_out() -> None:
    """Raises `StackError` where this Dapr does not keep what the services rest on."""
    # It loads the chassis.
    from workspace import members, promises

    file = DaprFile()
    promises.require(next(iter(file.apps.values())))
    # One process in each style.
    if members.run_sagas(file) and theirs.command("demo")(1) is False:
        raise StackError("a process does not add up on this Dapr: see above")


@app.command(rich_help_panel=RUN)
def servers() -> None:
    """Start what `dapr run -f .` needs: broker, placement, scheduler."""
    local.servers()


@app.command(rich_help_panel=RUN)
def down() -> None:
    """Stop all that `up` or `servers` started."""
    local.down()


Service = Annotated[
    str, typer.Argument(help="An app of dapr.yaml.", autocompletion=lambda: DaprFile().apps)
]


@app.command(rich_help_panel=RUN)
def restart(service: Service) -> None:
    """Restart one app of what is up, and not its sidecar: with the code of now."""
    apps.restart(apps.named(service))


@app.command(rich_help_panel=RUN)
def debug(service: Service) -> None:
    """Run one app of what is up in this terminal, where breakpoint() works, until Ctrl-C."""
    apps.debug(apps.named(service))


@app.command(rich_help_panel=RUN)
def dev() -> None:
    """Start what is not up, and restart each app whose code changes, until Ctrl-C."""
    from workspace import watching

    watching.dev()


@app.command(rich_help_panel=RUN)
def use(
    broker: Annotated[
        str,
        typer.Option(
            help="A folder of components/pubsub.", autocompletion=lambda: profiles.names("pubsub")
        ),
    ] = "",
    store: Annotated[
        str,
        typer.Option(
            help="A folder of components/state.", autocompletion=lambda: profiles.names("state")
        ),
    ] = "",
) -> None:
    """Change broker or store, in dapr.yaml and in the overlays for Kubernetes."""
    given = {"pubsub": broker, "state": store}
    chosen = {kind: name for kind, name in given.items() if name}
    if not chosen:
        raise typer.BadParameter("give --broker, --store or both")
    profiles.use(chosen)
    for profile in profiles.in_use(DaprFile()):
        print(f"{profile.kind}: {profile.name}")
    if processes.running():
        print("What is up still has what it was started with: `make down up`.")


@app.command(rich_help_panel=RUN)
def derive(
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing: name each file that differs.")
    ] = False,
) -> bool:
    """Write the files that follow from dapr.yaml and the code: see docs/change.md."""
    with console.status("reading the services"):
        # It loads all services; no other command needs them.
        import contracts
        from workspace import in_flight
        from workspace.derived import files

        listed = [] if check else in_flight.complete(contracts.messages())
        found = files.here()
        lines = found.check() if check else found.write()
    for line in listed:
        print(f"{in_flight.FILE.relative_to(ROOT)}: {line}")
    for line in lines:
        print(line)
    return not (check and lines)


@app.command(rich_help_panel=RUN)
def members(task: memberrun.Task) -> None:
    """Run what the members in other languages state for this task: see docs/members.md."""
    memberrun.run(task)


@app.command(rich_help_panel=RUN)
def new_service(
    name: Annotated[str, typer.Argument(help="Of the app, its folder and its package.")],
    starts: Annotated[
        str, typer.Option(help="The event with which it begins a process: an initiator.")
    ] = "",
    steps: Annotated[
        str, typer.Option(help='Those of the process: "BookRoom/FreeRoom@rooms PayTrip@billing".')
    ] = "",
    on: Annotated[
        list[str] | None, typer.Option(help="An event that it subscribes to: a listener.")
    ] = None,
) -> None:
    """Make a service: a participant of the declared sagas, an initiator or a listener."""
    # It loads all services.
    from workspace.newservice import command

    folder = command.make(name, starts, steps, on or [])
    print(f"{folder.relative_to(ROOT)}: made. Then: make derive unit")


@app.command(rich_help_panel=RUN)
def remove_example(
    force: Annotated[
        bool, typer.Option("--force", help="Also where version control could not bring it back.")
    ] = False,
) -> None:
    """Take out the example, as whole files: see services/README.md."""
    gone = example.paths(ROOT)
    if not gone:
        print("There is no example: pyproject.toml lists none under tool.workspace.")
        return
    if up := processes.running():
        raise StackError(f"up: {', '.join(up)}. `make down` first.")
    if not force and (why := example.not_committed(ROOT)):
        raise StackError(f"{why}: commit them first, so that nothing is lost, or give --force.")
    for path in example.remove(ROOT):
        print(f"{path}: removed")
    derive(check=False)
    print("Then: make setup check test. A service of your own: uv run workspace new-service --help")


@app.command(rich_help_panel=RUN)
def streams(
    topics: Annotated[list[str] | None, typer.Argument(help="Only those of these topics.")] = None,
) -> None:
    """Make the streams of JetStream, on the server that NATS_URL and NATS_TOKEN name."""
    jetstream.make(topics or jetstream.topics())


@app.command(rich_help_panel=RUN)
def trim() -> None:
    """Trim the streams of Redis of what all have read, on the server that REDIS_HOST names."""
    for line in trimming.trim():
        print(line)


@app.command("tokens", rich_help_panel=RUN)
def make_tokens(
    service: Annotated[
        str, typer.Argument(help="Print its own, as NAME=value.", autocompletion=lambda: _names())
    ] = "",
) -> None:
    """Make the tokens of .env, unless they are there; print those of a service."""
    made = "made, with new tokens" if tokens.make() else "is there"
    print(f"{tokens.ENV}: {made}", file=sys.stderr)
    if service:
        if service not in _names():
            raise UnknownName(service, _names())
        for name, value in tokens.of(service).items():
            print(f"{name}={value}")


@app.command(rich_help_panel=PROVE, add_help_option=False, context_settings=theirs.ANY)
def demo(context: typer.Context) -> object:
    """Run the process in each style, and compare what each style costs here."""
    return theirs.run(context, theirs.command("demo"))


@app.command(rich_help_panel=PROVE, add_help_option=False, context_settings=theirs.ANY)
def faults(context: typer.Context) -> object:
    """Kill, lock, repeat and poison the running system: each fault in each style."""
    return theirs.run(context, theirs.command("faults"))


@app.command(rich_help_panel=PROVE)
def simulate(
    schedules: Annotated[
        int, typer.Option(min=1, envvar="SCHEDULES", help="Of each style.")
    ] = 1000,
    seed: Seed = None,
) -> bool:
    """Every fault without a sidecar, on other schedules each time."""
    return theirs.passes(
        "tests/simulation",
        "-rP",
        *("-k", "test_sagas or test_invariants_hold"),
        settings={"SCHEDULES": schedules, "SEED": _chosen(seed)},
    )


@app.command(rich_help_panel=PROVE)
def fuzz(
    shots: Annotated[int, typer.Option(min=1, envvar="SHOTS", help="For each service.")] = 10_000,
    seed: Seed = None,
) -> bool:
    """Hostile bodies and messages to each service."""
    return theirs.passes(
        "tests/system/test_fuzz.py", "-rP", settings={"SHOTS": shots, "SEED": _chosen(seed)}
    )


@app.command(rich_help_panel=PROVE, add_help_option=False, context_settings=theirs.ANY)
def histories(context: typer.Context) -> object:
    """Keep histories that later workflows must fit."""
    return theirs.run(context, theirs.command("simulation"))


def _names() -> list[str]:
    return list(DaprFile().apps)


def _chosen(seed: int | None) -> int:
    return randrange(10**6) if seed is None else seed
