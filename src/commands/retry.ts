import { AppError } from "../errors.ts"
import { counted } from "../text.ts"
import { actCommand } from "./act-on-items.ts"
import { clientOf, type Command, say } from "./command.ts"
import { refuseMoreWords } from "./usage.ts"

const items = actCommand(
  {
    line: "retry ID... | --failed",
    about: "Puts finished items back into the queue, to be rendered again from the start.",
    flags: {
      failed: { type: "boolean", help: "all that failed or lost their workers; cancelled items stay" },
    },
  },
  async (client, id) => `queue item ${id}: ${(await client.retry(id)).status}`,
)

/** Puts items back into the queue: those that are named, or all that failed. */
export const retryCommand: Command = {
  usage: items.usage,
  async run(given) {
    if (!given.flags["failed"]) return items.run(given)
    if (given.words.length > 0) throw new AppError("invalid", "use either IDs or --failed, not both")
    refuseMoreWords(given, 0)
    const { length: retried } = await clientOf(given).retryFailed()
    say(`${counted(retried, "item is", "items are")} back in the queue`)
    return 0
  },
}
