#!/usr/bin/env bash
#
# Renders the same kind of song four times with ffmpeg, and shows how the bar becomes right: the server
# learns from each render how long the next one takes.

set -euo pipefail
# Numbers with a point, and bytes where text is escaped.
export LC_ALL=C

usage() {
  cat <<'HELP'
scripts/demo-learned.sh [--seconds N] [--picture FILE]

Renders four songs of different lengths, each in four steps: a picture, the loudness, the video, a
thumbnail. Their worker reports what many do: a fixed percentage at the beginning of each step. After
each render it prints how far the bar was from the part of the time that had gone by.

  --seconds N     length of the first song, from 1 to 600; default 20
  --picture FILE  also draw the bars of the first and the last render, as SVG
  --help          this text

TRACK_STUDIO_SERVER names the server; the default is http://localhost:8080.
Needs curl and ffmpeg. Exit code: 0 done, 1 failed, 2 wrong usage.
HELP
}

fail() {
  printf 'demo-learned: %s\n' "$2" >&2
  exit "$1"
}

seconds=20
picture=""
while (($# > 0)); do
  case $1 in
    -h | --help)
      usage
      exit 0
      ;;
    --seconds | --picture)
      (($# > 1)) || fail 2 "$1 lacks its value"
      if [[ $1 == --seconds ]]; then seconds=$2; else picture=$2; fi
      shift
      ;;
    *) fail 2 "there is no option $1; see --help" ;;
  esac
  shift
done
[[ $seconds =~ ^([1-9][0-9]?|[1-5][0-9]{2}|600)$ ]] ||
  fail 2 "--seconds must be whole seconds from 1 to 600, not \"$seconds\""

server=${TRACK_STUDIO_SERVER:-http://localhost:8080}
server=${server%/}
api=$server/api/v1

curl --silent --fail --output /dev/null --connect-timeout 5 --max-time 10 "$server/health" ||
  fail 1 "no server answers at $server; start one with \"dist/track-studio serve\", or name another in TRACK_STUDIO_SERVER"
command -v ffmpeg >/dev/null || fail 1 "ffmpeg is missing; install it, on Debian with \"sudo apt-get install ffmpeg\""

folder=$(mktemp -d)
item=""
lease=""

# shellcheck disable=SC2317,SC2329 # The trap calls it.
clean_up() {
  # An item that nobody works on any more must not look as if somebody did.
  [[ -z $lease ]] || post "$item/fail" '{"error_message":"The demo was interrupted","retryable":false}' >/dev/null || true
  rm -rf "$folder"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

post() { # PATH BODY
  curl --silent --show-error --fail --max-time 10 --request POST --header "Content-Type: application/json" \
    --header "Lease: $lease" --data-raw "$2" "$api/queue${1:+/$1}"
}

# A key of a JSON object that has it once: a number, or a text without escapes.
key() { # NAME
  sed -n "s/.*\"$1\":\"\{0,1\}\([^\",}]*\).*/\1/p" | head -n 1
}

report() { # INDEX NAME PERCENT MORE
  post "$item/progress" "{\"step\":{\"index\":$1,\"total\":4,\"name\":\"$2\"},\"current_step\":\"$2\",\"progress\":$3$4}" >/dev/null
}

# Runs ffmpeg, and reports the time that it has written. The percentage stays where the step began.
step() { # INDEX NAME PERCENT SONG_SECONDS ARGUMENT...
  local index=$1 name=$2 percent=$3 total=$4 line us
  shift 4
  report "$index" "$name" "$percent" ""
  while IFS= read -r line; do
    [[ $line =~ ^out_time_us=([0-9]{1,15})$ ]] || continue
    us=${BASH_REMATCH[1]}
    ((10#$us <= total * 1000000)) || us=$((total * 1000000))
    report "$index" "$name" "$percent" \
      ",\"media\":{\"out_time\":$((10#$us / 1000000)).$(printf '%06d' $((10#$us % 1000000))),\"total\":$total,\"fps\":null,\"speed\":null}"
  done < <(ffmpeg -nostdin -v error -nostats -stats_period 0.25 -progress pipe:1 -y "$@" || echo "failed=1" >"$folder/failed")
  [[ ! -e $folder/failed ]] || fail 1 "ffmpeg failed in the step \"$name\""
}

render() { # SONG_SECONDS
  local total=$1
  step 1 Picture 5 1 -f lavfi -i "mandelbrot=size=1280x720:start_scale=0.8" -frames:v 1 "$folder/picture.png"
  step 2 Loudness 20 "$total" -f lavfi -i "sine=frequency=220:beep_factor=4" -t "$total" -af loudnorm "$folder/tone.wav"
  step 3 Render 75 "$total" -loop 1 -framerate 30 -i "$folder/picture.png" -i "$folder/tone.wav" \
    -filter_complex "[1:a]showfreqs=size=1280x240:rate=30:fscale=log:colors=white[s];[0:v][s]overlay=y=H-h,format=yuv420p[v]" \
    -map "[v]" -map 1:a -t "$total" -c:v libx264 -c:a aac "$folder/video.mp4"
  step 4 Thumbnail 95 "$total" -i "$folder/video.mp4" -vf "thumbnail=300,scale=320:-1" -frames:v 1 "$folder/thumbnail.png"
}

# The history of an item as lines "PART SHOWN REPORTED": which part of the time was over, what the bar
# showed and what the worker had reported, in percent.
course() { # ITEM
  curl --silent --fail --max-time 10 "$api/queue/$1/updates?limit=1000" | sed 's/},{"id"/}\n{"id"/g' | awk '
    function number(name) { return match($0, "\"" name "\":[0-9.]+") ? substr($0, RSTART + length(name) + 3, RLENGTH - length(name) - 3) : "" }
    {
      match($0, /"timestamp":"[^"]*"/)
      split(substr($0, RSTART + 24, 12), t, ":")
      at = t[1] * 3600 + t[2] * 60 + t[3]
      # Midnight may come in between.
      if (n > 0 && at < ats[n] - 43200) at += 86400
      if ($0 ~ /"status":"queued"/) next
      ats[++n] = at
      reported[n] = number("progress")
      shown[n] = number("time_progress") == "" ? reported[n] : number("time_progress")
    }
    END { for (i = 1; i < n; i++) printf "%.3f %.1f %.1f\n", 100 * (ats[i] - ats[1]) / (ats[n] - ats[1]), shown[i], reported[i] }'
}

# How far the bar was off, in points: on average over the time, and at worst. It stays as it is until the next update.
error_of() {
  awk '{ part[NR] = $1; shown[NR] = $2 }
    END {
      for (i = 1; i <= NR; i++) {
        end = i < NR ? part[i + 1] : 100
        for (p = part[i]; p < end; p += 0.25) { off = p - shown[i]; off = off < 0 ? -off : off; sum += off; n++; if (off > most) most = off }
      }
      printf "%.1f points on average, %.1f at worst", sum / n, most
    }'
}

# One panel of the picture: the time that had gone by, the reported percentage, and the bar.
panel() { # TITLE LEFT
  awk -v title="$1" -v left="$2" '
    function x(v) { return left + v * 3 }
    function y(v) { return 330 - v * 3 }
    { a = a sprintf("%.1f,%.1f %.1f,%.1f ", x($1), y(last_r), x($1), y($3)); b = b sprintf("%.1f,%.1f %.1f,%.1f ", x($1), y(last_s), x($1), y($2)); last_r = $3; last_s = $2 }
    END {
      printf "<rect x=\"%d\" y=\"30\" width=\"300\" height=\"300\" class=\"frame\"/>", left
      printf "<text x=\"%d\" y=\"20\">%s</text>", left, title
      printf "<line x1=\"%d\" y1=\"330\" x2=\"%d\" y2=\"30\" class=\"true\"/>", left, left + 300
      printf "<polyline points=\"%s%.1f,%.1f\" class=\"reported\"/><polyline points=\"%s%.1f,%.1f\" class=\"bar\"/>\n", a, x(100), y(last_r), b, x(100), y(last_s)
    }'
}

draw() { # FILE
  {
    printf '%s\n' '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 700 380" font-family="sans-serif" font-size="14">' \
      '<style>text{fill:#666}.frame{fill:none;stroke:#8886}.true{stroke:#888;stroke-dasharray:4 4}polyline{fill:none;stroke-width:2}.reported{stroke:#d9822b}.bar{stroke:#2b6fd9;stroke-width:3}</style>'
    panel "First render" 20 <"$folder/course1"
    panel "Fourth render" 360 <"$folder/course4"
    printf '%s\n' '<text x="20" y="355">the time goes from left to right; dashed: the part of it that is over</text>' \
      '<text x="20" y="374"><tspan fill="#2b6fd9">blue: the bar</tspan>, <tspan fill="#d9822b">orange: what the worker reports</tspan></text>' '</svg>'
  } >"$1"
}

kind="demo-$$-$RANDOM"
# Songs of one kind differ in length.
lengths=("$seconds" $(((seconds * 5 + 3) / 4)) $(((seconds * 3 + 3) / 4)) "$seconds")
for run in 1 2 3 4; do
  total=${lengths[run - 1]}
  item=$(post "" "{\"song_id\":$run,\"title\":\"Demo song $run\",\"kind\":\"$kind\",\"totals\":{\"seconds\":$total},\"available_in\":600}" | key id)
  lease=$(post claim "{\"worker\":\"demo\",\"id\":$item,\"lease\":600}" | key token)
  [[ -n $item && -n $lease ]] || fail 1 "$server did not take the queue item"
  render "$total"
  post "$item/complete" '{}' >/dev/null
  lease=""
  course "$item" >"$folder/course$run"
  printf 'render %d, a song of %d s: the bar was off by %s\n' "$run" "$total" "$(error_of <"$folder/course$run")"
done
[[ -z $picture ]] || draw "$picture"
