"""Rows 64 to 73 of the fault matrix: does a spoilt request to a bucket ever do silent harm?"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from coldchain.config.values import Destination, Job
from coldchain.model import Place, ProofKind
from coldchain.steps.report import Report
from tests.promises.lab import Lab, data, reasons
from tests.stores.s3.proxy import Act, Proxy, flip_down, flip_up, lost_reply, phantom, proxied, reset, status
from tests.stores.s3.serving import Server

SMALL, LARGE = "/run/f0002.tif", "/run/large.bin"
PART, COMPLETE = LARGE + r"\?.*partNumber=", LARGE + r"\?.*uploadId="


class Scene:
    """A lab whose bucket is reached through a link that can be spoilt."""

    def __init__(self, lab: Lab, server: Server, proxy: Proxy, bucket: str) -> None:
        self.lab, self.server, self.proxy, self.bucket = lab, server, proxy, bucket
        options = (("endpoint", proxy.endpoint), ("region", "us-east-1"))
        self.job: Job = lab.job(destinations=(Destination(Place("nas", f"s3://{bucket}/data", options)),))

    def run(self) -> Report:
        return self.lab.run(self.job)

    def contents(self) -> dict[str, bytes]:
        """What the bucket holds, asked without coldchain and without the proxy."""
        get = self.server.client.get_object
        keys = [key for key in self.server.keys(self.bucket) if not key.startswith("data/.coldchain/")]
        return {key.removeprefix("data/"): get(Bucket=self.bucket, Key=key)["Body"].read() for key in keys}

    def judge(self, report: Report, spoilt: str = "") -> None:
        """Nothing wrong is there, and only what was spoilt may miss; then a clean run ends as an undisturbed one."""
        wanted, there = data(self.lab.source), self.contents()
        assert {path: wanted.get(path) for path in there} == there, "something wrong stands in the bucket"
        missing = set(wanted) - set(there)
        assert missing <= set(reasons(report)) <= {spoilt.lstrip("/")}, (missing, reasons(report))
        assert report.exit_code == (0 if not reasons(report) else report.exit_code or "unsaid")
        self.proxy.heal()
        clean = self.run()
        assert clean.exit_code == 0, reasons(clean)
        assert self.contents() == wanted
        assert self.server.uploads(self.bucket) == []
        assert not [k for k in self.server.keys(self.bucket) if "/uploads/" in k or "/probe-" in k]


@pytest.fixture
def scene(tmp_path: Path, weed: Server) -> Iterator[Scene]:
    lab = Lab(tmp_path / "lab")
    lab.acquire(5)
    lab.write("run/large.bin", os.urandom(9 << 20))
    bucket = weed.bucket()
    with proxied(weed.endpoint) as proxy:
        yield Scene(lab, weed, proxy, bucket)
    weed.remove(bucket)


def _spoilt(scene: Scene, method: str, target: str, act: Act, times: int = 1) -> Report:
    rule = scene.proxy.spoil(method, target, act, times=times)
    report = scene.run()
    assert rule.hits, "the fault was never met"
    return report


@pytest.mark.parametrize(("target", "path"), [(SMALL, SMALL), (PART, LARGE)])
def test_row64_a_bit_that_flips_on_the_way_up_is_never_stored(scene: Scene, target: str, path: str) -> None:
    scene.judge(_spoilt(scene, "PUT", target, flip_up), path)


def test_row67_an_object_that_was_acknowledged_and_is_not_there_is_no_success(scene: Scene) -> None:
    report = _spoilt(scene, "PUT", SMALL, phantom)
    assert report.exit_code != 0 or SMALL[1:] in scene.contents()
    scene.judge(report, SMALL)


def test_row68_an_error_in_the_body_of_a_200_is_an_error(scene: Scene) -> None:
    scene.judge(_spoilt(scene, "POST", COMPLETE, status(200, "InternalError")), LARGE)


@pytest.mark.parametrize(
    ("method", "target"),
    [
        ("PUT", SMALL),
        ("PUT", PART),
        ("POST", COMPLETE),
    ],
)
def test_row69_a_lost_reply_costs_nothing(scene: Scene, method: str, target: str) -> None:
    report = _spoilt(scene, method, target, lost_reply)
    assert report.exit_code == 0, reasons(report)
    scene.judge(report)


@pytest.mark.parametrize("target", [SMALL, PART])
def test_row70_a_link_that_breaks_is_tried_again(scene: Scene, target: str) -> None:
    report = _spoilt(scene, "PUT", target, reset)
    assert report.exit_code == 0, reasons(report)
    scene.judge(report)


@pytest.mark.parametrize("answer", [status(503, "SlowDown"), status(429, "TooManyRequests", Retry_After="0")])
def test_row71_a_server_that_is_overloaded_for_a_while_is_waited_for(scene: Scene, answer: Act) -> None:
    report = _spoilt(scene, "PUT", SMALL, answer, times=3)
    assert report.exit_code == 0, reasons(report)
    scene.judge(report)


def test_row76_a_bit_that_flips_on_the_way_down_is_no_proof(scene: Scene) -> None:
    scene.job = replace(scene.job, verify=ProofKind.READBACK)
    scene.judge(_spoilt(scene, "GET", SMALL + "$", flip_down), SMALL)
