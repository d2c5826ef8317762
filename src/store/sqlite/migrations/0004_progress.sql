ALTER TABLE `queue_items` ADD `basis` text;--> statement-breakpoint
ALTER TABLE `queue_items` ADD `steps` text;--> statement-breakpoint
ALTER TABLE `queue_items` ADD `is_set_back` integer DEFAULT false NOT NULL;--> statement-breakpoint
ALTER TABLE `queue_items` ADD `has_inner` integer DEFAULT false NOT NULL;--> statement-breakpoint
ALTER TABLE `queue_items` ADD `steps_begun` integer DEFAULT 0 NOT NULL;