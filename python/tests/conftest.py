"""What tests in several files have in common, and of which there is one."""

import pytest


@pytest.fixture(scope="session")
def cluster(tmp_path_factory):
    """A cluster of Spark, for all tests that need one."""
    from standalone import Cluster

    made = Cluster(tmp_path_factory.mktemp("cluster"))
    yield made
    made.stop()
