import { expect, test } from "bun:test"

import { AppError } from "../../src/errors.ts"
import { retried } from "../../src/item/add-cancel-retry-delete.ts"
import { MAX_PIECE_BYTES, type OutputPiece } from "../../src/item/output-piece.ts"
import { printingOf } from "../../src/item/same-attempt.ts"
import { IDLE, type Stored } from "../../src/item/stored.ts"
import type { Store } from "../../src/store/contract/store.ts"
import { added, codeOf, type Open, put, START_MS } from "./store.contract.ts"

const KEEP_BYTES = 100_000
const LATER = new Date(START_MS + 1e12).toISOString()

const attemptOf = ({ item }: Stored): number => item.attempt

/** A piece in which every byte belongs to its text. */
const piece = (from: number, text: string): OutputPiece => ({
  from,
  to: from + Buffer.byteLength(text),
  text,
})

/** An item whose first attempt is under way. */
async function rendering(store: Store): Promise<number> {
  const id = await added(store)
  await put(store, id, { status: "processing" })
  return id
}

const add = (store: Store, id: number, ...pieces: OutputPiece[]) =>
  store.outputs.append(id, pieces, KEEP_BYTES, attemptOf)

/** Everything that is stored of an attempt. */
const kept = async (store: Store, id: number, attempt = 1): Promise<readonly OutputPiece[]> =>
  (await store.outputs.read(id, attempt, 0, 10_000)).pieces

/** What every Store promises about what commands printed. */
export function storeOutputs(name: string, open: Open): void {
  test(`${name}: output reads back as it was added, for each attempt apart, and is no update`, async () => {
    await using opened = await open()
    const { store } = opened
    const id = await rendering(store)
    const other = await rendering(store)
    const head = await store.head()
    expect(await store.outputs.end(id, 1)).toBe(0)
    expect(await add(store, id, piece(0, "one\n"), piece(4, "zwei\tä😀\n"))).toEqual({ attempt: 1, end: 16 })
    expect(await add(store, other, piece(0, "other\n"))).toEqual({ attempt: 1, end: 6 })
    await put(store, id, { status: "retrying" })
    await put(store, id, { status: "processing" })
    expect(await add(store, id, piece(0, "again\n"))).toEqual({ attempt: 2, end: 6 })
    expect(await kept(store, id)).toEqual([piece(0, "one\n"), piece(4, "zwei\tä😀\n")])
    expect(await kept(store, id, 2)).toEqual([piece(0, "again\n")])
    expect(await kept(store, id, 3)).toEqual([])
    expect(await kept(store, 99)).toEqual([])
    expect(await store.outputs.end(id, 1)).toBe(16)
    expect(await store.head()).toBe(head + 2)
  })

  test(`${name}: output is read on from a position, page by page`, async () => {
    await using opened = await open()
    const { store } = opened
    const id = await rendering(store)
    const [a, b, c] = [piece(0, "a\n"), piece(2, "b\n"), piece(4, "c\n")] as const
    await add(store, id, a, b, c)
    expect(await store.outputs.read(id, 1, 0, 2)).toEqual({ pieces: [a, b], more: true })
    expect(await store.outputs.read(id, 1, 2, 2)).toEqual({ pieces: [b, c], more: false })
    expect(await store.outputs.read(id, 1, 4, 2)).toEqual({ pieces: [c], more: false })
    expect(await store.outputs.read(id, 1, 6, 2)).toEqual({ pieces: [], more: false })
  })

  test(`${name}: output that is stored already is not added again, and lost output stays a gap`, async () => {
    await using opened = await open()
    const { store } = opened
    const id = await rendering(store)
    await add(store, id, piece(0, "hello\n"))
    expect((await add(store, id, piece(0, "hello\n"))).end).toBe(6)
    expect((await add(store, id, piece(0, "hello\nworld\n"))).end).toBe(12)
    expect((await add(store, id, piece(100, "later\n"))).end).toBe(106)
    // A piece that shows less than was printed cannot be cut.
    expect((await add(store, id, { from: 100, to: 150, text: "red\n" })).end).toBe(150)
    expect(await kept(store, id)).toEqual([
      piece(0, "hello\n"),
      piece(6, "world\n"),
      piece(100, "later\n"),
      { from: 106, to: 150, text: "red\n" },
    ])
  })

  test(`${name}: two writers of one attempt at a time store nothing twice`, async () => {
    await using opened = await open()
    const { store } = opened
    const id = await rendering(store)
    await Promise.all([
      add(store, id, piece(0, "hello\n")),
      add(store, id, piece(0, "hello\nworld\n")),
      add(store, id, piece(0, "hello\n")),
    ])
    expect((await kept(store, id)).map(({ text }) => text).join("")).toBe("hello\nworld\n")
  })

  test(`${name}: the last of an attempt's output is kept, and other attempts keep theirs`, async () => {
    await using opened = await open()
    const { store } = opened
    const [id, other] = [await rendering(store), await rendering(store)]
    await add(store, other, piece(0, "other\n"))
    await add(store, id, piece(0, "first\n"))
    await put(store, id, { status: "retrying" })
    await put(store, id, { status: "processing" })
    const text = `${"x".repeat(9_999)}\n`
    for (let at = 0; at < 30; at += 1) await add(store, id, piece(at * 10_000, text))
    expect(await kept(store, id, 2)).toEqual(
      Array.from({ length: 10 }, (_, i) => piece(200_000 + i * 10_000, text)),
    )
    expect(await store.outputs.end(id, 2)).toBe(300_000)
    // A piece that begins before the last bytes and ends among them is kept whole.
    expect((await add(store, id, piece(300_000, "end\n"))).end).toBe(300_004)
    expect((await kept(store, id, 2))[0]?.from).toBe(200_000)
    expect(await kept(store, id)).toEqual([piece(0, "first\n")])
    expect(await kept(store, other)).toEqual([piece(0, "other\n")])
  })

  test(`${name}: a refused write of output changes nothing, and one for an unknown item is refused`, async () => {
    await using opened = await open()
    const { store } = opened
    const id = await rendering(store)
    const refused = store.outputs.append(id, [piece(0, "no\n")], KEEP_BYTES, () => {
      throw new AppError("lease_lost", "refused by the test")
    })
    expect(await codeOf(refused)).toBe("lease_lost")
    expect(await kept(store, id)).toEqual([])
    expect(await codeOf(add(store, 99, piece(0, "no\n")))).toBe("not_found")
    await store.change(id, ({ item, work }) => ({ item, work, deleted: true }))
    expect(await codeOf(add(store, id, piece(0, "no\n")))).toBe("not_found")
  })

  test(`${name}: output goes with the updates of a finished item, and with a deleted item`, async () => {
    await using opened = await open(() => START_MS)
    const { store } = opened
    const [finished, running, deleted] = [
      await rendering(store),
      await rendering(store),
      await rendering(store),
    ]
    for (const id of [finished, running, deleted]) {
      for (let at = 0; at < 20; at += 1) await add(store, id, piece(at * 2, "x\n"))
    }
    await put(store, finished, { status: "completed" })
    await store.change(deleted, ({ item, work }) => ({ item, work, deleted: true }))
    const upTo = await store.head()
    const ended = [{ fromMs: 0, toMs: Date.parse(LATER), upTo }]
    const thinning = { finished: ended, perItem: 0, upTo, keepCompleted: 0, limit: 7 }
    while ((await store.upkeep.thin(thinning)) > 0);
    expect(await kept(store, finished)).toEqual([])
    expect(await kept(store, running)).toHaveLength(20)
    while ((await store.upkeep.purge(ended, 7)) > 0);
    expect(await kept(store, deleted)).toEqual([])
    expect(await store.wasDeleted(deleted)).toBe(false)
    expect(await kept(store, running)).toHaveLength(20)
  })

  test(`${name}: after a retry the output of before stays until its attempt begins again`, async () => {
    await using opened = await open()
    const { store } = opened
    const id = await rendering(store)
    await add(store, id, piece(0, "first\n"))
    await put(store, id, { status: "retrying" })
    await put(store, id, { status: "processing" })
    await add(store, id, piece(0, "second\n"))
    await put(store, id, { status: "failed" })
    await store.change(id, ({ item }) => ({
      item: { ...item, status: "queued", attempt: 0, outcome: null, completed_at: null },
      work: IDLE,
    }))
    expect(await kept(store, id)).toHaveLength(1)
    expect(await kept(store, id, 2)).toHaveLength(1)
    await put(store, id, { status: "processing" })
    expect([await kept(store, id), await kept(store, id, 2)]).toEqual([[], []])
    await add(store, id, piece(0, "again\n"))
    expect(await kept(store, id)).toEqual([piece(0, "again\n")])
  })

  test(`${name}: the output of an attempt is not added to a later one that has its number`, async () => {
    let nowMs = START_MS
    await using opened = await open(() => nowMs)
    const { store } = opened
    const id = await rendering(store)
    const of = await store.item(id)
    const print = (text: string) =>
      store.outputs.append(id, [piece(0, text)], KEEP_BYTES, (stored) => printingOf(stored, of))
    await print("first\n")
    nowMs += 1
    await put(store, id, { status: "failed" })
    await store.change(id, (stored, moment) => retried(stored, moment))
    await put(store, id, { status: "processing" })
    expect((await store.item(id)).attempt).toBe(of.attempt)
    expect(await codeOf(print("first\nlast\n"))).toBe("illegal_move")
    expect(await kept(store, id)).toEqual([])
  })

  test(`${name}: large pieces read back whole`, async () => {
    await using opened = await open()
    const { store } = opened
    const id = await rendering(store)
    const text = "ä".repeat(MAX_PIECE_BYTES / 2)
    await add(store, id, piece(0, text), piece(MAX_PIECE_BYTES, text))
    expect(await kept(store, id)).toEqual([piece(0, text), piece(MAX_PIECE_BYTES, text)])
  })
}
