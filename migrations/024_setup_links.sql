-- Links for whoever owns a domain's DNS: its records, their stream and verify, and nothing else.

CREATE TABLE sendready_setup_links (
    id UUID PRIMARY KEY,
    domain_id UUID NOT NULL REFERENCES email_domains(id) ON DELETE CASCADE,
    -- setup_link_by_hash is served by the index of this constraint.
    hash BYTEA NOT NULL UNIQUE,
    created_at TIMESTAMPTZ NOT NULL,
    expires_at TIMESTAMPTZ NOT NULL,
    revoked_at TIMESTAMPTZ
);
-- setup_link_list.
CREATE INDEX idx_sendready_setup_links_domain ON sendready_setup_links(domain_id, id);
-- setup_link_prune.
CREATE INDEX idx_sendready_setup_links_expires ON sendready_setup_links(expires_at);
