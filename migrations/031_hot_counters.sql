-- A counter moves with every send. PostgreSQL writes such a row anew in place (a HOT update), and touches none of its
-- indexes, only where no index speaks of the column that moved: not even in its WHERE. So the index over the
-- platform's own numbers (send::STAMP_DOMAINS, send::STAMP_MAILBOXES) goes by a column that a send leaves as it was.
-- Adding that writes each table once. SQLite keeps its index, for it knows no such updates.

-- PostgreSQL only {
DROP INDEX idx_sendready_domains_unstamped;
DROP INDEX idx_sendready_mailboxes_unstamped;
ALTER TABLE email_domains ADD COLUMN sends_unstamped BOOLEAN
    GENERATED ALWAYS AS (sends_day IS NULL AND current_daily_sends <> 0) STORED;
ALTER TABLE email_mailboxes ADD COLUMN sends_unstamped BOOLEAN
    GENERATED ALWAYS AS (sends_day IS NULL AND current_daily_sends <> 0) STORED;
CREATE INDEX idx_sendready_domains_unstamped ON email_domains(id) WHERE sends_unstamped;
CREATE INDEX idx_sendready_mailboxes_unstamped ON email_mailboxes(id) WHERE sends_unstamped;

-- A send keeps its key under the lock of its mailbox, and each key ends after 48 hours by itself: what a reference would
-- find out once more for every single send is known. One whose mailbox or API key is gone is found by nobody.
ALTER TABLE sendready_sends DROP CONSTRAINT sendready_sends_mailbox_id_fkey;
ALTER TABLE sendready_sends DROP CONSTRAINT sendready_sends_key_id_fkey;

-- As 028 has it, but an UPDATE that names none of these columns is not even looked at.
DROP TRIGGER sendready_domain_updated ON email_domains;
CREATE TRIGGER sendready_domain_updated AFTER UPDATE OF
    id, client_id, domain, provider, dns_configured, spf_valid, dkim_valid, dmarc_valid, mx_valid, status, deleted_at,
    stale_since, verified_at, requirements, binding, evidence_digest, malformed, ownership_value, ownership_proven_at
ON email_domains FOR EACH ROW WHEN (
    (OLD.id, OLD.client_id, OLD.domain, OLD.provider, OLD.dns_configured, OLD.spf_valid, OLD.dkim_valid,
        OLD.dmarc_valid, OLD.mx_valid, OLD.status, OLD.deleted_at, OLD.stale_since IS NULL, OLD.verified_at IS NULL,
        OLD.requirements, OLD.binding, OLD.evidence_digest, OLD.malformed, OLD.ownership_value, OLD.ownership_proven_at)
    IS DISTINCT FROM
    (NEW.id, NEW.client_id, NEW.domain, NEW.provider, NEW.dns_configured, NEW.spf_valid, NEW.dkim_valid,
        NEW.dmarc_valid, NEW.mx_valid, NEW.status, NEW.deleted_at, NEW.stale_since IS NULL, NEW.verified_at IS NULL,
        NEW.requirements, NEW.binding, NEW.evidence_digest, NEW.malformed, NEW.ownership_value, NEW.ownership_proven_at)
) EXECUTE FUNCTION sendready_tell_domain();
-- }
