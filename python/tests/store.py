"""An S3 server on this machine, which checks credentials, signatures and policies: that of moto."""

import contextlib
import json
import threading
import urllib.request

import pytest

pytest.importorskip("moto")
pytest.importorskip("flask")  # which its server needs
boto3 = pytest.importorskip("boto3")

from botocore.config import Config  # noqa: E402
from moto.server import DomainDispatcherApplication, create_backend_app  # noqa: E402
from werkzeug.serving import WSGIRequestHandler, make_server  # noqa: E402

BUCKET = "captures"


class Quiet(WSGIRequestHandler):
    """Answers requests and writes no line for each."""

    protocol_version = "HTTP/1.1"

    def log(self, *_):
        pass


class Store:
    """A bucket, and the temporary credentials of a role that may read and write it."""

    def __init__(self):
        self.before = None
        self.given = set()  # keys of captures
        self.app = DomainDispatcherApplication(create_backend_app)
        self.server = make_server("127.0.0.1", 0, self.answer, threaded=True, request_handler=Quiet)
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.moto("reset-auth", "inf")  # the state of moto is that of the process
        self.moto("reset")
        iam, sts = self.client("iam"), self.client("sts")
        trust = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}]}
        role = iam.create_role(RoleName="nodes", AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
        policy = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}
        iam.put_role_policy(RoleName="nodes", PolicyName="all", PolicyDocument=json.dumps(policy))
        made = sts.assume_role(RoleArn=role, RoleSessionName="tests")["Credentials"]
        self.keys = {
            "AWS_ACCESS_KEY_ID": made["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": made["SecretAccessKey"],
            "AWS_SESSION_TOKEN": made["SessionToken"],
        }  # fmt: skip
        self.s3 = self.client("s3", self.keys)
        self.s3.create_bucket(Bucket=BUCKET)
        # From here on requests without valid credentials are refused.
        self.moto("reset-auth", "0")

    def moto(self, what, value=""):
        """Has moto forget everything (reset), or check credentials from so many further requests on (reset-auth)."""
        call = urllib.request.Request(f"{self.url}/moto-api/{what}", data=value.encode(), headers={"Content-Type": "text/plain"})
        urllib.request.build_opener(urllib.request.ProxyHandler({})).open(call).close()

    def answer(self, environ, start):
        if self.before:
            self.before(environ["REQUEST_METHOD"], environ["PATH_INFO"].encode("latin-1").decode(), environ.get("HTTP_RANGE", ""))
        return self.app(environ, start)

    @contextlib.contextmanager
    def calling(self, before):
        """Has before be called, with method, path and range, before each request is answered."""
        self.before = before
        try:
            yield
        finally:
            self.before = None

    @property
    def env(self):
        """What makes the program of a node read this store."""
        return {
            "AWS_ENDPOINT_URL": self.url, "AWS_REGION": "us-east-1", "AWS_CONFIG_FILE": "/dev/null",
            "AWS_SHARED_CREDENTIALS_FILE": "/dev/null", "NO_PROXY": "127.0.0.1", **self.keys,
        }  # fmt: skip

    def client(self, service, keys=None):
        id, secret, token = (keys or {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_SESSION_TOKEN": None}).values()
        return boto3.client(
            service, endpoint_url=self.url, region_name="us-east-1", aws_access_key_id=id, aws_secret_access_key=secret,
            aws_session_token=token, config=Config(proxies={}, s3={"addressing_style": "path"}),
        )  # fmt: skip

    def put(self, key, path):
        """Makes an object of a capture."""
        self.given.add(key)
        self.s3.upload_file(str(path), BUCKET, key)

    def keys_below(self, prefix=""):
        return [o["Key"] for o in self.s3.list_objects_v2(Bucket=BUCKET, Prefix=prefix).get("Contents", [])]

    def read(self, key):
        return self.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()

    def assert_no_credentials(self, *texts):
        """Asserts that nothing that was written here, and none of the texts, has a credential in it."""
        written = [(key, self.read(key)) for key in self.keys_below() if key not in self.given]
        for where, content in [*written, *((t[:200], t.encode()) for t in texts)]:
            for name, value in self.keys.items():
                assert value.encode() not in content, f"{name} is in {where}"

    def fetch(self, prefix, directory):
        """Copies the objects below a prefix into a directory and returns it."""
        for key in self.keys_below(prefix):
            path = directory / key[len(prefix) :].lstrip("/")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(self.read(key))
        return directory

    def deny(self, *keys):
        """Denies everybody to read these keys from now on."""
        resources = [f"arn:aws:s3:::{BUCKET}/{key}" for key in keys]
        statement = {"Effect": "Deny", "Principal": "*", "Action": ["s3:GetObject", "s3:HeadObject"], "Resource": resources}
        self.s3.put_bucket_policy(Bucket=BUCKET, Policy=json.dumps({"Version": "2012-10-17", "Statement": [statement]}))

    def allow(self):
        """Takes back deny."""
        self.s3.delete_bucket_policy(Bucket=BUCKET)

    def stop(self):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()
