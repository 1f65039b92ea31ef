-- Who changed what: one row for each request that may change something, written before it does.

CREATE TABLE sendready_audit (
    -- Version 7, so ids are in the order of time. audit_list and audit_prune are served by this key.
    id UUID PRIMARY KEY,
    at TIMESTAMPTZ NOT NULL,
    -- operator, client, setup-link, command-line.
    actor TEXT NOT NULL,
    -- The key or the setup link. No reference, for a row outlives what it speaks of.
    key_id UUID,
    key_name TEXT,
    client_id UUID,
    operation TEXT NOT NULL,
    path TEXT NOT NULL,
    domain_id UUID,
    domain TEXT,
    -- What was made.
    made_id UUID,
    -- The names of the fields that came, separated by spaces; never their values.
    fields TEXT NOT NULL,
    request_id TEXT,
    peer TEXT,
    -- begun, done, refused, failed.
    outcome TEXT NOT NULL,
    status INTEGER
);
-- audit_list of a key.
CREATE INDEX idx_sendready_audit_key ON sendready_audit(key_id, id);
-- audit_list of a domain.
CREATE INDEX idx_sendready_audit_domain ON sendready_audit(domain_id, id);
