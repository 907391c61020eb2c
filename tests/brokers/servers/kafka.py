"""Kafka from its jars on Maven Central."""

import base64
import hashlib
import os
import shutil
import subprocess
import uuid
from pathlib import Path

from tests.brokers.servers.ports import free_port
from tests.brokers.servers.server import Server
from tests.debian import install

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "dapr-styles"


class Kafka(Server):
    """One node in KRaft mode, from the jars on Maven Central; clients give a password."""

    POM = Path(__file__).parent.parent / "kafka" / "pom.xml"

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
            # One argument: an id may begin with a hyphen.
            formatting = ["format", f"--cluster-id={cluster}", f"--config={properties}"]
            self._prepare(["java", "-cp", jars, "kafka.tools.StorageTool", *formatting])
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
num.partitions=24
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
group.initial.rebalance.delay.ms=0
"""
