import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test"
import { mkdirSync, statSync, utimesSync, writeFileSync } from "node:fs"
import { join } from "node:path"

import { type FilesEnd, FileWatch } from "../../src/runner/expected-files.ts"
import { lastOutput } from "../../src/runner/ffmpeg-output-file.ts"
import { probe } from "../../src/runner/ffprobe.ts"
import { PROGRAM, start, temporaryFolder } from "../server.ts"
import { ffmpegProgram, finished, itemOf, latestOf, Program, studio, video } from "./programs.ts"

setDefaultTimeout(180_000)

const server = await start()
const folder = temporaryFolder()
afterAll(async () => {
  await server[Symbol.asyncDispose]()
  folder[Symbol.dispose]()
})

const ffmpeg = ffmpegProgram()
let names = 0
const path = (ending: string): string => join(folder.path, `file-${(names += 1)}${ending}`)
const run = (song: number, ...args: string[]): Program =>
  studio(server, ["run", "--song", String(song), ...args])
/** A video of this many seconds, made by ffmpeg. */
async function made(seconds: number): Promise<string> {
  const file = path(".mp4")
  await using render = new Program(["ffmpeg", "-v", "error", ...video(seconds, file)], "")
  expect(await render.ends()).toBe(0)
  return file
}

describe("the last output of ffmpeg", () => {
  test.each([
    ["-i a.wav out.mp4", "out.mp4"],
    ["-y -i a.wav -c copy /srv/out.mkv", "/srv/out.mkv"],
    ["-i a.wav -map_metadata -1 out.mp4", "out.mp4"],
    ["-i a.wav -shortest out.mp4", "out.mp4"],
    ["-i a.wav -f mp4 out", "out"],
    ["-f lavfi -i testsrc out.mp4", "out.mp4"],
    ["-f image2 -i frame-%d.png out.mp4", "out.mp4"],
    ["-i a.wav one.mp4 -c copy two.mkv", "two.mkv"],
    ["-i a.wav -f null -", undefined],
    ["-i a.wav -f null out.mp4", undefined],
    ["-i a.wav -f tee out.mp4|two.mp4", undefined],
    ["-i a.wav -f segment out.mp4", undefined],
    ["-i a.wav out.m3u8", undefined],
    ["-i a.wav out-%03d.mp4", undefined],
    ["-i a.wav thumb.jpg", undefined],
    ["-i a.wav pipe:1", undefined],
    ["-i a.wav file:out.mp4", undefined],
    ["-i a.wav rtmp://host/live", undefined],
    ["-i a.wav /dev/null", undefined],
    ["-i a.wav out.mp4 -loglevel error", undefined],
    ["-i a.wav", undefined],
    ["-version", undefined],
  ])("of %j is %j", (words, file) => {
    expect(lastOutput(words.split(" "))).toBe(file)
  })
})

test("each of several files must be there, and the first that is not is named", async () => {
  const [missing, empty, written] = [path(".mp4"), path(".mp4"), path(".txt")]
  const endOf = async (...paths: string[]): Promise<FilesEnd> => {
    const watch = new FileWatch({ paths, isGuessed: true, seconds: undefined, isVerified: true })
    writeFileSync(empty, "")
    writeFileSync(written, "words")
    return watch.end({ saved: [], unfinished: [] })
  }
  expect((await endOf(missing, empty, written)).failure).toBe(`${missing} was not written`)
  expect((await endOf(empty, missing)).failure).toBe(`${empty} is empty`)
  // A guessed file may be anything, but what is no medium is not entered as the video.
  const { failure, files } = await endOf(written)
  expect([failure, files]).toEqual([undefined, {}])
})

test("a file that is written again counts as written, even if its size and its time are as before", async () => {
  const [again, left] = [path(".txt"), path(".txt")]
  const asBefore = (file: string, text: string): void => {
    writeFileSync(file, text)
    utimesSync(file, 1_700_000_000, 1_700_000_000)
  }
  for (const file of [again, left]) asBefore(file, "first words")
  const watchOf = (file: string): FileWatch =>
    new FileWatch({ paths: [file], isGuessed: false, seconds: undefined, isVerified: true })
  const watches = [watchOf(again), watchOf(left)]
  asBefore(again, "other words")
  const ends = await Promise.all(watches.map((watch) => watch.end({ saved: [], unfinished: [] })))
  expect(ends.map(({ failure }) => failure?.includes("was not written") ?? false)).toEqual([false, true])
})

test("an ffprobe that takes too long, does not run, or is not installed, verifies nothing", async () => {
  const slow = join(folder.path, "slow-ffprobe")
  writeFileSync(slow, "#!/bin/sh\nexec sleep 60\n", { mode: 0o755 })
  expect(await probe("song.mp4", slow, 100)).toEqual({ kind: "unknown", isLate: true })
  expect(await probe("song.mp4", "no-such-ffprobe")).toEqual({ kind: "unknown", isLate: false })
  for (const [name, script] of [
    ["without-its-shell", "#!/no/such/shell"],
    ["without-its-library", "#!/bin/sh\necho ffprobe: error while loading shared libraries >&2; exit 127"],
  ] as const) {
    const broken = join(folder.path, name)
    writeFileSync(broken, `${script}\n`, { mode: 0o755 })
    expect(await probe("song.mp4", broken)).toEqual({ kind: "unknown", isLate: false })
  }
})

test.each([
  ["12.5", 12.5],
  ["0.000000", null],
  ["N/A", null],
])("of a medium that lasts %s s, %p is known", async (duration, seconds) => {
  const told = join(folder.path, `ffprobe-of-${seconds}-${duration.length}`)
  const found = JSON.stringify({ format: { format_name: "mov,mp4", duration }, streams: [{}] })
  writeFileSync(told, `#!/bin/sh\necho '${found}'\n`, { mode: 0o755 })
  expect(await probe("song.mp4", told)).toEqual({ kind: "lasting", seconds })
})

test("why a file cannot be read is said in ffprobe's last words, with the name that the user knows", async () => {
  const broken = join(folder.path, "broken-ffprobe")
  const script = "#!/bin/sh\necho warned >&2; echo file:song.mp4: Invalid data in file:song.mp4 >&2; exit 1\n"
  writeFileSync(broken, script, { mode: 0o755 })
  const reason = "song.mp4: Invalid data in song.mp4"
  expect(await probe("song.mp4", broken)).toEqual({ kind: "broken", reason })
})

test.skipIf(ffmpeg === null)(
  "a file without a length counts as a picture if it is named like one",
  async () => {
    const [film, still] = [path(".h264"), path(".avif")]
    // Both are raw video, which has no length, as an AVIF has none.
    for (const file of [film, still]) {
      await using render = new Program(
        ["ffmpeg", "-v", "error", ...video(1, file).slice(0, -1), "-f", "h264", file],
        "",
      )
      expect(await render.ends()).toBe(0)
    }
    const watch = new FileWatch({
      paths: [film, still],
      isGuessed: true,
      seconds: undefined,
      isVerified: true,
    })
    expect((await watch.end({ saved: [], unfinished: [] })).files).toEqual({
      video_file_path: film,
      video_file_size: statSync(film).size,
      thumbnail_path: still,
    })
  },
)

describe.skipIf(ffmpeg === null)("a file that the command must write", () => {
  test("is entered into the item: a video with its size, a still beside it", async () => {
    const [film, still] = [path(".mp4"), path(".png")]
    const script = `ffmpeg -v error ${video(1, film).join(" ")} && ffmpeg -v error -i ${film} -frames:v 1 ${still}`
    await using render = run(1, "--output", film, "--output", still, "--", "sh", "-c", script)
    expect(await render.ends()).toBe(0)
    expect(await itemOf(server, await latestOf(server, 1))).toMatchObject({
      status: "completed",
      video_file_path: film,
      video_file_size: statSync(film).size,
      thumbnail_path: still,
    })
  })

  test.each([
    ["is missing", () => [path(".mp4"), "true"] as const, "was not written"],
    [
      "is empty",
      () => {
        const file = path(".mp4")
        return [file, `: > ${file}`] as const
      },
      "is empty",
    ],
    [
      "is no medium",
      () => {
        const file = path(".mp4")
        return [file, `head -c 5000 /dev/urandom > ${file}`] as const
      },
      "is not a readable media file: ",
    ],
  ])("and %s fails the item", async (_what, fault, words) => {
    const [file, script] = fault()
    await using render = run(2, "--output", file, "--", "sh", "-c", script)
    expect(await render.ends()).toBe(1)
    const { status, error_message } = await itemOf(server, await latestOf(server, 2))
    expect(status).toBe("failed")
    expect(error_message).toStartWith(`${file} ${words}`)
    await using trusting = run(2, "--output", file, "--no-verify", "--", "sh", "-c", script)
    expect(await trusting.ends()).toBe(0)
  })

  test("and is left from another attempt fails the item", async () => {
    const file = await made(1)
    await using render = run(3, "--output", file, "--", "true")
    expect(await render.ends()).toBe(1)
    const { error_message } = await itemOf(server, await latestOf(server, 3))
    expect(error_message).toBe(`${file} was not written by this attempt`)
  })

  test("and that Blender saved, but is empty as on a full disk, fails the item, also under a worker", async () => {
    const frame = path(".png")
    const script = `: > ${frame}; echo "Fra:1 Mem:9M (Peak 9M)"; echo "Saved: '${frame}'"; echo "Blender quit"`
    const told = ["--renderer", "blender", "--", "sh", "-c", script]
    await using render = run(7, ...told)
    expect(await render.ends()).toBe(1)
    const { status, error_message } = await itemOf(server, await latestOf(server, 7))
    expect([status, error_message]).toEqual(["failed", `${frame} is empty`])
    await using trusting = run(7, "--no-verify", ...told)
    expect(await trusting.ends()).toBe(0)
    await using own = await start()
    const id = await own.add({ song_id: 1, max_attempts: 1 })
    await using worker = studio(own, ["work", "--exec", script])
    expect(await finished(own, id)).toMatchObject({ status: "failed", error_message: `${frame} is empty` })
    worker.kill("SIGTERM")
    expect(await worker.ends()).toBe(0)
  })

  test("and that an ffmpeg in the script began and did not end, so that it cannot be read, fails the item", async () => {
    const file = path(".mp4")
    const told = `echo "Output #0, mp4, to '${file}':" >&2`
    await using cut = run(9, "--", "sh", "-c", `${told}; head -c 5000 /dev/urandom > ${file}`)
    expect(await cut.ends()).toBe(1)
    const { status, error_message } = await itemOf(server, await latestOf(server, 9))
    expect(status).toBe("failed")
    expect(error_message).toStartWith(`${file} is not a readable media file: `)
    // ffmpeg's last lines can be hidden, too, and then the file is whole; or the file was moved.
    const whole = `${told}; ffmpeg -v error ${video(1, file).join(" ")}`
    for (const script of [whole, `${whole}; rm ${file}`]) {
      await using render = run(9, "--", "sh", "-c", script)
      expect(await render.ends()).toBe(0)
      expect((await itemOf(server, await latestOf(server, 9))).message).toBe(
        `ffmpeg was not seen to end ${file}`,
      )
    }
  })

  test("is not looked for under a name that no file can have", async () => {
    const long = `/${"a".repeat(300)}`
    const script = `echo "Fra:1 Mem:9M (Peak 9M)"; echo "Saved: '${long}'"; echo "Output #0, mp4, to '${long}':"`
    await using render = run(10, "--", "sh", "-c", script)
    expect(await render.ends()).toBe(0)
    expect(await itemOf(server, await latestOf(server, 10))).toMatchObject({ status: "completed" })
  })

  test("must last as long as --total says, in seconds", async () => {
    const file = path(".mp4")
    const short = ["ffmpeg", "-v", "error", ...video(1, file)]
    await using render = run(4, "--total", "1", "--output", file, "--", ...short)
    expect(await render.ends()).toBe(0)
    // The output of the script shows no time, so only the file decides.
    const script = `${short.join(" ")}; printf 'out_time_us=3000000\\nprogress=end\\n'`
    const args = ["--renderer", "ffmpeg", "--total", "3", "--output", file, "--", "sh", "-c", script]
    await using late = run(4, ...args)
    expect(await late.ends()).toBe(1)
    const { error_message } = await itemOf(server, await latestOf(server, 4))
    expect(error_message).toBe(`${file} lasts 1.0 s instead of the 3 s of --total`)
    await using quiet = run(4, "--total", "3", "--output", file, "--", "sh", "-c", short.join(" "))
    expect(await quiet.ends()).toBe(1)
    expect((await quiet.stderr).toString()).not.toContain("--total ignored")
    expect((await itemOf(server, await latestOf(server, 4))).error_message).toBe(error_message)
  })

  test("need not last as many seconds as --total says if that counts the frames of Blender", async () => {
    const file = path(".mp4")
    const film = ["ffmpeg", "-v", "error", ...video(1, file)].join(" ")
    const frames = 'for i in $(seq 1 25); do echo "Fra:$i Mem:9M (Peak 9M)"; echo "Append frame $i"; done'
    const script = `${film}; ${frames}; echo "Blender quit"`
    const args = ["--renderer", "blender", "--total", "25", "--output", file]
    await using render = run(4, ...args, "--", "sh", "-c", script)
    expect(await render.ends()).toBe(0)
  })

  test("proves that a video is whole although ffmpeg reported less, because x264 holds back frames", async () => {
    const file = path(".mp4")
    const slow = "-v error -f lavfi -i testsrc=s=160x90:r=1 -t 8 -c:v libx264 -y".split(" ")
    await using render = run(8, "--total", "8", "--", "ffmpeg", ...slow, file)
    expect(await render.ends()).toBe(0)
    expect(await itemOf(server, await latestOf(server, 8))).toMatchObject({
      status: "completed",
      video_file_path: file,
    })
    // Nobody has written the file since.
    const watch = new FileWatch({ paths: [file], isGuessed: true, seconds: 8, isVerified: true })
    const found = await watch.end({ saved: [], unfinished: [] })
    expect(found).toMatchObject({ failure: undefined, isWhole: false })
    await using short = run(8, "--total", "12", "--", "ffmpeg", ...slow, file)
    expect(await short.ends()).toBe(1)
  })

  test("is guessed for ffmpeg, and a guessed file fails the item only if it is missing or empty", async () => {
    const file = path(".mp4")
    await using render = run(5, "--", "ffmpeg", "-v", "error", ...video(1, file))
    expect(await render.ends()).toBe(0)
    expect(await itemOf(server, await latestOf(server, 5))).toMatchObject({ video_file_path: file })
    const bin = join(folder.path, "bin")
    mkdirSync(bin)
    writeFileSync(join(bin, "ffmpeg"), "#!/bin/sh\nexit 0\n", { mode: 0o755 })
    const missing = path(".mp4")
    await using lazy = run(5, "--", join(bin, "ffmpeg"), "-i", "song.wav", missing)
    expect(await lazy.ends()).toBe(1)
    const { error_message } = await itemOf(server, await latestOf(server, 5))
    expect(error_message).toBe(`${missing} was not written`)
    await using kept = run(5, "--", join(bin, "ffmpeg"), "-i", "song.wav", file)
    expect(await kept.ends()).toBe(0)
  })

  test("is entered by a run inside a worker's script, and a later still replaces no video", async () => {
    await using own = await start()
    const id = await own.add()
    const [film, still] = [path(".mp4"), path(".png")]
    const inner = [...PROGRAM, "run", "--output"].join(" ")
    const exec = `${inner} ${film} -- ffmpeg -v error ${video(1, film).join(" ")} </dev/null && ${inner} ${still} -- ffmpeg -v error -i ${film} -frames:v 1 ${still} </dev/null`
    await using worker = studio(own, ["work", "--exec", exec])
    expect(await finished(own, id)).toMatchObject({
      status: "completed",
      video_file_path: film,
      video_file_size: statSync(film).size,
      thumbnail_path: still,
    })
    worker.kill("SIGTERM")
    expect(await worker.ends()).toBe(0)
  })

  test.skipIf(process.getuid?.() !== 0)(
    "is not complete on a disk that fills while its end is written",
    async () => {
      const disk = join(folder.path, "disk")
      mkdirSync(disk)
      await using mount = new Program(["mount", "-t", "tmpfs", "-o", "size=300k", "tmpfs", disk], "")
      if ((await mount.ends()) !== 0) return console.warn("skipped: no tmpfs can be mounted here")
      try {
        const file = join(disk, "song.mp4")
        const noisy =
          `-hide_banner -f lavfi -i testsrc2=s=320x240:r=25 -t 10 -c:v mpeg4 -b:v 2000k -y ${file}`.split(" ")
        await using render = run(6, "--total", "10", "--", "ffmpeg", ...noisy)
        expect(await render.ends()).not.toBe(0)
        expect(await itemOf(server, await latestOf(server, 6))).toMatchObject({ status: "failed" })
      } finally {
        await using unmount = new Program(["umount", disk], "")
        await unmount.ends()
      }
    },
  )
})

test("a device or a folder that a renderer says it saved does not count as an empty file", async () => {
  const empty = path(".png")
  writeFileSync(empty, "")
  const watch = new FileWatch({ paths: [], isGuessed: true, seconds: undefined, isVerified: true })
  const failureOf = async (...saved: string[]): Promise<string | undefined> =>
    (await watch.end({ saved, unfinished: [] })).failure
  expect(await failureOf("/dev/null", folder.path, path(".png"), "relative.png")).toBeUndefined()
  expect(await failureOf("/dev/null", empty)).toBe(`${empty} is empty`)
})
