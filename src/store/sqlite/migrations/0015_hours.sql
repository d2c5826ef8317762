CREATE TABLE `hours` (
	`hour` integer PRIMARY KEY NOT NULL,
	`newest_id` integer NOT NULL
);

--> statement-breakpoint
-- A database that was there before has its last day from the times of its items.
INSERT INTO `hours` SELECT 0, coalesce(max(`last_update_id`), 0) FROM `queue_items` WHERE `updated_at` <= (unixepoch() - 86400) * 1000;
--> statement-breakpoint
INSERT INTO `hours` SELECT 24, coalesce((SELECT `seq` FROM `sqlite_sequence` WHERE `name` = 'updates'), 0);
