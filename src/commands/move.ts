import type { Command } from "./command.ts"
import { DATABASE_FLAGS, movesDatabase, moveWholeDatabase } from "./move-database.ts"
import { BEFORE_FLAG, moveItem } from "./move-item.ts"

/** Moves a waiting item, or the whole database. */
export const moveCommand: Command = {
  usage: {
    line: "move ID --before ID | --from DATABASE --to DATABASE",
    about:
      "Moves a waiting item directly before another one, and gives it the priority of that one.\nWith --from and --to, copies everything from a SQLite file to an empty PostgreSQL database, or back to a new file,\nwhile no server runs on either. Viewers resume where they were. The old database stays as it was.",
    settings: ["server", "token-file"],
    flags: { ...BEFORE_FLAG, ...DATABASE_FLAGS },
  },
  async run(given) {
    await (movesDatabase(given) ? moveWholeDatabase(given) : moveItem(given))
    return 0
  },
}
