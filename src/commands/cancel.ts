import { printable } from "../text.ts"
import { actCommand } from "./act.ts"
import type { Command } from "./command.ts"

/** Cancels items. */
export const cancelCommand: Command = actCommand(
  {
    line: "cancel ID...",
    about: "Cancels items. A worker that renders one is asked to stop; until it has, the item is processing.",
    flags: {},
  },
  async (client, id) => {
    const { status, worker } = await client.cancel(id)
    return status === "processing"
      ? `queue item ${id}: cancelling, ${printable(worker)} was asked to stop`
      : `queue item ${id}: cancelled`
  },
)
