import { AppError } from "../errors.ts"
import { clientOf, idFlag, say, typedId } from "./command.ts"
import { type Arguments, type CommandFlag, takes } from "./usage.ts"

/** The flag that says where a waiting item goes. */
export const BEFORE_FLAG: Readonly<Record<"before", CommandFlag>> = {
  before: { type: "string", placeholder: "ID", help: "the waiting item to move it before" },
}

/**
 * Moves a waiting item directly before another one, with the priority of that one.
 * @throws AppError `invalid` without both IDs; ServerError when the server refuses
 */
export async function moveItem(given: Arguments): Promise<void> {
  takes(given, 1)
  const id = typedId(given.words[0], "ID")
  const before = idFlag(given, "before")
  if (before === undefined)
    throw new AppError("invalid", "missing --before ID, as in: track-studio move 12 --before 8")
  if (before === id)
    throw new AppError("invalid", `queue item ${id} cannot be moved before itself; name another waiting item`)
  const { priority } = await clientOf(given).move(id, before)
  say(`queue item ${id}: now before ${before}, priority ${priority}`)
}
