#!/usr/bin/env bash
# Makes the files in tests/captures again: what real renderers say while they work.
#
#   apt-get install --no-install-recommends ffmpeg blender python3-tqdm
#   scripts/make-captures.sh [DIRECTORY]        (default: tests/captures)
#
# Takes about 20 seconds. The renders are tiny; timings differ from run to run, what is said does not.
set -euo pipefail
cd "$(dirname "$0")/.."

for tool in ffmpeg blender /usr/bin/python3; do
  command -v "$tool" >/dev/null || { echo "make-captures: $tool is missing, see the head of this script" >&2; exit 2; }
done

out=$(realpath -m "${1:-tests/captures}")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$out"
cd "$work"

# encode NAME ARGUMENTS...: what `ffmpeg -progress` says goes to ffmpeg-NAME.txt
encode() {
  local name=$1
  shift
  nice ffmpeg -v error -y -nostats -progress "$out/ffmpeg-$name.txt" "$@"
}

# scene NAME PYTHON ARGUMENTS...: the standard output of a tiny Cycles render goes to blender-NAME.txt
scene() {
  local name=$1 python=$2
  shift 2
  nice blender --background --factory-startup -noaudio --python-expr "
import bpy
s = bpy.context.scene
s.render.engine = 'CYCLES'
s.cycles.device = 'CPU'
s.cycles.samples = 16
s.cycles.use_adaptive_sampling = False
s.cycles.use_denoising = False
s.render.resolution_x = s.render.resolution_y = 64
$python" "$@" 2>/dev/null | sed "s|$work/||g" >"$out/blender-$name.txt" || true
}

# --- ffmpeg: a song of 6 s and its cover ---
ffmpeg -v error -f lavfi -i "sine=frequency=220:duration=6" -c:a aac song.m4a
ffmpeg -v error -f lavfi -i testsrc=size=320x180 -frames:v 1 cover.png

# The looped image outlives the song: -shortest overshoots, the last block is past 100 %.
encode song -nostdin -stats_period 0.05 -loop 1 -framerate 24 -i cover.png -i song.m4a -filter_complex \
  "[1:a]showfreqs=s=320x90,format=rgba[f];[0:v][f]overlay=0:90,format=yuv420p[v]" \
  -map "[v]" -map 1:a -c:v libx264 -preset medium -c:a aac -shortest song.mp4
# B-frames make the first time stamp negative; a copy is so fast that its speed has an exponent.
encode copy -nostdin -i song.mp4 -an -c copy copy.mp4
encode audio -nostdin -stats_period 0.05 -i song.m4a -c:a libmp3lame song.mp3
encode hls -nostdin -stats_period 0.1 -i song.mp4 -c:v libx264 -preset medium -f hls -hls_time 2 song.m3u8
# Nothing comes out of `reverse` before all has gone in.
encode waiting -nostdin -stats_period 0.1 -i song.mp4 -an -vf scale=1280:-2,reverse -c:v libx264 waiting.mp4
encode missing -nostdin -i no-such-song.m4a missing.mp3 2>/dev/null || true

# Not through encode: $! has to be ffmpeg itself.
nice ffmpeg -v error -y -nostats -progress "$out/ffmpeg-sigterm.txt" -nostdin -re -i song.mp4 \
  -c:v libx264 -preset ultrafast -c:a copy sigterm.mp4 &
sleep 2.2
kill -TERM $!
wait $! || true
{ sleep 2.2; printf q; } | encode quit -re -i song.mp4 -c:v libx264 -preset ultrafast -c:a copy quit.mp4

# --- Blender ---
scene animation "" --render-output "$work/f_####" --frame-start 1 --frame-end 3 --render-anim
scene still "
s.cycles.use_adaptive_sampling = True
s.cycles.adaptive_threshold = 0.05
s.cycles.adaptive_min_samples = 8
s.cycles.samples = 4096
s.render.resolution_x = s.render.resolution_y = 200" --render-output "$work/s_####" --render-frame 7
scene tiles "
s.cycles.use_auto_tile = True
s.cycles.tile_size = 128
s.cycles.samples = 64
s.render.resolution_x = s.render.resolution_y = 256" --render-output "$work/t_####" --render-frame 1
scene layers "s.view_layers.new('Second')" --render-output "$work/l_####" --frame-end 2 --render-anim
scene movie "" --render-format FFMPEG --render-output "$work/m_" --frame-end 6 --frame-jump 2 --render-anim
rm f_0003.png
scene skipped "s.render.use_overwrite = False" --render-output "$work/f_####" --frame-end 3 --render-anim
scene unsaved "" --render-output /dev/null/f_#### --frame-end 3 --render-anim
scene sequencer "
s.sequence_editor_create().sequences.new_effect('c', 'COLOR', 1, frame_start=1, frame_end=4)" \
  --render-output "$work/q_####" --frame-end 3 --render-anim

# --- A bar that is drawn over and over in one line ---
nice /usr/bin/python3 -c "
import time, tqdm
for _ in tqdm.tqdm(range(20), desc='Frames', ncols=60): time.sleep(0.11)" 2>"$out/lines-tqdm.txt"

ls -l "$out"
