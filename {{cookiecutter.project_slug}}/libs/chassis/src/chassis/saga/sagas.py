"""The sagas that a service initiates, each in the styles that it runs them in."""

import logging

from chassis.content import content_of, contradicts
from chassis.errors import Rejected, UsedBefore
from chassis.messages import Message
from chassis.saga.declaration import Saga
from chassis.saga.progress import Progress
from chassis.saga.records import Records, all_unfinished, saga_and_id
from chassis.saga.runner import Initiator, Runner
from chassis.saga.styles import Style
from chassis.saga.subjects import check_subject
from chassis.saga.views import ProcessView, Summary
from chassis.unfinished import Listed

log = logging.getLogger(__name__)


class Sagas:
    def __init__(self, service: Initiator) -> None:
        self._service = service
        self.unfinished = all_unfinished(self._look_at)
        #: What the last sweeps have found, and nobody runs here.
        self._missed: set[tuple[str, Style]] = set()
        self._records: dict[str, Records] = {}
        self._runners: dict[tuple[str, Style], Runner] = {}

    def run(self, *runners: Runner) -> None:
        """Raises `ValueError` for two runners of one saga and style."""
        if not self._runners:
            self._service.show_processes()
        for runner in runners:
            name = runner.saga.name
            if (name, runner.style) in self._runners:
                raise ValueError(f"the saga {name} has its {runner.style} already")
            self._runners[name, runner.style] = runner
            records = self._records.setdefault(name, self._new_records(runner.saga))
            if records.saga is not runner.saga:
                raise ValueError(f"two sagas are started by {name}")
            runner.join(self._service, records)

    def _new_records(self, saga: Saga) -> Records:
        return Records(saga, self.unfinished, self._service.settings.inbox_ttl_seconds)

    async def _look_at(self, key: str, progress: Progress) -> None:
        if progress.style is None:
            return
        (name, _), style = saga_and_id(key), progress.style
        runner = self._runners.get((name, style))
        if runner is not None and progress.is_run_by(style, runner.engine):
            await runner.look_at(progress)
        elif (name, style) not in self._missed:
            # Once, not for each of them in each sweep.
            self._missed.add((name, style))
            log.error(
                "process %s of %s runs as %s%s, which this release of %s does not: it stands still "
                "until main.py runs that again. Leave a style in until none of its processes is "
                "unfinished",
                progress.id,
                name,
                style,
                " on its other engine" if runner is not None else "",
                self._service.settings.app_id,
            )

    @property
    def runners(self) -> tuple[Runner, ...]:
        return tuple(self._runners.values())

    def runner(self, saga: str, style: Style) -> Runner:
        """Raises `LookupError` if this service does not run it."""
        runner = self._runners.get((saga, style))
        if runner is None:
            raise LookupError(
                f"{self._service.settings.app_id} does not run {saga} as {style}: it runs "
                f"{', '.join(f'{name} as {other}' for name, other in self._runners) or 'none'}"
            )
        return runner

    def require(self, saga: Saga, style: Style) -> None:
        """Raises `Rejected` for a style that somebody chose, and that the saga does not run in."""
        styles = [other for name, other in self._runners if name == saga.name]
        if styles and style not in styles:
            raise Rejected(
                f"{self._service.settings.app_id} does not run {saga.name} as {style}: "
                f"choose {' or '.join(styles)}"
            )

    async def begin(self, saga: Saga, style: Style, started: Message) -> None:
        """Start a process, once however often it is called for one subject.

        It stays in the style in which it has begun. Raises `Rejected` for a style that it does not
        run in, for a subject that can be no id, and for one that has begun with other content; and
        `Unavailable`: then it may have begun, and is to be called again.
        """
        self.require(saga, style)
        runner = self.runner(saga.name, style)
        check_subject(saga, started.subject)
        known = await self.progress(saga, started.subject)
        if known is not None and known.started is not None:
            content = content_of("", started.model_dump(mode="json"))
            if contradicts(content_of("", known.started), content):
                raise _begun_otherwise(saga, started)
            # The sweep launches what a crash has left.
            return
        try:
            await runner.begin(started)
        except UsedBefore as error:
            raise _begun_otherwise(saga, started) from error

    async def process(self, saga: str, id: str) -> ProcessView | None:
        """None if nobody began it here."""
        records = self._records.get(saga)
        progress = None if records is None else await self.progress(records.saga, id)
        if records is None or progress is None:
            return None
        return ProcessView.of(records.saga, progress, self._service.clock.now())

    def summary(self, listed: Listed) -> Summary | None:
        """None if it has ended: the next sweep takes it out of the list."""
        name, id = saga_and_id(listed.id)
        now, progress = self._service.clock.now(), listed.record
        if progress is None:
            return Summary.unknown(name, id, listed.since, now, "its record cannot be read")
        if progress.has_ended:
            return None
        records, app_id = self._records.get(name), self._service.settings.app_id
        runner = None if progress.style is None else self._runners.get((name, progress.style))
        if records is None or runner is None or not progress.is_run_by(runner.style, runner.engine):
            runs = f"{progress.style}, on {progress.engine or 'no engine'}"
            why = f"it runs as {runs}, which this release of {app_id} does not"
            return Summary.unknown(name, id, listed.since, now, why)
        return Summary.of(records.saga, progress, listed.since, now)

    async def progress(self, saga: Saga, id: str) -> Progress | None:
        """How far the process is; None if it is not known."""
        return await self._service.look_up(self._records[saga.name].key(id), Progress)


def _begun_otherwise(saga: Saga, started: Message) -> Rejected:
    return Rejected(
        f"process {started.subject} of {saga.name} has begun with other content, which stands: "
        "give another process an id of its own"
    )
