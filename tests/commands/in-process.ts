import { afterEach, beforeEach, setSystemTime, spyOn } from "bun:test"

import { Client, type ReadItem } from "../../src/client/client.ts"
import type { Command } from "../../src/commands/command.ts"
import { readArguments } from "../../src/commands/usage.ts"
import { type NonBlockingOutput, nonBlockingOutput } from "../../src/non-blocking-output.ts"
import { item as itemOf, time } from "../dashboard/items.ts"

/*
 * Each command runs in this process, with a client whose answers come from the test. Other tests run a whole program
 * with a server.
 */

/** What a command wrote, and its exit code. If the command refused its arguments, it also has the message. */
export interface Ran {
  readonly code: number | string
  readonly out: string
  readonly err: string
}

let [out, err] = ["", ""]
const spies: { mockRestore(): void }[] = []

/** Catches what is written, and stops the clock at `time(0)`, for each test of the file that calls it. */
export function inThisProcess(): void {
  beforeEach(begin)
  afterEach(end)
}

function begin(): void {
  ;[out, err] = ["", ""]
  setSystemTime(new Date(time(0)))
  const keep =
    (add: (text: string) => void): NonBlockingOutput["write"] =>
    (text, done) => {
      add(String(text))
      done?.()
    }
  // Taken before a test says of them that they are terminals, which would be opened and written to.
  spies.push(spyOn(nonBlockingOutput(1), "write").mockImplementation(keep((text) => (out += text))))
  spies.push(spyOn(nonBlockingOutput(2), "write").mockImplementation(keep((text) => (err += text))))
}

function end(): void {
  for (const spy of spies.splice(0)) spy.mockRestore()
  setSystemTime()
}

/** Runs a command with what was typed after its name. */
export async function ran(command: Command, ...typed: readonly string[]): Promise<Ran> {
  ;[out, err] = ["", ""]
  try {
    const code = await command.run(readArguments(command.usage, typed))
    return { code, out, err }
  } catch (error) {
    return { code: error instanceof Error ? error.message : String(error), out, err }
  }
}

/** Lets the client return this answer, and returns the arguments that the client got. */
export function answering<Name extends keyof Client>(
  name: Name,
  answer: (...asked: never[]) => unknown,
): unknown[][] {
  const asked: unknown[][] = []
  // The test answers what the method would, as far as the command looks at it.
  const method = (...given: unknown[]): unknown => {
    asked.push(given)
    return (answer as (...asked: unknown[]) => unknown)(...given)
  }
  spies.push(spyOn(Client.prototype, name).mockImplementation(method as never))
  return asked
}

/** An item as the server returns it. */
export const item = (change: Partial<ReadItem> = {}): ReadItem =>
  itemOf({ id: 7, status: "queued", ...change })
