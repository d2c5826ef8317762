import { and, asc, getTableColumns, gt, isNotNull } from "drizzle-orm"

import type { Instance, InstanceReport, Instances } from "../contract/instances.ts"
import type { PostgresConnections } from "./connections.ts"
import { instances } from "./fleet-schema.ts"
import { HEAD } from "./history.ts"

/** How long a server is known after its last write about itself. */
const KNOWN_MS = 60_000
/** How long its row is kept. After this time nothing that it sent can be under way. */
const KEPT_MS = 10 * 60_000

/**
 * A server that stood still may find its own row removed by another one, and its webhooks forgotten. So each write
 * follows the webhooks ($10) again.
 */
const WRITE = `WITH gone AS (DELETE FROM instances WHERE seen_at <= $7::int8 AND id <> $1),
self AS (
  INSERT INTO instances (id, seen_at, name, version, address, since, streams, crew) VALUES ($1, $2, $3, $4, $5, $6, $8, $9)
  ON CONFLICT (id) DO UPDATE SET seen_at = excluded.seen_at, name = excluded.name, version = excluded.version,
    address = excluded.address, since = excluded.since, streams = excluded.streams, crew = excluded.crew),
followed AS (INSERT INTO followers (url, instance) SELECT url, $1 FROM unnest($10::text[]) url ON CONFLICT DO NOTHING)
INSERT INTO webhooks (url, cursor) SELECT url, ${HEAD} FROM unnest($10::text[]) url ON CONFLICT DO NOTHING`

const { epoch: _epoch, ...columns } = getTableColumns(instances)

/** The Instances on PostgreSQL. */
export class PostgresInstances implements Instances {
  readonly own: string
  readonly #link: PostgresConnections
  readonly #webhooks: () => readonly string[]
  readonly #now: () => number

  /**
   * `own` is the id of this server, and `webhooks` returns those that it follows. `now` is the database's clock, in
   * epoch milliseconds.
   */
  constructor(link: PostgresConnections, own: string, webhooks: () => readonly string[], now: () => number) {
    this.#link = link
    this.own = own
    this.#webhooks = webhooks
    this.#now = now
  }

  async write({ name, version, address, since, streams, crew }: InstanceReport): Promise<void> {
    const nowMs = this.#now()
    const report = [name, version, address, Date.parse(since)]
    const rest = [streams, JSON.stringify(crew), [...this.#webhooks()]]
    await this.#link.run(WRITE, [this.own, nowMs, ...report, nowMs - KEPT_MS, ...rest])
  }

  async all(): Promise<readonly Instance[]> {
    const rows = await this.#link.get(
      this.#link.db
        .select(columns)
        .from(instances)
        .where(
          and(
            isNotNull(instances.name),
            gt(instances.seen_at, new Date(this.#now() - KNOWN_MS).toISOString()),
          ),
        )
        .orderBy(asc(instances.since), asc(instances.id)),
    )
    return rows.map(({ name, version, address, since, ...row }) => ({
      ...row,
      name: name ?? "",
      version: version ?? "",
      address: address ?? "",
      since: since ?? row.seen_at,
    }))
  }
}
