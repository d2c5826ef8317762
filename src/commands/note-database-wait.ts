import type { AwaitedDatabase } from "../store/contract/store.ts"
import { printable } from "../text.ts"
import { toPeople } from "./command.ts"

/** Notes that a command waits for its database, and for how long. */
export function noteDatabaseWait({ database, seconds, code }: AwaitedDatabase): void {
  const why = code === "" ? "it has not answered yet" : code
  toPeople(`Waiting up to ${seconds} s for the database ${printable(database)} (${why}).`)
}
