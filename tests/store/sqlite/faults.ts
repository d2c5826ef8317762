import { Database } from "bun:sqlite"

/**
 * Makes commits fail, for each database that is opened while this object exists: from `break` until `mend`.
 */
export class Faults implements Disposable {
  /** Called with each try to commit, and whether it succeeded. */
  onCommit: (succeeded: boolean) => void = () => undefined
  #isBroken = false
  readonly #prepare = Database.prototype.prepare

  constructor() {
    const tried = (succeeded: boolean): void => this.onCommit(succeeded)
    const isBroken = (): boolean => this.#isBroken
    const prepare = this.#prepare
    Database.prototype.prepare = function (this: Database, ...given: Parameters<Database["prepare"]>) {
      const statement = Reflect.apply(prepare, this, given)
      if (given[0] !== "COMMIT") return statement
      const run = statement.run.bind(statement)
      statement.run = (...values: Parameters<typeof run>) => {
        tried(!isBroken())
        if (isBroken()) throw new Error("the disk is full")
        return run(...values)
      }
      return statement
    } as Database["prepare"]
  }

  break(): void {
    this.#isBroken = true
  }

  mend(): void {
    this.#isBroken = false
  }

  [Symbol.dispose](): void {
    Database.prototype.prepare = this.#prepare
  }
}
