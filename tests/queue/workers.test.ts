import { afterAll, expect, test } from "bun:test"

import { start } from "../server.ts"
import { attempt, claim, itemOnce, told } from "../worker.ts"

const server = await start()
afterAll(() => server[Symbol.asyncDispose]())

const VERBS = ["progress", "heartbeat", "complete", "fail", "release"] as const

test("every answer carries the directive, the lease while it lasts, and the item as it is stored", async () => {
  const taken = await attempt(server)
  for (const verb of VERBS.slice(0, 3)) {
    const said = await taken.say(verb)
    expect(said).toMatchObject({ status: 200, directive: "continue" })
    expect(said.item).toEqual(await taken.now())
    expect(said.lease === undefined).toBe(verb === "complete")
  }
})

test("progress renews the lease, and so does a heartbeat, which no viewer sees", async () => {
  const taken = await attempt(server, {}, { lease: 30 })
  const head = await server.head()
  for (const verb of ["heartbeat", "progress"]) {
    const beforeMs = Date.now()
    const { lease } = await taken.say(verb)
    const lengthMs = Date.parse(lease?.expires_at ?? "") - beforeMs
    expect(lengthMs).toBeWithin(30_000, 31_000)
    expect((await server.head()) - head).toBe(verb === "progress" ? 1 : 0)
  }
})

test("a report is stored and shown as it was sent, its progress floored and at most 99", async () => {
  const taken = await attempt(server)
  const step = { index: 2, total: 5, name: "images" }
  const unit = { done: 3, total: 5, name: "images" }
  const media = { out_time: 12.25, total: 212.5, fps: null, speed: 1.5 }
  const words = { current_step: "Step 2/5", message: "image 3 of 5" }
  const said = await taken.say("progress", { progress: 45.99, step, unit, media, ...words })
  const wanted = { progress: 45, step, unit, media, ...words, status: "processing" }
  expect(said.item).toMatchObject(wanted)
  expect(await taken.now()).toMatchObject(wanted)
  expect((await told(server, taken.id)).at(-1)).toMatchObject(wanted)
  // Keys that are absent stay as they were, except the message and the unit, which belong to the latest
  // report.
  const next = await taken.say("progress", { progress: 100 })
  expect(next.item).toMatchObject({ progress: 99, step, media, current_step: "Step 2/5" })
  expect(next.item).toMatchObject({ unit: null, message: "", basis: "declared" })
})

test("a failure names its cause in one line, wherever the item is read, until it starts again", async () => {
  const taken = await attempt(server)
  expect(await taken.now()).not.toHaveProperty("error_cause")
  const error_message = 'Traceback (most recent call last):\n  File "a.py", line 3\nMemoryError: no memory\n'
  await taken.say("fail", { error_message, retry_in: 0 })
  const error_cause = "MemoryError: no memory"
  const listed = await server.api("GET", `/queue?status=retrying&song_id=${taken.item.song_id}`)
  expect((await listed.json()).queue).toContainEqual(expect.objectContaining({ id: taken.id, error_cause }))
  expect(await taken.now()).toMatchObject({ error_message, error_cause })
  expect((await told(server, taken.id)).at(-1)).toMatchObject({ error_message, error_cause })
  // The item may be sent back as it was read.
  await server.put(taken.id, { ...(await taken.now()), title: "New" })
  expect((await claim(server, { tags: taken.item.tags }))?.item.id).toBe(taken.id)
  expect(await taken.now()).not.toHaveProperty("error_cause")
})

test("progress never goes down within an attempt, and begins again with the next", async () => {
  const taken = await attempt(server)
  const shown: (number | undefined)[] = []
  for (const progress of [10, 55.5, 20, 0, 55.9, 56, 100, 3]) {
    shown.push((await taken.say("progress", { progress })).item?.progress)
  }
  expect(shown).toEqual([10, 55, 55, 55, 55, 56, 99, 99])
  expect((await taken.say("fail", { retry_in: 0 })).item?.status).toBe("retrying")
  const again = await claim(server, { tags: taken.item.tags })
  expect(again?.item).toMatchObject({
    id: taken.id,
    attempt: 2,
    progress: 0,
    step: null,
    unit: null,
    media: null,
  })
  expect((await again?.say("progress", { progress: 7 }))?.item?.progress).toBe(7)
})

test("complete ends at 100 percent, with the values that it hands over", async () => {
  const taken = await attempt(server)
  await taken.say("progress", { progress: 40, unit: { done: 1, total: 2, name: "frames" } })
  const result = {
    video_file_path: "/videos/7.mp4",
    video_file_size: 123_456_789,
    thumbnail_path: "/videos/7.jpg",
    metadata: { codec: "h264" },
    current_step: "Done",
    message: "Uploaded",
  }
  const said = await taken.say("complete", result)
  expect(said).toMatchObject({ status: 200, directive: "continue" })
  expect(said.item).toMatchObject({
    ...result,
    status: "completed",
    outcome: "completed",
    progress: 100,
    worker: "box1",
    unit: null,
    eta_seconds: null,
  })
  expect(said.item?.completed_at).not.toBeNull()
  const silent = await attempt(server)
  expect((await silent.say("complete")).item?.message).toBe("Processing completed successfully")
})

test("complete and fail, repeated, answer the same and change nothing; the other verb is too late", async () => {
  const bodies = {
    complete: { video_file_path: "/v.mp4" },
    fail: { error_message: "no GPU" },
    release: undefined,
  }
  for (const verb of ["complete", "fail", "release"] as const) {
    const taken = await attempt(server)
    const first = await taken.say(verb, bodies[verb])
    expect(first.status).toBe(200)
    const head = await server.head()
    for (let i = 0; i < 2; i += 1) expect(await taken.say(verb, bodies[verb])).toEqual(first)
    for (const other of VERBS.filter((one) => one !== verb)) {
      expect(await taken.say(other)).toMatchObject({ status: 409, code: "lease_lost", directive: "cancel" })
    }
    expect(await server.head()).toBe(head)
    const read = { ...first.item, ...(verb === "fail" && { error_cause: "no GPU" }) }
    expect(await taken.now()).toEqual(read as typeof taken.item)
  }
})

test("of complete and fail at the same time the first counts, and the other is refused", async () => {
  for (let round = 0; round < 10; round += 1) {
    const taken = await attempt(server)
    const [complete, fail] = await Promise.all([
      taken.say("complete"),
      taken.say("fail", { retryable: false }),
    ])
    expect([complete.status, fail.status].toSorted((a, b) => a - b)).toEqual([200, 409])
    expect((await taken.now()).status).toBe(complete.status === 200 ? "completed" : "failed")
  }
})

test("a failure is tried again while there are attempts, after 10 s times 2 to their number, within 20 %", async () => {
  const taken = await attempt(server, { max_attempts: 4 })
  let held = taken
  for (const seconds of [10, 20, 40]) {
    const beforeMs = Date.now()
    const { item } = await held.say("fail", { error_message: "out of memory" })
    expect(item).toMatchObject({ status: "retrying", error_message: "out of memory", outcome: null })
    const waitMs = Date.parse(item?.available_at ?? "") - beforeMs
    expect(waitMs).toBeWithin(seconds * 800, seconds * 1200 + 1000)
    // Not before its time has come.
    expect(await claim(server, { tags: taken.item.tags })).toBeNull()
    await server.put(taken.id, { status: "queued" })
    const next = await claim(server, { tags: taken.item.tags })
    if (!next) throw new Error("nothing was claimed")
    expect(next.item).toMatchObject({ id: taken.id, error_message: "", available_at: null })
    held = next
  }
  const last = await held.say("fail", { error_message: "still" })
  expect(last.item).toMatchObject({
    status: "failed",
    outcome: "failed",
    error_message: "still",
    retry_count: 3,
    attempt: 4,
    available_at: null,
  })
  expect((await told(server, taken.id)).at(-1)).toMatchObject({ status: "failed", error_message: "still" })
})

test("max_attempts of 1 allows one failure, and the default 3", async () => {
  const once = await attempt(server, { max_attempts: 1 })
  expect((await once.say("fail")).item).toMatchObject({ status: "failed", retry_count: 0 })
  const taken = await attempt(server)
  const statuses: (string | undefined)[] = [(await taken.say("fail", { retry_in: 0 })).item?.status]
  for (let next = await claim(server, { tags: taken.item.tags }); next;) {
    statuses.push((await next.say("fail", { retry_in: 0 })).item?.status)
    next = await claim(server, { tags: taken.item.tags })
  }
  expect(statuses).toEqual(["retrying", "retrying", "failed"])
})

test("a failure that is not retryable is final at once, and retry_in sets the wait", async () => {
  const bad = await attempt(server)
  const said = await bad.say("fail", { error_message: "no such song", retryable: false })
  expect(said.item).toMatchObject({ status: "failed", outcome: "failed", error_message: "no such song" })
  const later = await attempt(server)
  const beforeMs = Date.now()
  const { item } = await later.say("fail", { retry_in: 3600 })
  expect(Date.parse(item?.available_at ?? "") - beforeMs).toBeWithin(3_600_000, 3_601_000)
})

test("a release gives the item back unharmed: no failure is counted, and anyone may take it at once", async () => {
  const taken = await attempt(server)
  await taken.say("progress", { progress: 30 })
  const said = await taken.say("release")
  expect(said).toMatchObject({ status: 200, directive: "continue" })
  expect(said.item).toMatchObject({
    status: "queued",
    retry_count: 0,
    attempt: 1,
    worker: "",
    available_at: null,
  })
  const next = await claim(server, { worker: "box2", tags: taken.item.tags })
  expect(next?.item).toMatchObject({ id: taken.id, worker: "box2", attempt: 2, progress: 0 })
  expect(next?.lease.token).not.toBe(taken.lease.token)
  expect(await taken.say("heartbeat")).toMatchObject({ status: 409, code: "lease_lost", directive: "cancel" })
})

test("only the token of the lease that is held may write; others are asked to stop, and change nothing", async () => {
  const [mine, other] = [await attempt(server), await attempt(server)]
  const head = await server.head()
  for (const verb of VERBS) {
    for (const token of [other.lease.token, "no-token-at-all", mine.lease.token.toUpperCase(), "'"]) {
      const answer = await server.api("POST", `/queue/${mine.id}/${verb}`, {}, { lease: token })
      expect(answer.status).toBe(409)
      expect(await answer.json()).toMatchObject({ code: "lease_lost", directive: "cancel" })
    }
  }
  expect(await server.head()).toBe(head)
  expect((await mine.say("complete")).status).toBe(200)
  expect((await other.say("complete")).status).toBe(200)
})

test("the token may come in the query, and the header counts where both are there", async () => {
  const taken = await attempt(server)
  const say = async (query: string, headers: Record<string, string> = {}): Promise<number> =>
    (await server.api("POST", `/queue/${taken.id}/heartbeat${query}`, undefined, headers)).status
  expect(await say(`?lease=${taken.lease.token}`)).toBe(200)
  expect(await say(`?lease=${taken.lease.token}`, { lease: "another" })).toBe(409)
  expect(await say("?lease=another", { lease: taken.lease.token })).toBe(200)
  // Some clients send a header even if they have no value for it.
  expect(await say(`?lease=${taken.lease.token}`, { lease: "" })).toBe(200)
})

test("progress without a lease starts a waiting item, and is refused on a leased one", async () => {
  const id = await server.add()
  const say = async (body: object): Promise<[number, { code?: string; item?: object }]> => {
    const answer = await server.api("POST", `/queue/${id}/progress`, body)
    return [answer.status, await answer.json()]
  }
  expect(await say({ progress: 12.5 })).toMatchObject([
    200,
    { directive: "continue", item: { status: "processing", attempt: 1, progress: 12, worker: "" } },
  ])
  expect(await say({ progress: 3 })).toMatchObject([200, { item: { progress: 12, attempt: 1 } }])
  await server.put(id, { status: "queued" })
  const taken = await claim(server)
  expect(taken?.id).toBe(id)
  expect(await say({ progress: 50 })).toMatchObject([409, { code: "leased" }])
  expect(await server.item(id)).toMatchObject({ progress: 0 })
  await taken?.say("release")
})

test("a report without a lease on a finished item is refused, whatever its progress", async () => {
  for (const status of ["completed", "failed"] as const) {
    const id = await server.add()
    await server.put(id, { status: "processing", progress: 50 })
    await server.put(id, { status })
    const [item, head] = [await server.item(id), await server.head()]
    for (const body of [{}, { progress: 30 }, { progress: 50 }, { progress: 100 }, { message: "late" }]) {
      const answer = await server.api("POST", `/queue/${id}/progress`, body)
      expect(answer.status).toBe(409)
      expect(await answer.json()).toMatchObject({
        code: "illegal_move",
        error: `queue item ${id} is ${status}: it accepts no progress; retry it by POST /queue/${id}/retry`,
      })
    }
    expect([await server.item(id), await server.head()]).toEqual([item, head])
  }
})

test("a PUT on a leased item may not touch what its worker reports, and anything else", async () => {
  const taken = await attempt(server, {}, { worker: "box7" })
  await taken.say("progress", { progress: 20, current_step: "audio", message: "said" })
  const before = await taken.now()
  const reserved = { status: "processing", progress: 30, current_step: "video", message: "mine" }
  for (const [key, value] of Object.entries(reserved)) {
    const answer = await server.api("PUT", `/queue/${taken.id}`, { title: "not taken", [key]: value })
    expect(answer.status).toBe(409)
    expect(await answer.json()).toMatchObject({
      code: "leased",
      error: `queue item ${taken.id} is leased to worker "box7": only its lease may change ${key}; cancel it by POST /queue/${taken.id}/cancel`,
    })
  }
  expect(await taken.now()).toEqual(before)
  const others = {
    song_id: 10,
    priority: 1,
    title: "Final",
    video_file_path: "/v.mp4",
    video_file_size: 1,
    thumbnail_path: "/t.jpg",
    flag: "image_issue",
    metadata: { a: 1 },
  }
  await server.put(taken.id, others)
  expect((await server.api("PUT", `/queue/${taken.id}/flag`, { flag: null })).status).toBe(200)
  expect(await taken.now()).toMatchObject({ ...others, flag: null, progress: 20, current_step: "audio" })
  expect((await taken.say("complete")).status).toBe(200)
  // The lease has ended, so a PUT may write again what a finished item accepts.
  await server.put(taken.id, { message: "mine" })
})

test("a retry gives a finished or a retrying item a clean slate, and keeps its history", async () => {
  const ended = { complete: {}, fail: { retryable: false, error_message: "no" } }
  for (const [verb, body] of [...Object.entries(ended), ["fail", { error_message: "later" }] as const]) {
    const taken = await attempt(server)
    await taken.say("progress", { progress: 60, current_step: "video" })
    await taken.say(verb, body)
    const before = await told(server, taken.id)
    const answer = await server.api("POST", `/queue/${taken.id}/retry`)
    expect(answer.status).toBe(200)
    const item: unknown = await answer.json()
    expect(item).toMatchObject({
      status: "queued",
      attempt: 0,
      retry_count: 0,
      progress: 0,
      current_step: "",
      error_message: "",
      outcome: null,
      worker: "",
      started_at: null,
      completed_at: null,
      available_at: null,
    })
    const after = await told(server, taken.id)
    expect(after.slice(0, -1)).toEqual(before)
    expect(after.at(-1)).toMatchObject({ status: "queued", progress: 0 })
    expect(await taken.say(verb, body)).toMatchObject({ status: 409, code: "lease_lost" })
    expect((await claim(server, { tags: taken.item.tags }))?.item).toMatchObject({ id: taken.id, attempt: 1 })
  }
})

test("a retry of an item that waits or is being worked on is refused", async () => {
  const taken = await attempt(server)
  const id = await server.add({ song_id: 1, tags: ["never"] })
  for (const [item, status] of [
    [taken.id, "processing"],
    [id, "queued"],
  ] as const) {
    const answer = await server.api("POST", `/queue/${item}/retry`)
    expect(answer.status).toBe(409)
    const { code, error }: Record<string, string> = await answer.json()
    expect([code, error]).toEqual([
      "illegal_move",
      `queue item ${item} is ${status}; only a completed, failed or retrying item can be retried`,
    ])
  }
  await itemOnce(server, taken.id, ({ status }) => status === "processing")
})
