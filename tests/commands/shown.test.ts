import { expect, test } from "bun:test"

import {
  type Counts,
  type Printed,
  type ReadItem,
  ServerError,
  type Stats,
  type StreamSeen,
  type Watched,
  type WorkerSeen,
} from "../../src/client/client.ts"
import { listCommand } from "../../src/commands/list.ts"
import { logsCommand } from "../../src/commands/logs.ts"
import { showCommand } from "../../src/commands/show.ts"
import { statsCommand } from "../../src/commands/stats.ts"
import { watchCommand } from "../../src/commands/watch.ts"
import { workersCommand } from "../../src/commands/workers.ts"
import { time, update } from "../dashboard/items.ts"
import { answering, inThisProcess, item, ran } from "./in-process.ts"

inThisProcess()

/** The ids in the order in which a table shows them. */
test("on a terminal of any width each worker has one line, in which all percentages are whole", async () => {
  const titles = [
    "夜のドライブ-夜のドライブ夜のドライブ-夜のドライブ",
    "The Long Way Home from the Harbour at Dawn",
  ]
  const items = titles.map((title, at) => item({ id: 7 + at, title, progress: 54 + at }))
  answering("workers", async () => [{ ...WORKER, worker: "two", state: "rendering", items, version: "" }])
  const { isTTY, columns } = process.stdout
  try {
    for (let width = 45; width < 140; width += 1) {
      Object.assign(process.stdout, { isTTY: true, columns: width })
      const { out: line } = await ran(workersCommand)
      expect(line).toMatch(/^two {2}#7 夜\S+ 54%, #8 The \D+ 55%\n$/)
      expect(Bun.stringWidth(line)).toBeLessThanOrEqual(width)
    }
    // What has no room is left out, and not cut to a few letters.
    const drained = { worker: "render-box-3", state: "rendering", draining: true, tags: ["gpu"] } as const
    answering("workers", async () => [{ ...WORKER, ...drained, items: items.slice(1) }])
    Object.assign(process.stdout, { isTTY: true, columns: 40 })
    expect((await ran(workersCommand)).out).toBe(
      "render-box-3  #8 The Long Way Home … 55%\n    takes no more items\n",
    )
    Object.assign(process.stdout, { isTTY: true, columns: 60 })
    expect((await ran(workersCommand)).out).toBe(
      "render-box-3  #8 The Long Way Home… 55%; takes no more items\n",
    )
    Object.assign(process.stdout, { isTTY: true, columns: 139 })
    // Titles alone cannot give way to tags without end.
    answering("workers", async () => [
      { ...WORKER, tags: Array.from({ length: 50 }, (_, at) => `gpu-${at}`) },
    ])
    expect(Bun.stringWidth((await ran(workersCommand)).out.trimEnd())).toBe(139)
  } finally {
    Object.assign(process.stdout, { isTTY, columns })
  }
})

const idsIn = (table: string): number[] => [...table.matchAll(/^ *(\d+) /gm)].map(([, id]) => Number(id))

test("the list is read page by page, as far as it was asked for, and says whether there is more", async () => {
  answering("counts", async () => ({ paused_at: null }))
  answering("workers", async () => [])
  const page = (asked: Record<string, string>): unknown => {
    const from = Number(asked["after"] ?? 1)
    const queue = Array.from({ length: Number(asked["limit"]) }, (_, i) => item({ id: from + i }))
    return Promise.resolve({ queue, next: from + queue.length > 2500 ? null : String(from + queue.length) })
  }
  const asked = answering("list", page)
  const { out: shown } = await ran(listCommand, "--limit", "1200", "--song", "3", "--search", "lights")
  expect(asked).toEqual([
    [{ limit: "1000", song_id: "3", q: "lights" }],
    [{ limit: "200", after: "1001", song_id: "3", q: "lights" }],
  ])
  expect(idsIn(shown)).toHaveLength(1200)
  expect(shown).toEndWith("... and more; see --limit\n")
  expect((await ran(listCommand, "--limit", "0")).code).toContain("positive whole number")
  expect((await ran(listCommand, "--status", "nosuch")).code).toContain("--status must be one of")
})

test("cancelled items are found among failed ones, in whole pages, and a list that ends at its limit has no more", async () => {
  answering("counts", async () => ({ paused_at: null }))
  const ended = (id: number): ReadItem =>
    item({ id, status: "failed", outcome: id % 2 ? "failed" : "cancelled", completed_at: time(-id) })
  const asked = answering("list", async ({ after }: { after?: string }) => ({
    queue: (after === undefined ? [1, 2, 3] : [4, 5, 6]).map(ended),
    next: after === undefined ? "more" : null,
  }))
  const { out: two } = await ran(listCommand, "--status", "cancelled", "--limit", "2")
  expect([idsIn(two), two.includes("and more")]).toEqual([[2, 4], true])
  expect(asked).toEqual([
    [{ limit: "1000", status: "failed" }],
    [{ limit: "1000", after: "more", status: "failed" }],
  ])
  const { out: three } = await ran(listCommand, "--status", "cancelled", "--limit", "3")
  expect([idsIn(three), three.includes("and more")]).toEqual([[2, 4, 6], false])
})

test("failed items include those whose worker was lost, but not cancelled ones; both can be listed on their own", async () => {
  answering("counts", async () => ({ paused_at: null }))
  const outcomes = ["failed", "lost", "cancelled"] as const
  const queue = outcomes.map((outcome, at) =>
    item({ id: at + 1, status: "failed", outcome, completed_at: time(-at) }),
  )
  answering("list", async () => ({ queue, next: null }))
  const listed = async (status: string) => idsIn((await ran(listCommand, "--status", status)).out)
  expect(await listed("failed")).toEqual([1, 2])
  expect(await listed("lost")).toEqual([2])
  expect(await listed("cancelled")).toEqual([3])
})

test("the list has the items that workers take next, then delayed items by their time, and last the items that no worker takes", async () => {
  answering("counts", async () => ({ paused_at: time(-60) }))
  answering("workers", async () => [{ ...WORKER, tags: ["gpu"] }])
  const all = [
    item({ id: 1, tags: ["4k"] }),
    item({ id: 2, available_at: time(90) }),
    item({ id: 3, status: "completed", outcome: "completed", completed_at: time(-5) }),
    item({ id: 4, available_at: time(-90) }),
    item({ id: 5, status: "processing", started_at: time(-9) }),
    item({ id: 6, tags: ["gpu"] }),
    item({ id: 7, available_at: time(30) }),
  ]
  answering("list", async () => ({ queue: all, next: null }))
  const { out: shown } = await ran(listCommand, "--utc")
  expect(idsIn(shown)).toEqual([5, 4, 6, 7, 2, 1, 3])
  expect(shown).toContain("no worker offers 4k")
  expect(shown).toEndWith(
    'The queue has been paused since 11:59 UTC; "track-studio resume" lets workers go on.\n',
  )
  // An item that no worker takes yet does not hide the next one that a worker takes.
  answering("list", async ({ limit }) =>
    limit === "1" ? { queue: all.slice(1, 2), next: "more" } : { queue: all, next: null },
  )
  expect(idsIn((await ran(listCommand, "--utc", "--status", "queued", "--limit", "1")).out)).toEqual([5])
})

const WORKER: WorkerSeen = {
  ...{ worker: "gpu-1", state: "idle", tags: [], version: "1.2.3", draining: false, items: [] },
  ...{ idle_since: time(-250), last_heard_at: time(-1), waiting: true },
} as unknown as WorkerSeen

test("workers are listed with what they do, since when, and their tags", async () => {
  answering("workers", async () => [
    { ...WORKER, tags: ["4k", "gpu"] },
    { ...WORKER, worker: "cpu", state: "away", last_heard_at: time(-3600), draining: true, version: "" },
    { ...WORKER, worker: "two", state: "rendering", items: [item({ title: "Lights", progress: 54 })] },
  ])
  expect((await ran(workersCommand, "--utc")).out).toBe(
    `gpu-1  idle for 4:10; tags 4k, gpu; version 1.2.3
cpu    away since 11:00 UTC; takes no more items
two    #7 Lights 54%; version 1.2.3
`,
  )
  const [drained, undrained] = [answering("drain", async () => {}), answering("undrain", async () => {})]
  expect((await ran(workersCommand, "--drain", "a", "--undrain", "b")).code).toContain("either")
  expect((await ran(workersCommand, "--drain", "a")).out).toBe("a takes no more items.\n")
  expect((await ran(workersCommand, "--undrain", "b")).out).toBe("b takes items.\n")
  expect([drained, undrained]).toEqual([[["a"]], [["b"]]])
})

test("an item is shown with everything that is known, and the end of a long error", async () => {
  const error_message = Array.from({ length: 15 }, (_, i) => `line ${i + 1}`).join("\n")
  const failed = { status: "failed", outcome: "failed", attempt: 2, max_attempts: 3, error_message } as const
  const times = { started_at: time(-100), completed_at: time(-10), worker: "gpu-1", metadata: { a: "b" } }
  answering("get", async () =>
    item({ ...failed, ...times, title: "Lights", tags: ["4k"], totals: { images: 5 } }),
  )
  const { out: shown } = await ran(showCommand, "7", "--utc")
  const fact = (name: string): string | undefined => new RegExp(`^  ${name} +(.*)$`, "m").exec(shown)?.[1]
  expect(shown.split("\n")[0]).toBe("#7 Lights  failed")
  expect([fact("attempt"), fact("worker"), fact("finished")]).toEqual([
    "2 of 3",
    "gpu-1",
    "11:59 UTC, took 1:30",
  ])
  expect([fact("totals"), fact("tags"), fact("metadata"), fact("error")]).toEqual([
    "5 images",
    "4k",
    '{"a":"b"}',
    "... (--all shows all 15 lines)",
  ])
  expect([shown.includes("line 3\n"), shown.includes("line 4\n"), shown.includes("line 15\n")]).toEqual([
    false,
    true,
    true,
  ])
  expect((await ran(showCommand, "7", "--all")).out).toContain("line 1\n")
  let attempt = 5
  answering("get", async () => item({ status: "completed", attempt, max_attempts: 3 }))
  expect((await ran(showCommand, "7")).out).toMatch(/^ {2}attempt +5$/m)
  attempt = 3
  expect((await ran(showCommand, "7")).out).toMatch(/^ {2}attempt +3 of 3$/m)
})

test("an item that waits is shown with when it starts, or why no worker takes it", async () => {
  const shownOf = async (change: Partial<ReadItem>): Promise<string> => {
    answering("workers", async () => [{ ...WORKER, tags: ["gpu"] }])
    answering("get", async () => item(change))
    return (await ran(showCommand, "7", "--utc")).out
  }
  const starts = { starts_in_seconds: 120, starts_low_seconds: 60, starts_high_seconds: 240 }
  expect(await shownOf(starts)).toMatch(/^ {2}starts +about 12:02 UTC \(12:01 UTC to 12:04 UTC\)$/m)
  const held = await shownOf({ ...starts, available_at: time(60) })
  expect(held).toMatch(/^ {2}not before 12:01 UTC\n {2}starts +about 12:02 UTC/m)
  expect(await shownOf({ ...starts, available_at: time(-60) })).not.toContain("not before")
  expect(await shownOf({ available_at: time(600) })).toMatch(/^ {2}starts +12:10 UTC$/m)
  expect(await shownOf({ available_at: time(-600) })).not.toContain("starts")
  expect(await shownOf({ tags: ["4k", "gpu"] })).toMatch(/^ {2}waits +no worker offers 4k$/m)
  expect(await shownOf({ tags: ["4k", "gpu", "hdr"] })).toMatch(/^ {2}waits +no worker offers 4k, hdr$/m)
  expect(await shownOf({ tags: ["gpu"] })).not.toContain("waits")
  answering("counts", async () => ({ ...COUNTS, paused_at: time(-600) }))
  expect(await shownOf({ tags: ["4k"] })).toMatch(
    /^ {2}waits +queue paused since 11:50 UTC; no worker offers 4k$/m,
  )
  expect(await shownOf({ status: "processing" })).not.toContain("paused")
})

const FINISHED = { completed: 12, failed: 1, cancelled: 0, lost: 2 }
const COUNTS = {
  paused_at: null,
  status: { queued: 1200, retrying: 34, processing: 2, completed: 5, failed: 6 },
  outcome: { completed: 5, failed: 3, cancelled: 2, lost: 1 },
  last_hour: { ...FINISHED, shortest_seconds: 40, longest_seconds: 723, mean_seconds: 250 },
  today: { ...FINISHED, shortest_seconds: null, longest_seconds: null, mean_seconds: null },
  this_week: { ...FINISHED, shortest_seconds: null, longest_seconds: null, mean_seconds: null },
} as unknown as Counts
const STATS = {
  ...{ streams: { global: 3, item: 1 }, updates: { stored: 10, newest_id: null }, uptime_seconds: 3723 },
} as unknown as Stats

test("the figures of the queue are printed as numbers with their names", async () => {
  const asked = answering("counts", async () => COUNTS)
  answering("stats", async () => STATS)
  answering("me", async () => ({ role: "viewer", expires_at: time(3600) }))
  expect((await ran(statsCommand, "--utc")).out).toBe(`running    2
waiting    1,234
finished   5 completed, 3 failed, 2 cancelled, 1 lost
last hour  12 completed in 0:40 to 12:03, mean 4:10; 1 failed, 2 lost
today      12 completed; 1 failed, 2 lost
this week  12 completed; 1 failed, 2 lost
streams    3 of all items, 1 of one item
updates    10 kept, newest none
uptime     1:02:03
your role  viewer until 13:00 UTC
`)
  expect(asked).toEqual([["UTC"]])
  answering("me", async () => {
    throw new ServerError(404, "no such route")
  })
  const today = { ...COUNTS.today, shortest_seconds: 40, longest_seconds: 40, mean_seconds: 40 }
  answering("counts", async () => ({ ...COUNTS, today, paused_at: time(-60) }))
  const degraded: Stats["degraded"] = [{ reason: "disk_low", title: "disk nearly full", about: "make room" }]
  answering("stats", async () => ({ ...STATS, degraded }))
  const { out: older } = await ran(statsCommand, "--utc")
  expect(older).toStartWith("degraded   disk nearly full: make room\nqueue      paused since 11:59 UTC\n")
  expect(older).not.toContain("your role")
  expect(older).toContain("12 completed in 0:40; 1 failed, 2 lost\n")
})

test("open streams are printed in columns, with numbers to the right", async () => {
  const stream = { since: time(-60), format: "sse", client: "curl" }
  answering("openStreams", async (): Promise<readonly StreamSeen[]> => [
    { ...stream, kind: "global", queue_id: null, last_event_id: 12345, lag: 7 } as StreamSeen,
    { ...stream, kind: "item", queue_id: 7, last_event_id: 9, lag: 12 } as StreamSeen,
    { ...stream, kind: "item", queue_id: null, last_event_id: 9, lag: 0 } as StreamSeen,
  ])
  expect((await ran(statsCommand, "--streams", "--utc")).out).toBe(
    `SINCE      SHOWS       FORMAT  LAST EVENT ID  LAG  CLIENT
11:59 UTC  all items   sse             12345    7  curl
11:59 UTC  #7          sse                 9   12  curl
11:59 UTC  some items  sse                 9    0  curl
`,
  )
})

async function* said<T>(...all: readonly T[]): AsyncGenerator<T, void, undefined> {
  yield* all
}

test("output is printed as it comes; without --follow a broken connection is an error", async () => {
  const piece = (text: string): Printed => ({
    ...{ type: "piece", attempt: 1, from: 0, to: 3, missing: 0, text },
  })
  const offline: Printed = { type: "offline", reason: "the stream ended", status: 0, code: "", retryMs: 250 }
  const asked = answering("output", () => said(piece("one\n"), offline, piece("two")))
  expect(await ran(logsCommand, "7", "--follow", "--attempt", "2")).toEqual({
    code: 0,
    out: "one\ntwo\n",
    err: "# the stream ended; retrying in 0.3 s\n",
  })
  expect(asked[0]).toMatchObject([7, { attempt: 2, isFollowed: true }])
  expect(await ran(logsCommand, "7")).toMatchObject({ code: "the stream ended", out: "one\n" })
  expect(asked[1]).toMatchObject([7, { attempt: undefined, isFollowed: false }])
  const songs = answering("songOutput", () => said<Printed>())
  expect((await ran(logsCommand, "--song", "3")).err).toBe(
    "# no whole line was printed, or it is no longer kept\n",
  )
  expect(songs[0]?.[0]).toBe(3)
  expect((await ran(logsCommand)).code).toContain("missing ID")
})

test("an item is watched until it is finished, and its end is the exit code if that was asked for", async () => {
  answering("get", async () => item())
  const end = (status: "completed" | "failed"): Watched => ({
    ...{ type: "update", id: 2, update: update(2, { queue_id: 7, status }) },
  })
  const offline: Watched = { type: "offline", reason: "away", status: 0, code: "", retryMs: 250 }
  for (const [status, judged] of [
    ["completed", 0],
    ["failed", 1],
  ] as const) {
    const before: Watched = {
      type: "update",
      id: 1,
      update: update(1, { queue_id: 7, status: "processing" }),
    }
    const asked = answering("watch", () => said(offline, before, end(status)))
    const { code, out: shown } = await ran(watchCommand, "7", "--until", "finished", "--utc")
    expect([code, shown.split("\n")[0]]).toEqual([judged, "# away; retrying in 0.3 s"])
    expect(asked[0]).toMatchObject([{ queueId: 7, untilFinished: true }])
    expect((await ran(watchCommand, "7")).code).toBe(0)
  }
  const live: Watched = { type: "control", control: { event: "live", last_event_id: 5, history: "h" } }
  const all = answering("watch", () => said(live, end("failed")))
  const { out: lines } = await ran(watchCommand, "--json")
  expect(JSON.parse(lines.split("\n")[0] ?? "")).toEqual({
    ...{ type: "control", name: "live", data: { last_event_id: 5, history: "h" } },
  })
  expect(all[0]).toMatchObject([{ queueId: undefined, untilFinished: false }])
  expect((await ran(watchCommand, "--until", "finished")).code).toContain("needs the ID")
  expect((await ran(watchCommand, "7", "--until", "later")).code).toContain('accepts only "finished"')
})

test("watch waits for a server that is away, but not for an item that does not exist", async () => {
  answering("watch", () => said<Watched>())
  answering("get", () => Promise.reject(new ServerError(404, "queue item 7 does not exist")))
  expect((await ran(watchCommand, "7")).code).toBe("queue item 7 does not exist")
  answering("get", () => Promise.reject(new ServerError(503, "busy")))
  expect((await ran(watchCommand, "7")).code).toBe(0)
})

test("an empty list says whether the queue is empty or nothing was found", async () => {
  answering("counts", async () => ({ paused_at: null }))
  answering("list", async () => ({ queue: [], next: null }))
  expect((await ran(listCommand)).out).toStartWith("The queue is empty; add a song")
  for (const flags of [
    ["--search", "a"],
    ["--song", "1"],
    ["--status", "queued"],
  ])
    expect((await ran(listCommand, ...flags)).out).toBe("No such items.\n")
})

test("show says from how many runs the time of an item is known", async () => {
  answering("get", async () => item({ status: "processing", eta_runs: 1, progress: 40, time_progress: 55 }))
  const { out: shown } = await ran(showCommand, "7")
  expect(shown).toMatch(/^ {2}done +55%$/m)
  expect(shown).toMatch(/^ {2}known +from 1 earlier run; the worker says 40%$/m)
})

test("show says what an item counts, its pace and its message, and workers shows a single tag", async () => {
  const counted = { unit: { done: 3, total: 5, name: "images" }, message: "nearly", current_step: "Images" }
  const media = { out_time: 53, total: 240, fps: 48, speed: 1.9 }
  answering("get", async () => item({ status: "processing", ...counted, media, started_at: time(-60) }))
  const { out: shown } = await ran(showCommand, "7", "--utc")
  for (const line of [
    "unit +3 of 5 images",
    "pace +0:53 of 4:00, 48 fps, 1.9x",
    "message +nearly",
    "step +Images",
  ])
    expect(shown).toMatch(new RegExp(`^ {2}${line}$`, "m"))
  answering("workers", async () => [{ ...WORKER, tags: ["gpu"] }])
  expect((await ran(workersCommand)).out).toBe("gpu-1  idle for 4:10; tags gpu; version 1.2.3\n")
})

test("long names of workers get a third of a terminal, thirty columns at most, and keep their ends", async () => {
  const names = ["render-node-of-the-studio-in-berlin-1", "b"]
  answering("workers", async () => names.map((worker) => ({ ...WORKER, worker, version: "" })))
  const { isTTY, columns } = process.stdout
  const shown = async (width: number): Promise<unknown[]> => {
    Object.assign(process.stdout, { isTTY: true, columns: width })
    const lines = (await ran(workersCommand)).out.trimEnd().split("\n")
    return lines.map((line) => line.slice(0, line.indexOf("  idle")))
  }
  try {
    expect(await shown(60)).toEqual(["render-nod…-berlin-1", "b".padEnd(20)])
    expect((await shown(200)).map((name) => String(name).length)).toEqual([30, 30])
  } finally {
    Object.assign(process.stdout, { isTTY, columns })
  }
})
