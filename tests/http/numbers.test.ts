import { afterAll, expect, test } from "bun:test"

import fc from "fast-check"

import { inexactMetadata } from "../../src/http/exact-numbers.ts"
import { JSON_TYPE } from "../refusals.ts"
import { start } from "../server.ts"

const server = await start()
afterAll(() => server[Symbol.asyncDispose]())

const send = (method: string, path: string, body: string): Promise<Response> =>
  fetch(`${server.url}/api/v1${path}`, { method, body, headers: JSON_TYPE })

const LOST = [
  ["1e400", "metadata.n"],
  ["-1e400", "metadata.n"],
  ["12345678901234567890", "metadata.n"],
  ["9007199254740993", "metadata.n"],
  ["0.12345678901234567890", "metadata.n"],
  ["1e-400", "metadata.n"],
  ["3e-324", "metadata.n"],
] as const

test.each(LOST)(
  "a number in metadata that would not come back as it was sent is refused: %s",
  async (number, path) => {
    const id = await server.add()
    const head = await server.head()
    for (const [method, route, body] of [
      ["POST", "/queue", `{"song_id":1,"metadata":{"n":${number}}}`],
      ["PUT", `/queue/${id}`, `{"metadata":{"n":${number}}}`],
      ["PUT", `/queue/${id}`, `{"\\u006detadata":{"n":${number}}}`],
    ] as const) {
      const answer = await send(method, route, body)
      const { code, error }: { code: string; error: string } = await answer.json()
      expect([answer.status, code]).toEqual([422, "invalid"])
      expect(error).toBe(`${path} must be a number that is kept exactly, not ${number}; send it as text`)
    }
    expect(await server.head()).toBe(head)
  },
)

test("such a number is found at any depth, and named by its path", () => {
  expect(inexactMetadata('{"metadata":{"a":[{"b":1},{"b":[1, 1e999]}]}}')).toBe(
    "metadata.a.1.b.1 must be a number that is kept exactly, not 1e999",
  )
})

test("numbers that other programs would change are accepted, and a number in a text is text", () => {
  expect(inexactMetadata('{"progress":33.33333333333333333333}')).toBeUndefined()
  expect(inexactMetadata('{"metadata":{"n":"1e400"},"x":12345678901234567890}')).toBeUndefined()
})

test("a number that comes back as the same value is kept, however it was written", async () => {
  const kept = [
    "0",
    "-0",
    "1.0",
    "1.50e3",
    "1E+2",
    "0.1",
    "1e300",
    "9007199254740992",
    "5e-324",
    "1e0",
    "0.10000000000000000",
  ]
  for (const number of kept) {
    const answer = await send("POST", "/queue", `{"song_id":1,"metadata":{"n":${number}}}`)
    expect([number, answer.status]).toEqual([number, 201])
    const { metadata }: { metadata: { n: number } } = await answer.json()
    expect(metadata.n).toBe(Number(number) + 0)
  }
})

test("every number that JSON writes for a double is kept", () => {
  fc.assert(
    fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (number) => {
      expect(inexactMetadata(JSON.stringify({ metadata: { number } }))).toBeUndefined()
    }),
  )
})

test("a tag has up to 64 characters, and an emoji counts as one", async () => {
  const longest = "😀".repeat(64)
  const answer = await send("POST", "/queue", JSON.stringify({ song_id: 1, tags: [longest] }))
  expect([answer.status, await answer.json()]).toMatchObject([201, { tags: [longest] }])
  for (const tag of [`${longest}a`, "a".repeat(65)]) {
    expect((await send("POST", "/queue", JSON.stringify({ song_id: 1, tags: [tag] }))).status).toBe(422)
  }
  const claim = await send("POST", "/queue/claim", JSON.stringify({ worker: "w", tags: [longest] }))
  expect(claim.status).toBe(200)
})
