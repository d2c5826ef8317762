import type { FromHub, ToHub } from "../model/hub-messages.ts"
import { Hub } from "./hub.ts"

/** Runs the hub in a SharedWorker. Each tab arrives with a `connect` event. */
export function serveTabs(): void {
  const ports = new Map<string, MessagePort>()
  let count = 0
  const hub = new Hub((message: FromHub, tab?: string) => {
    if (tab !== undefined) ports.get(tab)?.postMessage(message)
    else for (const port of ports.values()) port.postMessage(message)
  })
  addEventListener("connect", (event) => {
    if (!(event instanceof MessageEvent)) return
    const [port] = event.ports
    if (!port) return
    count += 1
    const tab = `tab ${count}`
    ports.set(tab, port)
    port.addEventListener("message", ({ data }: MessageEvent<ToHub>) => {
      hub.receive(tab, data)
      if (data.type === "bye") {
        ports.delete(tab)
        port.close()
      }
    })
    port.start()
  })
}
