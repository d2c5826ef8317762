#!/usr/bin/env bash
#
# Renders a real song video with ffmpeg, reports its progress to a Track Studio server, and shows
# what a viewer sees.

set -euo pipefail
# Numbers with a point, and bytes where text is escaped.
export LC_ALL=C

usage() {
  cat <<'HELP'
scripts/demo-render.sh [--duration SECONDS] [--output FILE]

Makes a tone and a picture, adds a song to the queue, renders the two to a video with the tone's
spectrum, and reports ffmpeg's progress to the queue all the while. Lines with "worker" tell what
happens here, lines with "viewer" what somebody who watches the item receives. Run
scripts/test-sse.sh in a second terminal to watch along.

  --duration SECONDS  length of the song, from 1 to 3600; default 20
  --output FILE       the video; default ./data/demo-render-ID.mp4, which is made with its folder
  --help              this text

TRACK_STUDIO_SERVER names the server; the default is http://localhost:8080.
Needs curl and ffmpeg; root on a Debian system gets ffmpeg installed.
Exit code: 0 done, 1 failed or cancelled by the queue, 2 wrong usage.
HELP
}

worker() { printf 'worker  %s\n' "$*"; }
warn() { printf 'demo-render: %s\n' "$*" >&2; }

fail() {
  warn "$2"
  exit "$1"
}

duration=20
output=""
while (($# > 0)); do
  case $1 in
    -h | --help)
      usage
      exit 0
      ;;
    --duration | --output)
      (($# > 1)) || fail 2 "$1 lacks its value"
      if [[ $1 == --duration ]]; then duration=$2; else output=$2; fi
      shift
      ;;
    *) fail 2 "there is no option $1; see --help" ;;
  esac
  shift
done
[[ $duration =~ ^([1-9][0-9]{0,2}|[12][0-9]{3}|3[0-5][0-9]{2}|3600)$ ]] ||
  fail 2 "--duration must be whole seconds from 1 to 3600, not \"$duration\""

server=${TRACK_STUDIO_SERVER:-http://localhost:8080}
server=${server%/}
api=$server/api/v1

curl --silent --fail --output /dev/null --connect-timeout 5 --max-time 10 "$server/health" ||
  fail 1 "no server answers at $server; start one with \"dist/track-studio serve\", or name another in TRACK_STUDIO_SERVER"

if ! command -v ffmpeg >/dev/null; then
  if ((EUID != 0)) || ! command -v apt-get >/dev/null; then
    fail 1 "ffmpeg is missing; install it, on Debian with \"sudo apt-get install ffmpeg\""
  fi
  worker "Installing ffmpeg with apt-get"
  export DEBIAN_FRONTEND=noninteractive
  { apt-get update --quiet --quiet && apt-get install --quiet --quiet --yes --no-install-recommends ffmpeg; } \
    >/dev/null || fail 1 "apt-get could not install ffmpeg"
fi

folder=$(mktemp -d)
item=""
finished=""
part=""
ffmpeg_pid=""
viewer_pid=""

stop_ffmpeg() {
  [[ -n $ffmpeg_pid ]] || return 0
  kill "$ffmpeg_pid" 2>/dev/null || true
  wait "$ffmpeg_pid" 2>/dev/null || true
  ffmpeg_pid=""
}

# shellcheck disable=SC2317,SC2329 # The traps call it.
clean_up() {
  stop_ffmpeg
  # An item that nobody works on any more must not look as if somebody did.
  [[ -z $item || -n $finished ]] ||
    put '{"status":"failed","message":"Processing failed","error_message":"The render was interrupted"}' || true
  if [[ -n $viewer_pid ]]; then
    kill "$viewer_pid" 2>/dev/null || true
    wait "$viewer_pid" 2>/dev/null || true
  fi
  [[ -z $part ]] || rm -f -- "$part"
  rm -rf "$folder"
}
trap clean_up EXIT
trap 'echo; exit 130' INT
trap 'exit 143' TERM

# The text as a JSON string. Control characters go; of long text the beginning stays.
json_string() { # TEXT
  printf '"%s"' "$(printf '%s' "${1:0:2000}" | tr '\000-\037\177' ' ' | sed 's/[\\"]/\\&/g')"
}

# Changes the item. Fails with 1 where the server did not take it now, and with 2 where it never will:
# the item is deleted, or finished in its eyes.
put() { # BODY
  local code
  code=$(curl --silent --output "$folder/answer" --write-out '%{http_code}' --connect-timeout 2 --max-time 5 \
    --request PUT --header "Content-Type: application/json" --data-raw "$1" "$api/queue/$item") || code=000
  case $code in
    2*) return 0 ;;
    404 | 409 | 410) return 2 ;;
    000) warn "the server did not answer a report" ;;
    *) warn "the server refused a report with $code: $(head -c 300 "$folder/answer" 2>/dev/null)" ;;
  esac
  return 1
}

# As put, but tries for half a minute while the server does not take it.
insist() { # BODY
  local code deadline=$((SECONDS + 30))
  while true; do
    code=0
    put "$1" || code=$?
    ((code == 1 && SECONDS < deadline)) || return "$code"
    sleep 1
  done
}

# Tells how the render ended; the arguments are the bodies to put, one after the other.
conclude() { # BODY...
  local body code=0
  for body in "$@"; do
    insist "$body" || code=$?
    ((code == 0)) || break
  done
  finished=yes
  ((code != 1)) || warn "the server could not be told how the render ended"
  ((code == 1)) || end_viewer
  return "$code"
}

# Prints what a viewer receives until the item is finished; a stream that breaks is opened again.
view() {
  local line curl_pid="" failures=0
  trap '[[ -z $curl_pid ]] || { kill "$curl_pid"; wait "$curl_pid"; } 2>/dev/null || true; echo ended >&5' EXIT
  trap 'exit 143' TERM
  while ((failures < 30)); do
    curl --silent --no-buffer --fail --connect-timeout 5 \
      "$api/progress/stream/$item?format=text&until=finished" >"$folder/stream" &
    curl_pid=$!
    failures=$((failures + 1))
    while IFS= read -r line; do
      failures=0
      printf 'viewer  %s\n' "$line"
      case $line in
        # Update lines begin with a time, whatever their texts say.
        "# live"*) echo live >&5 ;;
        "# completed" | "# failed" | "# cancelled" | "# lost") return 0 ;;
      esac
    done <"$folder/stream"
    wait "$curl_pid" || true
    curl_pid=""
    ((failures > 1)) || printf 'viewer  # the stream broke; opening it again\n'
    sleep 1
  done
}

# Lets the viewer see the end; it is not worth more than 10 s.
end_viewer() {
  local said=""
  while [[ $said != ended ]]; do
    read -r -t 10 -u 5 said || break
  done
}

# ffmpeg's last complaint, without the name and address of its part that complains.
last_error() { # EXIT_CODE
  local line
  line=$(grep -v '^[[:space:]]*$' "$folder/errors" | tail -n 1 | sed 's/^\[[^]]* @ 0x[0-9a-f]*\] //') || true
  printf '%s' "${line:-ffmpeg ended with code $1 and no error message}"
}

give_up() { # ERROR_MESSAGE
  warn "the render failed: $1"
  conclude "{\"status\":\"failed\",\"message\":\"Processing failed\",\"error_message\":$(json_string "$1")}" || true
  exit 1
}

# The queue no longer wants this render: somebody deleted the item, or ended it.
cancelled() {
  finished=yes
  stop_ffmpeg
  warn "queue item $item was cancelled; the render is stopped"
  end_viewer
  exit 1
}

answer=$(curl --silent --max-time 10 --request POST --header "Content-Type: application/json" \
  --data-raw '{"song_id":1,"title":"Demo render"}' "$api/queue") || fail 1 "$server stopped answering"
[[ $answer =~ \"id\":([0-9]+) ]] || fail 1 "$server did not take the queue item: ${answer:0:300}"
item=${BASH_REMATCH[1]}
worker "Queue item $item at $server"

mkfifo "$folder/stream" "$folder/live" "$folder/progress"
# Opened for both, so that neither side waits for the other.
exec 5<>"$folder/live"
view &
viewer_pid=$!
# The viewer is to see 0 % too, so work begins when it watches.
read -r -t 10 -u 5 || warn "the viewer is late"

if [[ -z $output ]]; then
  mkdir -p data || give_up "The folder ./data cannot be made"
  output=data/demo-render-$item.mp4
fi
[[ $output == /* ]] || output=$PWD/$output

# Each report says "processing" again, because the one before may have been lost.
report() { # MORE
  local code=0
  put "{\"status\":\"processing\",$1}" || code=$?
  ((code != 2)) || cancelled
}

report '"current_step":"Preparing","progress":0,"message":"Making a tone and a picture"'
code=0
ffmpeg -nostdin -v error -y -f lavfi -i "sine=frequency=220:beep_factor=4" -t "$duration" "$folder/tone.wav" \
  2>"$folder/errors" || code=$?
((code == 0)) || give_up "$(last_error "$code")"
ffmpeg -nostdin -v error -y -f lavfi -i "mandelbrot=size=1280x720:start_scale=0.8" -frames:v 1 \
  "$folder/picture.png" 2>"$folder/errors" || code=$?
((code == 0)) || give_up "$(last_error "$code")"

report '"current_step":"Rendering video","message":"Starting ffmpeg"'
# Under a name of its own until it is whole, so that half a video never looks like one.
part=$output.part
ffmpeg -nostdin -v error -nostats -progress pipe:1 -y \
  -loop 1 -framerate 30 -i "$folder/picture.png" -i "$folder/tone.wav" \
  -filter_complex "[1:a]showfreqs=size=1280x240:rate=30:fscale=log:colors=white[spectrum];
    [0:v][spectrum]overlay=y=H-h,format=yuv420p[video]" \
  -map "[video]" -map 1:a -t "$duration" -c:v libx264 -c:a aac -f mp4 "$part" \
  >"$folder/progress" 2>"$folder/errors" &
ffmpeg_pid=$!
exec 4<"$folder/progress"

# ffmpeg writes a block of KEY=VALUE twice a second; its last line is the key "progress".
total_us=$((duration * 1000000))
done_us=0
percent=0
fps=""
speed=""
while IFS="=" read -r -u 4 key value; do
  value=${value//[[:space:]]/}
  case $key in
    out_time_us)
      # N/A or negative before the first frame; and it may run past the end.
      if [[ $value =~ ^[0-9]{1,15}$ ]] && ((10#$value > done_us)); then
        done_us=$((10#$value < total_us ? 10#$value : total_us))
      fi
      ;;
    fps)
      fps=""
      [[ ! $value =~ ^[0-9]+(\.[0-9]+)?$ || $value =~ ^[0.]+$ ]] || printf -v fps ', %.0f fps' "$value"
      ;;
    speed)
      value=${value%x}
      speed=""
      [[ ! $value =~ ^[0-9]+(\.[0-9]+)?(e[+-]?[0-9]+)?$ || $value =~ ^[0.]+$ ]] ||
        printf -v speed ', %.1fx' "$value"
      ;;
    progress)
      # When reports take longer than blocks, the newest block is the one to report.
      if [[ $value == end ]] || ! read -r -t 0 -u 4; then
        percent=$((done_us * 100 / total_us))
        # The video is not complete before ffmpeg has ended well.
        ((percent <= 99)) || percent=99
        printf -v message '%d.%d s of %d.0 s%s%s' \
          $((done_us / 1000000)) $((done_us / 100000 % 10)) "$duration" "$fps" "$speed"
        worker "$percent%  $message"
        report "\"current_step\":\"Rendering video\",\"progress\":$percent,\"message\":\"$message\""
      fi
      ;;
  esac
done
code=0
wait "$ffmpeg_pid" || code=$?
ffmpeg_pid=""

((code == 0)) || give_up "$(last_error "$code")"
# ffmpeg ends well when it is asked to stop early, too.
((done_us * 100 >= total_us * 98)) || give_up "The video ends after $((done_us / 1000000)) s of $duration s"
mv -f -- "$part" "$output" || give_up "The video cannot be moved to $output"

size=$(wc -c <"$output")
code=0
# "processing" again, because only what was started can be completed, and all reports may have been lost.
conclude '{"status":"processing","progress":99,"message":"Render done"}' \
  "{\"status\":\"completed\",\"current_step\":\"Done\",\"message\":\"Processing completed successfully\",\"video_file_path\":$(json_string "$output"),\"video_file_size\":$((size))}" ||
  code=$?
case $code in
  0) worker "$output, $((size / 1024)) KiB" ;;
  1) exit 1 ;;
  2) fail 1 "queue item $item was cancelled; the video stays at $output" ;;
esac
