import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test"
import { join } from "node:path"

import { start, temporaryFolder, type TestServer } from "../server.ts"

setDefaultTimeout(180_000)

const folder = temporaryFolder()
let server: TestServer
beforeAll(async () => {
  server = await start()
})
afterAll(async () => {
  await server[Symbol.asyncDispose]()
  folder[Symbol.dispose]()
})

test("the server serves its client as one module, for pages of any origin", async () => {
  const answer = await fetch(`${server.url}/client.js`, { headers: { origin: "https://studio.example" } })
  expect(answer.headers.get("content-type")).toStartWith("text/javascript")
  expect(answer.headers.get("access-control-allow-origin")).toBe("*")
  const file = join(folder.path, "client.js")
  await Bun.write(file, await answer.text())
  const module: object = await import(file)
  const declared = await fetch(`${server.url}/client.d.ts`)
  expect(declared.headers.get("content-type")).toBe("text/plain;charset=utf-8")
  const types = await declared.text()
  const classes = [...types.matchAll(/^export declare class (\w+)/gm)].map(([, name]) => name)
  expect(classes.sort()).toEqual(Object.keys(module).sort())
  const { Client, ServerError } = await import(file)
  const client = new Client(server.url)
  const { id } = await client.add({ song_id: 1, title: "Northern Lights" })
  expect(await client.get(id)).toMatchObject({ title: "Northern Lights" })
  expect(await client.get(999_999).catch((error: unknown) => error)).toBeInstanceOf(ServerError)
  const etag = answer.headers.get("etag") ?? ""
  expect((await fetch(`${server.url}/client.js`, { headers: { "if-none-match": etag } })).status).toBe(304)
})

/** The client's own types and the types that are served must not differ, in either direction. */
const COMPARED = `
import type * as Own from "${join(import.meta.dir, "../../src/client/client.ts")}"
import type * as Served from "./client"

type Same<A, B> = [A] extends [B] ? ([B] extends [A] ? true : never) : never
/** A class with private fields fits only itself, so only its public members are compared. */
type Seen<T> = { [K in keyof T]: T[K] extends (...given: infer G) => infer R ? [G, R] : T[K] }

export const client: Same<Seen<Own.Client>, Seen<Served.Client>> = true
export const made: Same<
  ConstructorParameters<typeof Own.Client>,
  ConstructorParameters<typeof Served.Client>
> = true
export const error: Same<Seen<Own.ServerError>, Seen<Served.ServerError>> = true
export const watched: Same<Own.Watched, Served.Watched> = true
export const options: Same<Own.WatchOptions, Served.WatchOptions> = true
export const held: Same<Own.Held, Served.Held> = true
export const claimed: Same<Own.Claimed, Served.Claimed> = true
export const counts: Same<Own.Counts, Served.Counts> = true
`

test("the served types are those of the client, and import nothing else", async () => {
  const types = await (await fetch(`${server.url}/client.d.ts`)).text()
  expect(types).not.toMatch(/^import /m)
  await Bun.write(join(folder.path, "client.d.ts"), types)
  await Bun.write(join(folder.path, "compared.ts"), COMPARED)
  const options = {
    ...{
      target: "ESNext",
      module: "Preserve",
      moduleResolution: "bundler",
      lib: ["ESNext", "DOM"],
      types: [],
    },
    ...{ strict: true, noEmit: true, exactOptionalPropertyTypes: true, skipLibCheck: false },
    ...{ allowImportingTsExtensions: true, verbatimModuleSyntax: true },
    // The client's own files find their packages where they are.
    paths: { "@sinclair/typebox": [join(import.meta.dir, "../../node_modules/@sinclair/typebox")] },
  }
  await Bun.write(
    join(folder.path, "tsconfig.json"),
    JSON.stringify({ compilerOptions: options, files: ["compared.ts", "client.d.ts"] }),
  )
  const { exitCode, stdout } = Bun.spawnSync(["bun", "check", "--no-pretty", "-p", folder.path])
  expect([exitCode, stdout.toString()]).toEqual([0, expect.any(String)])
})
