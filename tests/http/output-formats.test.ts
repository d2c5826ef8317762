import { expect, test } from "bun:test"

import { outputFormat, positionOf } from "../../src/http/output-formats.ts"
import { Reader } from "../reader.ts"
import { start } from "../server.ts"

test("a client gets the output as events if it names them or accepts them, also among other types", () => {
  const formatOf = (...asked: Parameters<typeof outputFormat>): string => outputFormat(...asked).name
  expect(formatOf(undefined, "text/html, text/event-stream;q=0.9")).toBe("sse")
  expect(formatOf("sse", "text/plain")).toBe("sse")
  expect(formatOf("text", "text/event-stream")).toBe("text")
  for (const accept of [null, "*/*", "text/plain"]) expect(formatOf(undefined, accept)).toBe("text")
})

test("a client that comes back continues at the position that its event ID names, with or without the begin of the attempt", () => {
  expect(positionOf("2-70-1700")).toEqual({ attempt: 2, after: 70, begunMs: 1700 })
  expect(positionOf("2-70")).toEqual({ attempt: 2, after: 70, begunMs: undefined })
  for (const foreign of [null, "", "70", "2-70-", "2-x"]) expect(positionOf(foreign)).toBeUndefined()
})

test("a piece is sent with the position after it as its event ID, from which its reader goes on", () => {
  const piece = { type: "piece", attempt: 2, from: 30, to: 70, missing: 5, text: "a\n" } as const
  const write = outputFormat("sse", null).writer()
  const [known, unknown] = [write({ ...piece, begunMs: 1700 }), write({ ...piece, begunMs: undefined })]
  const data = 'data: {"attempt":2,"from":30,"to":70,"missing":5,"text":"a\\n"}\n\n'
  expect([known, unknown]).toEqual([`id: 2-70-1700\n${data}`, `id: 2-70\n${data}`])
})

test("the end of an output says how its item ended, if it has", async () => {
  await using server = await start()
  const ends = async (act: (id: number) => Promise<unknown>): Promise<unknown> => {
    const id = await server.add({ song_id: 7 })
    await server.put(id, { status: "processing" })
    const path = `/api/v1/queue/${id}/output?format=sse&follow=true&attempt=1`
    const reader = await Reader.open(server.url + path)
    await act(id)
    return (await reader.first("end")).data
  }
  const ended = (status: string, outcome: string) => ({ attempt: 1, status, outcome })
  for (const status of ["completed", "failed"])
    expect(await ends((id) => server.put(id, { status }))).toEqual(ended(status, status))
  const cancelled = ended("failed", "cancelled")
  expect(await ends((id) => server.api("POST", `/queue/${id}/cancel`))).toEqual(cancelled)
  expect(await ends((id) => server.api("DELETE", `/queue/${id}`))).toEqual(cancelled)
  // Another attempt follows.
  expect(await ends((id) => server.put(id, { status: "retrying" }))).toEqual({
    attempt: 1,
    status: "retrying",
  })
})
