-- The operator console: who is signed in, and what its counts and its search are found by.

CREATE TABLE sendready_console_sessions (
    id UUID PRIMARY KEY,
    -- The key that was signed in with: the session ends with it.
    key_id UUID NOT NULL REFERENCES sendready_api_keys(id) ON DELETE CASCADE,
    -- SHA-256 of the cookie. console::GET is served by the index of this constraint.
    hash BYTEA NOT NULL UNIQUE,
    created_at TIMESTAMPTZ NOT NULL,
    expires_at TIMESTAMPTZ NOT NULL,
    last_seen_at TIMESTAMPTZ NOT NULL
);
-- console::PRUNE.
CREATE INDEX idx_sendready_console_sessions_expires ON sendready_console_sessions(expires_at);

-- overview::DOMAINS: nothing but this index is read. Nobody looks for a row by its first column alone, so that SQLite
-- does not take it for a way to find one.
CREATE INDEX idx_sendready_domains_counts
    ON email_domains(spf_valid, dkim_valid, dmarc_valid, mx_valid, status) WHERE deleted_at IS NULL;
-- overview::SUSPENDED_SOON.
CREATE INDEX idx_sendready_domains_suspends ON email_domains(suspends_at) WHERE suspends_at IS NOT NULL;
-- overview::MAILBOXES: nothing but this index is read.
CREATE INDEX idx_sendready_mailboxes_counts ON email_mailboxes(deleted_at, status);
-- overview::CHECKS: nothing but this index is read.
CREATE INDEX idx_sendready_checks_at ON sendready_checks(at);
-- overview::CHANGES: few checks change anything. The condition is that of the statement, word for word.
CREATE INDEX idx_sendready_checks_changed ON sendready_checks(at) WHERE changes <> '{}';

-- domain::LIST_OF_STATUS: few among many.
CREATE INDEX idx_sendready_domains_status_place
    ON email_domains(COALESCE(status, 'pending'), COALESCE(created_at, '0001-01-01T00:00:00+00:00'), id);
-- domain::LIST_DELETED. The condition is that of the statement, word for word.
CREATE INDEX idx_sendready_domains_deleted_place ON email_domains(COALESCE(created_at, '0001-01-01T00:00:00+00:00'), id)
    WHERE deleted_at IS NOT NULL OR status = 'deleted';
-- domain::LIST_FAILING. The condition is that of the statement, word for word.
CREATE INDEX idx_sendready_domains_failing_place ON email_domains(COALESCE(created_at, '0001-01-01T00:00:00+00:00'), id)
    WHERE NOT (COALESCE(spf_valid, FALSE) AND COALESCE(dkim_valid, FALSE) AND COALESCE(dmarc_valid, FALSE)
    AND COALESCE(mx_valid, FALSE));

-- domain::LIST_BY_PREFIX. Octet by octet, so that what begins alike lies together.
CREATE INDEX idx_sendready_domains_prefix ON email_domains(lower(domain) COLLATE "C");
