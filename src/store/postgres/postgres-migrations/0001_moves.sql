CREATE FUNCTION queue_items_moves() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'illegal move' USING ERRCODE = 'check_violation';
END $$;
--> statement-breakpoint
CREATE TRIGGER queue_items_moves BEFORE UPDATE OF status ON queue_items FOR EACH ROW
WHEN (OLD.status <> NEW.status AND (OLD.status, NEW.status) NOT IN (('queued', 'processing'), ('queued', 'failed'), ('processing', 'completed'), ('processing', 'failed'), ('processing', 'retrying'), ('processing', 'queued'), ('retrying', 'processing'), ('retrying', 'queued'), ('retrying', 'failed'), ('completed', 'queued'), ('failed', 'queued')))
EXECUTE FUNCTION queue_items_moves();
--> statement-breakpoint
CREATE FUNCTION queue_items_count() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP <> 'INSERT' AND OLD.deleted_at IS NULL THEN
    UPDATE queue_counts SET items = items - 1 WHERE standing = coalesce(OLD.outcome, OLD.status);
  END IF;
  IF TG_OP <> 'DELETE' AND NEW.deleted_at IS NULL THEN
    UPDATE queue_counts SET items = items + 1 WHERE standing = coalesce(NEW.outcome, NEW.status);
  END IF;
  RETURN NULL;
END $$;
--> statement-breakpoint
CREATE TRIGGER queue_items_counted AFTER INSERT OR DELETE ON queue_items FOR EACH ROW
EXECUTE FUNCTION queue_items_count();
--> statement-breakpoint
CREATE TRIGGER queue_items_moved AFTER UPDATE OF status, outcome, deleted_at ON queue_items FOR EACH ROW
WHEN (coalesce(OLD.outcome, OLD.status) <> coalesce(NEW.outcome, NEW.status) OR (OLD.deleted_at IS NULL) <> (NEW.deleted_at IS NULL))
EXECUTE FUNCTION queue_items_count();
--> statement-breakpoint
CREATE FUNCTION take_turn() RETURNS bigint LANGUAGE plpgsql VOLATILE AS $$
BEGIN
  PERFORM pg_advisory_xact_lock(1, 'updates'::regclass::oid::int);
  RETURN (SELECT greatest(h.floor, coalesce((SELECT max(u.id) FROM updates u), 0)) FROM history h);
END $$;
--> statement-breakpoint
ALTER TABLE queue_items SET (fillfactor = 80);
--> statement-breakpoint
INSERT INTO queue_counts (standing, items) SELECT standing, 0
FROM unnest(ARRAY['queued', 'processing', 'retrying', 'completed', 'failed', 'cancelled', 'lost']) standing;
--> statement-breakpoint
INSERT INTO history (id) VALUES (substr(md5(gen_random_uuid()::text), 1, 16));
