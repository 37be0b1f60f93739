"""What is inside a backup can be had with tar alone, and nothing else passes for one."""

import gzip
import io
import tarfile

import pytest

from handclasp.authority.backup.backup_archive import packed, unpacked
from handclasp.errors import InvalidInput
from tests.authority.conftest import Authority
from tests.backup.conftest import taken


def test_it_is_a_tar_of_plain_private_files(original: Authority) -> None:
    with tarfile.open(fileobj=io.BytesIO(packed(taken(original)))) as tar:
        members = {member.name: member for member in tar}
    assert {"manifest.json", "registry.jsonl", "truststore.pem", "keys/root-" + root_id(original)} <= set(members)
    assert {"clients/acme/client.key", "clients/acme/client.pem"} <= set(members)
    assert all(member.isfile() and member.mode == 0o600 for member in members.values())


def root_id(authority: Authority) -> str:
    return authority.registry.issuers()[0].issuer_id[:12]


def test_the_same_backup_packs_to_the_same_octets(original: Authority) -> None:
    archive = taken(original)
    assert packed(archive) == packed(unpacked(packed(archive), "x"))


def test_members_that_are_no_files_are_passed_over(original: Authority) -> None:
    content = gzip.decompress(packed(taken(original)))
    changed = io.BytesIO(content)
    with tarfile.open(fileobj=changed, mode="a") as tar:
        link = tarfile.TarInfo("keys/evil")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(link)
    assert "evil" not in unpacked(gzip.compress(changed.getvalue()), "x").keys


@pytest.mark.parametrize(
    "members",
    [
        {},
        {"manifest.json": b"garbage", "registry.jsonl": b""},
        {"manifest.json": b"[]", "registry.jsonl": b""},
        {"manifest.json": b'{"format": "1"}', "registry.jsonl": b""},
        {"manifest.json": b'{"format": 1}', "registry.jsonl": b""},
        {"manifest.json": b'{"format": 1, "backup": "x"}'},
    ],
)
def test_another_tar_is_refused(members: dict[str, bytes]) -> None:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:gz") as tar:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    with pytest.raises(InvalidInput, match="is not a backup"):
        unpacked(made.getvalue(), "it")


@pytest.mark.parametrize(
    "content",
    [b"", b"\x1f\x8b", b"x" * 1000, gzip.compress(b"x" * 1000, mtime=0)],
    ids=["empty", "magic", "text", "gzip"],
)
def test_what_is_no_tar_is_refused(content: bytes) -> None:
    with pytest.raises(InvalidInput, match="is not a backup"):
        unpacked(content, "it")
