import { expect, test } from "bun:test"
import { readFileSync } from "node:fs"
import { join } from "node:path"

import { unawaited } from "./promises.ts"

const ROOT = join(import.meta.dir, "..")

const ONE = `export class One {
  async end(): Promise<void> {
    await Bun.sleep(0)
  }
  stop(): void {
    void this.end()
    this.end().catch(() => undefined)
    this.end()
  }
}
export async function open(one: One): Promise<void> {
  await one.end()
}
`

const faultsIn = (other: string): string[] => unawaited(new Map(Object.entries({ one: ONE, other })))

test("no statement leaves a promise alone: it is awaited, or begins with void, or ends with catch", () => {
  const files = [...new Bun.Glob("src/**/*.ts").scanSync(ROOT)]
  expect(files.length).toBeGreaterThan(100)
  expect(unawaited(new Map(files.map((file) => [file, readFileSync(join(ROOT, file), "utf8")])))).toEqual([])
})

test("a call that nothing waits for is found, of a method of its own and of another type, and of a function", () => {
  const other = `import { open } from "./one.ts"
export function close(one: One): void {
  one.stop()
  one.end() // Why.
  open(one)
}
`
  expect(faultsIn(other)).toEqual(["one:8 this.end(", "other:4 one.end(", "other:5 open("])
})

test.each([
  [
    "is returned after a comment",
    "export const close = (one: One): Promise<void> =>\n  // Why.\n  one.end()\n",
  ],
  [
    "is caught in a later line",
    'import { open } from "./one.ts"\nfunction leave(one: One): void {\n  open(one)\n    .then(noted)\n    .catch(noted)\n}\n',
  ],
  [
    "is of a parameter with the name of a function",
    "function leave(open: () => void): void {\n  open()\n}\n",
  ],
  [
    "is of another type, whose object has the same name elsewhere",
    "class Two {\n  end(): void {}\n}\nconst stop = (it: Two): void => {\n  it.end()\n}\nconst end = (it: One): Promise<void> => it.end()\n",
  ],
  [
    "is of a type of ours that connects at once",
    "class Plug {\n  connect(): void {}\n}\nconst plugIn = (plug: Plug): void => {\n  plug.connect()\n}\n",
  ],
])("a call that %s is no fault", (_what, other) => {
  expect(faultsIn(other)).toEqual(["one:8 this.end("])
})
