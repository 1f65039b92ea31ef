-- The fleet breaker: trouble that hits many unrelated domains at once is ours, and demotes nobody.

-- How it stands: one row, which is also the lock that a demotion and an opening meet at.
CREATE TABLE sendready_breaker (
    id INTEGER PRIMARY KEY,
    -- When it last opened; NULL: never. It is open while closed_at is NULL.
    opened_at TIMESTAMPTZ,
    closed_at TIMESTAMPTZ,
    -- Looks after this are counted while it is open.
    counted_from TIMESTAMPTZ,
    -- What was seen up to this was accepted by an operator and no longer counts.
    accepted_at TIMESTAMPTZ,
    -- How many domains were counted when it opened, and how many of them had turned.
    looked INTEGER NOT NULL,
    turned INTEGER NOT NULL
);
INSERT INTO sendready_breaker (id, looked, turned) VALUES (1, 0, 0);

-- The latest look at every domain that is or was valid; it goes with the domain.
CREATE TABLE sendready_breaker_looks (
    domain_id UUID PRIMARY KEY REFERENCES email_domains(id) ON DELETE CASCADE,
    -- The registrable domain: one organization counts once.
    organization TEXT NOT NULL,
    looked_at TIMESTAMPTZ NOT NULL,
    -- good, bad or unknown.
    outcome TEXT NOT NULL,
    -- Since when it has not been good without a break; NULL while it is good.
    turned_at TIMESTAMPTZ,
    -- Whether it was valid before it was looked at: what has just become valid says nothing yet.
    counts BOOLEAN NOT NULL
);
-- breaker_ask and breaker_watch read the looks of a window; breaker_sample takes those that are the longest ago.
CREATE INDEX idx_sendready_breaker_looks_looked ON sendready_breaker_looks(looked_at);
-- breaker_watch: whether enough have turned lately to look any closer.
CREATE INDEX idx_sendready_breaker_looks_turned ON sendready_breaker_looks(turned_at) WHERE turned_at IS NOT NULL;

-- Those that are valid already can be asked about from the start; the next look says which organization it is.
INSERT INTO sendready_breaker_looks (domain_id, organization, looked_at, outcome, counts)
    SELECT id, lower(domain), last_checked_at, 'good', FALSE FROM email_domains
    WHERE dns_configured AND last_checked_at IS NOT NULL AND deleted_at IS NULL
    AND COALESCE(status, 'pending') <> 'deleted';
