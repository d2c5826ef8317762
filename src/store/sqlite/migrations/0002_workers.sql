ALTER TABLE `history` ADD `alive_at` integer;--> statement-breakpoint
ALTER TABLE `queue_items` ADD `step` text;--> statement-breakpoint
ALTER TABLE `queue_items` ADD `unit` text;--> statement-breakpoint
ALTER TABLE `queue_items` ADD `media` text;--> statement-breakpoint
ALTER TABLE `queue_items` ADD `lease_token` text;--> statement-breakpoint
ALTER TABLE `queue_items` ADD `verdict` text;--> statement-breakpoint
ALTER TABLE `queue_items` ADD `lease_ms` integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE `queue_items` ADD `lease_expires_at` integer;--> statement-breakpoint
ALTER TABLE `queue_items` ADD `lease_extended` integer DEFAULT false NOT NULL;--> statement-breakpoint
ALTER TABLE `queue_items` ADD `rescues` integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE `queue_items` ADD `share` real DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE `queue_items` ADD `rate` real DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE `queue_items` ADD `attempt_at` integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE `queue_items` ADD `moved_at` integer DEFAULT 0 NOT NULL;