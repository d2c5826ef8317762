DROP INDEX `queue_items_order`;--> statement-breakpoint
DROP INDEX `queue_items_status`;--> statement-breakpoint
DROP INDEX `queue_items_song`;--> statement-breakpoint
DROP INDEX `queue_items_ready`;--> statement-breakpoint
ALTER TABLE `queue_items` ADD `turn` real;--> statement-breakpoint
ALTER TABLE `queue_items` ADD `place` real GENERATED ALWAYS AS (CASE WHEN status IN ('queued', 'retrying') THEN coalesce(turn, id) ELSE id END) VIRTUAL;--> statement-breakpoint
CREATE INDEX `queue_items_order` ON `queue_items` (`section`,`rank`,`place`,`id`,`available_ms`);--> statement-breakpoint
CREATE INDEX `queue_items_status` ON `queue_items` (`status`,`rank`,`place`,`id`) WHERE deleted_at IS NULL;--> statement-breakpoint
CREATE INDEX `queue_items_song` ON `queue_items` (`song_id`,`section`,`rank`,`place`,`id`);--> statement-breakpoint
CREATE INDEX `queue_items_ready` ON `queue_items` (`needs`,`rank`,`place`,`id`) WHERE section = 1 AND available_ms IS NULL;