"""The SQLite schema, as numbered migrations; `PRAGMA user_version` says how many have been applied.

A migration is never edited once released: add the next one.
"""

MIGRATIONS: tuple[str, ...] = (
    """
    CREATE TABLE revision (only_row INTEGER PRIMARY KEY CHECK (only_row = 1), value INTEGER NOT NULL) STRICT;
    INSERT INTO revision VALUES (1, 0);

    CREATE TABLE issuer (
        issuer_id TEXT PRIMARY KEY,
        kind TEXT NOT NULL CHECK (kind IN ('root', 'intermediate')),
        subject TEXT NOT NULL,
        serial_number TEXT NOT NULL,
        fingerprint TEXT NOT NULL UNIQUE,
        not_before INTEGER NOT NULL,
        not_after INTEGER NOT NULL,
        status TEXT NOT NULL CHECK (status IN ('active', 'retired')),
        key_name TEXT,
        parent_id TEXT REFERENCES issuer,
        created_at INTEGER NOT NULL,
        der BLOB NOT NULL
    ) STRICT;

    CREATE TABLE client (
        client_id TEXT PRIMARY KEY COLLATE NOCASE,
        environment TEXT NOT NULL,
        application TEXT NOT NULL,
        owner TEXT,
        contact TEXT,
        status TEXT NOT NULL CHECK (status IN ('active', 'suspended', 'revoked')),
        created_at INTEGER NOT NULL,
        revision INTEGER NOT NULL
    ) STRICT;
    CREATE INDEX client_revision ON client (revision);

    CREATE TABLE certificate (
        issuer_id TEXT NOT NULL REFERENCES issuer,
        serial_number TEXT NOT NULL,
        fingerprint TEXT NOT NULL UNIQUE,
        client_id TEXT COLLATE NOCASE REFERENCES client,
        profile TEXT NOT NULL,
        subject TEXT NOT NULL,
        public_key_id TEXT NOT NULL,
        not_before INTEGER NOT NULL,
        not_after INTEGER NOT NULL,
        status TEXT NOT NULL CHECK (status IN ('active', 'revoked')),
        created_at INTEGER NOT NULL,
        der BLOB NOT NULL,
        revoked_at INTEGER,
        revocation_reason TEXT,
        delivered_at INTEGER,
        revision INTEGER NOT NULL,
        PRIMARY KEY (issuer_id, serial_number)
    ) STRICT;
    CREATE INDEX certificate_client ON certificate (client_id, status, not_after);
    CREATE INDEX certificate_public_key ON certificate (public_key_id);
    CREATE INDEX certificate_revision ON certificate (revision);

    CREATE TABLE audit (
        sequence INTEGER PRIMARY KEY,
        at INTEGER NOT NULL,
        actor TEXT NOT NULL,
        action TEXT NOT NULL,
        subject TEXT NOT NULL,
        details TEXT NOT NULL,
        previous TEXT NOT NULL,
        hash TEXT NOT NULL
    ) STRICT;
    CREATE TRIGGER audit_is_not_edited BEFORE UPDATE ON audit
        BEGIN SELECT RAISE(ABORT, 'the audit trail is append-only'); END;
    CREATE TRIGGER audit_is_not_deleted BEFORE DELETE ON audit
        BEGIN SELECT RAISE(ABORT, 'the audit trail is append-only'); END;
    """,
)
