import { expect, test } from "bun:test"

import { causeOf } from "../src/failure-cause.ts"

const TRACEBACK = `the command ended with code 1
Traceback (most recent call last):
  File "render.py", line 41, in <module>
    main()
  File "render.py", line 12, in main
    image = pipe(prompt).images[0]
torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB`

const CHAINED = `Traceback (most recent call last):
  File "a.py", line 1, in <module>
KeyError: 'song'

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "a.py", line 3, in <module>
RuntimeError: no such song`

const X264 = `the command ended with code 187
[libx264 @ 0x5581f0a3a400] height not divisible by 2 (1280x719)
[vost#0:0/libx264 @ 0x5581f0a39c80] Error while opening encoder - maybe incorrect parameters such as bit_rate, rate, width or height.
[vf#0:0 @ 0x5581f0a2b4c0] Error sending frames to consumers: Generic error in an external library
Error while filtering: Generic error in an external library
Conversion failed!`

const MISSING = `ffmpeg version 5.1.6 Copyright (c) 2000-2024 the FFmpeg developers
  built with gcc 12
nosuch.wav: No such file or directory`

test.each([
  ["a traceback", TRACEBACK, "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB"],
  ["a chained traceback", CHAINED, "RuntimeError: no such song"],
  ["ffmpeg's encoder", X264, "libx264: height not divisible by 2 (1280x719)"],
  ["a missing input", MISSING, "nosuch.wav: No such file or directory"],
  [
    "a full disk",
    "[mp4 @ 0x55] Non-monotonic DTS\nav_interleaved_write_frame(): No space left on device\nConversion failed!",
    "av_interleaved_write_frame(): No space left on device",
  ],
  [
    "consequences of a cause that ffmpeg does not name",
    "[out#0/mp4 @ 0x55] Error opening output b.mp4\nError opening output files: b.mp4\nConversion failed!",
    "out#0/mp4: Error opening output b.mp4",
  ],
  [
    "a stack of Node",
    "file:///app/render.js:9\n  throw new Error('no frames')\nError: no frames\n    at render (file:///app/render.js:9:9)\n    at main (file:///app/render.js:2:1)\n\nNode.js v22",
    "Error: no frames",
  ],
  ["a command of one's own", "the command ended with code 65\n5%\nout of memory", "out of memory"],
  [
    "noise after the cause",
    "Error: 404 for https://example.test/a.png\ncleaning up\nbye",
    "Error: 404 for https://example.test/a.png",
  ],
  [
    "a wrong usage",
    'track-studio: --total must be a number above 0, such as 212.5, not ""\nusage: track-studio run (more: track-studio run --help)',
    'track-studio: --total must be a number above 0, such as 212.5, not ""',
  ],
  [
    "a hint where to read on",
    "cp: missing file operand\nTry 'cp --help' for more information.",
    "cp: missing file operand",
  ],
  [
    "a make around the command",
    "blender: scene.blend not found\nmake: *** [Makefile:3: all] Error 1",
    "blender: scene.blend not found",
  ],
  [
    "a stream that is missing",
    "Stream map '0:a' matches no streams.\nTo ignore this, add a trailing '?' to the map.",
    "Stream map '0:a' matches no streams.",
  ],
  [
    "a part of a component of ffmpeg",
    "[libx264 @ 0x55] [Eval @ 0x7ffc] Undefined constant or missing '(' in 'abc'",
    "libx264: Eval: Undefined constant or missing '(' in 'abc'",
  ],
  ["nothing but a hint", "usage: render FILE", "usage: render FILE"],
  [
    "a Python program around ffmpeg",
    `[libx264 @ 0x55] height not divisible by 2 (853x481)\nConversion failed!\nTraceback (most recent call last):\n  File "a.py", line 3, in <module>\nsubprocess.CalledProcessError: Command '['ffmpeg']' returned non-zero exit status 187.`,
    "libx264: height not divisible by 2 (853x481)",
  ],
  ["words without a cause", "first\nsecond\n\n", "second"],
  ["one line", "No space left on device", "No space left on device"],
  ["nothing", "", ""],
  [
    "an error that says how the command ended",
    "ffmpeg exited with code 1: [libx264 @ 0x55d0] height not divisible by 2 (853x481)\nError while opening encoder",
    "libx264: height not divisible by 2 (853x481)",
  ],
  ["a command that said nothing", "ffmpeg exited with code 1: ", "ffmpeg exited with code 1:"],
  [
    "a traceback behind such words",
    'sh exited with code 1: Traceback (most recent call last):\n  File "a.py", line 3\nMemoryError: no memory\n',
    "MemoryError: no memory",
  ],
  [
    "lines that overwrite one another",
    "loading\rloading\r\nscene.blend: cannot open",
    "scene.blend: cannot open",
  ],
])("the telling line of %s", (_name, error, cause) => expect(causeOf(error)).toBe(cause))
