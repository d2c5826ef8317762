import { afterAll, expect, test } from "bun:test"

import { raw } from "../raw.ts"
import { invalid, JSON_TYPE, malformed, Refusals } from "../refusals.ts"
import { start } from "../server.ts"
import { attempt } from "../worker.ts"

const server = await start()
afterAll(() => server[Symbol.asyncDispose]())

/** A waiting item that no request here may take. */
const waiting = await server.add({ song_id: 5 })
const refusals = new Refusals(server, waiting)
const leased = await attempt(server)
const ITEM = `/queue/${leased.id}`
const WORKER =
  "text of 1 to 16384 bytes, without NUL and lone surrogates; not . or .., which no URL can contain"
const TAGS = "a list of at most 32 different values"

refusals.each("POST", "/queue/claim", [
  ["", malformed("the body is empty")],
  ["{", malformed(/^the body is not valid JSON: /)],
  [
    "[]",
    invalid(
      "the body must be a JSON object with the keys worker, wait, lease, tags, id, kind, totals, version, instance, again",
    ),
  ],
  ["{}", invalid(`the body lacks "worker": ${WORKER}`)],
  ['{"worker":5}', invalid(`worker must be ${WORKER}, not 5`)],
  ['{"worker":null}', invalid(`worker must be ${WORKER}, not null`)],
  ['{"worker":"a\\u0000"}', invalid(`worker must be ${WORKER}, not "a\\u0000"`)],
  ['{"worker":""}', invalid(`worker must be ${WORKER}, not ""`)],
  ['{"worker":"."}', invalid(`worker must be ${WORKER}, not "."`)],
  ['{"worker":".."}', invalid(`worker must be ${WORKER}, not ".."`)],
  ['{"worker":"a","wait":-1}', invalid("wait must be an integer from 0 to 60, not -1")],
  ['{"worker":"a","wait":61}', invalid("wait must be an integer from 0 to 60, not 61")],
  ['{"worker":"a","wait":1.5}', invalid("wait must be an integer from 0 to 60, not 1.5")],
  ['{"worker":"a","wait":"5"}', invalid('wait must be an integer from 0 to 60, not "5"')],
  ['{"worker":"a","lease":0}', invalid("lease must be an integer from 1 to 3600, not 0")],
  ['{"worker":"a","lease":3601}', invalid("lease must be an integer from 1 to 3600, not 3601")],
  ['{"worker":"a","tags":"gpu"}', invalid(`tags must be ${TAGS}, not "gpu"`)],
  ['{"worker":"a","tags":["gpu","gpu"]}', invalid(`tags must be ${TAGS}; this one is not`)],
  ['{"worker":"a","tags":[""]}', invalid('tags.0 must be a tag: text of 1 to 64 characters, not ""')],
  ['{"worker":"a","tags":[7]}', invalid("tags.0 must be a tag: text of 1 to 64 characters, not 7")],
  [
    '{"worker":"a","song_id":1}',
    invalid(
      'the body has the unknown key "song_id"; it can have worker, wait, lease, tags, id, kind, totals, version, instance, again',
    ),
  ],
])

const AMOUNT = "a number from 0 to 1000000000000"
const PERCENT = "a number from 0 to 100"
refusals.each("POST", `${ITEM}/progress`, [
  ['{"progress":-0.1}', invalid(`progress must be ${PERCENT}, not -0.1`)],
  ['{"progress":100.1}', invalid(`progress must be ${PERCENT}, not 100.1`)],
  ['{"progress":"50"}', invalid(`progress must be ${PERCENT}, not "50"`)],
  ['{"progress":1e999}', invalid(/^progress must be /)],
  ['{"status":"completed"}', invalid(/^the body has the unknown key "status"; it can have progress, /)],
  ['{"step":{"index":1,"total":2}}', invalid(/^the body lacks "step.name": text of /)],
  [
    '{"step":{"index":1.5,"total":2,"name":""}}',
    invalid("step.index must be an integer of 0 or more, not 1.5"),
  ],
  ['{"unit":null}', invalid(/^unit must be /)],
  ['{"unit":{"done":1,"total":2,"name":"","of":1}}', invalid(/^the body has the unknown key "unit.of"/)],
  [
    '{"media":{"out_time":-1,"total":null,"fps":null,"speed":null}}',
    invalid(`media.out_time must be ${AMOUNT}, not -1`),
  ],
  ['{"media":{"out_time":1}}', invalid(/^the body lacks "media.total"/)],
])

refusals.each("POST", `${ITEM}/complete?lease=x`, [
  ['{"status":"completed"}', invalid(/^the body has the unknown key "status"/)],
  ['{"progress":100}', invalid(/^the body has the unknown key "progress"/)],
  ['{"video_file_size":-1}', invalid("video_file_size must be an integer of 0 or more, not -1")],
])

refusals.each("POST", `${ITEM}/fail?lease=x`, [
  ['{"retryable":"yes"}', invalid('retryable must be a boolean, not "yes"')],
  ['{"retry_in":-1}', invalid("retry_in must be an integer from 0 to 86400, not -1")],
  ['{"retry_in":86401}', invalid("retry_in must be an integer from 0 to 86400, not 86401")],
  ['{"message":"no"}', invalid(/^the body has the unknown key "message"; it can have error_message, /)],
])

test("a verb that needs a lease says so where it is missing", async () => {
  const wanted = invalid("the lease is missing: send the header Lease or ?lease=")
  for (const verb of ["heartbeat", "heartbeat?wait=20", "complete", "fail", "release"]) {
    await refusals.expect(`${ITEM}/${verb}`, { method: "POST" }, wanted)
  }
})

test("a query that a verb does not know is refused, and so is a wait that is no whole number", async () => {
  const known = "wait must be from 0 to 60 seconds (more counts as 60), not"
  for (const [path, wanted] of [
    ["heartbeat?wait=-1", `${known} -1`],
    ["heartbeat?wait=1.5", `${known} "1.5"`],
    ["heartbeat?wait=", `${known} ""`],
    ["progress?wait=1", 'the query has the unknown key "wait"; it can have lease'],
    ["release?token=x", 'the query has the unknown key "token"; it can have lease'],
    ["complete?lease=", 'lease must be a lease token, not ""'],
  ] as const) {
    await refusals.expect(`${ITEM}/${path}`, { method: "POST" }, invalid(wanted))
  }
})

test("a body that is not needed may be left out, but must be JSON if it is sent", async () => {
  const wanted = { status: 415, code: "unsupported_media_type", error: /^the body must be application\/json/ }
  for (const verb of ["progress", "complete?lease=x", "fail?lease=x"]) {
    await refusals.expect(
      `${ITEM}/${verb}`,
      { method: "POST", body: "{}", headers: { "content-type": "text/plain" } },
      wanted,
    )
  }
  const own = await attempt(server)
  for (const verb of ["progress", "heartbeat"]) expect((await own.say(verb)).status).toBe(200)
  expect((await own.say("release")).status).toBe(200)
  // Some clients always send in chunks, even what has no content.
  const cancel = (type: string, chunks: string): Promise<string> =>
    raw(
      server.url,
      `POST /api/v1/queue/${own.id}/cancel HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n${type}Transfer-Encoding: chunked\r\n\r\n${chunks}0\r\n\r\n`,
    )
  expect(await cancel("", "2\r\n{}\r\n")).toContain("415 Unsupported Media Type")
  expect(await cancel("Content-Type: application/json\r\n", "1\r\n{\r\n")).toContain("400 Bad Request")
  for (const type of ["", "Content-Type: application/json\r\n"])
    expect(await cancel(type, "")).toContain("200 OK")
})

test("ids, methods and places that are wrong are named as everywhere", async () => {
  const id = /^id must be a positive integer of at most 16 digits, not "/
  for (const verb of ["progress", "heartbeat", "complete", "fail", "release", "cancel", "retry"]) {
    await refusals.expect(`/queue/0/${verb}`, { method: "POST" }, invalid(id))
    await refusals.expect(`/queue/abc/${verb}`, { method: "POST" }, invalid(id))
    const method = {
      status: 405,
      code: "method_not_allowed",
      error: `/api/v1${ITEM}/${verb} takes POST, not GET`,
    }
    const answer = await refusals.expect(`${ITEM}/${verb}`, {}, method)
    expect(answer.headers.get("allow")).toBe("POST")
  }
  await refusals.expect(
    `${ITEM}/claim`,
    { method: "POST" },
    { status: 404, code: "not_found", error: /^there is nothing at / },
  )
})

test("a browser may call the workers' routes, with the header of the lease", async () => {
  const answer = await fetch(`${server.url}/api/v1${ITEM}/heartbeat`, {
    method: "OPTIONS",
    headers: {
      origin: "http://a.example",
      "access-control-request-method": "POST",
      "access-control-request-headers": "lease",
    },
  })
  expect(answer.headers.get("access-control-allow-headers")).toContain("lease")
  const lost = await fetch(`${server.url}/api/v1${ITEM}/heartbeat`, {
    method: "POST",
    headers: { lease: "x", ...JSON_TYPE },
  })
  expect([lost.status, lost.headers.get("access-control-allow-origin")]).toEqual([409, "*"])
})

test("refused requests took no item and no lease", async () => {
  expect(await server.item(waiting)).toMatchObject({ status: "queued", attempt: 0 })
  expect(await leased.say("complete")).toMatchObject({
    status: 200,
    item: { status: "completed", progress: 100 },
  })
})
