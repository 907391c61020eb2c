"""The sidecar's workflow engine, through the SDK."""

import logging
from collections.abc import Callable

from dapr.ext.workflow import WorkflowRuntime
from dapr.ext.workflow.aio import DaprWorkflowClient
from dapr.ext.workflow.logger import LoggerOptions

from chassis.late_responses import LateResponses
from chassis.settings import ServiceSettings

# The SDK would add a handler of its own; its lines reach ours all the same.
_QUIET = LoggerOptions(log_handler=logging.NullHandler())


class DaprEngine:
    def __init__(self, settings: ServiceSettings) -> None:
        self._address = (settings.dapr_runtime_host, str(settings.dapr_grpc_port))
        self._timeout = settings.start_timeout_seconds

    def worker(self, refused: Callable[[str], None]) -> WorkflowRuntime:
        return WorkflowRuntime(
            *self._address,
            logger_options=_QUIET,
            worker_ready_timeout=self._timeout,
            interceptors=[LateResponses(refused)],
            # It needs whole histories, not what is new in them.
            disable_stateful_history=True,
        )

    def client(self) -> DaprWorkflowClient:
        return DaprWorkflowClient(*self._address, logger_options=_QUIET)
