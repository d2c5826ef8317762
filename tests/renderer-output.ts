import { type ClientRequest, request } from "node:http"

import type { Said } from "./worker.ts"

/** The output of a renderer on its way to a server, sent in pieces when the test decides. */
export class RendererOutput {
  /** The answer of the server; rejects if the connection breaks before. */
  readonly answer: Promise<Said>
  readonly #request: ClientRequest

  /** `path` is the path of the ingest: `ffmpeg?total=6`. */
  constructor(server: string, id: number, path: string, headers: Readonly<Record<string, string>> = {}) {
    const answered = Promise.withResolvers<Said>()
    this.answer = answered.promise
    // If the test breaks the connection, it does not need the error.
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

  /** Ends the output like a renderer that ends. Returns the answer of the server. */
  end(): Promise<Said> {
    this.#request.end()
    return this.answer
  }

  /** Breaks the connection like a renderer that is killed. */
  break(): void {
    this.#request.destroy()
  }
}
