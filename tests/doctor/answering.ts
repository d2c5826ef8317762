import type { Patient } from "../../src/doctor/send-request.ts"

/** The time of the clock of the machine that looks, in milliseconds since 1970. */
export const NOW_MS = Date.parse("2026-05-12T10:00:00.000Z")

/** What is found of a server that answers like this, on a machine whose clock shows `NOW_MS`. */
export async function found<T>(
  answer: (path: string, request: Request) => Response | Promise<Response>,
  find: (patient: Patient) => Promise<T>,
): Promise<T> {
  using server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    maxRequestBodySize: 2e9,
    fetch: (request) => answer(new URL(request.url).pathname.slice("/api/v1".length), request),
  })
  const settings = { token: undefined, patienceMs: 20_000, idleMs: 20_000, now: () => NOW_MS }
  return await find({ url: server.url, ...settings })
}

/** A refusal of a server. */
export const refused = (code: string, status: number, error = "no"): Response =>
  Response.json({ error, code }, { status })
