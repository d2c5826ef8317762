CREATE TABLE `runs` (
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`kind` text NOT NULL,
	`look` text NOT NULL,
	`worker` text NOT NULL,
	`queue_id` integer NOT NULL,
	`seconds` real NOT NULL,
	`steps` text NOT NULL,
	`ended_at` integer NOT NULL
);
--> statement-breakpoint
CREATE INDEX `runs_alike` ON `runs` (`kind`,`look`,`id`);--> statement-breakpoint
ALTER TABLE `history` ADD `has_learned` integer DEFAULT false NOT NULL;--> statement-breakpoint
ALTER TABLE `queue_items` ADD `eta_low_seconds` real;--> statement-breakpoint
ALTER TABLE `queue_items` ADD `eta_high_seconds` real;--> statement-breakpoint
ALTER TABLE `queue_items` ADD `eta_runs` integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE `queue_items` ADD `time_progress` real;--> statement-breakpoint
ALTER TABLE `queue_items` ADD `kind` text DEFAULT '' NOT NULL;--> statement-breakpoint
ALTER TABLE `queue_items` ADD `totals` text DEFAULT '{}' NOT NULL;--> statement-breakpoint
ALTER TABLE `queue_items` ADD `course` text;