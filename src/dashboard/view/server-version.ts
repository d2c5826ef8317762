import { server } from "../live/server.ts"
import { byId, setText } from "./dom.ts"
import { notify } from "./toasts-and-undo.ts"

/** The version of the server that answered last; at first the one from which the page came. */
let shownVersion: string | undefined

/**
 * Shows the server's version. A page that stays open while the server is upgraded has the previous version.
 */
export async function showVersion(): Promise<void> {
  const health = await server.health().catch(() => undefined)
  if (!health) return
  const version = `${health.version} (${health.commit})`
  const isOther = shownVersion !== undefined && shownVersion !== version
  shownVersion = version
  setText(byId("version", HTMLElement), version)
  if (!isOther) return
  notify(`The server is now ${version}. This page came from another version.`, {
    undo: () => location.reload(),
    undoes: "Reload",
    stays: true,
  })
}
