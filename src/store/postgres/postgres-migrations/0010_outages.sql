CREATE TABLE "outages" (
	"since_ms" bigint NOT NULL,
	"ended_ms" bigint PRIMARY KEY NOT NULL
);
