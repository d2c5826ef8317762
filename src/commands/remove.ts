import { AppError } from "../errors.ts"
import { actCommand } from "./act-on-items.ts"
import type { Command } from "./command.ts"

/** Removes items. */
export const removeCommand: Command = actCommand(
  {
    line: "remove ID...",
    about: "Removes items from the queue permanently. Their videos are not deleted.",
    flags: {
      force: { type: "boolean", help: "also remove an item that is rendering, which stops its render" },
    },
  },
  async (client, id, { flags }) => {
    if (!flags["force"] && (await client.get(id)).status === "processing") {
      throw new AppError("illegal_move", `queue item ${id} is rendering; cancel it first, or add --force`)
    }
    await client.remove(id)
    return `queue item ${id}: removed`
  },
)
