import { describe, expect, test } from "bun:test"

import { BAR, each, lf, read, TENTHS, tqdm } from "./programs.ts"

/** tqdm's bar of bytes. */
const bytes = (label: string) => (n: number) =>
  `\r${label}${n * 10}%|${BAR.repeat(n)}${" ".repeat(10 - n)}| ${n}4.5M/145M [00:0${n % 9}<00:07, 2${n}.0MiB/s]`
const SHARDS = (n: number) =>
  `\rsharding: ${n * 10}%|${BAR.repeat(n)}${" ".repeat(10 - n)}| ${n}/10 [00:07, 2.${n}it/s]`

/** What a script does before its work, as its tools tell it. */
const PREPARATIONS: readonly (readonly [string, readonly string[]])[] = [
  ["files are fetched", each(TENTHS, (n) => `\rFetching 15 files: ${n * 10}%|${BAR.repeat(n)}| ${n}/10`)],
  ["a model is fetched, by its file's name", each(TENTHS, bytes("model.safetensors: "))],
  ["a model is fetched, without a word", each(TENTHS, bytes(""))],
  [
    "a package is fetched, as the line above says",
    [
      "  Downloading torch-2.1.0-cp310-manylinux1_x86_64.whl (670.2 MB)\n",
      ...each(TENTHS, (n) => `\r     ${"━".repeat(n)}╺ ${n * 67}.0/670.2 MB 10.${n} MB/s eta 0:01:0${n}`),
    ],
  ],
  [
    "a file is fetched and saved",
    [
      "Saving to: ‘cover.png’\n",
      ...each(TENTHS, (n) => `\rcover.png ${n * 10}%[${"=".repeat(n)}>] ${n}.5M 4.${n}MB/s eta 1${n}s`),
    ],
  ],
  [
    "a model is pulled",
    each(TENTHS, (n) => `\rpulling 8eeb52dfb3bb... ${n * 10}% ▕${BAR.repeat(n)}▏ ${n}.1 GB/47 GB`),
  ],
  [
    "layers of a container",
    each(TENTHS, (n) => `\ra1b2c3d4e5f6: Extracting [${"=".repeat(n)}>] ${n}.2MB/52MB`),
  ],
  [
    "sources are cloned",
    [
      "remote: Counting objects: ",
      "Receiving objects: ",
      "Resolving deltas: ",
      "Filtering content: ",
      "Updating files: ",
    ].flatMap((label) => each(TENTHS, (n) => `\r${label} ${n * 10}% (${n * 45}/450), 12.${n} MiB`)),
  ],
  ["a song is parsed before it is muxed", each(TENTHS, (n) => `\r+-> Pre-parsing FLAC file: ${n * 10}%`)],
  [
    "packages are listed",
    ["Reading package lists...", "Building dependency tree...", "(Reading database ..."].flatMap((label) =>
      each(TENTHS, (n) => `\r${label} ${n * 10}%`),
    ),
  ],
  [
    "packages are installed",
    each(
      TENTHS,
      (n) =>
        `\u001b7\u001b[24;0f\u001b[42mProgress: [ ${n * 10}%]\u001b[49m [${"#".repeat(n)}.....] \u001b8Unpacking a${n} (2:0.163) ...\n`,
    ),
  ],
  [
    "packages are prepared, and fetched",
    each(
      TENTHS,
      (n) =>
        `\u001b[2K⠙ Preparing packages... (${n}/12)\rtorch ${"-".repeat(20)} ${n * 70}.0 MiB/700.0 MiB\r`,
    ),
  ],
  [
    "packages are unpacked below a bar",
    each(
      TENTHS,
      (n) =>
        `Unpacking a${n} (2:0.163) ...\n\u001b7\u001b[24;0f\u001b[42mProgress: [ ${n * 10}%]\u001b[49m [${"#".repeat(n)}.....] \u001b8\n`,
    ),
  ],
  ["shaders are initialised", each(TENTHS, (n) => `\rInitializing shaders ${n * 10}%`)],
  ["pictures are read", each(TENTHS, (n) => `\rReading camera ${n}0/100`)],
  [
    "the parts of a model are read",
    each(TENTHS, (n) => `\r  |${"=".repeat(n)}>${" ".repeat(10 - n)}| ${n}0/100 - 1.2${n}GB/s`),
  ],
  [
    "packages of dnf are fetched",
    each([1, 2, 3, 4], (n) => `(${n}/4): a${n}.rpm  12 MB/s | ${n}.4 MB  00:0${n}\n`),
  ],
  ["packages of apk are installed", each([1, 2, 3, 4], (n) => `(${n}/4) Installing a${n} (1.${n}-r0)\n`)],
  [
    "curl fetches what the line above says",
    [
      "==> Downloading https://example.org/a.tar.gz\n",
      ...each(TENTHS, (n) => `\r${"#".repeat(n * 5)}   ${n * 10}.0%`),
    ],
  ],
  [
    "packages of dnf are installed",
    ["Preparing        :", "Installing       : a", "Running scriptlet: b", "Verifying        : a"].flatMap(
      (said) => each([1, 2, 3, 4], (n) => `  ${said}${n}-6.1.fc40.x86_64    ${n}/4\n`),
    ),
  ],
  ["a program is built", each(TENTHS, (n) => `[${n * 4}/40] Building CXX object src/a${n}.cpp.o\n`)],
  [
    "a program is built, below a bar",
    each(TENTHS, (n) => `\r    Building [${"=".repeat(n)}>   ] ${n * 10}/100: serde, syn`),
  ],
  [
    "packages are installed in steps",
    ["Resolving packages", "Fetching packages", "Linking dependencies", "Building fresh packages"].map(
      (step, i) => `[${i + 1}/4] ${step}...\n`,
    ),
  ],
  ["modules are built", each(TENTHS, (n) => `\r<s> [webpack] ${n * 10}% building ${n}/10 modules`)],
  ["a container is built", each([1, 2, 3, 4], (n) => `#${n + 4} [${n}/4] RUN apt-get install a${n}\n`)],
  [
    "a container with stages is built",
    each([1, 2, 3, 4], (n) => `\u001b[1A => [base ${n}/4] COPY a${n} .\n[+] Building ${n}.2s (${n}/4)\n`),
  ],
  ["a container is built in numbered steps", each([1, 2, 3], (n) => `Step ${n}/3 : RUN make a${n}\n`)],
  [
    "an extension is compiled",
    [
      "[1/3] c++ -MMD -O2 -c a.cpp -o a.o\n",
      "[2/3] /usr/local/cuda/bin/nvcc -O2 -c a.cu -o b.o\n",
      "[3/3] x86_64-linux-gnu-g++-12 a.o b.o -shared -o a.so\n",
    ],
  ],
  ["a container is built, and its commands print", each(TENTHS, (n) => `#9 1${n}.42 part ${n * 10}%\n`)],
  [
    "packages are finished",
    each(
      TENTHS,
      (n) =>
        `Processing triggers for a${n} (2.36) ...\n\u001b7Progress: [ ${n * 10}%] [${"#".repeat(n)}...] \u001b8\n`,
    ),
  ],
  ["a model is tried out", each(TENTHS, (n) => tqdm(n, 10, "Sanity Checking DataLoader 0: "))],
  ["pictures are loaded", each(TENTHS, (n) => `\rLoad/Image/[render.png]: ${n}0 of 101, ${n}0% complete`)],
  [
    "the sound of a video is written",
    [
      "MoviePy - Writing audio in songTEMP_MPY_wvf_snd.mp3\n",
      ...each(TENTHS, (n) => tqdm(n, 10, "chunk: ")),
      "\nMoviePy - Done.\n",
    ],
  ],
  ["textures are loaded", each(TENTHS, (n) => `Loaded ${n}/10 textures\n`)],
]

describe.each(PREPARATIONS)("%s before the work", (_name, pieces) => {
  test.each([0, 10])("says nothing of it, and nothing is taken back later, %d s apart", (apartS) => {
    expect(read([...pieces, "\n"], apartS)).toEqual({ last: 0, most: 0, unit: "" })
    const work = ["rendering begins\n", ...each([0, 2, 4, 6], (n) => `\r${n * 10}%|${BAR.repeat(n)}`), "\n"]
    expect(read([...pieces, "\n", ...work], apartS)).toMatchObject({ last: 60, most: 60 })
  })
})

test.each([
  ["bytes that are rendered", each([0, 2, 4], bytes("encoding: "))],
  ["bytes that are sent", each([0, 2, 4], bytes("uploading: "))],
  ["bytes of all bytes", each([10, 20, 40], (n) => `\rCompleted ${n}.0 MiB/100.0 MiB (1${n}.2 MiB/s)`)],
  ["a bar of something else after a line about a package", ["Downloading x\n", ...each([0, 2, 4], SHARDS)]],
  [
    "bytes after another line than that about a package",
    ["Downloading x\n", "encoding\n", ...each([10, 20, 40], (n) => `\r${n}.0/100.0 MB`)],
  ],
  [
    "what is rendered while something is loaded",
    each([10, 20, 40], (n) => `rendering ${n}% (3 images loaded)\n`),
  ],
])("%s are progress", (_name, pieces) => {
  expect(read([...pieces, "\n"], 10).last).toBe(40)
})

test("a step of a script that builds or installs something else is a step", () => {
  for (const step of [
    "Building scene",
    "Building Rust belt",
    "Generating C major",
    "Linking audio",
    "RUNNING a",
    "RUN ffmpeg",
    "ADD reverb",
    "Installing fonts",
    "cc by-sa",
  ])
    expect(read(lf(`[1/4] ${step}`, `[2/4] ${step}`), 10)).toMatchObject({ last: 25, unit: "1/4 steps" })
  expect(read(lf("Step 1/4 : RENDER a", "Step 2/4 : RENDER b"), 10).last).toBe(25)
  expect(
    read(
      each([0, 20, 40], (n) => `Building prepass ${n}/100\n`),
      10,
    ).last,
  ).toBeGreaterThan(30)
})

test("a step of a script that fetches something is a step like any other", () => {
  const steps = ["[1/4] Cutting\n", "[2/4] Fetching fonts\n"]
  expect(read(steps, 10)).toMatchObject({ last: 25, unit: "1/4 steps" })
})
