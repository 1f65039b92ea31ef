-- The looks after a webhook's word: the first and the last one, while not all is valid. They stand on the row, so
-- that they outlive the process that took the word.
ALTER TABLE email_domains ADD COLUMN follow_up_at TIMESTAMPTZ;
ALTER TABLE email_domains ADD COLUMN last_follow_up_at TIMESTAMPTZ;
