import { setting } from "../config/config.ts"
import { compact } from "../offline.ts"
import { type Command, say, takes } from "./command.ts"

const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(1)} MB`

/** Makes the database file as small as it can be. */
export const compactCommand: Command = {
  usage: {
    line: "compact",
    about:
      "Rewrites the database without the room that it does not use, also while a server runs on it; its writes wait meanwhile.\nIt is seldom needed: the server gives room back by itself, and does this once with a database of an older version.",
    settings: ["database"],
    flags: {},
  },
  async run(given) {
    takes(given, 0)
    const database = setting("database", given.flags)
    const { before, after } = await compact(database)
    say(`${database}: ${megabytes(before)}, now ${megabytes(after)}.`)
    return 0
  },
}
