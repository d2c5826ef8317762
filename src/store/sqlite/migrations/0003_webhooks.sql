CREATE TABLE `deliveries` (
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`url` text NOT NULL,
	`notice` text NOT NULL,
	`update_id` integer NOT NULL,
	`queue_id` integer NOT NULL,
	`data` text NOT NULL,
	`status` text DEFAULT 'pending' NOT NULL,
	`attempts` integer DEFAULT 0 NOT NULL,
	`next_attempt_at` integer,
	`answer` integer,
	`error` text DEFAULT '' NOT NULL,
	`created_at` integer NOT NULL,
	`finished_at` integer
);
--> statement-breakpoint
CREATE INDEX `deliveries_due` ON `deliveries` (`url`,`next_attempt_at`);--> statement-breakpoint
CREATE INDEX `deliveries_finished` ON `deliveries` (`finished_at`);--> statement-breakpoint
CREATE TABLE `webhooks` (
	`url` text PRIMARY KEY NOT NULL,
	`cursor` integer NOT NULL
);
