CREATE TABLE `tickets` (
	`hash` text PRIMARY KEY NOT NULL,
	`token_id` integer NOT NULL,
	`method` text NOT NULL,
	`path` text NOT NULL,
	`use_by` integer NOT NULL,
	`expires_at` integer NOT NULL,
	`used_at` integer,
	FOREIGN KEY (`token_id`) REFERENCES `tokens`(`id`) ON UPDATE no action ON DELETE no action
);
--> statement-breakpoint
CREATE INDEX `tickets_token` ON `tickets` (`token_id`);--> statement-breakpoint
CREATE INDEX `tickets_end` ON `tickets` (`expires_at`);--> statement-breakpoint
CREATE TABLE `tokens` (
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`hash` text NOT NULL,
	`label` text NOT NULL,
	`role` text NOT NULL,
	`item` integer,
	`history` text NOT NULL,
	`created_at` integer NOT NULL,
	`expires_at` integer,
	`revoked_at` integer,
	`last_used_at` integer
);
--> statement-breakpoint
CREATE UNIQUE INDEX `tokens_hash` ON `tokens` (`hash`);--> statement-breakpoint
ALTER TABLE `queue_items` ADD `lease_holder` integer;