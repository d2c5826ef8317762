CREATE TABLE "hours" (
	"hour" bigint PRIMARY KEY NOT NULL,
	"newest_id" bigint NOT NULL
);

--> statement-breakpoint
-- A database that was there before has its last day from the times of its items.
INSERT INTO "hours" SELECT 0, coalesce(max("last_update_id"), 0) FROM "queue_items" WHERE "updated_at" <= (extract(epoch FROM now()) - 86400) * 1000;
--> statement-breakpoint
INSERT INTO "hours" SELECT 24, coalesce(max("last_update_id"), 0) FROM "queue_items";
