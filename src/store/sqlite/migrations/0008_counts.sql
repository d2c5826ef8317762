CREATE TABLE `queue_counts` (
	`standing` text PRIMARY KEY NOT NULL,
	`items` integer NOT NULL
);
--> statement-breakpoint
ALTER TABLE `history` ADD `paused_at` integer;--> statement-breakpoint
CREATE INDEX `queue_items_finished` ON `queue_items` (`completed_at`,`outcome`,`started_at`,`deleted_at`) WHERE outcome IS NOT NULL AND deleted_at IS NULL;--> statement-breakpoint
INSERT INTO queue_counts (standing, items) SELECT value, (
  SELECT count(*) FROM queue_items WHERE deleted_at IS NULL AND coalesce(outcome, status) = value
) FROM json_each('["queued", "processing", "retrying", "completed", "failed", "cancelled", "lost"]');
--> statement-breakpoint
CREATE TRIGGER queue_items_added AFTER INSERT ON queue_items WHEN NEW.deleted_at IS NULL
BEGIN
  UPDATE queue_counts SET items = items + 1 WHERE standing = coalesce(NEW.outcome, NEW.status);
END;
--> statement-breakpoint
CREATE TRIGGER queue_items_moved AFTER UPDATE OF status, outcome, deleted_at ON queue_items
WHEN coalesce(OLD.outcome, OLD.status) <> coalesce(NEW.outcome, NEW.status) OR (OLD.deleted_at IS NULL) <> (NEW.deleted_at IS NULL)
BEGIN
  UPDATE queue_counts SET items = items - 1 WHERE OLD.deleted_at IS NULL AND standing = coalesce(OLD.outcome, OLD.status);
  UPDATE queue_counts SET items = items + 1 WHERE NEW.deleted_at IS NULL AND standing = coalesce(NEW.outcome, NEW.status);
END;
--> statement-breakpoint
CREATE TRIGGER queue_items_gone AFTER DELETE ON queue_items WHEN OLD.deleted_at IS NULL
BEGIN
  UPDATE queue_counts SET items = items - 1 WHERE standing = coalesce(OLD.outcome, OLD.status);
END;
