/** A program at an address of its own that answers as a test wants, and remembers its requests. */
export function impostor(answer: (request: Request) => Response | Promise<Response>) {
  const asked: Request[] = []
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    idleTimeout: 0,
    fetch: (request) => {
      asked.push(request)
      return answer(request)
    },
  })
  return {
    url: `http://127.0.0.1:${server.port}`,
    asked,
    [Symbol.asyncDispose]: () => server.stop(true),
  }
}

/** A success with this body. */
export const json = (value: unknown): Response => Response.json(value)

/** Bytes without an end, sent as fast as they are read. */
export const endless = (text: string, init?: ResponseInit): Response => {
  const chunk = new TextEncoder().encode(text.repeat(65_536 / text.length))
  return new Response(new ReadableStream({ pull: (controller) => controller.enqueue(chunk) }), init)
}

/** The refusal for a program at this address. */
export const notOurs = (url: string): string =>
  `the program at ${url} is not a Track Studio server that this client knows`
