"""Every error Handclasp raises on purpose, as one tree.

    HandclaspError                 exit 1
    ├── InvalidInput               exit 2: a value or file we were given cannot be used
    │   └── RequestRejected        everything wrong with a certificate request, at once
    ├── PathInvalid                a certification path that does not validate, and which rule it broke
    ├── NotEstablished             there is no authority here yet
    ├── AlreadyEstablished         there is one, and it is not the one asked for
    ├── KeyUnavailable             custody has no such key, or may not open it
    │   └── PassphraseMissing      it is there, and sealed with a passphrase that was not given
    ├── RegistryError
    │   ├── NotRegistered          no such client, certificate or issuer
    │   ├── AlreadyRegistered      the name, serial number or public key is taken
    │   ├── TransitionRefused      the status does not allow the event
    │   ├── RegistryBusy           another process held the write lock too long
    │   ├── RegistryUnavailable    its server does not answer; it may come back
    │   └── RegistryDamaged        the registry cannot be read, or its audit chain is broken
    ├── LeaseHeld                  exit 3: somebody else works on this operation
    │   └── LeaseLost              somebody else has taken it over meanwhile
    ├── Interrupted                exit 4: stopped half-way; resume with ...
    ├── LockOutRefused             active clients would be locked out, and their number was not named
    ├── TruststoreRejected         the bundle breaks a rule gateways depend on
    ├── SigningFailed              a process that signs in bulk ended, or cannot sign
    ├── DeliveryFailed             the files could not be handed over
    ├── NoticeFailed               a channel did not take the notices; they are sent again
    ├── StateInUse                 somebody else holds this state's lock
    ├── GatewayFailed              Envoy could not be found, started or updated
    └── ExtraMissing               an optional dependency is not installed

A message says what happened and to what; `hint` says what to do next. Neither ever holds key material.
"""

from collections.abc import Sequence


class HandclaspError(Exception):
    """Base of all; `str(error)` is one line, `error.hint` the next step or None."""

    exit_code = 1

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint


class InvalidInput(HandclaspError):
    exit_code = 2


class RequestRejected(InvalidInput):
    """A certificate request that breaks one rule or more; `violations` holds all of them."""

    def __init__(self, violations: Sequence[str], *, hint: str | None = None) -> None:
        super().__init__("the request is refused: " + "; ".join(violations), hint=hint)
        self.violations = tuple(violations)


class PathInvalid(HandclaspError):
    """`fault` is one of `pki.path.Fault`'s values; `subject` names the certificate that broke the rule."""

    def __init__(self, fault: str, subject: str, message: str, *, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.fault = fault
        self.subject = subject


class NotEstablished(HandclaspError):
    pass


class AlreadyEstablished(HandclaspError):
    pass


class KeyUnavailable(HandclaspError):
    pass


class PassphraseMissing(KeyUnavailable):
    pass


class RegistryError(HandclaspError):
    pass


class NotRegistered(RegistryError):
    pass


class AlreadyRegistered(RegistryError):
    pass


class TransitionRefused(RegistryError):
    pass


class RegistryBusy(RegistryError):
    pass


class RegistryDamaged(RegistryError):
    pass


class RegistryUnavailable(RegistryError):
    pass


class LeaseHeld(HandclaspError):
    exit_code = 3


class LeaseLost(LeaseHeld):
    pass


class Interrupted(HandclaspError):
    exit_code = 4


class LockOutRefused(HandclaspError):
    pass


class TruststoreRejected(HandclaspError):
    pass


class SigningFailed(HandclaspError):
    pass


class DeliveryFailed(HandclaspError):
    pass


class NoticeFailed(HandclaspError):
    pass


class StateInUse(HandclaspError):
    pass


class GatewayFailed(HandclaspError):
    pass


class ExtraMissing(HandclaspError):
    pass
