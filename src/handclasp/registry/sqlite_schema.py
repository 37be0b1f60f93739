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
    """
    CREATE TABLE issuer_2 (
        number INTEGER PRIMARY KEY,
        issuer_id TEXT NOT NULL UNIQUE,
        kind TEXT NOT NULL CHECK (kind IN ('root', 'intermediate')),
        subject TEXT NOT NULL,
        serial_number TEXT NOT NULL,
        fingerprint TEXT NOT NULL UNIQUE,
        not_before INTEGER NOT NULL,
        not_after INTEGER NOT NULL,
        status TEXT NOT NULL CHECK (status IN ('pending', 'active', 'retired')),
        key_name TEXT,
        parent_id TEXT REFERENCES issuer (issuer_id),
        created_at INTEGER NOT NULL,
        der BLOB NOT NULL,
        cross_certificate BLOB
    ) STRICT;
    INSERT INTO issuer_2 SELECT rowid, *, NULL FROM issuer ORDER BY rowid;
    DROP TABLE issuer;
    ALTER TABLE issuer_2 RENAME TO issuer;

    CREATE TABLE certificate_2 (
        number INTEGER PRIMARY KEY,
        issuer_id TEXT NOT NULL REFERENCES issuer (issuer_id),
        serial_number TEXT NOT NULL,
        fingerprint TEXT NOT NULL UNIQUE,
        client_id TEXT COLLATE NOCASE REFERENCES client (client_id),
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
        own_csr INTEGER NOT NULL,
        replaced_by TEXT,
        supersede_at INTEGER,
        revision INTEGER NOT NULL,
        UNIQUE (issuer_id, serial_number)
    ) STRICT;
    INSERT INTO certificate_2 SELECT rowid, issuer_id, serial_number, fingerprint, client_id, profile, subject,
        public_key_id, not_before, not_after, status, created_at, der, revoked_at, revocation_reason, delivered_at,
        serial_number IN (
            SELECT json_extract(details, '$.serial_number') FROM audit
            WHERE (action = 'client.adopt' OR json_extract(details, '$.own_csr'))
                AND json_extract(details, '$.serial_number') IS NOT NULL
        ), NULL, NULL, revision
    FROM certificate ORDER BY rowid;
    DROP TABLE certificate;
    ALTER TABLE certificate_2 RENAME TO certificate;
    CREATE INDEX certificate_client ON certificate (client_id, status, not_after, not_before);
    CREATE INDEX certificate_issuer ON certificate (issuer_id, status, client_id);
    CREATE INDEX certificate_supersede ON certificate (supersede_at) WHERE supersede_at IS NOT NULL;
    CREATE INDEX certificate_public_key ON certificate (public_key_id);
    CREATE INDEX certificate_revision ON certificate (revision);

    CREATE TABLE checkpoint (
        sequence INTEGER PRIMARY KEY,
        hash TEXT NOT NULL,
        at INTEGER NOT NULL,
        public_key TEXT NOT NULL,
        signature TEXT NOT NULL
    ) STRICT;

    CREATE TABLE operation (
        number INTEGER PRIMARY KEY,
        operation_id TEXT NOT NULL UNIQUE,
        kind TEXT NOT NULL,
        arguments TEXT NOT NULL,
        status TEXT NOT NULL CHECK (status IN ('open', 'waiting', 'done', 'failed', 'abandoned')),
        step TEXT NOT NULL,
        cursor TEXT,
        state TEXT NOT NULL,
        holder TEXT,
        lease_until INTEGER,
        fence INTEGER NOT NULL,
        attempts INTEGER NOT NULL,
        created_at INTEGER NOT NULL,
        updated_at INTEGER NOT NULL,
        finished_at INTEGER,
        waiting_for TEXT,
        error TEXT
    ) STRICT;

    CREATE TABLE gateway (
        gateway_id TEXT PRIMARY KEY,
        address TEXT NOT NULL,
        server_name TEXT NOT NULL,
        environments TEXT,
        revision INTEGER NOT NULL,
        trust TEXT NOT NULL,
        server_issuer TEXT NOT NULL,
        log_position TEXT NOT NULL,
        awake_since INTEGER NOT NULL,
        reported_at REAL NOT NULL
    ) STRICT;

    CREATE TABLE sighting (
        fingerprint TEXT PRIMARY KEY,
        last_seen_at INTEGER NOT NULL,
        requests INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE refusal (
        fingerprint TEXT NOT NULL,
        reason TEXT NOT NULL,
        requests INTEGER NOT NULL,
        last_at INTEGER NOT NULL,
        PRIMARY KEY (fingerprint, reason)
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE notice (name TEXT PRIMARY KEY, sent_at INTEGER NOT NULL) STRICT, WITHOUT ROWID;
    """,
)
