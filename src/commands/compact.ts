import { compact } from "../database-commands.ts"
import { setting } from "../settings/read-settings.ts"
import { sizeWords } from "../text.ts"
import { type Command, say } from "./command.ts"
import { refuseMoreWords } from "./usage.ts"

/** Makes the database file as small as it can be. */
export const compactCommand: Command = {
  usage: {
    line: "compact",
    about:
      "Rewrites the database file without its unused space. A server may use it meanwhile; its writes wait.\nThis is seldom needed: the server gives unused space back by itself, and compacts a database of an older version once.",
    settings: ["database"],
    flags: {},
  },
  async run(given) {
    refuseMoreWords(given, 0)
    const database = setting("database", given.flags)
    const { before, after } = await compact(database)
    say(`${database} is compacted: ${sizeWords(before)} before, ${sizeWords(after)} now.`)
    return 0
  },
}
