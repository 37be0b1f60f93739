"""The registry's records as people and programs see them."""

from handclasp.cli.output import moment
from handclasp.registry.records import Certificate, Client, Issuer


def issuer_json(issuer: Issuer) -> dict[str, object]:
    return {
        "issuer_id": issuer.issuer_id,
        "kind": issuer.kind.value,
        "subject": issuer.subject,
        "serial_number": issuer.serial_number,
        "fingerprint": issuer.fingerprint,
        "not_before": moment(issuer.not_before),
        "not_after": moment(issuer.not_after),
        "status": issuer.status.value,
        "key_in_custody": issuer.key_name is not None,
        "parent_id": issuer.parent_id,
    }


def issuer_line(issuer: Issuer) -> str:
    return f"{issuer.subject}, until {moment(issuer.not_after)}, id {issuer.issuer_id}"


def client_json(client: Client) -> dict[str, object]:
    return {
        "name": client.client_id,
        "environment": client.environment,
        "application": client.application,
        "owner": client.owner,
        "contact": client.contact,
        "status": client.status.value,
        "created_at": moment(client.created_at),
    }


def certificate_json(certificate: Certificate) -> dict[str, object]:
    return {
        "issuer_id": certificate.issuer_id,
        "serial_number": certificate.serial_number,
        "fingerprint": certificate.fingerprint,
        "subject": certificate.subject,
        "not_before": moment(certificate.not_before),
        "not_after": moment(certificate.not_after),
        "status": certificate.status.value,
        "revoked_at": moment(certificate.revoked_at),
        "revocation_reason": certificate.revocation_reason.value if certificate.revocation_reason else None,
        "delivered_at": moment(certificate.delivered_at),
    }
