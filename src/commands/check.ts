import { check } from "../database-commands.ts"
import { AppError } from "../errors.ts"
import { setting } from "../settings/read-settings.ts"
import { counted } from "../text.ts"
import { type Command, say } from "./command.ts"
import { refuseMoreWords } from "./usage.ts"

/** Checks a database or a backup. */
export const checkCommand: Command = {
  usage: {
    line: "check [FILE]",
    about:
      "Checks that a database, or a backup in FILE, is complete and undamaged, and that the history of every item is valid.\nIt only reads, even while a server runs on it. Exits with 1 if something is wrong.",
    settings: ["database"],
    flags: {},
  },
  async run(given) {
    refuseMoreWords(given, 1)
    if (given.words.length > 0 && given.flags["database"] !== undefined) {
      throw new AppError("invalid", "use either FILE or --database, not both")
    }
    if (given.words[0] === "") throw new AppError("invalid", "FILE is empty")
    const file = given.words[0] ?? setting("database", given.flags)
    const { items, updates, faults } = await check(file)
    for (const fault of faults) say(fault)
    const is = faults.length === 0 ? "is whole" : "is NOT whole"
    say(`${file} ${is}: ${counted(items, "item")}, ${counted(updates, "update")}`)
    return faults.length === 0 ? 0 : 1
  },
}
