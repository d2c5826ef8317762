CREATE TABLE `outputs` (
	`queue_id` integer NOT NULL,
	`attempt` integer NOT NULL,
	`until` integer NOT NULL,
	`at` integer NOT NULL,
	`text` text NOT NULL,
	PRIMARY KEY(`queue_id`, `attempt`, `until`),
	FOREIGN KEY (`queue_id`) REFERENCES `queue_items`(`id`) ON UPDATE no action ON DELETE no action
);
