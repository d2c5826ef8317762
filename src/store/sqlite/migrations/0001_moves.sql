CREATE TRIGGER queue_items_moves BEFORE UPDATE OF status ON queue_items
WHEN OLD.status <> NEW.status AND (OLD.status, NEW.status) NOT IN (VALUES ('queued', 'processing'), ('queued', 'failed'), ('processing', 'completed'), ('processing', 'failed'), ('processing', 'retrying'), ('processing', 'queued'), ('retrying', 'processing'), ('retrying', 'queued'), ('retrying', 'failed'), ('completed', 'queued'), ('failed', 'queued'))
BEGIN
  SELECT RAISE(ABORT, 'illegal move');
END;
--> statement-breakpoint
INSERT INTO history (id) VALUES (lower(hex(randomblob(8))));
