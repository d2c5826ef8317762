ALTER TABLE `history` ADD `restored_id` integer;--> statement-breakpoint
ALTER TABLE `history` ADD `resumed_id` integer DEFAULT 0 NOT NULL;