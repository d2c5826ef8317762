import type { Client } from "../client/client.ts"
import { reasonOf } from "../errors.ts"
import { printable } from "../text.ts"
import { adviceAsCommands } from "./advice-as-commands.ts"
import { clientOf, type Command, say, toPeople, typedIds } from "./command.ts"
import { retryWhenLimited } from "./retry-when-limited.ts"
import type { Arguments, Usage } from "./usage.ts"

/** Does one thing to one item, and returns a line about the result. @throws ServerError when the server refuses */
type Act = (client: Client, id: number, given: Arguments) => Promise<string>

/**
 * A command that does the same to every named item. Each item is tried; the command exits with 1 if one was
 * refused.
 */
export const actCommand = (usage: Omit<Usage, "settings">, act: Act): Command => ({
  usage: { ...usage, settings: ["server", "token-file"] },
  async run(given) {
    const ids = typedIds(given, "ID")
    const client = clientOf(given)
    let code = 0
    for (const id of ids) {
      try {
        say(await retryWhenLimited(() => act(client, id, given)))
      } catch (error) {
        code = 1
        const reason = adviceAsCommands(reasonOf(error))
        toPeople(`track-studio: ${printable(reason)}`)
      }
    }
    return code
  },
})
