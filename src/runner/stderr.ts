import { nonBlockingOutput } from "../non-blocking-output.ts"
import { printable } from "../text.ts"

/** Prints one of our own lines on standard error, which we share with the command. */
export const toStderr = (text: string): void =>
  void nonBlockingOutput(2).write(`track-studio: ${printable(text)}\n`)
