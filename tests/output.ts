import { type ClientRequest, request } from "node:http"

import type { Said } from "./worker.ts"

/** A renderer's output on its way to a server, sent piece by piece as a test decides. */
export class Output {
  /** What the server answers; rejects when the connection breaks before. */
  readonly answer: Promise<Said>
  readonly #request: ClientRequest

  /** `path` is that of the ingest: `ffmpeg?total=6`. */
  constructor(server: string, id: number, path: string, headers: Readonly<Record<string, string>> = {}) {
    const answered = Promise.withResolvers<Said>()
    this.answer = answered.promise
    // Who breaks the connection does not want to hear of it.
    this.answer.catch(() => undefined)
    this.#request = request(`${server}/api/v1/queue/${id}/ingest/${path}`, {
      method: "POST",
      headers: { "transfer-encoding": "chunked", ...headers },
    })
    this.#request.on("error", answered.reject)
    this.#request.on("response", (response) => {
      let text = ""
      response.setEncoding("utf8")
      response.on("data", (piece: string) => (text += piece))
      response.on("error", answered.reject)
      response.on("end", () => {
        const body: Omit<Said, "status"> = JSON.parse(text)
        answered.resolve({ status: response.statusCode ?? 0, ...body })
      })
    })
    this.#request.flushHeaders()
  }

  /** Sends a piece; resolves when it is on its way. */
  write(text: string | Uint8Array): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#request.write(text, (error) => (error ? reject(error) : resolve()))
    })
  }

  /** Ends the output as a renderer does that ends; answers what the server says. */
  end(): Promise<Said> {
    this.#request.end()
    return this.answer
  }

  /** Breaks the connection, as a renderer does that is killed. */
  break(): void {
    this.#request.destroy()
  }
}
