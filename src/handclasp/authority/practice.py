"""How this authority practises: what its certificates say and how long they last (RFC 3647's word, in small)."""

from dataclasses import dataclass, field

from handclasp.pki.extensions import NO_URLS, IssuerUrls
from handclasp.pki.keys import KeyAlgorithm
from handclasp.pki.profile import CLIENT, SERVER, Profile


@dataclass(frozen=True, slots=True)
class Practice:
    trust_domain: str
    key_algorithm: KeyAlgorithm = KeyAlgorithm.P256
    organization: str | None = None
    urls: IssuerUrls = field(default=NO_URLS)
    client: Profile = CLIENT
    server: Profile = SERVER
