import { expect, test } from "bun:test"

import { isRoutine, OWN_MESSAGES } from "../../src/item/own-messages.ts"

test("of the server's own messages those are routine that say only what the status says", () => {
  const telling = Object.entries(OWN_MESSAGES).filter(([, message]) => !isRoutine(message))
  expect(telling.map(([name]) => name)).toEqual(["moved", "cancelRequested", "released", "restored", "kept"])
  expect(isRoutine("Rendering the chorus")).toBeFalse()
})
