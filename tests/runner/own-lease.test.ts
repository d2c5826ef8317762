import { expect, spyOn, test } from "bun:test"

import { type Claimed, Client, ServerError } from "../../src/client/client.ts"
import { LostClaims, OwnLease } from "../../src/runner/own-lease.ts"
import type { HistoryPage } from "../../src/wire/answers.ts"
import { FIRST, ITEM, LEASE } from "./reporting.ts"

test("a claim whose answer was lost may hold the item for the length of its lease and two seconds more", () => {
  let nowMs = 0
  using _steady = spyOn(performance, "now").mockImplementation(() => nowMs)
  using _wall = spyOn(Date, "now").mockImplementation(() => nowMs)
  const client = new Client("http://127.0.0.1:1")
  const options = { client, worker: "w", leaseS: 60, say: () => undefined }
  const [lost, none] = [1, 0].map(
    (unanswered) => new OwnLease({ ...options, unanswered }, () => Promise.reject()),
  )
  const seen = [0, 61_999, 62_000].map((atMs) => {
    nowMs = atMs
    return [lost?.isPerhapsOurs, none?.isPerhapsOurs]
  })
  expect(seen).toEqual([
    [true, false],
    [true, false],
    [false, false],
  ])
})

test("a claim that reached no server cannot hold the item, and one whose answer was lost may", async () => {
  // Nobody listens there.
  const client = new Client("http://127.0.0.1:1")
  const options = { client, worker: "w", leaseS: 60, say: () => undefined }
  const lease = new OwnLease(options, async () => FIRST)
  await lease.hold()
  lease.lost(lease.held)
  await expect(lease.hold()).rejects.toMatchObject({ code: "unreachable" })
  expect(lease.isPerhapsOurs).toBe(false)
  using _claim = spyOn(client, "take").mockRejectedValue(
    new ServerError(0, "no answer", { code: "unreachable" }),
  )
  await expect(lease.hold()).rejects.toMatchObject({ message: "no answer" })
  expect(lease.isPerhapsOurs).toBe(true)
})

test("a claim without an answer may hold the item for the length of the lease from then on, however old the lease was", async () => {
  let nowMs = 0
  using _steady = spyOn(performance, "now").mockImplementation(() => nowMs)
  using _wall = spyOn(Date, "now").mockImplementation(() => nowMs)
  const client = new Client("http://127.0.0.1:1")
  const silence = new ServerError(0, "no answer", { code: "unreachable" })
  using _item = spyOn(client, "get").mockResolvedValue(ITEM)
  using _claim = spyOn(client, "take").mockRejectedValue(silence)
  const options = { client, worker: "w", leaseS: 60, say: () => undefined }
  const lease = new OwnLease(options, async () => FIRST)
  await lease.hold()
  nowMs = 100_000
  lease.lost(FIRST)
  await expect(lease.hold()).rejects.toBe(silence)
  const seen = [100_000, 161_999, 162_000].map((atMs) => {
    nowMs = atMs
    return lease.isPerhapsOurs
  })
  expect(seen).toEqual([true, true, false])
})

test("an item that is taken over while it is claimed is held, though that claim is refused", async () => {
  const client = new Client("http://127.0.0.1:1")
  const options = { client, worker: "w", leaseS: 60, say: () => undefined, begun: () => ITEM }
  const lease = new OwnLease(options, async () => FIRST)
  await lease.hold()
  lease.lost(lease.held)
  const refused = Promise.withResolvers<never>()
  const isClaiming = Promise.withResolvers<void>()
  using _claim = spyOn(client, "take").mockImplementation(() => {
    isClaiming.resolve()
    return refused.promise
  })
  const holding = lease.hold()
  await isClaiming.promise
  expect(await lease.takeOver({ item: { ...ITEM, attempt: ITEM.attempt + 1 }, lease: LEASE })).toBe(true)
  refused.reject(new ServerError(409, "it is processing", { code: "illegal_move" }))
  expect(await holding).toEqual({ id: 7, token: "second" })
})

test("a claim made elsewhere is taken over if it begins the next attempt, or one after claims whose answers were lost", async () => {
  const client = new Client("http://127.0.0.1:1")
  const noted: number[] = []
  const owned = async (unanswered: number, isOursAfterRetry: boolean): Promise<OwnLease> => {
    const lease = new OwnLease(
      {
        ...{ client, worker: "w", leaseS: 60, say: () => undefined, unanswered },
        begun: () => ({ attempt: 3, queued_at: ITEM.queued_at }),
        isOursAfterRetry: () => isOursAfterRetry,
        onClaimedAgain: ({ item }) => void noted.push(item.attempt),
      },
      async () => FIRST,
    )
    await lease.hold()
    return lease
  }
  const tries = [
    [0, true, [3, 4, 5, 6]],
    [2, false, [3, 4, 5, 6, 7]],
  ] as const
  const taken: number[][] = []
  for (const [unanswered, isOurs, attempts] of tries) {
    const own: number[] = []
    for (const attempt of attempts) {
      const lease = await owned(unanswered, isOurs)
      lease.lost(lease.held)
      if (!(await lease.takeOver({ item: { ...ITEM, attempt }, lease: LEASE })))
        expect(lease.held).toBeUndefined()
      else own.push(attempt)
    }
    taken.push(own)
  }
  expect(taken).toEqual([
    [3, 4],
    [4, 5, 6],
  ])
  expect(noted).toEqual(taken.flat())
  const lease = await owned(2, true)
  const claimed = { item: { ...ITEM, attempt: 4 }, lease: LEASE }
  expect(await lease.takeOver({ ...claimed, item: { ...claimed.item, id: 8 } })).toBe(false)
  expect(
    await lease.takeOver({ ...claimed, item: { ...claimed.item, queued_at: "2025-01-01T00:00:00Z" } }),
  ).toBe(false)
  expect(lease.held).toEqual(FIRST)
  expect(await lease.takeOver(claimed)).toBe(true)
  const second = { id: 7, token: "second" }
  // The answer that the first one was lost comes late.
  lease.lost(FIRST)
  expect([lease.held, lease.last]).toEqual([second, second])
  // The lost answers belonged to claims before this one.
  expect(await lease.takeOver({ ...claimed, item: { ...claimed.item, attempt: 6 } })).toBe(false)
})

test("a claim by place of the same program whose answer was lost may hold the item, too, unless the lease was ours since", async () => {
  let nowMs = 0
  using _steady = spyOn(performance, "now").mockImplementation(() => nowMs)
  using _wall = spyOn(Date, "now").mockImplementation(() => nowMs)
  const client = new Client("http://127.0.0.1:1")
  const attempts: number[] = []
  using _take = spyOn(client, "take").mockImplementation(async () => ({
    item: { ...ITEM, attempt: attempts.shift() ?? 0 },
    lease: LEASE,
  }))
  using release = spyOn(client, "release").mockResolvedValue({ directive: "continue", item: ITEM })
  const lostClaims = new LostClaims()
  const options = { client, worker: "w", leaseS: 60, lostClaims, say: () => undefined }
  const again = async (isConfirmed: boolean, attempt: number): Promise<unknown> => {
    const lease = OwnLease.of(FIRST, { attempt: 3, queued_at: ITEM.queued_at }, options)
    lostClaims.add()
    if (isConfirmed) lease.confirmed()
    lease.lost(FIRST)
    nowMs += 61_999
    const seen = [lease.isPerhapsOurs]
    nowMs += 1
    attempts.push(attempt)
    const held = await lease.hold().catch((error: unknown) => error instanceof ServerError && error.code)
    return [...seen, lease.isPerhapsOurs, held]
  }
  const second = { id: FIRST.id, token: LEASE.token }
  expect(await again(false, 5)).toEqual([true, false, second])
  expect(await again(false, 6)).toEqual([true, false, "illegal_move"])
  expect(await again(true, 5)).toEqual([false, false, "illegal_move"])
  expect(release).toHaveBeenCalledTimes(2)
})

test.each([
  ["another worker", { status: "processing", worker: "other" }, false],
  ["a renderer without a lease", { status: "processing" }, false],
  ["a worker of our name that gave the item back", { status: "queued" }, false],
  ["a worker of our name that failed", { status: "retrying", worker: "w" }, false],
  ["our own claim, whose lease was lost", { status: "retrying" }, true],
])(
  "however many claims got no answer, the history shows whether an attempt meanwhile was that of %s",
  async (_who, update, isOurs) => {
    const client = new Client("http://127.0.0.1:1")
    const updates: unknown[] = [
      { attempt: 3, status: "retrying", worker: "w" },
      { attempt: 4, status: "processing", worker: "w" },
      { attempt: 4, ...update },
      { attempt: 5, status: "processing", worker: "other" },
    ]
    using _history = spyOn(client, "history").mockResolvedValue({ updates, next: null } as HistoryPage)
    const options = { client, worker: "w", leaseS: 60, say: () => undefined, unanswered: 100 }
    const lease = OwnLease.of(FIRST, { attempt: 3, queued_at: ITEM.queued_at }, options)
    lease.lost(FIRST)
    expect(await lease.takeOver({ item: { ...ITEM, attempt: 5 }, lease: LEASE })).toBe(isOurs)
  },
)

test("whether another worker had the item meanwhile is looked for on all pages of its history", async () => {
  const client = new Client("http://127.0.0.1:1")
  const updates = {
    own: { attempt: 4, status: "processing", worker: "w" },
    other: { attempt: 4, status: "queued" },
  }
  using history = spyOn(client, "history").mockImplementation(
    async (_id, after) =>
      (after === 0
        ? { updates: [updates.own], next: 40 }
        : { updates: [updates.other], next: null }) as HistoryPage,
  )
  const options = { client, worker: "w", leaseS: 60, say: () => undefined, unanswered: 100 }
  const lease = OwnLease.of(FIRST, { attempt: 3, queued_at: ITEM.queued_at }, options)
  lease.lost(FIRST)
  expect(await lease.takeOver({ item: { ...ITEM, attempt: 5 }, lease: LEASE })).toBe(false)
  expect(history.mock.calls.map(([, after]) => after)).toEqual([0, 40])
})

test("a claim made elsewhere is not taken over by work that ends, or gets a newer lease, while the history is read", async () => {
  const client = new Client("http://127.0.0.1:1")
  const again = { item: { ...ITEM, attempt: 5 }, lease: LEASE }
  const noted: string[] = []
  const options = {
    ...{ client, worker: "w", leaseS: 60, say: () => undefined, unanswered: 2 },
    onClaimedAgain: ({ lease }: Claimed) => void noted.push(lease.token),
  }
  const [read, claim] = [Promise.withResolvers<HistoryPage>(), Promise.withResolvers<Claimed>()]
  using _history = spyOn(client, "history").mockReturnValue(read.promise)
  using _claim = spyOn(client, "take").mockReturnValue(claim.promise)
  const leases = Array.from({ length: 3 }, () => OwnLease.of(FIRST, { attempt: 3 }, options))
  for (const lease of leases) lease.lost(FIRST)
  const [ended, newer, refused] = leases as [OwnLease, OwnLease, OwnLease]
  const taken = [ended.takeOver(again, () => false), newer.takeOver(again), refused.takeOver(again)]
  const newest = newer.hold()
  claim.resolve({ item: { ...ITEM, attempt: 4 }, lease: { ...LEASE, token: "third" } })
  expect(await newest).toEqual({ id: 7, token: "third" })
  using _refused = spyOn(client, "take").mockRejectedValue(
    new ServerError(409, "it is processing", { code: "illegal_move" }),
  )
  const holding = refused.hold()
  // The refusal comes before the history.
  setImmediate(() => read.resolve({ updates: [], next: null } as unknown as HistoryPage))
  expect(await Promise.all(taken)).toEqual([false, false, true])
  expect(await holding).toEqual({ id: 7, token: "second" })
  expect([ended.held, newer.held?.token]).toEqual([undefined, "third"])
  expect(noted).toEqual(["third", "second"])
})
