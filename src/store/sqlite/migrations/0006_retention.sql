ALTER TABLE `history` ADD `pruned_id` integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE `history` ADD `pruned` integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE `history` ADD `retain_from` integer;--> statement-breakpoint
ALTER TABLE `queue_items` ADD `pruned_id` integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE `queue_items` ADD `thinned_id` integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE `queue_items` ADD `thin_at` integer GENERATED ALWAYS AS (CASE WHEN deleted_at IS NULL AND status IN ('completed', 'failed') AND thinned_id <> last_update_id THEN completed_at END) VIRTUAL;--> statement-breakpoint
CREATE INDEX `queue_items_thin` ON `queue_items` (`thin_at`);--> statement-breakpoint
CREATE INDEX `queue_items_deleted` ON `queue_items` (`deleted_at`);