import { chownSync, existsSync, mkdtempSync, readdirSync, statSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

import { SQL } from "bun"

const ROOT = "/usr/lib/postgresql"
const OLDEST = 15
const START_MS = 30_000
const PAUSE_MS = 20

/**
 * Makes a server in the folder $2 and runs it on the port $3, until nobody holds the other end of its standard input: it
 * ends with the process that started it, however that ends, and the folder goes with it.
 */
const SERVER = `exec 2>&1
"$1/initdb" -D "$2/data" -U track -A trust --encoding=UTF8 --locale=C.UTF-8 --no-sync >"$2/log" || exit 1
"$1/postgres" -D "$2/data" -k "$2" -p "$3" -c listen_addresses=127.0.0.1 -c fsync=off -c full_page_writes=off \\
  -c max_connections=200 -c shared_buffers=64MB -c max_wal_size=256MB -c autovacuum_naptime=10 >>"$2/log" &
server=$!
cat >/dev/null
kill -INT $server
wait $server
rm -rf "$2"`

/** A PostgreSQL server of this test process alone. */
export interface PostgresServer {
  /** Its port on this machine. */
  readonly port: number
  /** The URL of a database on it. */
  url(database: string): string
  /** Runs a statement in its own database. */
  run(text: string): Promise<unknown[]>
}

/** The folder of the programs of Debian's newest PostgreSQL; undefined if there is none that is new enough. */
function programs(): string | undefined {
  const versions = existsSync(ROOT) ? readdirSync(ROOT).map(Number) : []
  const newest = versions.filter((version) => version >= OLDEST).sort((a, b) => b - a)[0]
  return newest === undefined ? undefined : join(ROOT, `${newest}`, "bin")
}

const isRoot = process.getuid?.() === 0

function installed(): string | undefined {
  if (!programs() && isRoot) {
    const options = { stdout: "ignore", stderr: "ignore", timeout: 120_000 } as const
    Bun.spawnSync(["apt-get", "install", "--yes", "--no-install-recommends", "postgresql"], options)
  }
  return programs()
}

/** Why there is no server; undefined if there can be one. */
export const whyNoPostgres: string | undefined = installed()
  ? undefined
  : "PostgreSQL 15 or newer is not installed, and apt-get could not install it"

function freePort(): number {
  const listener = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data: () => undefined } })
  const { port } = listener
  listener.stop(true)
  return port
}

async function started(): Promise<PostgresServer> {
  const folder = mkdtempSync(join(tmpdir(), "track-studio-postgres-"))
  const port = freePort()
  const command = ["sh", "-c", SERVER, "sh", programs() ?? "", folder, `${port}`]
  // PostgreSQL refuses to run as root.
  const asOther = isRoot ? ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups"] : []
  if (isRoot) {
    const { uid, gid } = statSync("/var/lib/postgresql")
    chownSync(folder, uid, gid)
  }
  const child = Bun.spawn([...asOther, ...command], {
    stdin: "pipe",
    stdout: "ignore",
    stderr: "ignore",
    cwd: folder,
  })
  // The pipe stays open for as long as this process lives.
  child.unref()
  const url = (database: string): string => `postgres://track@127.0.0.1:${port}/${database}`
  for (const untilMs = performance.now() + START_MS; ; await Bun.sleep(PAUSE_MS)) {
    const client = new SQL({ url: url("postgres"), max: 2, connectionTimeout: 2, idleTimeout: 0 })
    try {
      await client.unsafe("SELECT 1")
      return { port, url, run: async (text) => [...(await client.unsafe(text))] }
    } catch (error) {
      await client.close({ timeout: 0 })
      if (performance.now() > untilMs) throw error
    }
  }
}

let server: Promise<PostgresServer> | undefined

/** The server of this process; it is started at the first call. */
export const postgres = (): Promise<PostgresServer> => (server ??= started())

let made = 0

/** A database of its own without anything in it; it goes with the server. */
export async function newDatabase(): Promise<{ readonly url: string }> {
  const { url, run } = await postgres()
  made += 1
  await run(`CREATE DATABASE test_${made}`)
  return { url: url(`test_${made}`) }
}
