import { AppError } from "../errors.ts"
import { clientOf, type Command, idFlag, say, typedId } from "./command.ts"
import { DATABASE_FLAGS, movesDatabase, moveWholeDatabase } from "./move-database.ts"
import { type Arguments, type CommandFlag, refuseMoreWords } from "./usage.ts"

/** The flag that says where a waiting item goes. */
const BEFORE_FLAG: Readonly<Record<"before", CommandFlag>> = {
  before: { type: "string", placeholder: "ID", help: "the waiting item to move it before" },
}

/**
 * Moves a waiting item directly before another one, with the priority of that one.
 * @throws AppError `invalid` without both IDs; ServerError when the server refuses
 */
async function moveItem(given: Arguments): Promise<void> {
  refuseMoreWords(given, 1)
  const id = typedId(given.words[0], "ID")
  const before = idFlag(given, "before")
  if (before === undefined)
    throw new AppError("invalid", "missing --before ID, as in: track-studio move 12 --before 8")
  if (before === id)
    throw new AppError("invalid", `queue item ${id} cannot be moved before itself; name another waiting item`)
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
    flags: { ...BEFORE_FLAG, ...DATABASE_FLAGS },
  },
  async run(given) {
    await (movesDatabase(given) ? moveWholeDatabase(given) : moveItem(given))
    return 0
  },
}
