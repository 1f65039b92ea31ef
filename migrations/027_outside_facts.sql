-- What others say of domains: when they were registered (RDAP), and whether block lists have them.

-- One row for each registrable domain. The schedule of both questions stands on it.
CREATE TABLE sendready_organizations (
    organization TEXT PRIMARY KEY,
    -- The last day that a registry named; NULL: none ever did.
    registered_at TIMESTAMPTZ,
    -- Which server named it.
    age_source TEXT,
    age_asked_at TIMESTAMPTZ,
    -- Why the last question gave no day; NULL: it did, or nobody was asked.
    age_fault TEXT,
    -- How often in a row.
    age_failures INTEGER NOT NULL,
    age_next_at TIMESTAMPTZ NOT NULL,
    age_lease_until TIMESTAMPTZ,
    age_lease_token UUID,
    lists_next_at TIMESTAMPTZ NOT NULL,
    lists_lease_until TIMESTAMPTZ,
    lists_lease_token UUID
);
-- age_claim.
CREATE INDEX idx_sendready_organizations_age ON sendready_organizations(age_next_at);
-- lists_claim.
CREATE INDEX idx_sendready_organizations_lists ON sendready_organizations(lists_next_at);

-- Which registrable domain a domain belongs to. A table of its own: the rows of email_domains are written a thousand
-- times a second, and an index there would be written with them.
CREATE TABLE sendready_domain_organizations (
    domain_id UUID PRIMARY KEY REFERENCES email_domains(id) ON DELETE CASCADE,
    -- The name that it was made from: the platform may write another.
    domain TEXT NOT NULL,
    organization TEXT NOT NULL
);
-- organization::DOMAINS.
CREATE INDEX idx_sendready_domain_organizations_organization ON sendready_domain_organizations(organization);

-- When RDAP may be asked next, by whichever replica: one row.
CREATE TABLE sendready_rdap_pace (
    id INTEGER PRIMARY KEY,
    next_at TIMESTAMPTZ NOT NULL
);
INSERT INTO sendready_rdap_pace (id, next_at) VALUES (1, '2000-01-01T00:00:00+00:00');

-- What each block list last said.
CREATE TABLE sendready_listings (
    organization TEXT NOT NULL REFERENCES sendready_organizations(organization) ON DELETE CASCADE,
    zone TEXT NOT NULL,
    -- NULL: it never could tell.
    listed BOOLEAN,
    -- Its codes, with a space between each.
    codes TEXT NOT NULL,
    reason TEXT,
    told_at TIMESTAMPTZ,
    asked_at TIMESTAMPTZ NOT NULL,
    -- Why it could not tell the last time.
    fault TEXT,
    PRIMARY KEY (organization, zone)
);
