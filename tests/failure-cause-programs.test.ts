import { expect, test } from "bun:test"

import { causeOf } from "../src/failure-cause.ts"

const OWN = "scene 3 has a missing texture"

/** The last words of programs that ran another one, which failed. */
const BELOW: readonly (readonly [string, string])[] = [
  [
    "npm 6",
    "npm ERR! code ELIFECYCLE\nnpm ERR! Exit status 1\nnpm ERR! Failed at the r@1.0.0 render script.",
  ],
  [
    "npm 10",
    "npm error Lifecycle script `render` failed with error:\nnpm error code 1\nnpm error command sh -c node r.js",
  ],
  ["pnpm", " ELIFECYCLE  Command failed with exit code 1."],
  ["yarn", "error Command failed with exit code 1."],
  ["bun", 'error: script "render" exited with code 1'],
  ["cargo", "error: process didn't exit successfully: `target/debug/r` (exit status: 101)"],
  [
    "Gradle",
    "FAILURE: Build failed with an exception.\n\n* What went wrong:\nExecution failed for task ':render'.\n> Process 'command 'r'' finished with non-zero exit value 1\n\nBUILD FAILED in 3s",
  ],
  [
    "Snakemake",
    "Error in rule render:\n    jobid: 3\nExiting because a job execution failed. Look above for error message",
  ],
  ["GNU parallel", "parallel: This job failed:\n./r.sh a"],
  ["Slurm", "srun: error: node1: task 0: Exited with exit code 1"],
]

test.each(BELOW)(
  "what %s says after the failure of a program that it ran is not the cause",
  (_name, words) => {
    expect(causeOf(`the command ended with code 1: ${OWN}\n${words}`)).toBe(OWN)
  },
)

test.each([
  [
    "what a program in C++ threw",
    "terminate called after throwing an instance of 'std::runtime_error'\n  what():  scene file is empty\nAborted (core dumped)",
    "scene file is empty",
  ],
  [
    "the reason for which a program aborted itself",
    "qt.qpa.xcb: could not connect to display\n/o/r.sh: line 4: 123 Aborted (core dumped)  python r.py",
    "qt.qpa.xcb: could not connect to display",
  ],
  ["an abort without a reason", "frame 3\nAborted (core dumped)", "Aborted (core dumped)"],
  [
    "a panic of Rust, whose message is on the next line",
    "thread 'main' panicked at src/render.rs:9:5:\nscene has no camera\nnote: run with `RUST_BACKTRACE=1` environment variable to display a backtrace",
    "thread 'main' panicked at src/render.rs:9:5: scene has no camera",
  ],
  [
    "a traceback behind the name of its process",
    '[rank0]: Traceback (most recent call last):\n[rank0]:   File "/a.py", line 9, in <module>\n[rank0]: torch.OutOfMemoryError: CUDA out of memory.\nE1128 10:33:22 failed (exitcode: 1) of binary: /usr/bin/python3',
    "torch.OutOfMemoryError: CUDA out of memory.",
  ],
  [
    "a traceback behind the times of a log",
    '10:33:22 | Traceback (most recent call last):\n10:33:23 |   File "/a.py", line 9, in <module>\n10:33:23 | KeyError: 7\n10:33:24 | worker failed',
    "KeyError: 7",
  ],
  [
    "the exception in a group of them",
    '  + Exception Group Traceback (most recent call last):\n  | ExceptionGroup: unhandled errors (1 sub-exception)\n    | Traceback (most recent call last):\n    |   File "/a.py", line 3, in f\n    | ValueError: bpm must be positive\n    +---',
    "ValueError: bpm must be positive",
  ],
  [
    "a chained traceback whose exceptions are not named Error",
    'Traceback (most recent call last):\n  File "/a.py", line 3\nrender.NoCamera: scene 3\n\nDuring handling of the above exception, another exception occurred:\n\nTraceback (most recent call last):\n  File "/a.py", line 9\nscene.Broken: scene 3 is empty',
    "scene.Broken: scene 3 is empty",
  ],
  [
    "a page that cannot be opened, and not where to read on",
    "Error: Failed to launch the browser process.\n/usr/bin/chrome: error while loading shared libraries: libnss3.so\n\nTROUBLESHOOTING: https://example.com/help\n\n    at Interface.onClose (/app/x.js:257:24)",
    "Error: Failed to launch the browser process.",
  ],
  [
    "a missing licence, and not what to do about it",
    "hbatch: No licenses could be found to run this application.\n   Please check for a valid license server host",
    "hbatch: No licenses could be found to run this application.",
  ],
  [
    "a trial that is over",
    "Your trial has expired on 2026-01-01.\nExiting.",
    "Your trial has expired on 2026-01-01.",
  ],
  [
    "a reason below its heading",
    "(EE)\nFatal server error:\n(EE) Server is already active for display 99\n(EE)",
    "Fatal server error: (EE) Server is already active for display 99",
  ],
  ["a name that stands above its stack", "Error:\n    at render (a.js:3:1)", "Error:"],
  [
    "npm's own failure",
    "npm error code ENOENT\nnpm error syscall open\nnpm error enoent Could not read package.json: Error: ENOENT: no such file\nnpm error enoent This is related to npm not being able to find a file.\nnpm error enoent\nnpm error A complete log of this run can be found in: /home/ann/x.log",
    "npm error enoent Could not read package.json: Error: ENOENT: no such file",
  ],
  [
    "what a program in C++ threw, which ends with a colon",
    "frame 3\nterminate called after throwing an instance of 'E'\n  what():  cannot open:\nAborted (core dumped)",
    "cannot open:",
  ],
  ["a heading above figures", "Error while writing a.mp4:\nframe 3 45%", "Error while writing a.mp4:"],
  ["what a program asks for", "rendering scene 3\nPlease set SCENES", "Please set SCENES"],
  [
    "an address that is forbidden",
    "fetching\nForbidden: https://example.com/a",
    "Forbidden: https://example.com/a",
  ],
  ...[
    "Build failed: missing scene.json",
    "Execution failed for scene 3: out of memory",
    "This job failed: out of memory",
    "Error: cannot open a.blend, exit code 2",
    "worker killed, exit code 137",
  ].map((one) => ["a reason of its own", `could not open display, using none\n${one}`, one]),
  ["a folder where a file should be", "render.py: /o: Is a directory\nbye", "render.py: /o: Is a directory"],
  ["an address that is in use", "bind: address already in use\nbye", "bind: address already in use"],
  ["a render that somebody interrupted", "Interrupted by user\nbye", "Interrupted by user"],
])("the telling line of %s", (_name, error, cause) => expect(causeOf(error)).toBe(cause))
