import { expect, test } from "bun:test"

import { causeOf, shortCauseOf } from "../src/failure-cause.ts"

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
    "a missing input of a newer ffmpeg",
    "[in#1 @ 0x55] Error opening input: No such file or directory\nError opening input file songs/88 b.wav.\nError opening input files: No such file or directory",
    "songs/88 b.wav: No such file or directory",
  ],
  [
    "an input that a newer ffmpeg does not name",
    "[in#0 @ 0x55] Error opening input: Invalid data found when processing input",
    "in#0: Error opening input: Invalid data found when processing input",
  ],
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
    "a command whose last words are no cause",
    "the command ended with code 3\nrendering Northern Lights (20 s)",
    "code 3: rendering Northern Lights (20 s)",
  ],
  [
    "a step whose last words are no cause, and are indented",
    "step 2 of 3 (Loudness): the command ended with code 4\n    measuring",
    "code 4: measuring",
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
    "an ffmpeg that ended before its total",
    "the command ended with code 0 at 50 % of its total\n[libx264 @ 0x55cec1369900] kb/s:1931.99\n[aac @ 0x55cec136a900] Qavg: 338.743",
    "the command ended with code 0 at 50 % of its total",
  ],
  [
    "a script that failed inside a Blender that ended before its total",
    "the command ended with code 0 at 50 % of its total\nSaved: 'e_2.png'\nError: Python: Traceback (most recent call last):\nRuntimeError: texture missing on frame 3\nBlender quit",
    "RuntimeError: texture missing on frame 3",
  ],
  [
    "a Blender that crashed",
    "step 2 of 3 (frames): the command was ended by SIGSEGV\nFra:1 Mem:13.72M (Peak 16.06M) | Time:00:01.97 | Scene, ViewLayer | Finished\nSaved: 'f_0001.png'\nWriting: song.crash.txt",
    "step 2 of 3 (frames): the command was ended by SIGSEGV",
  ],
  [
    "a script that raised inside a Blender, in words that name no failure",
    "the command ended with code 1\nError: Python: Traceback (most recent call last):\n  File \"/srv/a.py\", line 9, in <module>\n    main()\nKeyError: 'verse 3'\nBlender quit",
    "KeyError: 'verse 3'",
  ],
  [
    "a Blender that crashed inside a shell script",
    "the command ended with code 139\nSaved: 'f_0001.png'\nWriting: /tmp/song.crash.txt\nr.sh: line 3:  4711 Segmentation fault      blender -b song.blend -a",
    "r.sh: line 3:  4711 Segmentation fault      blender -b song.blend -a",
  ],
  [
    "a Blender that crashed inside a container, which says only how it ended",
    "the command ended with code 139\nSaved: 'f_0001.png'\nWriting: /tmp/song.crash.txt",
    "the command ended with code 139",
  ],
  [
    "a Blender that crashed inside a program that ended with 1",
    "the command ended with code 1\nSaved: 'f_0001.png'\nWriting: /tmp/song.crash.txt\nbye",
    "Blender crashed, see /tmp/song.crash.txt",
  ],
  [
    "a server of pictures that needed longer than its time",
    "the command was ended by SIGTERM\nrender: no answer from the farm, timed out",
    "render: no answer from the farm, timed out",
  ],
  [
    "GStreamer",
    "ERROR: from element /GstPipeline:pipeline0/GstFileSrc:filesrc0: Resource not found.\nNo such file \"song.mp4\"\nERROR: pipeline doesn't want to preroll.\nERROR: from element /GstPipeline:pipeline0/GstFileSrc:filesrc0: GStreamer error: state change failed and some element failed to post a proper error message with the reason for the failure.\nAdditional debug info:\nFailed to start\nERROR: pipeline doesn't want to preroll.\nFailed to set pipeline to PAUSED.\nSetting pipeline to NULL ...\nFreeing pipeline ...",
    'No such file "song.mp4"',
  ],
  [
    "POV-Ray",
    "==== [Parsing...] ====\nFile 'song.pov' line 1: Parse Error: Expected 'numeric expression', End of File\n found instead\nFatal error in parser: Cannot parse input.\nRender failed",
    "File 'song.pov' line 1: Parse Error: Expected 'numeric expression', End of File",
  ],
  [
    "SVT-AV1",
    "Error instance 1: Invalid Input File\nError in configuration, could not begin encoding! ...\nRun SvtAv1EncApp --help for a list of options",
    "Error instance 1: Invalid Input File",
  ],
  [
    "ImageMagick",
    "convert: unable to open image `song.png': No such file or directory @ error/blob.c/OpenBlob/2998.\nconvert: no images defined `x.png' @ error/convert.c/ConvertImageCommand/3234.",
    "convert: unable to open image `song.png': No such file or directory @ error/blob.c/OpenBlob/2998.",
  ],
  [
    "a file that ffmpeg takes for another format",
    "[mpegts @ 0x55e468f0d080] Could not detect TS packet size, defaulting to non-FEC/DVHS\nsong.pov: could not find codec parameters",
    "song.pov: could not find codec parameters",
  ],
  [
    "a command that warned before it failed",
    "warning: missing font\nframe 12\nRender failed",
    "Render failed",
  ],
  [
    "a command that warned before it ended too early",
    "the command ended with code 0 at 50 % of its total\nWarning: missing font\nframe 3",
    "the command ended with code 0 at 50 % of its total",
  ],
  [
    "a Blender that crashed after what it says at each start",
    "the command was ended by SIGSEGV\nColor management: Error could not find role data\nFra:1 Mem:9M\nWriting: /tmp/a.crash.txt",
    "the command was ended by SIGSEGV",
  ],
  ["a command that says nothing but a warning", "warning: unknown option\nbye", "warning: unknown option"],
  ["a command that says only that it failed", "step 3\nRender failed\nbye", "Render failed"],
  [
    "a Python program around ffmpeg",
    `[libx264 @ 0x55] height not divisible by 2 (853x481)\nConversion failed!\nTraceback (most recent call last):\n  File "a.py", line 3, in <module>\nsubprocess.CalledProcessError: Command '['ffmpeg']' returned non-zero exit status 187.`,
    "libx264: height not divisible by 2 (853x481)",
  ],
  [
    "an encoder that counts its errors at the end",
    "encoder: wrong picture size 853x481\n0 errors, 0 warnings\nframes failed: 0",
    "encoder: wrong picture size 853x481",
  ],
  [
    "a program that counts no failures after one",
    "cannot open song.wav\nErrors: 0  Warnings: 0 Failed: 0",
    "cannot open song.wav",
  ],
  [
    "a renderer that ends because of errors that it named before",
    "ERROR   |  [ass] /scene.ass: could not open file\n        | render terminating early:  aborted due to errors",
    "ERROR   |  [ass] /scene.ass: could not open file",
  ],
  [
    "a renderer without a license",
    "error: Could not obtain a license (1001)\nerror: Could not initialize the renderer, exiting",
    "error: Could not obtain a license (1001)",
  ],
  [
    "a frame that was aborted",
    "VRAM: out of memory. Frame aborted.\nThe render has been aborted\nLicense returned",
    "VRAM: out of memory. Frame aborted.",
  ],
  [
    "a renderer whose last words are a number",
    "device 0: failed to allocate array\nRender engine failed: 999",
    "device 0: failed to allocate array",
  ],
  [
    "a copy that names its errors first",
    'link_stat "/a/b" failed: No such file or directory (2)\nrsync error: some files were not transferred (see previous errors) (code 23)',
    'link_stat "/a/b" failed: No such file or directory (2)',
  ],
  [
    "a program that begins each line alike",
    "npm error enoent Could not read package.json\nnpm error enoent\nnpm error A complete log of this run can be found in: a.log",
    "npm error enoent Could not read package.json",
  ],
  [
    "a file that could not be read after its error",
    "the command ended with code 1\nERROR: Parser error: syntax error in file a.scad, line 4\nCan't parse file 'a.scad'!\n",
    "ERROR: Parser error: syntax error in file a.scad, line 4",
  ],
  [
    "a module of Node that is missing",
    "node:internal/modules/cjs/loader:1143\n  throw err;\n  ^\n\nError: Cannot find module 'sharp'\nRequire stack:\n- /srv/render.js\n    at Module._load (node:internal:1)\n    at node:internal:2",
    "Error: Cannot find module 'sharp'",
  ],
  [
    "a Python program that cannot be read",
    "  File \"/srv/bad.py\", line 1\n    x = (\n        ^\nSyntaxError: '(' was never closed",
    "SyntaxError: '(' was never closed",
  ],
  [
    "a script that raised inside a Blender that then exits",
    "Python: Traceback (most recent call last):\n  File \"<string>\", line 1, in <module>\nException: no scene\nError: script failed, expr: 'x', exiting.",
    "Exception: no scene",
  ],
  [
    "a program of .NET",
    "Unhandled exception. System.IO.FileNotFoundException: Could not find file '/a'.\nFile name: '/a'\n   at System.IO.File.Open()\n   at P.Main()",
    "Unhandled exception. System.IO.FileNotFoundException: Could not find file '/a'.",
  ],
  [
    "a Ruby script",
    "a.rb:3:in 'render': no song (RuntimeError)\n\tfrom a.rb:7:in 'main'",
    "a.rb:3:in 'render': no song (RuntimeError)",
  ],
  [
    "a Java program without memory",
    "java.lang.OutOfMemoryError: Java heap space\nDumping heap to java.hprof",
    "java.lang.OutOfMemoryError: Java heap space",
  ],
  [
    "a file that could not be converted after its error",
    "frame.png: unsupported bit depth\nfailed to convert frame.png",
    "frame.png: unsupported bit depth",
  ],
  [
    "what was thrown, and not a warning above it",
    "could not load icon.png\nstarting\nUncaught Oops: scene is empty\n    at render (a.js:3:1)",
    "Uncaught Oops: scene is empty",
  ],
  [
    "a rejection, and not an error that was tried again",
    "retry after connection error\nUnhandled rejection: no frames left\n    at go (x.js:1:1)",
    "Unhandled rejection: no frames left",
  ],
  [
    "a panic of Rust with its stack",
    "thread 'main' panicked at src/main.rs:3:5:\nno scene\nstack backtrace:\n   0: begin\n             at /a.rs:1:2",
    "thread 'main' panicked at src/main.rs:3:5: no scene",
  ],
  ["a line from elsewhere", "copied\n  from a:1\nthe last file is missing", "the last file is missing"],
  ["names with error in them", "reading terror.mp3\nthe song is too short", "the song is too short"],
  ["a file that is named like an error", "rendering FooError.blend\nscene empty", "scene empty"],
  ["a file and nothing else", "reading\nCan't parse file 'a.scad'!", "Can't parse file 'a.scad'!"],
  [
    "a file that could not be parsed for a reason",
    "bad icon\nfailed to parse a.json: no end",
    "failed to parse a.json: no end",
  ],
  [
    "a file and its reason",
    "bad icon\ncould not parse file a.json: unexpected end",
    "could not parse file a.json: unexpected end",
  ],
  ["the first one of many", "failed to load icon\nGPU 0 failed", "GPU 0 failed"],
  ["a version that ends in 0", "failed to load icon\nengine 2.0 failed", "engine 2.0 failed"],
  ["nothing that was found", "failed to load icon\nError: 0 images found", "Error: 0 images found"],
  [
    "nothing that was written",
    "bad icon\nRender failed: 0 frames written",
    "Render failed: 0 frames written",
  ],
  ["failures of none of many", "no space left\nframes failed: 0 of 300\n12 ok, 0 failed", "no space left"],
  ["counts in JSON", 'no space left\n"errors": 0, "failed": 0', "no space left"],
  [
    "an end that names its error",
    "bad icon\naborted due to error: no space left",
    "aborted due to error: no space left",
  ],
  ["an exit that names its error", "bad icon\nno space left, exiting", "no space left, exiting"],
  [
    "an abort that names its error",
    "bad icon\nOut of memory: it has been aborted.",
    "Out of memory: it has been aborted.",
  ],
  ["an end that refers to a log", "a.png: not found\nRender failed (see log above)", "a.png: not found"],
  [
    "a compiler that counts its errors",
    "error: cannot find value\nerror: could not compile due to 2 previous errors",
    "error: cannot find value",
  ],
  ["calls that fail with a number", "vkAllocate failed -2\nvkWait failed -4", "vkAllocate failed -2"],
  [
    "a program that explains its error under the same beginning",
    "npm error enoent Could not read a.json\nnpm error enoent This says more.\nnpm error enoent\nnpm error A complete log of this run can be found in: a.log",
    "npm error enoent Could not read a.json",
  ],
  ["a file with a name of figures", "reading\nsong avg.wav is empty", "song avg.wav is empty"],
  [
    "a bar that stopped without a word",
    "the command ended with code 1\n 42%|████▏     | 42/100 [00:02<00:03, 19.01it/s]",
    "the command ended with code 1",
  ],
  [
    "an encoder whose last words are a statistic",
    "the command ended with code 1\nx264 [info]: profile High, level 3.0\nencoded 240 frames, 34.84 fps, 759.95 kb/s",
    "the command ended with code 1",
  ],
  [
    "a script that failed after a whole ffmpeg",
    "the command ended with code 1\nPress [q] to stop, [?] for help\nframe= 1801 fps= 61 q=-1.0 Lsize= 5651kB time=00:01:00.02 bitrate= 771.2kbits/s speed=2.04x",
    "the command ended with code 1",
  ],
  [
    "a script that failed after its ffmpeg",
    "the command ended with code 1\n[libx264 @ 0x55cec1369900] frame I:3 Avg QP:20.1\n[libx264 @ 0x55cec1369900] kb/s:1931.99\n[aac @ 0x55cec136a900] Qavg: 338.743",
    "the command ended with code 1",
  ],
  [
    "a script inside a Blender 5",
    'the command ended with code 1\n23:38.997  operator         | ERROR Python: Traceback (most recent call last):\n                            |   File "/srv/a.py", line 9, in <module>\n                            | KeyError: 12\nBlender quit',
    "KeyError: 12",
  ],
  ["nothing but figures", "45%\n46%", "46%"],
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

test("a long line is cut where it breaks no character", () => {
  expect(shortCauseOf("first\nno space left")).toBe("no space left")
  expect(shortCauseOf("x".repeat(400))).toHaveLength(400)
  const cut = shortCauseOf("😀".repeat(300).slice(1))
  expect([cut.length, cut.isWellFormed()]).toEqual([401, true])
})

test.each([
  ["a bracket that is never closed", `error [${" ".repeat(150_000)}x`],
  ["a line of dots", ".".repeat(60_000)],
])("%s takes no longer than other text", (_name, error) => {
  const beginMs = performance.now()
  expect(causeOf(error)).toBe(error)
  expect(performance.now() - beginMs).toBeLessThan(4000)
})
