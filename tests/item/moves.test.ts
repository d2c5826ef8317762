import { afterAll, expect, test } from "bun:test"

import { type QueueItem, type Status, STATUSES } from "../../src/item/item.ts"
import { start } from "../server.ts"

const server = await start()
afterAll(() => server[Symbol.asyncDispose]())

/** The moves that a PUT can make. */
const ALLOWED: Readonly<Record<Status, readonly Status[]>> = {
  queued: ["processing", "failed"],
  processing: ["completed", "failed", "retrying", "queued"],
  retrying: ["processing", "queued", "failed"],
  completed: [],
  failed: [],
}

/** A way from queued to each status. */
const WAY: Readonly<Record<Status, readonly Status[]>> = {
  queued: [],
  processing: ["processing"],
  completed: ["processing", "completed"],
  failed: ["processing", "failed"],
  retrying: ["processing", "retrying"],
}

async function itemIn(status: Status): Promise<number> {
  const id = await server.add({ song_id: 9, priority: 4 })
  for (const step of WAY[status]) await server.put(id, { status: step })
  return id
}

async function put(id: number, change: object): Promise<QueueItem> {
  const answer = await server.api("PUT", `/queue/${id}`, change)
  expect(answer.status).toBe(200)
  return await answer.json()
}

/** Expects that a PUT is refused as an illegal move and changed nothing. Returns the message. */
async function refused(id: number, change: object): Promise<string> {
  const [item, head] = [await server.item(id), await server.head()]
  const answer = await server.api("PUT", `/queue/${id}`, change)
  const { error, code }: Record<string, string> = await answer.json()
  expect([answer.status, code]).toEqual([409, "illegal_move"])
  expect([await server.item(id), await server.head()]).toEqual([item, head])
  return error ?? ""
}

for (const from of STATUSES) {
  for (const to of STATUSES) {
    if (from === to) {
      test(`a PUT of the status ${from} on an item that is ${from} is no move`, async () => {
        const id = await itemIn(from)
        const before = await server.item(id)
        const after = await put(id, { status: to })
        expect(after).toEqual({ ...before, message: "Queue item updated", updated_at: after.updated_at })
      })
    } else if (ALLOWED[from].includes(to)) {
      test(`an item that is ${from} can become ${to}`, async () => {
        const id = await itemIn(from)
        const after = await put(id, { status: to })
        expect(after).toMatchObject({ status: to, song_id: 9, priority: 4 })
        expect(await server.item(id)).toEqual(after)
      })
    } else {
      test(`an item that is ${from} cannot become ${to}, and the refusal names what it can become, or the route that retries it`, async () => {
        const id = await itemIn(from)
        const allowed = ALLOWED[from].join(", ")
        const way = allowed === "" ? `retry it by POST /queue/${id}/retry` : `it can become ${allowed}`
        expect(await refused(id, { status: to, title: "not taken" })).toBe(
          `queue item ${id} is ${from} and cannot become ${to}; ${way}`,
        )
      })
    }
  }
}

test("a start counts an attempt, takes the time, and begins at 0 percent", async () => {
  const id = await server.add()
  await put(id, { progress: 40, error_message: "of before" })
  const started = await put(id, { status: "processing" })
  expect(started).toMatchObject({ attempt: 1, progress: 0, error_message: "", outcome: null })
  expect(started.started_at).toBe(started.updated_at)
  expect(started.completed_at).toBeNull()
})

test("a start takes the progress and the error message given with it", async () => {
  const id = await server.add()
  const given = { status: "processing", progress: 7, error_message: "low on memory", current_step: "Warming" }
  expect(await put(id, given)).toMatchObject({ ...given, attempt: 1 })
})

test("completed is 100 percent, whatever was reported, and has its time and outcome", async () => {
  const id = await itemIn("processing")
  const done = await put(id, { status: "completed", progress: 97, video_file_path: "/v.mp4" })
  expect(done).toMatchObject({ progress: 100, outcome: "completed", video_file_path: "/v.mp4", attempt: 1 })
  expect(done.completed_at).toBe(done.updated_at)
  expect(done.started_at).not.toBeNull()
  // A client that got no answer sends the same again.
  expect(await put(id, { status: "completed", progress: 97 })).toMatchObject({
    ...{ progress: 100, completed_at: done.completed_at },
  })
})

test("failed keeps the progress it got to, with its time, error message and outcome", async () => {
  const id = await itemIn("processing")
  await put(id, { progress: 63 })
  const failed = await put(id, { status: "failed", error_message: "no space left" })
  expect(failed).toMatchObject({ progress: 63, outcome: "failed", error_message: "no space left" })
  expect(failed.completed_at).toBe(failed.updated_at)
})

test("an item that fails while it waits was cancelled", async () => {
  for (const status of ["queued", "retrying"] as const) {
    const cancelled = await put(await itemIn(status), { status: "failed" })
    expect(cancelled).toMatchObject({ status: "failed", outcome: "cancelled" })
    expect(cancelled.completed_at).not.toBeNull()
  }
})

test("retrying counts a failure, and the next start a further attempt without the old error", async () => {
  const id = await itemIn("processing")
  for (let round = 1; round <= 3; round += 1) {
    const waiting = await put(id, { status: "retrying", error_message: `failure ${round}`, progress: 80 })
    expect(waiting).toMatchObject({ retry_count: round, attempt: round, completed_at: null, outcome: null })
    const started = await put(id, { status: "processing" })
    expect(started).toMatchObject({ retry_count: round, attempt: round + 1, progress: 0, error_message: "" })
  }
})

test("a release to queued counts nothing, and the next start is a further attempt", async () => {
  const id = await itemIn("processing")
  const released = await put(id, { status: "queued" })
  expect(released).toMatchObject({ status: "queued", attempt: 1, retry_count: 0, outcome: null })
  expect(await put(id, { status: "processing" })).toMatchObject({ attempt: 2, retry_count: 0 })
})

test("progress may go down without a lease", async () => {
  const id = await itemIn("processing")
  for (const progress of [90, 10, 0, 100, 50]) expect(await put(id, { progress })).toMatchObject({ progress })
})

test("a refusal calls a cancelled item cancelled, not failed", async () => {
  const id = await server.add({ song_id: 9 })
  await server.api("POST", `/queue/${id}/cancel`)
  const way = `retry it by POST /queue/${id}/retry`
  const cannot = `queue item ${id} is cancelled and cannot become processing; ${way}`
  expect(await refused(id, { status: "processing" })).toBe(cannot)
  const stays = `queue item ${id} is cancelled: its progress can no longer change; ${way}`
  expect(await refused(id, { progress: 50 })).toBe(stays)
})

test("the progress and the step of a finished item can no longer change", async () => {
  for (const status of ["completed", "failed"] as const) {
    const id = await itemIn(status)
    const { progress } = await server.item(id)
    expect(await refused(id, { progress: progress === 0 ? 1 : 0 })).toBe(
      `queue item ${id} is ${status}: its progress can no longer change; retry it by POST /queue/${id}/retry`,
    )
    expect(await refused(id, { current_step: "again", title: "not taken" })).toBe(
      `queue item ${id} is ${status}: its current_step can no longer change; retry it by POST /queue/${id}/retry`,
    )
  }
})

test("the other keys of a finished item can change, and its status can be repeated", async () => {
  for (const status of ["completed", "failed"] as const) {
    const id = await itemIn(status)
    const before = await server.item(id)
    const others = {
      message: "uploaded",
      error_message: "seen",
      song_id: 10,
      priority: 1,
      title: "Final",
      video_file_path: "/v.mp4",
      video_file_size: 1,
      thumbnail_path: "/t.jpg",
      flag: "image_issue",
      metadata: { a: 1 },
    }
    const { updated_at, ...after } = await put(id, others)
    expect<unknown>({ ...after, updated_at }).toEqual({ ...before, ...others, updated_at })
    const { progress, current_step, completed_at } = before
    expect(await put(id, { status, progress, current_step })).toMatchObject({ completed_at, attempt: 1 })
  }
})

test("of many changes at once each is decided on what the one before it left", async () => {
  const id = await server.add()
  const answers = await Promise.all(
    Array.from({ length: 20 }, (_, i) =>
      server.api("PUT", `/queue/${id}`, { status: i % 2 === 0 ? "processing" : "completed" }),
    ),
  )
  const { updates }: { updates: { status: Status }[] } = await (
    await server.api("GET", `/queue/${id}/updates`)
  ).json()
  const moves = updates.map((update) => update.status).filter((one, i, all) => one !== all[i - 1])
  expect(moves).toEqual(["queued", "processing", "completed"].slice(0, moves.length) as Status[])
  expect(await server.item(id)).toMatchObject({ status: moves.at(-1), attempt: 1 })
  expect(answers.filter((answer) => answer.ok)).toHaveLength(updates.length - 1)
  expect(answers.every((answer) => answer.ok || answer.status === 409)).toBeTrue()
})
