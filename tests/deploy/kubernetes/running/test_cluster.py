from tests.deploy.kubernetes.running.node import Cluster


def test_up(running: Cluster) -> None:
    print(running.api.kubectl("get", "pods", "-A", "-o", "wide").stdout)
