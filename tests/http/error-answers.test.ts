import { afterAll, describe, expect, test } from "bun:test"

import { ItemChange, NewItem } from "../../src/item/item.ts"
import { invalid, JSON_TYPE, malformed, Refusals } from "../refusals.ts"
import { start } from "../server.ts"

const server = await start()
afterAll(() => server[Symbol.asyncDispose]())

/** An item that nothing here may change. */
const id = await server.add({ song_id: 5, priority: 3, title: "Untouched", metadata: { a: 1 } })
const refusals = new Refusals(server, id)
const NEW_KEYS = Object.keys(NewItem.properties).join(", ")
const CHANGE_KEYS = Object.keys(ItemChange.properties).join(", ")
const STATUSES = "one of queued, processing, completed, failed, retrying"
const TEXT = "text of at most 16384 bytes, without NUL and lone surrogates"
const ITEM = `/queue/${id}`

describe("malformed JSON", () => {
  refusals.each("POST", "/queue", [
    ["{", malformed("the body is not valid JSON: Expected '}'")],
    ["{'song_id': 1}", malformed(/^the body is not valid JSON: /)],
    ['{"song_id":1,}', malformed(/^the body is not valid JSON: /)],
    ['{"song_id":1} {}', malformed(/^the body is not valid JSON: /)],
    ['{"song_id":NaN}', malformed(/^the body is not valid JSON: /)],
    ['{"song_id":1,"title":"a\nb"}', malformed(/^the body is not valid JSON: /)],
    ['{"song_id":1,"title":"a\0b"}', malformed(/^the body is not valid JSON: /)],
    ["", malformed("the body is empty")],
    [" \n", malformed(/^the body is not valid JSON: /)],
  ])
  refusals.each("PUT", ITEM, [
    ['{"progress":50', malformed(/^the body is not valid JSON: /)],
    ["progress=50", malformed(/^the body is not valid JSON: /)],
    ["", malformed("the body is empty")],
  ])
  refusals.each("PUT", `${ITEM}/flag`, [["flag", malformed(/^the body is not valid JSON: /)]])

  test("bytes that are no UTF-8 are refused, not replaced", () =>
    refusals.expect(
      ITEM,
      { method: "PUT", headers: JSON_TYPE, body: Buffer.from('{"title":"Stra\xdfe"}', "latin1") },
      malformed("the body is not valid UTF-8"),
    ))
})

describe("a body that is no object", () => {
  const post = invalid(`the body must be a JSON object with the keys ${NEW_KEYS}`)
  const put = invalid(`the body must be a JSON object with the keys ${CHANGE_KEYS}`)
  const bodies = ["[]", '[{"song_id":1}]', "null", "true", "false", "0", "1", '"text"', '""']
  refusals.each(
    "POST",
    "/queue",
    bodies.map((body) => [body, post]),
  )
  refusals.each(
    "PUT",
    ITEM,
    bodies.map((body) => [body, put]),
  )
})

describe("song_id", () => {
  const wanted = "song_id must be a positive integer"
  refusals.each("POST", "/queue", [
    ["{}", invalid('the body lacks "song_id": a positive integer')],
    ['{"song_id":0}', invalid(`${wanted}, not 0`)],
    ['{"song_id":-1}', invalid(`${wanted}, not -1`)],
    ['{"song_id":1.5}', invalid(`${wanted}, not 1.5`)],
    ['{"song_id":"1"}', invalid(`${wanted}, not "1"`)],
    ['{"song_id":null}', invalid(`${wanted}, not null`)],
    ['{"song_id":[1]}', invalid(`${wanted}, not a list`)],
    ['{"song_id":{"id":1}}', invalid(`${wanted}, not an object`)],
    ['{"song_id":9007199254740992}', invalid(`${wanted}, not 9007199254740992`)],
  ])
  refusals.each("PUT", ITEM, [['{"song_id":0,"progress":5}', invalid(`${wanted}, not 0`)]])
})

describe("kind and totals", () => {
  // Its runs could not be forgotten.
  const unnamed = invalid(/^kind must be .*; not \. or \.\., which no URL can contain, not "\.\."$/)
  refusals.each("PUT", ITEM, [['{"kind":".."}', unnamed]])
  refusals.each("POST", "/queue/claim", [['{"worker":"a","kind":".."}', unnamed]])
  refusals.each("POST", "/queue", [
    ['{"song_id":1,"kind":".."}', unnamed],
    [
      `{"song_id":1,"kind":"${"x".repeat(65)}"}`,
      invalid(/^kind must be a name of at most 64 characters for items that render alike, /),
    ],
    [
      '{"song_id":1,"totals":{"seconds":0}}',
      invalid("totals.seconds must be a number above 0, at most 1000000000000, not 0"),
    ],
  ])
})

describe("progress", () => {
  const wanted = "progress must be an integer from 0 to 100"
  refusals.each(
    "PUT",
    ITEM,
    ["-1", "101", "3.5", '"50"', "null", "true", "[50]", "1e3"].map((value) => [
      `{"title":"not taken","progress":${value}}`,
      invalid(value === "[50]" ? `${wanted}, not a list` : `${wanted}, not ${value.replace("1e3", "1000")}`),
    ]),
  )
})

describe("status and flag", () => {
  refusals.each("PUT", ITEM, [
    ['{"status":"done"}', invalid(`status must be ${STATUSES}, not "done"`)],
    ['{"status":"Processing"}', invalid(`status must be ${STATUSES}, not "Processing"`)],
    ['{"status":"cancelled"}', invalid(`status must be ${STATUSES}, not "cancelled"`)],
    ['{"status":""}', invalid(`status must be ${STATUSES}, not ""`)],
    ['{"status":null}', invalid(`status must be ${STATUSES}, not null`)],
    [
      '{"flag":"ugly"}',
      invalid(/^flag must be one of image_issue, lyrics_issue, timing_issue, null, not "ugly"$/),
    ],
    [
      '{"status":"completed","progress":100}',
      {
        status: 409,
        code: "illegal_move",
        error: `queue item ${id} is queued and cannot become completed; it can become processing, failed`,
      },
    ],
  ])
  refusals.each("PUT", `${ITEM}/flag`, [
    ["{}", invalid(/^the body lacks "flag": one of image_issue, lyrics_issue, timing_issue, null$/)],
    [
      '{"flag":"ugly"}',
      invalid(/^flag must be one of image_issue, lyrics_issue, timing_issue, null, not "ugly"$/),
    ],
    ['{"flag":null,"status":"failed"}', invalid('the body has the unknown key "status"; it can have flag')],
  ])
})

describe("unknown keys", () => {
  const names = [
    "nope",
    "id",
    "attempt",
    "Song_id",
    "",
    "a/b~c",
    "__proto__",
    "constructor",
    "toString",
    "\u2028",
  ]
  refusals.each(
    "POST",
    "/queue",
    names.map((name) => [
      `{"song_id":1,${JSON.stringify(name)}:{"song_id":2}}`,
      invalid(`the body has the unknown key "${name}"; it can have ${NEW_KEYS}`),
    ]),
  )
  refusals.each(
    "PUT",
    ITEM,
    [...names, "outcome", "worker", "queued_at", "tags"].map((name) => [
      `{"progress":9,${JSON.stringify(name)}:{"progress":8}}`,
      invalid(`the body has the unknown key "${name}"; it can have ${CHANGE_KEYS}`),
    ]),
  )

  test("__proto__ inside metadata is data like any other and pollutes nothing", async () => {
    const sent = '{"song_id":1,"metadata":{"__proto__":{"status":"failed"},"constructor":{"prototype":1}}}'
    const answer = await fetch(`${server.url}/api/v1/queue`, {
      method: "POST",
      body: sent,
      headers: JSON_TYPE,
    })
    expect(answer.status).toBe(201)
    const text = await answer.text()
    expect(text).toContain('"status":"queued"')
    expect(text).toContain('"metadata":{"__proto__":{"status":"failed"},"constructor":{"prototype":1}}')
    expect(await server.item(await server.add())).toMatchObject({ metadata: {}, status: "queued" })
  })
})

describe("text", () => {
  const long = "x".repeat(16 * 1024 + 1)
  refusals.each(
    "PUT",
    ITEM,
    (
      ["title", "current_step", "message", "error_message", "video_file_path", "thumbnail_path"] as const
    ).flatMap((key) => [
      [`{"${key}":"a\\u0000b"}`, invalid(`${key} must be ${TEXT}, not "a\\u0000b"`)],
      [`{"${key}":"a\\ud83d"}`, invalid(`${key} must be ${TEXT}, not "a\\ud83d"`)],
      [`{"${key}":"\\ude00\\ud83d"}`, invalid(`${key} must be ${TEXT}, not "\\ude00\\ud83d"`)],
      [`{"${key}":"${long}"}`, invalid(`${key} must be ${TEXT}, not "${"x".repeat(56)}...`)],
      [`{"${key}":5}`, invalid(`${key} must be ${TEXT}, not 5`)],
      [`{"${key}":null}`, invalid(`${key} must be ${TEXT}, not null`)],
    ]),
  )

  test("the limit of text is 16 KiB of UTF-8, not of characters", async () => {
    const fits = "é".repeat(8 * 1024)
    const own = await server.add()
    expect((await server.api("PUT", `/queue/${own}`, { title: fits })).status).toBe(200)
    expect((await server.item(own)).title).toBe(fits)
    const title = `${fits}x`
    await refusals.expect(
      `/queue/${own}`,
      { method: "PUT", body: JSON.stringify({ title }), headers: JSON_TYPE },
      invalid(/^title must be text of at most 16384 bytes/),
    )
  })
})

describe("metadata, tags and numbers", () => {
  const object =
    "a JSON object (at most 32 levels deep, each text of at most 16384 bytes, without NUL and lone surrogates)"
  const nested = (levels: number): string => '{"a":'.repeat(levels) + "1" + "}".repeat(levels)
  refusals.each("POST", "/queue", [
    ['{"song_id":1,"metadata":[]}', invalid(`metadata must be ${object}, not a list`)],
    ['{"song_id":1,"metadata":null}', invalid(`metadata must be ${object}, not null`)],
    ['{"song_id":1,"metadata":{"a":["\\u0000"]}}', invalid(`metadata must be ${object}; this one is not`)],
    ['{"song_id":1,"metadata":{"\\ud800":1}}', invalid(`metadata must be ${object}; this one is not`)],
    [
      `{"song_id":1,"metadata":{"a":"${"x".repeat(16_385)}"}}`,
      invalid(`metadata must be ${object}; this one is not`),
    ],
    [`{"song_id":1,"metadata":${nested(33)}}`, invalid(`metadata must be ${object}; this one is not`)],
    [
      '{"song_id":1,"tags":"gpu"}',
      invalid(/^tags must be a list of at most 32 different values, not "gpu"$/),
    ],
    [
      '{"song_id":1,"tags":["a","a"]}',
      invalid("tags must be a list of at most 32 different values; this one is not"),
    ],
    ['{"song_id":1,"tags":["a",""]}', invalid('tags.1 must be a tag: text of 1 to 64 characters, not ""')],
    [
      '{"song_id":1,"priority":"high"}',
      invalid(/^priority must be an integer from -1000000000 to 1000000000/),
    ],
    ['{"song_id":1,"priority":1e400}', invalid(/^priority must be an integer/)],
    ['{"song_id":1,"max_attempts":0}', invalid("max_attempts must be an integer from 1 to 100, not 0")],
  ])

  test("metadata of 32 levels is taken", async () => {
    const answer = await server.api("POST", "/queue", { song_id: 1, metadata: JSON.parse(nested(32)) })
    expect(answer.status).toBe(201)
  })

  test("bodies nested ten thousand levels deep are refused at once, wherever they are deep", async () => {
    const lists = "[".repeat(30_000) + "]".repeat(30_000)
    const startedMs = performance.now()
    for (const body of [
      lists,
      nested(10_000),
      `{"song_id":${lists}}`,
      `{"song_id":1,"nope":${lists}}`,
      `{"song_id":1,"metadata":{"a":${lists}}}`,
      `{"song_id":1,"tags":[${lists}]}`,
    ]) {
      await refusals.expect(
        "/queue",
        { method: "POST", body, headers: JSON_TYPE },
        invalid("the body has more than 64 levels, the most that is allowed"),
      )
    }
    // One such body once took 13 s and 2.5 GB to be refused.
    expect(performance.now() - startedMs).toBeLessThan(4000)
  })
})
