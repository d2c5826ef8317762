import { type AppParts, createApp } from "../../src/http/app.ts"
import { wordsOf } from "../../src/http/docs/words.ts"
import type { TestServer } from "../server.ts"
import { UNPROTECTED } from "./unprotected.ts"

/** The parts of an app of which only the routes are needed. */
const about = { host: "127.0.0.1", corsOrigins: [], allowedHosts: [], version: "0", commit: "none" }
const parts: Partial<Record<keyof AppParts, unknown>> = { ...about, ...UNPROTECTED }

const { routes } = createApp(parts as AppParts)

/** Every route that changes something. */
export const WRITES = routes.filter(({ method }) => !/^(GET|OPTIONS)$/.test(method))

/** The paths at which a WebSocket can be opened, for an item that may not exist. */
export const SOCKETS = routes
  .filter(({ hooks }) => wordsOf(hooks.detail)?.refusals?.includes("upgrade_required"))
  .map(({ path }) => path.replace(":id", "1"))

const BODIES: Readonly<Record<string, string>> = {
  "POST /api/v1/queue": '{"song_id":1,"title":"by a page"}',
  "POST /api/v1/queue/": '{"song_id":1,"title":"by a page"}',
  "POST /api/v1/queue/claim": '{"worker":"a page","tags":["by-a-page"]}',
  "PUT /api/v1/queue/:id/flag": '{"flag":"image_issue"}',
  "POST /api/v1/queue/:id/ingest/:renderer": "50%\n",
}

/** A request by which a page may try to change something. */
export interface Try {
  /** The route, as `POST /api/v1/queue/:id/cancel`. */
  readonly route: string
  readonly url: string
  readonly method: string
  readonly body: string
}

/** A request to each route that changes something. Each request has its own item to change. */
export const triesOf = (server: TestServer): Promise<Try[]> =>
  Promise.all(
    WRITES.map(async ({ method, path }) => {
      const id = String(await server.add({ song_id: 9, title: "Untouched" }))
      const route = `${method} ${path}`
      const filled = path.replace(":id", id).replace(":renderer", "lines").replace(":kind", "none")
      return { route, url: server.url + filled, method, body: BODIES[route] ?? "{}" }
    }),
  )

/** Everything that a page could have changed: the history, all items, and whether the queue is paused. */
export async function stateOf(server: TestServer): Promise<unknown[]> {
  const [queue, counts] = await Promise.all(
    ["/queue", "/queue/counts"].map(async (path): Promise<Record<string, unknown>> =>
      (await server.api("GET", path)).json(),
    ),
  )
  return [await server.head(), queue, counts?.["paused_at"]]
}
