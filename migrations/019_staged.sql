-- What of a verified domain's requirements counts; JSON of the form of `requirements`. What is required besides is
-- staged: shown and judged, and it counts from when it was first valid. NULL: all that is required counts.
-- A column of its own, for a domain that does what its provider's profile says has no `requirements`, and the profile
-- may be another after a restart.
ALTER TABLE email_domains ADD COLUMN binding TEXT;
