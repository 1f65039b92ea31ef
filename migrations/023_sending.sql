-- Mailboxes, their warm-up and their sends: what the service keeps beside the seed's columns. Every column may be
-- NULL, for the platform writes rows without them.

-- Which UTC day `current_daily_sends` counts. NULL: whoever wrote the number meant today.
ALTER TABLE email_domains ADD COLUMN sends_day DATE;
ALTER TABLE email_mailboxes ADD COLUMN sends_day DATE;
-- Why it is paused. NULL: the platform did it.
ALTER TABLE email_mailboxes ADD COLUMN paused_reason TEXT;
-- What a paused or suspended mailbox goes on as: `warming` or `active`.
ALTER TABLE email_mailboxes ADD COLUMN resumes_as TEXT;
-- How many mails the rates rest on. NULL: not said.
ALTER TABLE email_mailboxes ADD COLUMN health_sample INTEGER;
-- The UTC date of the warm-up's day 1. NULL: it has not begun.
ALTER TABLE email_mailboxes ADD COLUMN warmup_day_one DATE;
-- The warm-up's day on the date beside it: the service's own copy, for the seed's columns may be written by anybody.
ALTER TABLE email_mailboxes ADD COLUMN warmup_day INTEGER;
ALTER TABLE email_mailboxes ADD COLUMN warmup_reckoned_on DATE;

-- send::ZERO_DOMAINS, send::ZERO_MAILBOXES.
CREATE INDEX idx_sendready_domains_sends_day ON email_domains(sends_day) WHERE sends_day IS NOT NULL;
CREATE INDEX idx_sendready_mailboxes_sends_day ON email_mailboxes(sends_day) WHERE sends_day IS NOT NULL;
-- send::STAMP_DOMAINS, send::STAMP_MAILBOXES: numbers that the platform wrote.
CREATE INDEX idx_sendready_domains_unstamped ON email_domains(id) WHERE sends_day IS NULL AND current_daily_sends <> 0;
CREATE INDEX idx_sendready_mailboxes_unstamped ON email_mailboxes(id) WHERE sends_day IS NULL AND current_daily_sends <> 0;
-- mailbox::BY_ADDRESS, however the platform wrote it.
CREATE INDEX idx_sendready_mailboxes_address ON email_mailboxes(lower(email_address));
-- mailbox::LIST, and its cursor.
CREATE INDEX idx_sendready_mailboxes_place ON email_mailboxes(domain_id, id);

-- When the warm-up of a domain's mailboxes was closed. A UTC day counts unless it was closed at its end, so one that
-- was reopened on the day on which it was closed is not kept.
CREATE TABLE sendready_domain_closures (
    domain_id UUID NOT NULL REFERENCES email_domains(id) ON DELETE CASCADE,
    closed_at TIMESTAMPTZ NOT NULL,
    -- NULL: it still is.
    reopened_at TIMESTAMPTZ,
    PRIMARY KEY (domain_id, closed_at)
);
-- At most one is open.
CREATE UNIQUE INDEX idx_sendready_domain_closures_open ON sendready_domain_closures(domain_id) WHERE reopened_at IS NULL;

-- The same for one mailbox: paused, suspended, deleted, unhealthy, or its warm-up switched off.
CREATE TABLE sendready_mailbox_closures (
    mailbox_id UUID NOT NULL REFERENCES email_mailboxes(id) ON DELETE CASCADE,
    closed_at TIMESTAMPTZ NOT NULL,
    reopened_at TIMESTAMPTZ,
    PRIMARY KEY (mailbox_id, closed_at)
);
CREATE UNIQUE INDEX idx_sendready_mailbox_closures_open ON sendready_mailbox_closures(mailbox_id) WHERE reopened_at IS NULL;

-- What was granted to requests with an Idempotency-Key, written with the counters: a request whose answer was lost is
-- given the same again, and takes nothing.
CREATE TABLE sendready_sends (
    mailbox_id UUID NOT NULL REFERENCES email_mailboxes(id) ON DELETE CASCADE,
    key_id UUID NOT NULL REFERENCES sendready_api_keys(id) ON DELETE CASCADE,
    idem_key TEXT NOT NULL,
    at TIMESTAMPTZ NOT NULL,
    day DATE NOT NULL,
    granted INTEGER NOT NULL,
    mailbox_used INTEGER NOT NULL,
    mailbox_limit INTEGER NOT NULL,
    domain_used INTEGER NOT NULL,
    domain_limit INTEGER NOT NULL,
    PRIMARY KEY (mailbox_id, key_id, idem_key)
);
-- send::PRUNE.
CREATE INDEX idx_sendready_sends_at ON sendready_sends(at);
