-- What the service keeps beside the seed's tables. Tables of ours begin with `sendready_`, for the platform
-- has its own in the same database. Words in TEXT columns have no CHECK: a later release may add one, and
-- SQLite cannot change a constraint; what this release cannot read it reports.

-- Beside the platform's columns: every one may be NULL, for the platform writes rows without them.
ALTER TABLE email_domains ADD COLUMN mx_valid BOOLEAN DEFAULT FALSE;
-- JSON; NULL: what the profile of the provider says.
ALTER TABLE email_domains ADD COLUMN requirements TEXT;
-- The schedule. next_check_at NULL: due when never checked, else only when asked.
ALTER TABLE email_domains ADD COLUMN last_checked_at TIMESTAMPTZ;
ALTER TABLE email_domains ADD COLUMN last_success_at TIMESTAMPTZ;
ALTER TABLE email_domains ADD COLUMN next_check_at TIMESTAMPTZ;
ALTER TABLE email_domains ADD COLUMN check_reason TEXT;
-- When to check again after the running check, asked for while it ran.
ALTER TABLE email_domains ADD COLUMN check_again_at TIMESTAMPTZ;
ALTER TABLE email_domains ADD COLUMN lease_until TIMESTAMPTZ;
ALTER TABLE email_domains ADD COLUMN lease_token UUID;
-- From when the ladder of a pending domain counts: registered, revived, lifted, or other requirements. NULL: created_at.
ALTER TABLE email_domains ADD COLUMN pending_since TIMESTAMPTZ;
-- The clocks of the status machine.
ALTER TABLE email_domains ADD COLUMN verified_at TIMESTAMPTZ;
ALTER TABLE email_domains ADD COLUMN degraded_since TIMESTAMPTZ;
ALTER TABLE email_domains ADD COLUMN suspends_at TIMESTAMPTZ;
-- NULL in a suspended row: the platform did it.
ALTER TABLE email_domains ADD COLUMN suspended_reason TEXT;
ALTER TABLE email_domains ADD COLUMN recovering_since TIMESTAMPTZ;
ALTER TABLE email_domains ADD COLUMN stale_since TIMESTAMPTZ;
ALTER TABLE email_domains ADD COLUMN evidence_digest TEXT;
-- The text of `domain` that is no normal name, or doubles another row's.
ALTER TABLE email_domains ADD COLUMN malformed TEXT;

-- domain_claim_due, what somebody waits for. The conditions are those of the statement, word for word.
CREATE INDEX idx_sendready_domains_asked ON email_domains(next_check_at)
    WHERE check_reason <> 'schedule' AND deleted_at IS NULL
    AND COALESCE(status, 'pending') <> 'deleted' AND COALESCE(malformed, '') <> domain;
-- domain_claim_due and domain_claim_sweep, what is due by schedule.
CREATE INDEX idx_sendready_domains_sweep ON email_domains(next_check_at)
    WHERE COALESCE(check_reason, 'schedule') = 'schedule' AND deleted_at IS NULL
    AND COALESCE(status, 'pending') <> 'deleted' AND COALESCE(malformed, '') <> domain;
-- domain_claim_due, rows that the platform wrote and nobody has looked at.
CREATE INDEX idx_sendready_domains_new ON email_domains(id)
    WHERE next_check_at IS NULL AND last_checked_at IS NULL AND deleted_at IS NULL
    AND COALESCE(status, 'pending') <> 'deleted' AND COALESCE(malformed, '') <> domain;
-- domain_list of everybody, and its cursor. A row without an age comes first.
CREATE INDEX idx_sendready_domains_place ON email_domains(COALESCE(created_at, '0001-01-01T00:00:00+00:00'), id);
-- domain_list of one client, and its cursor.
CREATE INDEX idx_sendready_domains_client_place
    ON email_domains(client_id, COALESCE(created_at, '0001-01-01T00:00:00+00:00'), id);
-- check_prune.
CREATE INDEX idx_sendready_domains_evidence ON email_domains(evidence_digest);
-- domain_by_name and domain_add, however the platform wrote it: case, spaces around, a dot behind.
CREATE INDEX idx_sendready_domains_name ON email_domains(ltrim(rtrim(lower(domain), ' .'), ' '));

-- What we know of a client. Its row is also the lock that guards the client's allocation.
CREATE TABLE sendready_client_settings (
    client_id UUID PRIMARY KEY REFERENCES clients(id) ON DELETE CASCADE,
    -- NULL: adopted and never given one, so not limited.
    tier TEXT,
    tier_changed_at TIMESTAMPTZ
);

-- An address belongs to one client.
CREATE TABLE sendready_dedicated_ips (
    address TEXT PRIMARY KEY,
    client_id UUID NOT NULL REFERENCES clients(id) ON DELETE CASCADE,
    created_at TIMESTAMPTZ NOT NULL
);
-- client_usage.
CREATE INDEX idx_sendready_dedicated_ips_client ON sendready_dedicated_ips(client_id);

-- Equal evidence is stored once.
CREATE TABLE sendready_evidence (
    digest TEXT PRIMARY KEY,
    version INTEGER NOT NULL,
    body TEXT NOT NULL,
    created_at TIMESTAMPTZ NOT NULL
);

CREATE TABLE sendready_checks (
    id UUID PRIMARY KEY,
    domain_id UUID NOT NULL REFERENCES email_domains(id) ON DELETE CASCADE,
    at TIMESTAMPTZ NOT NULL,
    reason TEXT NOT NULL,
    all_valid BOOLEAN NOT NULL,
    verdicts TEXT NOT NULL,
    changes TEXT NOT NULL,
    evidence_digest TEXT NOT NULL REFERENCES sendready_evidence(digest),
    questions INTEGER NOT NULL,
    took_ms INTEGER NOT NULL
);
-- check_list.
CREATE INDEX idx_sendready_checks_domain ON sendready_checks(domain_id, id);
-- check_prune, and the reference from here when evidence is removed.
CREATE INDEX idx_sendready_checks_evidence ON sendready_checks(evidence_digest);

CREATE TABLE sendready_events (
    id UUID PRIMARY KEY,
    domain_id UUID NOT NULL REFERENCES email_domains(id) ON DELETE CASCADE,
    -- NULL: a person did it.
    check_id UUID,
    at TIMESTAMPTZ NOT NULL,
    kind TEXT NOT NULL,
    body TEXT NOT NULL
);
-- event_list.
CREATE INDEX idx_sendready_events_domain ON sendready_events(domain_id, id);

CREATE TABLE sendready_api_keys (
    id UUID PRIMARY KEY,
    role TEXT NOT NULL,
    client_id UUID REFERENCES clients(id) ON DELETE CASCADE,
    name TEXT,
    -- key_by_hash is served by the index of this constraint.
    hash BYTEA NOT NULL UNIQUE,
    created_at TIMESTAMPTZ NOT NULL,
    revoked_at TIMESTAMPTZ,
    expires_at TIMESTAMPTZ,
    CONSTRAINT client_key_has_client CHECK (role <> 'client' OR client_id IS NOT NULL)
);

CREATE TABLE sendready_idempotency (
    key_id UUID NOT NULL REFERENCES sendready_api_keys(id) ON DELETE CASCADE,
    method TEXT NOT NULL,
    path TEXT NOT NULL,
    idem_key TEXT NOT NULL,
    body_digest BYTEA NOT NULL,
    began_at TIMESTAMPTZ NOT NULL,
    -- NULL while it runs.
    status INTEGER,
    body TEXT,
    PRIMARY KEY (key_id, method, path, idem_key)
);
-- idempotency_prune.
CREATE INDEX idx_sendready_idempotency_began ON sendready_idempotency(began_at);
