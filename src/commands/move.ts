import { AppError } from "../errors.ts"
import { clientOf, type Command, idFlag, say, takes, typedId } from "./command.ts"

/** Moves a waiting item. */
export const moveCommand: Command = {
  usage: {
    line: "move ID --before ID",
    about: "Moves a waiting item directly before another one, whose priority it gets.",
    settings: ["server", "token-file"],
    flags: {
      before: { type: "string", placeholder: "ID", help: "the waiting item before which it is to stand" },
    },
  },
  async run(given) {
    takes(given, 1)
    const id = typedId(given.words[0], "ID")
    const before = idFlag(given, "before")
    if (before === undefined)
      throw new AppError("invalid", "missing --before ID, as in: track-studio move 12 --before 8")
    const { priority } = await clientOf(given).move(id, before)
    say(`queue item ${id}: now before ${before}, priority ${priority}`)
    return 0
  },
}
