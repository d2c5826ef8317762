import { moveDatabase } from "../database-commands.ts"
import { AppError } from "../errors.ts"
import { databaseFlag } from "../settings/read-settings.ts"
import { counted } from "../text.ts"
import { say } from "./command.ts"
import { noteDatabaseWait } from "./note-database-wait.ts"
import { type Arguments, type CommandFlag, refuseMoreWords } from "./usage.ts"

/** The flags that say which database goes where. */
export const DATABASE_FLAGS: Readonly<Record<"from" | "to", CommandFlag>> = {
  from: { type: "string", placeholder: "DATABASE", help: "a SQLite file or postgres://USER@HOST/NAME" },
  to: {
    type: "string",
    placeholder: "DATABASE",
    help: "the database to move to: of the other kind, and empty",
  },
}

/** Whether a database is to be moved, and not an item. */
export const movesDatabase = ({ flags }: Arguments): boolean =>
  databaseFlag(flags, "from") !== undefined || databaseFlag(flags, "to") !== undefined

/**
 * Copies everything from a SQLite file to an empty PostgreSQL database, or back.
 * @throws AppError `invalid` if a database is missing or an item is named as well, otherwise as `moveDatabase`
 */
export async function moveWholeDatabase(given: Arguments): Promise<void> {
  refuseMoreWords(given, 0)
  const [from, to] = [databaseFlag(given.flags, "from"), databaseFlag(given.flags, "to")]
  if (from === undefined || to === undefined)
    throw new AppError("invalid", `missing ${from === undefined ? "--from" : "--to"} DATABASE`)
  if (given.flags["before"] !== undefined)
    throw new AppError("invalid", "--before moves an item; --from and --to move everything")
  const { items, updates } = await moveDatabase(from, to, noteDatabaseWait)
  say(
    `Moved ${counted(items, "item")} and ${counted(updates, "update")}. Start the server on the new database.`,
  )
}
