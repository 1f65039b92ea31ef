-- Control: who has proven that a name is his, who else says that it is his, and what was before a transfer.

-- What the client of a domain is to publish to prove that the name is its own. NULL: nothing, for an operator or the
-- platform registered it.
ALTER TABLE email_domains ADD COLUMN ownership_value TEXT;
-- Since when that is proven. Once proven, it stays.
ALTER TABLE email_domains ADD COLUMN ownership_proven_at TIMESTAMPTZ;
-- The id up to which checks and events are those of an earlier client's time: only operators see them.
ALTER TABLE email_domains ADD COLUMN history_after UUID;

-- Clients that asked for a name whose holder has proven nothing: whose value is published gets the domain.
CREATE TABLE sendready_ownership_claims (
    domain_id UUID NOT NULL REFERENCES email_domains(id) ON DELETE CASCADE,
    client_id UUID NOT NULL REFERENCES clients(id) ON DELETE CASCADE,
    value TEXT NOT NULL,
    -- What the client asked to register; its domain is to be so.
    provider TEXT NOT NULL,
    requirements TEXT,
    infraforge_domain_id TEXT,
    smartlead_domain_id TEXT,
    asked_at TIMESTAMPTZ NOT NULL,
    expires_at TIMESTAMPTZ NOT NULL,
    -- Since when its value is published, but the client's tier does not allow the transfer.
    blocked_at TIMESTAMPTZ,
    -- ownership::CLAIMS is served by the index of this constraint.
    PRIMARY KEY (domain_id, client_id)
);
-- ownership::COUNT_OF_CLIENT.
CREATE INDEX idx_sendready_ownership_claims_client ON sendready_ownership_claims(client_id, expires_at);
-- ownership::PRUNE.
CREATE INDEX idx_sendready_ownership_claims_expires ON sendready_ownership_claims(expires_at);
