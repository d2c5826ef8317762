import { printable } from "../text.ts"
import { actCommand } from "./act-on-items.ts"
import type { Command } from "./command.ts"

/** Cancels items. */
export const cancelCommand: Command = actCommand(
  {
    line: "cancel ID...",
    about:
      "Cancels items. If a worker is rendering one, it is asked to stop; the item stays processing until it has.",
    flags: {},
  },
  async (client, id) => {
    const { status, worker } = await client.cancel(id)
    return status === "processing"
      ? `queue item ${id}: cancelling, ${printable(worker)} was asked to stop`
      : `queue item ${id}: cancelled`
  },
)
