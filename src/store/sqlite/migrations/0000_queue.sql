CREATE TABLE `history` (
	`id` text PRIMARY KEY NOT NULL
);
--> statement-breakpoint
CREATE TABLE `idempotency_keys` (
	`key` text PRIMARY KEY NOT NULL,
	`digest` text NOT NULL,
	`answer` text NOT NULL,
	`created_at` integer NOT NULL
);
--> statement-breakpoint
CREATE INDEX `idempotency_keys_age` ON `idempotency_keys` (`created_at`);--> statement-breakpoint
CREATE TABLE `queue_items` (
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`song_id` integer NOT NULL,
	`title` text NOT NULL,
	`status` text NOT NULL,
	`priority` integer NOT NULL,
	`current_step` text NOT NULL,
	`progress` integer NOT NULL,
	`message` text NOT NULL,
	`error_message` text NOT NULL,
	`retry_count` integer NOT NULL,
	`video_file_path` text NOT NULL,
	`video_file_size` integer NOT NULL,
	`thumbnail_path` text NOT NULL,
	`flag` text,
	`queued_at` integer NOT NULL,
	`started_at` integer,
	`completed_at` integer,
	`updated_at` integer NOT NULL,
	`attempt` integer NOT NULL,
	`max_attempts` integer NOT NULL,
	`outcome` text,
	`worker` text NOT NULL,
	`available_at` integer,
	`cancel_requested_at` integer,
	`eta_seconds` real,
	`stalled` integer NOT NULL,
	`tags` text NOT NULL,
	`metadata` text NOT NULL,
	`last_update_id` integer NOT NULL,
	`deleted_at` integer,
	`section` integer GENERATED ALWAYS AS (CASE WHEN deleted_at IS NOT NULL THEN NULL WHEN status = 'processing' THEN 0 WHEN status IN ('queued', 'retrying') THEN 1 ELSE 2 END) VIRTUAL,
	`rank` integer GENERATED ALWAYS AS (CASE WHEN status = 'processing' THEN 0 WHEN status IN ('queued', 'retrying') THEN -priority ELSE -coalesce(completed_at, 0) END) VIRTUAL,
	CONSTRAINT "queue_items_status" CHECK("queue_items"."status" IN ('queued', 'processing', 'completed', 'failed', 'retrying')),
	CONSTRAINT "queue_items_outcome" CHECK("queue_items"."outcome" IN ('completed', 'failed', 'cancelled', 'lost')),
	CONSTRAINT "queue_items_flag" CHECK("queue_items"."flag" IN ('image_issue', 'lyrics_issue', 'timing_issue')),
	CONSTRAINT "queue_items_progress" CHECK("queue_items"."progress" BETWEEN 0 AND 100)
);
--> statement-breakpoint
CREATE INDEX `queue_items_order` ON `queue_items` (`section`,`rank`,`id`);--> statement-breakpoint
CREATE INDEX `queue_items_song` ON `queue_items` (`song_id`);--> statement-breakpoint
CREATE INDEX `queue_items_changed` ON `queue_items` (`last_update_id`);--> statement-breakpoint
CREATE TABLE `updates` (
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`queue_id` integer NOT NULL,
	`song_id` integer NOT NULL,
	`status` text NOT NULL,
	`data` text NOT NULL,
	FOREIGN KEY (`queue_id`) REFERENCES `queue_items`(`id`) ON UPDATE no action ON DELETE no action
);
--> statement-breakpoint
CREATE INDEX `updates_item` ON `updates` (`queue_id`);