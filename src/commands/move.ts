import { databaseFlag } from "../config/config.ts"
import { AppError } from "../errors.ts"
import { moveDatabase } from "../offline.ts"
import { counted } from "../text.ts"
import { clientOf, type Command, idFlag, say, typedId } from "./command.ts"
import { type Arguments, takes } from "./usage.ts"

async function moveItem(given: Arguments): Promise<void> {
  const id = typedId(given.words[0], "ID")
  const before = idFlag(given, "before")
  if (before === undefined)
    throw new AppError("invalid", "missing --before ID, as in: track-studio move 12 --before 8")
  const { priority } = await clientOf(given).move(id, before)
  say(`queue item ${id}: now before ${before}, priority ${priority}`)
}

/** Moves a waiting item, or the whole database. */
export const moveCommand: Command = {
  usage: {
    line: "move ID --before ID | --from DATABASE --to DATABASE",
    about:
      "Moves a waiting item directly before another one, and gives it the priority of that one.\nWith --from and --to, copies everything from a SQLite file to an empty PostgreSQL database, or back to a new file,\nwhile no server runs on either. Viewers resume where they were. The old database stays as it was.",
    settings: ["server", "token-file"],
    flags: {
      before: { type: "string", placeholder: "ID", help: "the waiting item to move it before" },
      from: { type: "string", placeholder: "DATABASE", help: "a SQLite file or postgres://USER@HOST/NAME" },
      to: { type: "string", placeholder: "DATABASE", help: "the other kind, empty: the database to move to" },
    },
  },
  async run(given) {
    const [from, to] = [databaseFlag(given.flags, "from"), databaseFlag(given.flags, "to")]
    const isOfItem = from === undefined && to === undefined
    takes(given, isOfItem ? 1 : 0)
    if (isOfItem) {
      await moveItem(given)
      return 0
    }
    if (from === undefined || to === undefined)
      throw new AppError("invalid", `missing ${from === undefined ? "--from" : "--to"} DATABASE`)
    if (given.flags["before"] !== undefined)
      throw new AppError("invalid", "--before moves an item; --from and --to move everything")
    const { items, updates } = await moveDatabase(from, to)
    say(
      `Moved ${counted(items, "item")} and ${counted(updates, "update")}. Start the server on the new database.`,
    )
    return 0
  },
}
