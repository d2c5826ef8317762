import { expect, test } from "bun:test"

import { isRoutine, OWN_MESSAGES } from "../../src/item/own-messages.ts"

test("of the server's own messages those are routine that say only what the status says", () => {
  const telling = Object.values(OWN_MESSAGES).filter((message) => !isRoutine(message))
  expect(telling).toEqual([
    "Moved in the queue",
    "Cancel requested",
    "Released by its worker",
    "Restored from a backup, another attempt will follow",
  ])
  expect(isRoutine("Rendering the chorus")).toBeFalse()
})
