import { expect, setDefaultTimeout, test } from "bun:test"
import { readFileSync } from "node:fs"

import { postgresBell } from "../../../src/bus/postgres.ts"
import { PostgresStore } from "../../../src/store/postgres/postgres.ts"
import { Authority, type Certificate } from "../../certificates.ts"
import { found } from "../../engines.ts"
import { run as runProgram, start, temporaryFolder } from "../../server.ts"
import { postgres, whyNoPostgres } from "./server.ts"

setDefaultTimeout(180_000)

const PASSWORD = "p@ss:w/o?r#d% ä&="

/** Lets the server write a file into its own folder, which only its user can read. */
const written = (lines: readonly string[], mode: string, file: string): string =>
  `COPY (SELECT unnest(ARRAY[${lines.map((line) => `'${line}'`).join(", ")}])) TO PROGRAM 'umask 077; cat ${mode} ${file}'`

test.skipIf(whyNoPostgres !== undefined || found("openssl") === null)(
  "with sslmode in its URL every connection is encrypted, the bell's too, and what is wrong is said in words",
  async () => {
    const { run, port } = await postgres()
    using folder = temporaryFolder()
    const authority = new Authority(folder.path)
    const good = authority.sign("localhost", 1)
    const linesOf = (path: string): string[] => readFileSync(path, "utf8").trim().split("\n")
    const show = async ({ file, key }: Certificate): Promise<void> => {
      await run(written(linesOf(file), ">", "server.crt"))
      await run(written(linesOf(key), ">", "server.key"))
      await run("SELECT pg_reload_conf()")
    }
    await show(good)
    const rules = ["hostssl all secret all scram-sha-256", "host all secret all reject"]
    await run(written([...rules, "host all all all trust"], ">", "pg_hba.conf"))
    await run(`CREATE ROLE secret LOGIN PASSWORD '${PASSWORD}'`)
    await run("CREATE DATABASE secret OWNER secret")
    await run("ALTER SYSTEM SET ssl = on")
    await run("SELECT pg_reload_conf()")
    const url = (mode: string, password = PASSWORD): string =>
      `postgres://secret:${encodeURIComponent(password)}@localhost:${port}/secret${mode}`

    const store = await PostgresStore.open(url("?sslmode=require"))
    const bell = postgresBell(url("?sslmode=require"), "secret")
    await bell.open(
      () => undefined,
      () => undefined,
    )
    await bell.say("ring")
    const sessions = await run(
      "SELECT DISTINCT s.ssl FROM pg_stat_ssl s JOIN pg_stat_activity a USING (pid) WHERE a.usename = 'secret'",
    )
    expect(sessions).toEqual([{ ssl: true }])
    bell.close()
    await store.close()

    await expect(PostgresStore.open(url(""))).rejects.toThrow("?sslmode=require")
    await expect(PostgresStore.open(url("?sslmode=require", "wrong"))).rejects.toThrow("refuses the password")
    await expect(PostgresStore.open(url("?sslmode=verify-full"))).rejects.toThrow("NODE_EXTRA_CA_CERTS")
    const known = await runProgram(["token", "list", "--database", url("?sslmode=verify-full")], {
      NODE_EXTRA_CA_CERTS: authority.file,
    })
    expect(known).toMatchObject({ code: 0, stdout: expect.stringContaining("no tokens") })

    // A certificate that is no longer accepted has the same effect as an unavailable server.
    const env = { NODE_EXTRA_CA_CERTS: authority.file }
    await using server = await start({ database: url("?sslmode=verify-full"), env })
    await show(authority.sign("localhost", 0))
    await run("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'secret'")
    const answers = Promise.all([
      server.api("GET", "/queue"),
      server.api("POST", "/queue", { song_id: 7 }),
      server.api("GET", "/progress/stream", undefined, { accept: "text/event-stream" }),
    ])
    const ready = async (): Promise<string> => (await fetch(`${server.url}/health/ready`)).text()
    while (!(await ready()).includes("database_unwritable"));
    await show(good)
    expect((await answers).map(({ status }) => status)).toEqual([200, 201, 200])
    await (await answers)[2].body?.cancel()
    expect(server.log).not.toMatch(/Failed query|select/i)
  },
)
