-- Claims on abandoned domains: deleted, and never proven to be whose they were. Their proofs are looked for by the same
-- workers, and lent by the same leases, as domains that live.

-- When the proofs of those who claim the domain are next looked for, should it be deleted. NULL: nobody claims it.
ALTER TABLE email_domains ADD COLUMN claims_check_at TIMESTAMPTZ;
-- The earliest that this may be, whoever asks.
ALTER TABLE email_domains ADD COLUMN claims_earliest_at TIMESTAMPTZ;
-- Claims of before.
UPDATE email_domains SET claims_check_at = '1970-01-01T00:00:00+00:00'
    WHERE id IN (SELECT domain_id FROM sendready_ownership_claims);
-- abandoned::LEND. The condition is that of the statement, word for word.
CREATE INDEX idx_sendready_domains_abandoned ON email_domains(claims_check_at)
    WHERE claims_check_at IS NOT NULL AND (deleted_at IS NOT NULL OR status = 'deleted');
