import { actCommand } from "./act.ts"
import type { Command } from "./command.ts"

/** Puts items back into the queue. */
export const retryCommand: Command = actCommand(
  {
    line: "retry ID...",
    about: "Puts finished items back into the queue, to be rendered again from the start.",
    flags: {},
  },
  async (client, id) => `queue item ${id}: ${(await client.retry(id)).status}`,
)
