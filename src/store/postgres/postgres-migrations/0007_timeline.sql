-- A server that does not say on which timeline it is has always the same one.
CREATE FUNCTION database_timeline() RETURNS bigint LANGUAGE plpgsql VOLATILE AS $$
BEGIN
  RETURN ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::bigint;
EXCEPTION WHEN OTHERS THEN
  RETURN 0;
END $$;
--> statement-breakpoint
ALTER TABLE "history" ADD COLUMN "timeline" bigint DEFAULT database_timeline() NOT NULL;
