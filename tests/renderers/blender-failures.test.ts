import { describe, expect, test } from "bun:test"

import { BlenderFailures } from "../../src/renderers/blender-failures.ts"
import { renderer } from "../../src/renderers/renderer.ts"
import { listen } from "./captures.ts"
import { lf } from "./programs.ts"

test.each([
  "Error: the memory of the last frame could not be kept",
  "Error: the frame is out of its range",
  "Out of memory? See the manual",
  "Fra:1 Mem:9M | Error | Peak: out of 9M memory",
])("words of memory that is not gone fail nothing: %s", (line) => {
  const trouble = new BlenderFailures()
  trouble.hear(line)
  expect([trouble.failure(0), trouble.failure(1)]).toEqual([undefined, undefined])
})

test.each([
  "Malloc returns null: len=1073741824 in imb_addrectImBuf, total 16123456789",
  "Calloc returns null: len=5",
])("memory that the machine did not give fails every frame: %s", (line) => {
  const trouble = new BlenderFailures()
  trouble.hear(line)
  expect(trouble.failure(1)).toBe(line)
})

test("what a container writes before each line of a Blender in a script hides no failure", () => {
  const failed = ["Blender 4.1.1 (hash e1743a0317bc)", "Error: System is out of GPU memory", "Blender quit"]
  const listener = renderer("lines")
  listener.push(lf(...failed.map((line) => `blender-1  | ${line}`)).join(""))
  expect(listener.evidence.failure).toBe("Error: System is out of GPU memory")
})

test.each([
  "Error: Cannot read file '/srv/a.blend': No such file or directory",
  'Error: Cannot read file "/srv/a.blend": No such file or directory',
])(
  "a Blender in a script whose file is missing has failed, unless it or another one rendered: %s",
  (line) => {
    const proven = (...said: string[]) => {
      const listener = renderer("lines")
      listener.push(lf("Blender 4.1.1 (hash e1743a0317bc)", line, ...said, "Blender quit").join(""))
      return listener.evidence.failure
    }
    expect(proven()).toBe(line)
    const frame = ["Fra:1 Mem:9M (Peak 9M)", "Saved: '/o/1.png'", " Time: 00:01.00"]
    expect(proven(...frame)).toBeUndefined()
    const other = ["Blender quit", "Blender 4.1.1 (hash e1743a0317bc)", 'Read blend: "/srv/b.blend"']
    expect(proven(...other, ...frame)).toBeUndefined()
    expect(proven(...other)).toBe(line)
    const traceback = ["Traceback (most recent call last):", "ValueError: no song"]
    expect(proven(...other, ...traceback, ...other, ...frame)).toBeUndefined()
    expect(proven(...other, ...traceback, ...other.with(2, 'Read blend: "/srv/c.blend"'), ...frame)).toBe(
      "ValueError: no song",
    )
  },
)

const SAVED = ["Fra:1 Mem:9M (Peak 9M)", "Saved: '/o/1.png'", " Time: 00:01.00"]
const raised = (head: string, file: string, place: string): string[] => [
  head,
  `  File "${file}", line 11, in ${place}`,
  "    main()",
  '  File "/srv/frames.py", line 8, in main',
  "RuntimeError: texture missing on frame 3",
]
const UNCAUGHT = "Error: Python: Traceback (most recent call last):"
const PRINTED = "Traceback (most recent call last):"

/** What an output proves of a Blender, and of one inside a shell script. */
function provenBy(...said: string[]) {
  const [alone, inScript] = [renderer("blender"), renderer("lines")]
  const output = lf("Blender 3.4.1", ...said, "", "Blender quit").join("")
  alone.push(output)
  inScript.push(output)
  return { alone: alone.evidence.failure, seen: alone.evidence.seen, inScript: inScript.evidence.failure }
}

test("an exception that ended a script fails a Blender that saved frames and exits with 0", () => {
  const ended = raised(UNCAUGHT, "/srv/frames.py", "<module>")
  const why = "RuntimeError: texture missing on frame 3"
  expect(provenBy(...SAVED, ...ended)).toMatchObject({ alone: why, inScript: why })
  expect(provenBy(...ended, ...SAVED)).toEqual({ alone: undefined, seen: undefined, inScript: undefined })
})

test("an exception that a script printed after its last frame is the message of the item", () => {
  const printed = raised(PRINTED, "/srv/frames.py", "<module>")
  expect(provenBy(...SAVED, ...printed, "goes on")).toEqual({
    alone: undefined,
    seen: "after the last frame: RuntimeError: texture missing on frame 3",
    inScript: undefined,
  })
  expect(provenBy(...printed, ...SAVED).seen).toBeUndefined()
  // A handler that runs before the frame is saved.
  const [begun = "", ...saved] = SAVED
  expect(provenBy(begun, ...printed, ...saved).seen).toBeUndefined()
})

test.each([
  ["a handler", PRINTED, "/srv/frames.py", "post"],
  ["an operator whose caller may catch it", UNCAUGHT, "/srv/addon.py", "execute"],
  ["a driver", PRINTED, "<bpy driver>", "<module>"],
])("an exception of %s ends no script", (_of, head, file, place) => {
  expect(provenBy(...SAVED, ...raised(head, file, place))).toEqual({
    alone: undefined,
    seen: undefined,
    inScript: undefined,
  })
})

describe("the log of Blender 5 names the same failures as earlier versions", () => {
  const blank = " ".repeat(28)
  const logged = (time: string, part: string, said: string) => `${time}  ${part.padEnd(16)} | ${said}`
  const FRAME = [
    logged("00:01.547", "render", "Rendering frame 1"),
    logged("00:03.100", "render", "Saved: '/o/1.png'"),
    logged("00:03.101", "render", "Time: 00:01.50 (Saving: 00:00.10)"),
  ]
  const failureOf = (name: "blender" | "lines", ...said: string[]) => {
    const listener = renderer(name, name === "blender" ? { total: 1 } : {})
    listener.push(lf("Blender 5.1.0 (hash fbe6228777e7)", ...said, "Blender quit").join(""))
    return listener.evidence.failure
  }

  test.each([
    ["too little memory", ["ERROR System is out of GPU memory"], true, "Error: System is out of GPU memory"],
    ["a frame that was not saved", ["ERROR Cannot save: '/o/1.png'"], true, "Error: Cannot save: '/o/1.png'"],
    ["no camera", ["ERROR Cannot render, no camera"], false, "Error: Cannot render, no camera"],
    [
      "a missing file",
      ['ERROR Cannot read file "/srv/a.blend": No such file or directory'],
      false,
      'Error: Cannot read file "/srv/a.blend": No such file or directory',
    ],
    [
      "a file that is none",
      ["ERROR Failed to read blend file '/srv/a.blend': Missing DNA block"],
      false,
      "Error: Failed to read blend file '/srv/a.blend': Missing DNA block",
    ],
    [
      "a script that raised",
      [
        "ERROR Python: Traceback (most recent call last):",
        '  File "/srv/a.py", line 9, in <module>',
        "KeyError: 12",
      ],
      false,
      "KeyError: 12",
    ],
  ] as const)("%s", (_name, [said, ...more], hasFrame, failure) => {
    const lines = [logged("23:38.997", "reports", said), ...more.map((line) => `${blank}| ${line}`)]
    for (const name of ["blender", "lines"] as const)
      expect(failureOf(name, ...lines, ...(hasFrame ? FRAME : []))).toBe(failure)
  })

  test("also after a hundred minutes", () => {
    const full = logged("123:38.997", "reports", "ERROR Cannot save: '/o/1.png'")
    expect(failureOf("blender", full, ...FRAME)).toBe("Error: Cannot save: '/o/1.png'")
  })

  test("an error that stops nothing, and a warning, fail nothing", () => {
    const harmless = [
      logged("00:00.300", "bke.image", "ERROR image 'a.png' not found"),
      logged("00:00.300", "gpu", "WARNING the device is nearly out of memory"),
    ]
    for (const name of ["blender", "lines"] as const)
      expect(failureOf(name, ...harmless, ...FRAME)).toBeUndefined()
  })
})

test("a render that follows another one has not ended before Blender quits again", () => {
  const one = "Fra:1 Mem:9M\nSaved: '/tmp/1.png'\nBlender quit\n"
  expect(listen("blender", 1, one).hasEnded).toBe(true)
  expect(listen("blender", 1, one, "Fra:1 Mem:9M\n").hasEnded).toBe(false)
  expect(listen("blender", 1, one, one).hasEnded).toBe(true)
})

test("of very many files that were saved the newest are remembered", () => {
  const files = Array.from({ length: 2001 }, (_, n) => `/tmp/${n}.png`)
  const { saved } = listen("blender", undefined, files.map((file) => `Saved: '${file}'\n`).join(""))
  expect(saved).toEqual(files.slice(1000))
})
