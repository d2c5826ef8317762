import { say } from "./command.ts"
import { columnsOf } from "./list-table.ts"
import { hanging } from "./usage.ts"

/** Prints a sentence; on a terminal it breaks between words. */
export const saySentence = (sentence: string): void =>
  say(hanging("", sentence, columnsOf(process.stdout), 0))
