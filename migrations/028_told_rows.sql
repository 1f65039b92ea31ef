-- What a replica that remembers a domain's records must hear of, whoever writes it: the platform writes by SQL, too.
-- SQLite has one process, and that one remembers nothing (ADR 0014).

-- PostgreSQL only {
CREATE FUNCTION sendready_tell_domain() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_catalog.pg_notify('sendready_rows', 'domain ' || OLD.id);
    RETURN NULL;
END $$;

CREATE FUNCTION sendready_tell_client() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP <> 'INSERT' THEN
        PERFORM pg_catalog.pg_notify('sendready_rows', 'client ' || OLD.client_id);
    END IF;
    IF TG_OP <> 'DELETE' THEN
        PERFORM pg_catalog.pg_notify('sendready_rows', 'client ' || NEW.client_id);
    END IF;
    RETURN NULL;
END $$;

CREATE FUNCTION sendready_tell_all() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_catalog.pg_notify('sendready_rows', 'all');
    RETURN NULL;
END $$;

-- Of the columns that the records document shows. Not of sends, loans and the schedule: transactions that tell
-- something commit one after the other, and those are many. Nobody remembers a row that was not there, so an INSERT
-- is not told.
CREATE TRIGGER sendready_domain_updated AFTER UPDATE ON email_domains FOR EACH ROW WHEN (
    (OLD.id, OLD.client_id, OLD.domain, OLD.provider, OLD.dns_configured, OLD.spf_valid, OLD.dkim_valid,
        OLD.dmarc_valid, OLD.mx_valid, OLD.status, OLD.deleted_at, OLD.stale_since IS NULL, OLD.verified_at IS NULL,
        OLD.requirements, OLD.binding, OLD.evidence_digest, OLD.malformed, OLD.ownership_value, OLD.ownership_proven_at)
    IS DISTINCT FROM
    (NEW.id, NEW.client_id, NEW.domain, NEW.provider, NEW.dns_configured, NEW.spf_valid, NEW.dkim_valid,
        NEW.dmarc_valid, NEW.mx_valid, NEW.status, NEW.deleted_at, NEW.stale_since IS NULL, NEW.verified_at IS NULL,
        NEW.requirements, NEW.binding, NEW.evidence_digest, NEW.malformed, NEW.ownership_value, NEW.ownership_proven_at)
) EXECUTE FUNCTION sendready_tell_domain();
CREATE TRIGGER sendready_domain_deleted AFTER DELETE ON email_domains
    FOR EACH ROW EXECUTE FUNCTION sendready_tell_domain();
CREATE TRIGGER sendready_domains_emptied AFTER TRUNCATE ON email_domains
    FOR EACH STATEMENT EXECUTE FUNCTION sendready_tell_all();

-- Dedicated addresses are requirements of all domains of their client.
CREATE TRIGGER sendready_dedicated_ip_changed AFTER INSERT OR UPDATE OR DELETE ON sendready_dedicated_ips
    FOR EACH ROW EXECUTE FUNCTION sendready_tell_client();
CREATE TRIGGER sendready_dedicated_ips_emptied AFTER TRUNCATE ON sendready_dedicated_ips
    FOR EACH STATEMENT EXECUTE FUNCTION sendready_tell_all();

-- Every document says whether the fleet breaker is open.
CREATE TRIGGER sendready_breaker_turned AFTER UPDATE ON sendready_breaker FOR EACH ROW WHEN (
    (OLD.opened_at, OLD.closed_at) IS DISTINCT FROM (NEW.opened_at, NEW.closed_at)
) EXECUTE FUNCTION sendready_tell_all();
-- }
