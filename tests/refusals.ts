import { expect, test } from "bun:test"

import type { TestServer } from "./server.ts"

export const JSON_TYPE = { "content-type": "application/json" }

/** How a request is refused. */
export interface Refusal {
  readonly status: number
  readonly code: string
  /** The whole sentence, or a pattern that it must match. */
  readonly error: string | RegExp
}

export const invalid = (error: string | RegExp): Refusal => ({ status: 422, code: "invalid", error })
export const malformed = (error: string | RegExp): Refusal => ({
  status: 400,
  code: "malformed_json",
  error,
})

/** Refusals by one server. A refused request must change nothing. */
export class Refusals {
  readonly #server: TestServer
  readonly #id: number

  /** `id` is the item that must not change. */
  constructor(server: TestServer, id: number) {
    this.#server = server
    this.#id = id
  }

  /**
   * Sends a request and expects this refusal in the usual body, and that nothing changed. Returns the answer.
   */
  async expect(path: string, request: RequestInit, wanted: Refusal): Promise<Response> {
    const before = await this.#state()
    const answer = await fetch(`${this.#server.url}/api/v1${path}`, request)
    const body: Record<string, string> = await answer.json()
    expect([answer.status, body]).toEqual([
      wanted.status,
      { error: expect.any(String), code: wanted.code, request_id: expect.stringMatching(/^[0-9a-f-]{36}$/) },
    ])
    if (typeof wanted.error === "string") expect(body["error"]).toBe(wanted.error)
    else expect(body["error"]).toMatch(wanted.error)
    expect(answer.headers.get("content-type")).toStartWith("application/json")
    expect(answer.headers.get("access-control-allow-origin")).toBe("*")
    expect(await this.#state()).toEqual(before)
    return answer
  }

  /** One test per line: the JSON body of a POST or PUT, and its refusal. */
  each(method: "POST" | "PUT", path: string, lines: readonly (readonly [string, Refusal])[]): void {
    for (const [body, wanted] of lines) {
      const shown = body.length > 60 ? `${body.slice(0, 57)}... (${body.length})` : body
      test(`${method} ${path} refuses ${JSON.stringify(shown)}`, async () => {
        await this.expect(path, { method, body, headers: JSON_TYPE }, wanted)
      })
    }
  }

  async #state(): Promise<unknown[]> {
    const queue: unknown = await (await this.#server.api("GET", "/queue")).json()
    return [await this.#server.head(), await this.#server.item(this.#id), queue]
  }
}
