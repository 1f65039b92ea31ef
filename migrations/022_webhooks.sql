-- Webhooks: whom events go to, what went and what is still to go, and what has come in.

CREATE TABLE sendready_webhook_endpoints (
    id UUID PRIMARY KEY,
    -- NULL: every client's events.
    client_id UUID REFERENCES clients(id) ON DELETE CASCADE,
    url TEXT NOT NULL,
    -- The types that it gets, each between two spaces; empty: all.
    events TEXT NOT NULL,
    -- As it stands, for signing needs it. Older ones, and until when they sign too: JSON.
    secret TEXT NOT NULL,
    older_secrets TEXT NOT NULL,
    enabled BOOLEAN NOT NULL,
    disabled_at TIMESTAMPTZ,
    -- NULL in a disabled row: a person did it.
    disabled_reason TEXT,
    -- When it was made, enabled or last took a delivery.
    well_at TIMESTAMPTZ NOT NULL,
    -- Since when it takes none.
    failing_since TIMESTAMPTZ,
    -- It asked not to be called before.
    resumes_at TIMESTAMPTZ,
    created_at TIMESTAMPTZ NOT NULL,
    updated_at TIMESTAMPTZ NOT NULL
);
-- endpoint_list of one client, and delivery_write.
CREATE INDEX idx_sendready_webhook_endpoints_client ON sendready_webhook_endpoints(client_id, id);

-- One event on its way to one endpoint. The event's id is the delivery's within its endpoint, so that none is there twice.
CREATE TABLE sendready_webhook_deliveries (
    endpoint_id UUID NOT NULL REFERENCES sendready_webhook_endpoints(id) ON DELETE CASCADE,
    event_id UUID NOT NULL,
    kind TEXT NOT NULL,
    -- What is sent, octet for octet at every attempt.
    body TEXT NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    status TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    -- A person asked for the next attempt: it is made whatever the endpoint's state.
    asked BOOLEAN NOT NULL,
    -- NULL: none.
    next_attempt_at TIMESTAMPTZ,
    lease_until TIMESTAMPTZ,
    lease_token UUID,
    first_attempt_at TIMESTAMPTZ,
    -- What came of the last attempt.
    attempted_at TIMESTAMPTZ,
    took_ms INTEGER,
    response_code INTEGER,
    response_excerpt TEXT,
    failure TEXT,
    delivered_at TIMESTAMPTZ,
    -- delivery_list is served by the index of this constraint.
    PRIMARY KEY (endpoint_id, event_id)
);
-- endpoint_claimable and delivery_claim. The condition is that of the statements, word for word.
CREATE INDEX idx_sendready_webhook_deliveries_due ON sendready_webhook_deliveries(endpoint_id, next_attempt_at)
    WHERE next_attempt_at IS NOT NULL;
-- endpoint_claimable and delivery_claim, what a person asked for.
CREATE INDEX idx_sendready_webhook_deliveries_asked ON sendready_webhook_deliveries(endpoint_id, next_attempt_at)
    WHERE asked AND next_attempt_at IS NOT NULL;
-- delivery_prune.
CREATE INDEX idx_sendready_webhook_deliveries_event ON sendready_webhook_deliveries(event_id);

-- The ids of webhooks that came in, so that one that comes again changes nothing.
CREATE TABLE sendready_webhook_receipts (
    -- The key that it came with, or `signature`.
    source TEXT NOT NULL,
    webhook_id TEXT NOT NULL,
    received_at TIMESTAMPTZ NOT NULL,
    -- What came of it, JSON: a repetition is answered alike.
    taken TEXT NOT NULL,
    -- receipt_get is served by the index of this constraint.
    PRIMARY KEY (source, webhook_id)
);
-- receipt_prune.
CREATE INDEX idx_sendready_webhook_receipts_received ON sendready_webhook_receipts(received_at);
