import { expect, test } from "bun:test"

import { isRefusal } from "../../src/errors.ts"
import { SearchTurns } from "../../src/http/search-turns.ts"

/** Searches that last until they are ended, by name; the first letter is the client. */
class Searches {
  readonly begun: string[] = []
  readonly #ends = new Map<string, (error?: Error) => void>()
  readonly #turns = new SearchTurns()

  begin(...names: readonly string[]): Promise<string>[] {
    return names.map((name) =>
      this.#turns.run(name.slice(0, 1), new AbortController().signal, () => this.#search(name)),
    )
  }

  /** Ends a search, and lets those go on that have waited for its place. */
  async end(name: string, error?: Error): Promise<void> {
    this.#ends.get(name)?.(error)
    for (let hop = 0; hop < 10; hop += 1) await Promise.resolve()
  }

  #search(name: string): Promise<string> {
    this.begun.push(name)
    return new Promise((resolve, reject) =>
      this.#ends.set(name, (error) => (error ? reject(error) : resolve(name))),
    )
  }
}

test("a client has two searches at a time and its others wait in line, while those of another client begin", async () => {
  const searches = new Searches()
  const all = searches.begin("a1", "a2", "a3", "a4", "b1")
  expect(searches.begun).toEqual(["a1", "a2", "b1"])
  await searches.end("a2")
  expect(searches.begun).toEqual(["a1", "a2", "b1", "a3"])
  all.push(...searches.begin("a5"))
  for (const name of ["a1", "a3", "a4", "a5", "b1"]) await searches.end(name)
  expect(await Promise.all(all)).toEqual(["a1", "a2", "a3", "a4", "b1", "a5"])
  expect(searches.begun).toEqual(["a1", "a2", "b1", "a3", "a4", "a5"])
})

test("a search that fails gives its place to the next one", async () => {
  const searches = new Searches()
  const [first, ...others] = searches.begin("a1", "a2", "a3")
  const failed = first?.catch((error: unknown) => error)
  await searches.end("a1", new Error("no database"))
  expect(String(await failed)).toBe("Error: no database")
  expect(searches.begun).toEqual(["a1", "a2", "a3"])
  for (const name of ["a2", "a3"]) await searches.end(name)
  expect(await Promise.all(others)).toEqual(["a2", "a3"])
  void searches.begin("a6", "a7", "a8")
  expect(searches.begun).toEqual(["a1", "a2", "a3", "a6", "a7"])
})

test("a caller to whom no limit applies waits for none", async () => {
  const turns = new SearchTurns()
  let begun = 0
  const search = (): Promise<void> => {
    begun += 1
    return new Promise(() => undefined)
  }
  for (let i = 0; i < 5; i += 1) void turns.run(undefined, new AbortController().signal, search)
  expect(begun).toBe(5)
})

test("a search that takes too long is refused for a time, and one whose client has left is not", async () => {
  const client = new AbortController()
  const ended = (signal: AbortSignal): Promise<string> =>
    new Promise((resolve) => signal.addEventListener("abort", () => resolve("ended")))
  const searched = (mostMs: number): Promise<unknown> =>
    new SearchTurns(mostMs).run("a", client.signal, ended).catch((error: unknown) => error)
  const late = await searched(1)
  expect([isRefusal(late, "unavailable"), late]).toEqual([
    true,
    expect.objectContaining({
      message: "the search did not end in 0.001 s, because the server does much else; try again later",
      retryAfterMs: 10_000,
    }),
  ])
  const left = searched(60_000)
  client.abort()
  expect(await left).toBe("ended")
})
