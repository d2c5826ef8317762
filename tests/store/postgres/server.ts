import { rmSync } from "node:fs"

import { SQL } from "bun"

import { type Engine, found, startPostgres } from "../../engines.ts"

/** The PostgreSQL that only this test process uses. */
export interface PostgresServer {
  /** Its port on this machine. */
  readonly port: number
  /** The URL of a database on it. */
  url(database: string): string
  /** Runs a statement in its first database. */
  run(text: string): Promise<unknown[]>
}

const programs = found("postgres")

/** The reason why there is no server; undefined if there can be one. */
export const whyNoPostgres: string | undefined =
  programs === null ? "PostgreSQL 15 or newer is not installed, and apt-get could not install it" : undefined

async function started(): Promise<PostgresServer> {
  const engine: Engine = await startPostgres(programs ?? "")
  // It ends with this process, but its folder stays.
  process.on("exit", () => rmSync(engine.folder, { recursive: true, force: true }))
  const url = (database: string): string => {
    const address = new URL(engine.url)
    address.pathname = `/${database}`
    return address.href
  }
  const client = new SQL({ url: url("postgres"), max: 2, connectionTimeout: 2, idleTimeout: 0 })
  return { port: engine.port, url, run: async (text) => [...(await client.unsafe(text))] }
}

let server: Promise<PostgresServer> | undefined

/** The server of this process. The first call starts it. */
export const postgres = (): Promise<PostgresServer> => (server ??= started())

let made = 0

/** An empty database of its own, which is removed together with the server. */
export async function newDatabase(): Promise<{ readonly url: string }> {
  const { url, run } = await postgres()
  const name = `test_${(made += 1)}`
  await run(`CREATE DATABASE ${name}`)
  return { url: url(name) }
}
