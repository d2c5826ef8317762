import { PostgresStore } from "../../../src/store/postgres/postgres.ts"
import { emptyDatabase } from "./open.ts"
import { type Fate, Proxy } from "./proxy.ts"
import { postgres } from "./server.ts"

/** A store with a proxy to the server that can fail. */
export async function distant() {
  const { port } = await postgres()
  const database = await emptyDatabase()
  const proxy = new Proxy(port)
  const url = new URL(database.url)
  url.port = `${proxy.port}`
  const store = await PostgresStore.open(url.href)
  return {
    store,
    proxy,
    url: database.url,
    /** The same over the proxy that can fail. */
    distantUrl: url.href,
    async [Symbol.asyncDispose]() {
      await store.close()
      proxy[Symbol.dispose]()
      await database[Symbol.asyncDispose]()
    },
  }
}

/** Lets this happen once, to the next bytes that contain a text. */
export function once(proxy: Proxy, text: string, fate: Fate): void {
  let isOver = false
  proxy.decide = (bytes) => {
    if (isOver || !bytes.includes(text)) return "pass"
    isOver = true
    return fate
  }
}
