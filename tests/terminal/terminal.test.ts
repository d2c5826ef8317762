import { expect, test } from "bun:test"

import { cut, cutInMiddle, field } from "../../src/terminal/terminal.ts"

test("text is cut and padded by the columns it takes", () => {
  expect(cut("日本語", 6, Bun.stringWidth)).toBe("日本語")
  expect(cut("日本語", 5, Bun.stringWidth)).toBe("日本…")
  expect(cut("日本語", 4, Bun.stringWidth)).toBe("日…")
  expect(cut("abc", 0, Bun.stringWidth)).toBe("")
  // One person of a family would be joined to the ellipsis.
  expect(cut("👩‍👩‍👧‍👦🇩🇪 band", 5, Bun.stringWidth)).toBe("👩‍👩‍👧‍👦🇩🇪…")
  expect(cut("👩‍👩‍👧‍👦🇩🇪 band", 4, Bun.stringWidth)).toBe("👩‍👩‍👧‍👦…")
  expect(cutInMiddle("node-of-studio-12", 8, Bun.stringWidth)).toBe("node…-12")
  expect(cutInMiddle("gpu-1", 5, Bun.stringWidth)).toBe("gpu-1")
  expect(cutInMiddle("日本語日本語", 6, Bun.stringWidth)).toBe("日…語")
  expect(cutInMiddle("abc", 1, Bun.stringWidth)).toBe("…")
  expect(field("日本", 6, Bun.stringWidth)).toBe("日本  ")
  expect(field("7", 3, Bun.stringWidth, "right")).toBe("  7")
})
