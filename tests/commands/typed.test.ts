import { expect, test } from "bun:test"
import { mkdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"

import { type ReadItem, ServerError } from "../../src/client/client.ts"
import { addCommand } from "../../src/commands/add.ts"
import { cancelCommand } from "../../src/commands/cancel.ts"
import { checkCommand } from "../../src/commands/check.ts"
import { kindsCommand } from "../../src/commands/kinds.ts"
import { moveCommand } from "../../src/commands/move.ts"
import { openCommand } from "../../src/commands/open.ts"
import { pauseCommand } from "../../src/commands/pause.ts"
import { resumeCommand } from "../../src/commands/resume.ts"
import { runCommand } from "../../src/commands/run.ts"
import { setCommand } from "../../src/commands/set.ts"
import { statsCommand } from "../../src/commands/stats.ts"
import { workersCommand } from "../../src/commands/workers.ts"
import { time } from "../dashboard/items.ts"
import { temporaryFolder } from "../server.ts"
import { answering, inThisProcess, item, type Ran, ran } from "./in-process.ts"

inThisProcess()

test("a song is added with all given values, and a value that is no song is refused without a request", async () => {
  const asked = answering("add", async () => item({ title: "Lights" }))
  const flags = ["--metadata", "a=b=c", "--metadata", "d=", "--tags", " 4k, gpu,,4k", "--in", "2m"]
  expect(
    await ran(addCommand, "7", ...flags, "--total", "212.5", "--totals", "images=5", "--attempts", "2"),
  ).toEqual({
    code: 0,
    out: "queue item 7: Lights, queued  http://127.0.0.1:8080/items/7\n",
    err: "",
  })
  const more = { tags: ["4k", "gpu"], totals: { seconds: 212.5, images: 5 }, metadata: { a: "b=c", d: "" } }
  expect(asked[0]?.[0]).toEqual({ song_id: 7, available_in: 120, max_attempts: 2, ...more })
  await ran(addCommand, "7", "--in", "1h", "--idempotency-key", "k", "--priority", "-3", "--kind", "movie")
  const key = expect.stringMatching(/^k\.[0-9a-z]+$/)
  expect(asked[1]).toEqual([{ song_id: 7, available_in: 3600, priority: -3, kind: "movie" }, key])
  for (const [typed, available_in] of [
    ["90s", 90],
    ["45", 45],
    ["0", 0],
  ] as const) {
    await ran(addCommand, "7", "--in", typed)
    expect(asked.pop()?.[0]).toEqual({ song_id: 7, available_in })
  }
  for (const wrong of [["7", "--in", "1d"], ["7", "--metadata", "=x"], []])
    expect((await ran(addCommand, ...wrong)).code).toBeString()
  expect(asked).toHaveLength(2)
})

test("with one key for several songs, each has a key of its own, which is the same at each call and alone", async () => {
  using folder = temporaryFolder()
  for (const name of ["7 a.wav", "7 b.wav"]) writeFileSync(join(folder.path, name), "")
  const asked = answering("add", async () => item())
  const words = ["7", "8", join(folder.path, "7 a.wav"), join(folder.path, "7 b.wav")]
  for (const given of [words, words.toReversed()])
    await ran(addCommand, ...given, "--idempotency-key", "batch", "--metadata", "path=x")
  const keys = asked.map(([, key]) => String(key))
  expect(new Set(keys).size).toBe(4)
  expect(keys.slice(4)).toEqual(keys.slice(0, 4).toReversed())
  for (const key of keys) expect(key).toMatch(/^batch\.[0-9a-z]+$/)
  // A folder may hold one file today, and more tomorrow; a song may be added again with others.
  for (const at of [0, 2]) {
    await ran(addCommand, words[at] ?? "", "--idempotency-key", "batch")
    expect(asked.at(-1)?.[1]).toBe(keys[at])
  }
  // It is the same song, however its number is written.
  await ran(addCommand, "007", "--idempotency-key", "batch")
  expect(asked.at(-1)?.[1]).toBe(keys[0])
})

test("the name of a file gives the song and the title, unless the flags do", async () => {
  using folder = temporaryFolder()
  for (const name of [
    "007 - Northern Lights.wav",
    "lights.wav",
    "12.wav",
    "13 A. B. (feat. C).wav",
    "14 Late .wav",
    "7up.wav",
  ])
    writeFileSync(join(folder.path, name), "")
  const asked = answering("add", async () => item())
  const add = (name: string, ...flags: string[]): Promise<Ran> =>
    ran(addCommand, join(folder.path, name), ...flags)
  await add("007 - Northern Lights.wav")
  await add("12.wav")
  await add("13 A. B. (feat. C).wav")
  await add("14 Late .wav")
  await add("007 - Northern Lights.wav", "--song", "3")
  await add("lights.wav", "--song", "3", "--title", "Mine", "--metadata", "path=elsewhere")
  expect(asked.map(([one]) => one)).toMatchObject([
    {
      song_id: 7,
      title: "Northern Lights",
      metadata: { path: join(folder.path, "007 - Northern Lights.wav") },
    },
    { song_id: 12, title: "12" },
    { song_id: 13, title: "A. B. (feat. C)" },
    { song_id: 14, title: "Late" },
    { song_id: 3, title: "007 - Northern Lights" },
    { song_id: 3, title: "Mine", metadata: { path: "elsewhere" } },
  ])
  for (const name of ["lights.wav", "7up.wav"])
    expect((await add(name)).code).toContain("does not begin with the song's number")
  expect((await add("none.wav")).code).toContain("neither a song's number nor a file")
  expect((await ran(addCommand, "7", "--song", "3")).code).toContain("already a song")
  mkdirSync(join(folder.path, "5 my songs"))
  // A folder is no song, even if its name begins with a number.
  const files = `name its files, as in: track-studio add '${folder.path}/5 my songs'/*.wav`
  for (const flags of [[], ["--song", "3"]])
    expect((await add("5 my songs/", ...flags)).code).toEndWith(`is a folder; ${files}`)
  expect((await ran(addCommand, folder.path)).code).toEndWith(`track-studio add ${folder.path}/*.wav`)
  expect(asked).toHaveLength(6)
})

test("each item that is named is tried once, and one refusal makes the exit code 1", async () => {
  const asked = answering("cancel", async (id: number) => {
    if (id === 8) throw new ServerError(404, "queue item 8 does not exist")
    return item({ id, status: "failed", outcome: "cancelled" })
  })
  expect(await ran(cancelCommand, "7", "8", "7", "9")).toEqual({
    code: 1,
    out: "queue item 7: cancelled\nqueue item 9: cancelled\n",
    err: "track-studio: queue item 8 does not exist\n",
  })
  expect(asked.map(([id]) => id)).toEqual([7, 8, 9])
  expect((await ran(cancelCommand, "7", "0")).code).toBe("ID must be a positive whole number, not 0")
  expect((await ran(cancelCommand)).code).toBe("missing ID")
})

test("a command that names very many items waits when the server asks for that, unless it asks for too long", async () => {
  const tooMany = (retryAfterMs: number) => new ServerError(429, "too many", { retryAfterMs })
  const refusals = [tooMany(1), tooMany(1)]
  const answer = async (): Promise<ReadItem> => {
    const refusal = refusals.pop()
    if (refusal) throw refusal
    return item({ status: "failed", outcome: "cancelled" })
  }
  const [added, cancelled] = [answering("add", answer), answering("cancel", answer)]
  expect((await ran(addCommand, "1", "2", "3")).code).toBe(0)
  expect(added.map(([one]) => one)).toEqual([1, 1, 1, 2, 3].map((song_id) => ({ song_id })))
  refusals.push(tooMany(1))
  expect(await ran(cancelCommand, "7")).toEqual({ code: 0, out: "queue item 7: cancelled\n", err: "" })
  expect(cancelled).toHaveLength(2)
  refusals.push(tooMany(60_000))
  expect((await ran(cancelCommand, "7")).code).toBe(1)
  refusals.push(...Array.from({ length: 100 }, () => tooMany(1)))
  expect((await ran(addCommand, "1")).code).toBe("too many")
  expect(refusals).toHaveLength(40)
})

test("set changes the keys that were named, and ends the lease that is named with --lease", async () => {
  const asked = answering("update", async () => item({ progress: 5, current_step: "Images" }))
  expect((await ran(setCommand, "7", "--priority", "-3", "--flag", "none", "--step", "Images")).out).toBe(
    "queue item 7: queued, 5%, Images, priority 0, flag none\n",
  )
  await ran(setCommand, "7", "--flag", "image_issue", "--title", "Lights")
  expect(asked).toEqual([
    [7, { current_step: "Images", priority: -3, flag: null }],
    [7, { title: "Lights", flag: "image_issue" }],
  ])
  for (const time of ["0", "10m"]) await ran(setCommand, "7", "--in", time)
  expect(asked.slice(2)).toEqual([
    [7, { available_in: 0 }],
    [7, { available_in: 600 }],
  ])
  const [failed, completed] = [
    answering("fail", async () => ({ item: item({ status: "failed" }) })),
    answering("complete", async () => ({ item: item({ status: "completed" }) })),
  ]
  const lease = ["7", "--lease", "t"]
  await ran(setCommand, ...lease, "--status", "failed", "--error", "out of memory")
  await ran(setCommand, ...lease, "--status", "failed")
  await ran(setCommand, ...lease, "--status", "completed", "--video-file", "/a.mp4")
  const held = { id: 7, token: "t" }
  expect(failed).toEqual([
    [held, { error_message: "out of memory" }],
    [held, {}],
  ])
  expect(completed).toEqual([[held, { video_file_path: "/a.mp4" }]])
  expect((await ran(setCommand, ...lease, "--priority", "3")).code).toContain("--lease takes")
  expect((await ran(setCommand, "7")).code).toContain("nothing to set")
  expect((await ran(setCommand, "7", "--progress", "101")).code).toBe(
    "--progress must be a whole number from 0 to 100, not 101",
  )
})

test("open fails if there is no such item or no server answers, and leaves to the browser what this token may not read", async () => {
  let status = 401
  answering("get", () => Promise.reject(new ServerError(status, "refused")))
  const page = { code: 0, out: "http://127.0.0.1:8080/items/7\n", err: "" }
  for (status of [401, 403]) expect(await ran(openCommand, "--print", "7")).toEqual(page)
  for (status of [404, 503, 0])
    expect(await ran(openCommand, "--print", "7")).toEqual({ code: "refused", out: "", err: "" })
})

test("set says the title, the priority and the flag that it has set", async () => {
  answering("update", async () => item({ title: "Northern Lights", priority: 3 }))
  expect(
    (await ran(setCommand, "7", "--title", "Northern Lights", "--priority", "3", "--flag", "none")).out,
  ).toBe("queue item 7: queued, 0%, title Northern Lights, priority 3, flag none\n")
})

test("set and add say when an item may start, and set shows a cancelled item as cancelled", async () => {
  const delayed = item({ available_at: time(600) })
  answering("update", async () => delayed)
  expect((await ran(setCommand, "7", "--in", "10m")).out).toBe("queue item 7: queued, 0%, starts in 10:00\n")
  answering("add", async () => delayed)
  expect((await ran(addCommand, "7", "--in", "10m")).out).toContain(", queued, starts in 10:00  http")
  for (const [shown, change] of [
    ["retrying, 0%, retries in 0:18", { status: "retrying", available_at: time(18) }],
    ["queued, 0%", { available_at: time(0) }],
    ["cancelled, 0%", { status: "failed", outcome: "cancelled", available_at: time(600) }],
  ] as const) {
    answering("update", async () => item(change))
    expect((await ran(setCommand, "7", "--message", "Lights")).out).toBe(`queue item 7: ${shown}\n`)
  }
})

test("a flag that names something is wrong usage if it is empty", async () => {
  for (const [command, flag, ...more] of [
    [workersCommand, "--drain"],
    [workersCommand, "--undrain"],
    [kindsCommand, "--forget"],
    [runCommand, "--output", "--song", "7", "--", "true"],
    [addCommand, "--idempotency-key", "7"],
  ] as const)
    expect((await ran(command, flag, "", ...more)).code).toBe(`${flag} is empty`)
  expect((await ran(checkCommand, "")).code).toBe("FILE is empty")
  expect((await ran(runCommand, "--song", "7", "--", "")).code).toStartWith("missing command")
})

test("kinds are listed with their runs, and forgotten by name; an item is moved before another", async () => {
  const kind = { kind: "movie", look: "", runs: 1, seconds: 250 }
  answering("kinds", async () => ({
    kinds: [kind, { ...kind, look: "movie" }, { ...kind, kind: "k", look: "ffmpeg", runs: 2 }],
  }))
  expect((await ran(kindsCommand)).out).toBe(
    "movie: 1 run, 4:10 on average\nmovie: 1 run, 4:10 on average\nk (ffmpeg): 2 runs, 4:10 on average\n",
  )
  answering("kinds", async () => ({ kinds: [] }))
  // Items may have completed without a kind or a report: nothing is said of them.
  expect((await ran(kindsCommand)).out).toBe(
    "Nothing has been learned yet: the server learns from items that complete and have a kind, or whose workers report progress.\n",
  )
  const forgotten = answering("forgetRuns", async () => 3)
  expect((await ran(kindsCommand, "--forget", "movie")).out).toBe('3 runs of "movie" forgotten.\n')
  const moved = answering("move", async () => item({ priority: 5 }))
  expect((await ran(moveCommand, "7", "--before", "8")).out).toBe("queue item 7: now before 8, priority 5\n")
  expect([forgotten, moved]).toEqual([[["movie"]], [[7, 8]]])
  expect((await ran(moveCommand, "7")).code).toContain("missing --before")
  expect((await ran(moveCommand, "--from", "a.db")).code).toBe("missing --to DATABASE")
})

test("as JSON, nothing is printed of what does not exist, so that a script reads as many lines as there are", async () => {
  answering("kinds", async () => ({ kinds: [] }))
  answering("workers", async () => [])
  answering("openStreams", async () => [])
  for (const [command, ...args] of [[kindsCommand], [workersCommand], [statsCommand, "--streams"]] as const) {
    expect((await ran(command, ...args)).out).not.toBe("")
    expect(await ran(command, ...args, "--json")).toEqual({ code: 0, out: "", err: "" })
  }
})

test.each([
  ["pause", pauseCommand],
  ["resume", resumeCommand],
] as const)("a %s that the server refuses is not said to be done", async (name, command) => {
  answering(name, async () => {
    throw new ServerError(503, "the disk is full", { code: "unavailable" })
  })
  expect(await ran(command)).toEqual({ code: "the disk is full", out: "", err: "" })
})
