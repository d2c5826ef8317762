import { expect, setDefaultTimeout, test } from "bun:test"

import fc from "fast-check"

import type { QueueItem } from "../../src/item/item.ts"
import { run, start, type TestServer } from "../server.ts"

setDefaultTimeout(180_000)

const move = (server: TestServer, id: number, before: number): Promise<Response> =>
  server.api("POST", `/queue/${id}/move`, { before })
const waiting = async (server: TestServer, query = ""): Promise<number[]> => {
  const { queue }: { queue: QueueItem[] } = await (await server.api("GET", `/queue${query}`)).json()
  return queue.filter(({ status }) => status === "queued").map(({ id }) => id)
}
/** Claims every waiting item, and returns the order in which they were given out. */
async function claims(server: TestServer): Promise<number[]> {
  const ids: number[] = []
  for (;;) {
    const answer = await server.api("POST", "/queue/claim", { worker: "w" })
    if (answer.status === 204) return ids
    const { item }: { item: QueueItem } = await answer.json()
    ids.push(item.id)
  }
}

test("an item is moved directly before another one, with its priority and one update", async () => {
  await using server = await start()
  for (const priority of [0, 5, 5, 0]) await server.add({ song_id: 1, priority })
  expect(await waiting(server)).toEqual([2, 3, 1, 4])
  const head = await server.head()
  const moved: QueueItem = await (await move(server, 4, 3)).json()
  expect(moved).toMatchObject({ id: 4, priority: 5, turn: 2.5, message: "Moved in the queue" })
  expect(await waiting(server)).toEqual([2, 4, 3, 1])
  expect(await server.head()).toBe(head + 1)
  // It is there already.
  await move(server, 4, 3)
  expect(await server.head()).toBe(head + 1)
  await move(server, 3, 2)
  expect(await waiting(server)).toEqual([3, 2, 4, 1])
  await server.put(4, { priority: 0 })
  expect(await server.item(4)).toMatchObject({ priority: 0, turn: null })
  expect(await waiting(server)).toEqual([3, 2, 1, 4])
  expect(await claims(server)).toEqual([3, 2, 1, 4])
})

test("only waiting items have a place; a refused move changes nothing", async () => {
  await using server = await start()
  const [first, second] = [await server.add(), await server.add()]
  await server.put(first, { status: "processing" })
  const head = await server.head()
  const refused = async (id: number, before: number): Promise<unknown[]> => {
    const answer = await move(server, id, before)
    const { error }: { error: string } = await answer.json()
    return [answer.status, error]
  }
  const processing = `queue item ${first} is processing; only a waiting item has a place in the queue`
  expect(await refused(first, second)).toEqual([409, processing])
  expect(await refused(second, first)).toEqual([409, processing])
  expect(await refused(second, 99)).toEqual([404, "queue item 99 does not exist"])
  expect(await refused(99, second)).toEqual([404, "queue item 99 does not exist"])
  const itself = `queue item ${second} cannot be moved before itself; name another waiting item`
  expect(await refused(second, second)).toEqual([422, itself])
  expect((await server.api("POST", `/queue/${second}/move`, { after: 1 })).status).toBe(422)
  expect(await server.head()).toBe(head)
})

test("when there is no more room before an item, the move is refused and says what to do", async () => {
  await using server = await start()
  for (let i = 0; i < 3; i += 1) await server.add()
  let status = 200
  let moves = 0
  for (; status === 200; moves += 1) {
    const answer = await move(server, moves % 2 === 0 ? 2 : 1, 3)
    ;({ status } = answer)
    if (status === 409) {
      expect((await answer.json()).error).toMatch(
        /^there is no more room before queue item 3; give queue item [12] another priority$/,
      )
    }
  }
  expect(status).toBe(409)
  expect(moves).toBeGreaterThan(40)
  expect((await waiting(server)).at(-1)).toBe(3)
})

test("after any moves the list, its pages and the claims have the same order", async () => {
  const queue = fc.array(fc.integer({ min: -2, max: 2 }), { minLength: 2, maxLength: 8 })
  const moves = fc.array(fc.tuple(fc.nat(7), fc.nat(7)), { maxLength: 10 })
  await using server = await start()
  await fc.assert(
    fc.asyncProperty(queue, moves, async (priorities, steps) => {
      const ids: number[] = []
      for (const priority of priorities) ids.push(await server.add({ song_id: 1, priority }))
      const rank = new Map(ids.map((id, at) => [id, priorities[at] ?? 0]))
      let expected = [...ids].sort((a, b) => (rank.get(b) ?? 0) - (rank.get(a) ?? 0) || a - b)
      for (const [from, to] of steps) {
        const [id = 0, before = 0] = [ids[from % ids.length], ids[to % ids.length]]
        expect((await move(server, id, before)).status).toBe(id === before ? 422 : 200)
        if (id === before) continue
        const others = expected.filter((one) => one !== id)
        expected = others.toSpliced(others.indexOf(before), 0, id)
      }
      expect(await waiting(server, "?status=queued")).toEqual(expected)
      expect(await waiting(server)).toEqual(expected)
      const paged: number[] = []
      for (let after = ""; ;) {
        const path = `/queue?status=queued&limit=1${after && `&after=${encodeURIComponent(after)}`}`
        const page: { queue: QueueItem[]; next: string | null } = await (await server.api("GET", path)).json()
        paged.push(...page.queue.map(({ id }) => id))
        if (page.next === null) break
        after = page.next
      }
      expect(paged).toEqual(expected)
      expect(await claims(server)).toEqual(expected)
      for (const id of ids) await server.api("DELETE", `/queue/${id}`)
    }),
    { numRuns: 15 },
  )
})

test("track-studio move does the same", async () => {
  await using server = await start()
  for (let i = 0; i < 3; i += 1) await server.add({ song_id: 1, priority: 4 })
  const env = { TRACK_STUDIO_SERVER: server.url }
  expect(await run(["move", "3", "--before", "1"], env)).toEqual({
    code: 0,
    stdout: "queue item 3: now before 1, priority 4\n",
    stderr: "",
  })
  expect(await waiting(server)).toEqual([3, 1, 2])
  expect((await run(["move", "3"], env)).stderr).toStartWith(
    "track-studio: missing --before ID, as in: track-studio move 12 --before 8\nusage: track-studio move ID --before ID",
  )
})
