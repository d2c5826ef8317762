DROP INDEX `queue_items_order`;--> statement-breakpoint
DROP INDEX `queue_items_song`;--> statement-breakpoint
ALTER TABLE `queue_items` ADD `available_ms` integer;--> statement-breakpoint
ALTER TABLE `queue_items` ADD `needs` blob DEFAULT x'' NOT NULL;--> statement-breakpoint
UPDATE `queue_items` SET `needs` = (SELECT CAST(group_concat(value || char(0), '') AS BLOB) FROM (SELECT value FROM json_each(tags) ORDER BY value)) WHERE tags <> '[]';--> statement-breakpoint
UPDATE `queue_items` SET `available_ms` = `available_at` WHERE section = 1 AND available_at IS NOT NULL;--> statement-breakpoint
CREATE INDEX `queue_items_status` ON `queue_items` (`status`,`rank`,`id`) WHERE deleted_at IS NULL;--> statement-breakpoint
CREATE INDEX `queue_items_ready` ON `queue_items` (`needs`,`rank`,`id`) WHERE section = 1 AND available_ms IS NULL;--> statement-breakpoint
CREATE INDEX `queue_items_available` ON `queue_items` (`available_ms`) WHERE available_ms IS NOT NULL;--> statement-breakpoint
CREATE INDEX `queue_items_order` ON `queue_items` (`section`,`rank`,`id`,`available_ms`);--> statement-breakpoint
CREATE INDEX `queue_items_song` ON `queue_items` (`song_id`,`section`,`rank`,`id`);--> statement-breakpoint
ALTER TABLE `history` ADD `mark` text;--> statement-breakpoint
CREATE INDEX `deliveries_status` ON `deliveries` (`status`,`id`);